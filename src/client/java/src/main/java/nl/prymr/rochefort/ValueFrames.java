package nl.prymr.rochefort;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** The body of an appendMulti: for each value 4 bytes of length, little-endian, and the value. */
final class ValueFrames {
    /** The maximum number of values in one request. */
    static final int REQUEST_MAX = 1024 * 1024;

    /** What a value has before it. */
    static final int LENGTH_BYTES = 4;

    private byte[] bytes;
    private ByteBuffer at;
    private int count;

    /** {@code buffer} is used, and replaced when it is too short. */
    ValueFrames(byte[] buffer) {
        use(buffer, 0);
    }

    /**
     * The frames of all of {@code list}.
     *
     * @throws NullPointerException if one of them is null
     * @throws IllegalArgumentException if one is empty, or they do not fit into one request
     */
    static ValueFrames of(List<byte[]> list) {
        byte[][] values = Objects.requireNonNull(list, "values").toArray(new byte[0][]);
        if (values.length > REQUEST_MAX) {
            throw new IllegalArgumentException(values.length + " values; one request has at most "
                    + REQUEST_MAX);
        }
        long total = 0;
        for (int i = 0; i < values.length; i++) {
            byte[] value = values[i];
            if (value == null) {
                throw new NullPointerException("values[" + i + "]");
            }
            if (value.length == 0) {
                throw new IllegalArgumentException("values[" + i + "] is empty");
            }
            total += LENGTH_BYTES + value.length;
        }
        if (total > GrowableBuffer.BYTES_MAX) {
            throw new IllegalArgumentException("values of " + total + " bytes; one request has at"
                    + " most " + GrowableBuffer.BYTES_MAX);
        }
        ValueFrames frames = new ValueFrames(new byte[(int) total]);
        for (byte[] value : values) {
            frames.add(value);
        }
        return frames;
    }

    private void use(byte[] buffer, int length) {
        bytes = buffer;
        at = ByteBuffer.wrap(buffer).order(ByteOrder.LITTLE_ENDIAN).position(length);
    }

    /** Makes room for another value, so that {@link #add} allocates nothing. */
    void reserve(int valueBytes) {
        int needed = LENGTH_BYTES + valueBytes;
        if (at.remaining() < needed) {
            int length = at.position();
            long twice = Math.min(GrowableBuffer.BYTES_MAX, 2L * bytes.length);
            use(Arrays.copyOf(bytes, (int) Math.max(twice, length + needed)), length);
        }
    }

    /** Adds a copy of {@code value}. All together must be shorter than an array can be. */
    void add(byte[] value) {
        reserve(value.length);
        at.putInt(value.length).put(value);
        count++;
    }

    int count() {
        return count;
    }

    /** The array that begins with the frames. */
    byte[] bytes() {
        return bytes;
    }

    /** The number of bytes of all frames. */
    int length() {
        return at.position();
    }
}
