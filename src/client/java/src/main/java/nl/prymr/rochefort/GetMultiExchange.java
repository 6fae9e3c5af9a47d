package nl.prymr.rochefort;

import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;

/**
 * One getMulti request. Its reply is, for each offset in order, 4 bytes of length (little-endian)
 * and the value. At the first offset that cannot be read it is a length of 0 and the reason, and
 * ends. Each value is passed on as soon as it is complete.
 */
final class GetMultiExchange extends Exchange<Void> {
    private static final int LENGTH_BYTES = 4;
    private static final int REASON_BYTES_MAX = 8 * 1024;

    /** Receives the values. Called by one thread at a time. */
    interface Sink {
        void value(byte[] value);

        /** See {@link Exchange#pause}. */
        default boolean pause() {
            return false;
        }

        /** See {@link Exchange#waitsForCaller}. */
        default boolean waitsForCaller() {
            return false;
        }

        /** The values of this exchange and those before it, for the exception. */
        default List<byte[]> soFar() {
            return List.of();
        }
    }

    private final Offsets offsets;
    private final int first;
    private final int count;
    private final Sink sink;
    private int received;
    private boolean closed; // bytes received after a failure are ignored
    private long left; // of the whole reply, -1 if unknown
    private GrowableBuffer length = new GrowableBuffer(LENGTH_BYTES);
    private GrowableBuffer value;
    private GrowableBuffer reason;

    /** For {@code count} of the offsets, from index {@code first}. */
    GetMultiExchange(URI uri, Offsets offsets, int first, int count, Duration timeout, Sink sink) {
        super(uri, new OneShotBody(offsets.encode(first, count)), timeout,
                "application/octet-stream");
        this.offsets = offsets;
        this.first = first;
        this.count = count;
        this.sink = sink;
    }

    @Override
    void start(long bytes) {
        left = bytes;
    }

    @Override
    boolean pause() {
        return sink.pause();
    }

    @Override
    boolean repeatable() {
        return true;
    }

    @Override
    boolean waitsForCaller() {
        return sink.waitsForCaller();
    }

    @Override
    synchronized void take(ByteBuffer bytes) throws RochefortException {
        while (bytes.hasRemaining() && !closed) {
            int before = bytes.remaining();
            if (reason != null) {
                reason.take(bytes);
                bytes.position(bytes.limit()); // drop the rest of a very long reason
            } else if (value != null) {
                takeValue(bytes);
            } else {
                takeLength(bytes);
            }
            left -= left >= 0 ? before - bytes.remaining() : 0;
        }
    }

    private void takeLength(ByteBuffer bytes) throws RochefortException {
        if (received == count) {
            throw malformed("the reply goes on after the last value", null);
        }
        int missing = LENGTH_BYTES - length.filled();
        length.take(bytes);
        if (!length.full()) {
            return;
        }
        long announced = littleEndian(length.bytes());
        length = new GrowableBuffer(LENGTH_BYTES);
        if (announced == 0) {
            reason = new GrowableBuffer(REASON_BYTES_MAX, 256);
        } else if (announced > GrowableBuffer.BYTES_MAX) {
            throw malformed("a value of " + announced + " bytes is too long for an array", null);
        } else if (left >= 0 && announced > left - missing) {
            throw malformed("a value of " + announced + " bytes is announced, but only "
                    + (left - missing) + " are left of the reply", null);
        } else {
            value = new GrowableBuffer((int) announced);
        }
    }

    private void takeValue(ByteBuffer bytes) {
        value.take(bytes);
        if (value.full()) {
            byte[] whole = value.bytes();
            value = null;
            received++;
            sink.value(whole);
        }
    }

    @Override
    Void finish() throws RochefortException {
        if (reason != null) {
            String text = new String(reason.bytes(), StandardCharsets.UTF_8).stripTrailing();
            throw refused(text.isEmpty() ? "the server gives no reason" : text, text);
        }
        if (received < count || value != null || length.filled() > 0) {
            throw malformed("the reply ends after " + received + " of " + count + " values", null);
        }
        return null;
    }

    @Override
    synchronized RochefortException describe(RochefortException plain) {
        closed = true;
        int failed = first + received;
        long offset = received < count ? offsets.at(failed) : -1;
        return new GetMultiException(plain, sink.soFar(), failed, offset);
    }

    private static long littleEndian(byte[] bytes) {
        long number = 0;
        for (int i = LENGTH_BYTES - 1; i >= 0; i--) {
            number = number << 8 | bytes[i] & 0xff;
        }
        return number;
    }
}
