package nl.prymr.rochefort;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * An array that is filled as bytes come. It takes memory for what came, not for what was announced:
 * a damaged length must not cost two gigabytes.
 */
final class Growing {
    /** The largest array that every Java machine makes. */
    static final int BYTES_MAX = Integer.MAX_VALUE - 8;

    private static final int FIRST_BYTES = 1024 * 1024;

    private final int limit;
    private byte[] bytes;
    private int filled;

    /** {@code limit}: how many bytes there will be, or may be, at most. */
    Growing(int limit) {
        this(limit, Math.min(limit, FIRST_BYTES));
    }

    Growing(int limit, int first) {
        this.limit = limit;
        this.bytes = new byte[first];
    }

    /** Takes bytes until the limit is reached; the rest stays in {@code from}. */
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

    /** What came. Not to be used afterwards. */
    byte[] bytes() {
        return filled == bytes.length ? bytes : Arrays.copyOf(bytes, filled);
    }
}
