package nl.prymr.rochefort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** One getMulti request that ends at the first offset that cannot be read, with the reason. */
class GetMultiExchange extends MultiExchange<byte[]> {
    private static final int REASON_BYTES_MAX = 8 * 1024;
    private static final int REASON_FIRST_BYTES = 256;

    private final Offsets offsets;

    /** For {@code count} of the offsets, from index {@code first}. Appends to {@code values}. */
    GetMultiExchange(Endpoint endpoint, String target, Offsets offsets, int first, int count,
            List<byte[]> values) {
        super(endpoint.getMulti(target, offsets.encode(first, count)), first, count, values);
        this.offsets = offsets;
    }

    @Override
    final byte[] value(byte[] value) {
        return value;
    }

    @Override
    final byte[] noValue(ReplyBody body) throws IOException {
        GrowableBuffer reason = new GrowableBuffer(REASON_BYTES_MAX, REASON_FIRST_BYTES);
        reason.receive(body);
        String text = new String(reason.bytes(), StandardCharsets.UTF_8).stripTrailing();
        throw refused(text.isEmpty() ? "the server gives no reason" : text, text);
    }

    @Override
    RochefortException describe(RochefortException plain) {
        long offset = complete() ? -1 : offsets.at(index());
        return new GetMultiException(plain, values(), index(), offset);
    }
}
