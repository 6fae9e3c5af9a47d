package nl.prymr.rochefort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * One getMulti request that goes on after an offset that cannot be read. In the place of its value
 * is a length of 0, then 2 bytes of status, 2 bytes of length, little-endian, and a text of that
 * length. Status 200 without a text is a value of 0 bytes.
 */
final class GetMultiEachExchange extends MultiExchange<MultiResult> {
    private static final int STATUS_BYTES = 4;
    private static final byte[] EMPTY = {};

    private final Offsets offsets;

    /** For {@code count} of the offsets, from index {@code first}. Appends to {@code results}. */
    GetMultiEachExchange(Endpoint endpoint, String target, Offsets offsets, int first, int count,
            List<MultiResult> results) {
        super(endpoint.getMulti(target, offsets.encode(first, count)), first, count, results);
        this.offsets = offsets;
    }

    @Override
    MultiResult value(byte[] value) {
        return new MultiResult(offsets.at(index()), 200, value, "");
    }

    @Override
    MultiResult noValue(ReplyBody body) throws IOException {
        byte[] fields = new byte[STATUS_BYTES];
        if (body.readFully(fields, 0, STATUS_BYTES) < STATUS_BYTES) {
            throw endsEarly();
        }
        int status = littleEndian(fields, 0);
        int length = littleEndian(fields, 2);
        boolean empty = status == 200 && length == 0;
        if (!empty && (status < 400 || status > 599)) {
            throw malformed("status " + status + " with a text of " + length + " bytes in place of"
                    + " value " + index(), null);
        }
        byte[] text = GrowableBuffer.receive(body, length);
        if (text.length < length) {
            throw endsEarly();
        }
        return new MultiResult(offsets.at(index()), status, empty ? EMPTY : null,
                new String(text, StandardCharsets.UTF_8).stripTrailing());
    }

    private static int littleEndian(byte[] bytes, int at) {
        return bytes[at] & 0xff | (bytes[at + 1] & 0xff) << 8;
    }
}
