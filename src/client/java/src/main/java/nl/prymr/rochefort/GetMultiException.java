package nl.prymr.rochefort;

import java.net.URI;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * A getMulti that did not return all its values: which offset failed, and the values before it.
 *
 * <p>If {@link #status()} is 200 and {@link #serverText()} is not empty, the server could not read
 * that offset. Otherwise the request as a whole failed (a refusal, a lost connection), and {@link
 * #index()} is that of the first value that was not received.
 */
public final class GetMultiException extends RochefortException {
    private static final long serialVersionUID = 1L;

    /**
     * The values that were received.
     *
     * @serial
     */
    private final byte[][] values;

    /**
     * The index of the offset that failed.
     *
     * @serial
     */
    private final int index;

    /**
     * The offset that failed, or -1.
     *
     * @serial
     */
    private final long offset;

    GetMultiException(RochefortException why, List<byte[]> values, int index, long offset) {
        super(position(index, offset, why.serverText()) + bare(why), why.method(), why.uri(),
                why.status(), why.serverText(), why.mayHaveHappened(), why.getCause());
        this.values = values.toArray(new byte[0][]);
        this.index = index;
        this.offset = offset;
    }

    private static String position(int index, long offset, String text) {
        if (offset < 0) {
            return "";
        }
        return text.contains("offset " + offset + " ") ? "index " + index + ": "
                : "offset " + offset + " (index " + index + "): ";
    }

    private static String bare(RochefortException why) {
        URI uri = why.uri();
        return why.getMessage().substring((why.method() + " " + uri + ": ").length());
    }

    /**
     * Returns the values that were received, in order: those of the offsets before {@link
     * #index()}.
     *
     * @return an unmodifiable list of arrays that belong to the caller; empty if thrown by a {@link
     *     ValueIterator}, which has already returned its values
     */
    public List<byte[]> values() {
        return Collections.unmodifiableList(Arrays.asList(values));
    }

    /**
     * Returns the index of the offset that failed.
     *
     * @return the index in the array that was passed in, from 0; the length of that array if all
     *     values were received but the reply continued after them
     */
    public int index() {
        return index;
    }

    /**
     * Returns the offset that failed.
     *
     * @return the offset, in bytes; -1 if {@link #index()} is past the end
     */
    public long offset() {
        return offset;
    }
}
