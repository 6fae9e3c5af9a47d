package nl.prymr.rochefort;

import java.nio.ByteBuffer;
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

    /** {@code limit}: the maximum number of bytes. */
    GrowableBuffer(int limit) {
        this(limit, Math.min(limit, FIRST_BYTES));
    }

    GrowableBuffer(int limit, int first) {
        this.limit = limit;
        this.bytes = new byte[first];
    }

    /** Takes bytes until the limit is reached; the others remain in {@code from}. */
    void take(ByteBuffer from) {
        int count = Math.min(from.remaining(), limit - filled);
        if (filled + count > bytes.length) {
            long larger = Math.max(filled + (long) count, 2L * bytes.length);
            bytes = Arrays.copyOf(bytes, (int) Math.min(limit, larger));
        }
        from.get(bytes, filled, count);
        filled += count;
    }

    boolean full() {
        return filled == limit;
    }

    int filled() {
        return filled;
    }

    /** The bytes received. The buffer must not be used afterwards. */
    byte[] bytes() {
        return filled == bytes.length ? bytes : Arrays.copyOf(bytes, filled);
    }
}
