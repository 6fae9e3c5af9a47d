package nl.prymr.rochefort;

import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.function.Function;

/** A request whose reply is processed as a whole: append, get, close. */
final class SimpleExchange<T> extends Exchange<T> {
    private static final int FIRST_BYTES = 16 * 1024;

    private final Function<byte[], T> parser;
    private GrowableBuffer body;

    /** {@code parser} throws IllegalArgumentException if the reply is invalid. */
    SimpleExchange(URI uri, OneShotBody body, Duration timeout, String mediaType,
            Function<byte[], T> parser) {
        super(uri, body, timeout, mediaType);
        this.parser = parser;
    }

    @Override
    void start(long bytes) throws RochefortException {
        if (bytes > GrowableBuffer.BYTES_MAX) {
            throw malformed("a reply of " + bytes + " bytes is too long for an array", null);
        }
        body = bytes >= 0 ? new GrowableBuffer((int) bytes)
                : new GrowableBuffer(GrowableBuffer.BYTES_MAX, FIRST_BYTES);
    }

    @Override
    void take(ByteBuffer bytes) throws RochefortException {
        body.take(bytes);
        if (bytes.hasRemaining()) {
            throw malformed("the reply is longer than " + body.filled() + " bytes", null);
        }
    }

    @Override
    T finish() throws RochefortException {
        try {
            return parser.apply(body.bytes());
        } catch (IllegalArgumentException e) {
            throw malformed(e.getMessage(), e);
        }
    }
}
