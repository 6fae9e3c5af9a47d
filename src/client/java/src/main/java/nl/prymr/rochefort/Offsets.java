package nl.prymr.rochefort;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.Objects;

/** The offsets of a getMulti, as numbers or already encoded. A view: the array is not copied. */
final class Offsets {
    /** The maximum number of offsets in one request. */
    static final int REQUEST_MAX = 1024 * 1024;

    private final LongBuffer offsets;

    Offsets(long[] offsets) {
        this.offsets = LongBuffer.wrap(Objects.requireNonNull(offsets, "offsets"));
    }

    /** {@code encoded}: 8 bytes for each offset, little-endian. */
    Offsets(byte[] encoded) {
        Objects.requireNonNull(encoded, "encodedOffsets");
        if (encoded.length % Long.BYTES != 0) {
            throw new IllegalArgumentException("encoded offsets of " + encoded.length
                    + " bytes, not a multiple of " + Long.BYTES);
        }
        this.offsets = ByteBuffer.wrap(encoded).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
    }

    int count() {
        return offsets.limit();
    }

    long at(int index) {
        return offsets.get(index);
    }

    /** Returns the body of the request for {@code count} of the offsets. */
    byte[] encode(int first, int count) {
        byte[] body = new byte[count * Long.BYTES];
        LongBuffer part = offsets.duplicate();
        part.position(first).limit(first + count);
        ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().put(part);
        return body;
    }
}
