package nl.prymr.rochefort;

import java.io.IOException;
import java.util.List;

/**
 * One getMulti request. Its reply is, for each offset in order, 4 bytes of length (little-endian)
 * and the value. After a length of 0 the reason follows why there is no value. {@code V}: what is
 * made of each of these.
 */
abstract class MultiExchange<V> extends Exchange<Void> {
    private static final int LENGTH_BYTES = 4;

    private final int first;
    private final int count;
    private final List<V> values; // of this exchange and those before it
    private final byte[] lengthBytes = new byte[LENGTH_BYTES];
    private int received;

    /** For {@code count} offsets, from index {@code first}. Appends to {@code values}. */
    MultiExchange(Request request, int first, int count, List<V> values) {
        super(request, VALUE);
        this.first = first;
        this.count = count;
        this.values = values;
    }

    /** Makes the result of a value. */
    abstract V value(byte[] value);

    /** Reads what follows a length of 0. */
    abstract V noValue(ReplyBody body) throws IOException;

    @Override
    final Void receive(ReplyBody body) throws IOException {
        for (V value = next(body); value != null; value = next(body)) {
            values.add(value);
        }
        return null;
    }

    /** Whether all values were received. */
    final boolean complete() {
        return received == count;
    }

    /** The index of the offset whose value is received next. */
    final int index() {
        return first + received;
    }

    /** The values received so far, of this exchange and those before it. */
    final List<V> values() {
        return values;
    }

    /** Receives the next value. Returns null after the last one, at the end of the body. */
    final V next(ReplyBody body) throws IOException {
        int bytes = body.readFully(lengthBytes, 0, LENGTH_BYTES);
        if (bytes == 0 && complete()) {
            return null;
        }
        if (complete()) {
            throw malformed("the reply goes on after the last value", null);
        }
        if (bytes < LENGTH_BYTES) {
            throw endsEarly();
        }
        long announced = littleEndian(lengthBytes);
        V value = announced == 0 ? noValue(body) : value(receive(body, announced));
        received++;
        return value;
    }

    private byte[] receive(ReplyBody body, long announced) throws IOException {
        if (announced > GrowableBuffer.BYTES_MAX) {
            throw malformed("a value of " + announced + " bytes is too long for an array", null);
        }
        if (body.left() >= 0 && announced > body.left()) {
            throw malformed("a value of " + announced + " bytes is announced, but only "
                    + body.left() + " are left of the reply", null);
        }
        byte[] value = GrowableBuffer.receive(body, (int) announced);
        if (value.length < announced) {
            throw endsEarly();
        }
        return value;
    }

    final RochefortException endsEarly() {
        return malformed("the reply ends after " + received + " of " + count + " values", null);
    }

    private static long littleEndian(byte[] bytes) {
        return (bytes[0] & 0xff) | (bytes[1] & 0xff) << 8 | (bytes[2] & 0xff) << 16
                | (bytes[3] & 0xffL) << 24;
    }
}
