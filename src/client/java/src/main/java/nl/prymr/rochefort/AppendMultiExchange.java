package nl.prymr.rochefort;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** One appendMulti. Its reply is the offset of each value in order, 8 bytes little-endian. */
final class AppendMultiExchange extends Exchange<long[]> {
    private static final int STEP_OFFSETS = 8192;

    private final int count;

    AppendMultiExchange(Endpoint endpoint, String target, ValueFrames values) {
        super(endpoint.appendMulti(target, values), VALUE);
        this.count = values.count();
    }

    @Override
    long[] receive(ReplyBody body) throws IOException {
        long expected = (long) count * Long.BYTES;
        if (body.left() >= 0 && body.left() != expected) {
            throw malformed(body.left() + " bytes of offsets for " + count + " values", null);
        }
        long[] offsets = new long[count];
        byte[] step = new byte[Math.min(count, STEP_OFFSETS) * Long.BYTES];
        for (int done = 0; done < count;) {
            int bytes = Math.min(count - done, STEP_OFFSETS) * Long.BYTES;
            if (body.readFully(step, 0, bytes) < bytes) {
                throw malformed("the reply has fewer offsets than the " + count + " values", null);
            }
            ByteBuffer.wrap(step, 0, bytes).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer()
                    .get(offsets, done, bytes / Long.BYTES);
            done += bytes / Long.BYTES;
        }
        expectEnd(body);
        check(offsets);
        return offsets;
    }

    private void check(long[] offsets) throws RochefortException {
        long least = 0;
        for (int i = 0; i < count; i++) {
            if (offsets[i] < least) {
                throw malformed("an offset of " + offsets[i] + " for value " + i
                        + " of an appendMulti; it must be at least " + least, null);
            }
            least = offsets[i] + 1;
        }
    }
}
