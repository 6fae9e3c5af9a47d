package nl.prymr.rochefort;

import java.io.IOException;
import java.util.function.Function;

/** A request whose reply is processed as a whole: append, get, close. */
final class SimpleExchange<T> extends Exchange<T> {
    private static final int FIRST_BYTES = 16 * 1024;

    private final Function<byte[], T> parser;
    private final boolean selfDelimiting;

    /** {@code parser} throws IllegalArgumentException if the reply is invalid. */
    SimpleExchange(Request request, String mediaType, Function<byte[], T> parser) {
        super(request, mediaType);
        this.parser = parser;
        this.selfDelimiting = mediaType.equals(JSON);
    }

    @Override
    boolean selfDelimiting() {
        return selfDelimiting;
    }

    @Override
    T receive(ReplyBody body) throws IOException {
        byte[] bytes = receiveAll(body);
        try {
            return parser.apply(bytes);
        } catch (IllegalArgumentException e) {
            throw malformed(e.getMessage(), e);
        }
    }

    private byte[] receiveAll(ReplyBody body) throws IOException {
        long length = body.left();
        if (length > GrowableBuffer.BYTES_MAX) {
            throw malformed("a reply of " + length + " bytes is too long for an array", null);
        }
        if (length >= 0) {
            return GrowableBuffer.receive(body, (int) length);
        }
        GrowableBuffer buffer = new GrowableBuffer(GrowableBuffer.BYTES_MAX, FIRST_BYTES);
        buffer.receive(body);
        if (buffer.filled() == GrowableBuffer.BYTES_MAX) {
            throw malformed("the reply is too long for an array", null);
        }
        return buffer.bytes();
    }
}
