package nl.prymr.rochefort;

import java.net.URI;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * A getMulti that did not give all its values: which offset failed, and the values before it.
 *
 * <p>With a {@link #status()} of 200 and a {@link #serverText()} the server could not read that
 * offset. Anything else went wrong with the request as a whole (a refusal, a lost connection), and
 * {@link #index()} is that of the first value that did not come.
 */
public final class GetMultiException extends RochefortException {
    private static final long serialVersionUID = 1L;

    /** @serial see {@link #values()} */
    private final byte[][] values;

    /** @serial see {@link #index()} */
    private final int index;

    /** @serial see {@link #offset()} */
    private final long offset;

    GetMultiException(RochefortException why, List<byte[]> values, int index, long offset) {
        super(place(index, offset) + bare(why), why.method(), why.uri(),
                why.status(), why.serverText(), why.mayHaveHappened(), why.getCause());
        this.values = values.toArray(new byte[0][]);
        this.index = index;
        this.offset = offset;
    }

    private static String place(int index, long offset) {
        return offset < 0 ? "" : "offset " + offset + " (index " + index + "): ";
    }

    private static String bare(RochefortException why) {
        URI uri = why.uri();
        return why.getMessage().substring((why.method() + " " + uri + ": ").length());
    }

    /**
     * The values that came, in order: those of the offsets before {@link #index()}.
     *
     * @return a list that cannot be changed, of arrays that are the caller's; empty if the failure
     *     comes from a {@link ValueIterator}, which has handed out its values already
     */
    public List<byte[]> values() {
        return Collections.unmodifiableList(Arrays.asList(values));
    }

    /**
     * Which of the offsets failed.
     *
     * @return its place in the array that was given, from 0; the length of that array if all values
     *     came but the reply went on after them
     */
    public int index() {
        return index;
    }

    /**
     * The offset that failed.
     *
     * @return the offset, in bytes; -1 if {@link #index()} is past the end
     */
    public long offset() {
        return offset;
    }
}
