package nl.prymr.rochefort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * One getMulti request. Its reply is, for each offset in order, 4 bytes of length (little-endian)
 * and the value. At the first offset that cannot be read it is a length of 0 and the reason, and
 * ends.
 */
class GetMultiExchange extends Exchange<Void> {
    private static final int LENGTH_BYTES = 4;
    private static final int REASON_BYTES_MAX = 8 * 1024;
    private static final int REASON_FIRST_BYTES = 256;

    private final Offsets offsets;
    private final int first;
    private final int count;
    private final List<byte[]> values; // of this exchange and those before it
    private final byte[] lengthBytes = new byte[LENGTH_BYTES];
    private int received;

    /** For {@code count} of the offsets, from index {@code first}. Appends to {@code values}. */
    GetMultiExchange(Endpoint endpoint, String target, Offsets offsets, int first, int count,
            List<byte[]> values) {
        super(endpoint.getMulti(target, offsets.encode(first, count)), VALUE);
        this.offsets = offsets;
        this.first = first;
        this.count = count;
        this.values = values;
    }

    @Override
    Void receive(ReplyBody body) throws IOException {
        for (byte[] value = next(body); value != null; value = next(body)) {
            values.add(value);
        }
        return null;
    }

    /** Whether all values were received. */
    final boolean complete() {
        return received == count;
    }

    /** Receives the next value. Returns null after the last one, at the end of the body. */
    final byte[] next(ReplyBody body) throws IOException {
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
        byte[] value = value(body, littleEndian(lengthBytes));
        received++;
        return value;
    }

    private byte[] value(ReplyBody body, long announced) throws IOException {
        if (announced == 0) {
            throw reason(body);
        }
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

    private RochefortException reason(ReplyBody body) throws IOException {
        GrowableBuffer reason = new GrowableBuffer(REASON_BYTES_MAX, REASON_FIRST_BYTES);
        reason.receive(body);
        String text = new String(reason.bytes(), StandardCharsets.UTF_8).stripTrailing();
        return refused(text.isEmpty() ? "the server gives no reason" : text, text);
    }

    private RochefortException endsEarly() {
        return malformed("the reply ends after " + received + " of " + count + " values", null);
    }

    @Override
    RochefortException describe(RochefortException plain) {
        int failed = first + received;
        long offset = received < count ? offsets.at(failed) : -1;
        return new GetMultiException(plain, values, failed, offset);
    }

    private static long littleEndian(byte[] bytes) {
        return (bytes[0] & 0xff) | (bytes[1] & 0xff) << 8 | (bytes[2] & 0xff) << 16
                | (bytes[3] & 0xffL) << 24;
    }
}
