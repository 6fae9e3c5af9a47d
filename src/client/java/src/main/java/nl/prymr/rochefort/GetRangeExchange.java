package nl.prymr.rochefort;

import java.io.IOException;

/** A get of a part of a value. */
final class GetRangeExchange extends Exchange<byte[]> {
    private final long first;
    private final long last;

    GetRangeExchange(Request request, long first, long last) {
        super(request, VALUE);
        this.first = first;
        this.last = last;
    }

    @Override
    boolean accepts(int status) {
        return status == 206 || status == 200;
    }

    @Override
    byte[] receive(ReplyBody body) throws IOException {
        if (head().status() == 200) {
            throw malformed("the reply is the whole value: something on the way to the server drops"
                    + " the field Range", null);
        }
        int length = length(head().contentRange());
        if (body.left() >= 0 && body.left() != length) {
            throw malformed("a reply of " + body.left() + " bytes with Content-Range: "
                    + head().contentRange(), null);
        }
        byte[] part = GrowableBuffer.receive(body, length);
        if (part.length < length) {
            throw malformed("the reply ends after " + part.length + " of " + length + " bytes",
                    null);
        }
        expectEnd(body);
        return part;
    }

    /** Of {@code bytes 0-99/1000}: the part must be the one that was asked for. */
    private int length(String contentRange) throws RochefortException {
        try {
            int dash = contentRange.indexOf('-');
            int slash = contentRange.indexOf('/');
            if (contentRange.startsWith("bytes ")) {
                long from = Long.parseLong(contentRange.substring("bytes ".length(), dash));
                long to = Long.parseLong(contentRange.substring(dash + 1, slash));
                long end = Long.parseLong(contentRange.substring(slash + 1));
                if (from == first && to >= first && to == Math.min(last, end - 1)) {
                    return (int) (to - from + 1);
                }
            }
        } catch (NumberFormatException | StringIndexOutOfBoundsException e) {
            throw malformed("Content-Range: " + contentRange, e);
        }
        throw malformed("Content-Range: " + contentRange + ", not of bytes " + first + "-" + last,
                null);
    }
}
