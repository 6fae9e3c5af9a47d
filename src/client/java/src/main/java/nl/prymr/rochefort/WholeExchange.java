package nl.prymr.rochefort;

import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.function.Function;

/** A request whose reply is taken as a whole: append, get, close. */
final class WholeExchange<T> extends Exchange<T> {
    private static final int FIRST_BYTES = 16 * 1024;

    private final Function<byte[], T> meaning;
    private Growing body;

    /** {@code meaning} throws IllegalArgumentException if the reply is not what it has to be. */
    WholeExchange(URI uri, OnceBody body, Duration timeout, String mediaType,
            Function<byte[], T> meaning) {
        super(uri, body, timeout, mediaType);
        this.meaning = meaning;
    }

    @Override
    void start(long bytes) throws RochefortException {
        if (bytes > Growing.BYTES_MAX) {
            throw malformed("a reply of " + bytes + " bytes is too long for an array", null);
        }
        body = bytes >= 0 ? new Growing((int) bytes) : new Growing(Growing.BYTES_MAX, FIRST_BYTES);
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
            return meaning.apply(body.bytes());
        } catch (IllegalArgumentException e) {
            throw malformed(e.getMessage(), e);
        }
    }
}
