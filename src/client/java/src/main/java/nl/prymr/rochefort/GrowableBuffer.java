package nl.prymr.rochefort;

import java.io.IOException;
import java.util.Arrays;

/**
 * An array that grows as bytes are received. It allocates for the bytes that were received, not for
 * those that were announced: a damaged length must not cost two gigabytes.
 */
final class GrowableBuffer {
    /** The length of the largest array that every JVM can allocate. */
    static final int BYTES_MAX = Integer.MAX_VALUE - 8;

    private static final int FIRST_BYTES = 1024 * 1024;

    private final int limit;
    private byte[] bytes;
    private int filled;

    /** {@code limit}: the maximum number of bytes. {@code first}: how many to allocate at first. */
    GrowableBuffer(int limit, int first) {
        this.limit = limit;
        this.bytes = new byte[Math.min(limit, first)];
    }

    /** Receives {@code length} bytes, or fewer if {@code body} ends before. */
    static byte[] receive(ReplyBody body, int length) throws IOException {
        if (length > FIRST_BYTES) {
            GrowableBuffer buffer = new GrowableBuffer(length, FIRST_BYTES);
            buffer.receive(body);
            return buffer.bytes();
        }
        byte[] bytes = new byte[length];
        int received = body.readFully(bytes, 0, length);
        return received == length ? bytes : Arrays.copyOf(bytes, received);
    }

    /** Receives until the end of {@code body}, or until the limit is reached. */
    void receive(ReplyBody body) throws IOException {
        while (filled < limit) {
            if (filled == bytes.length) {
                bytes = Arrays.copyOf(bytes, (int) Math.min(limit, 2L * filled));
            }
            int count = body.read(bytes, filled, bytes.length - filled);
            if (count < 0) {
                return;
            }
            filled += count;
        }
    }

    int filled() {
        return filled;
    }

    /** The bytes received. The buffer must not be used afterwards. */
    byte[] bytes() {
        return filled == bytes.length ? bytes : Arrays.copyOf(bytes, filled);
    }
}
