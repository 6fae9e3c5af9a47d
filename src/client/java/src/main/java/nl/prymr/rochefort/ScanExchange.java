package nl.prymr.rochefort;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;

/**
 * One scan request. Its reply is whole records, as they are in the file: 4 bytes of length, 8 of
 * time, 4 with the CRC-32 of these 12, all little-endian, and the value.
 */
final class ScanExchange extends Exchange<List<ScanRecord>> {
    /** A record follows only if those before it have fewer bytes. */
    static final int LIMIT_BYTES = 1024 * 1024;

    private static final int SUMMED_BYTES = 12;

    private final long offset;
    private final byte[] header = new byte[ScanRecord.HEADER_BYTES];
    private final ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
    private final CRC32 sum = new CRC32();

    /** {@code offset}: where the request begins. */
    ScanExchange(Request request, long offset) {
        super(request, VALUE);
        this.offset = offset;
    }

    @Override
    boolean accepts(int status) {
        return status == 200 || status == 204;
    }

    /** The next offset may be behind damage, so a body that was cut would not be noticed. */
    @Override
    boolean selfDelimiting() {
        return false;
    }

    /** Where the next request begins. */
    long nextOffset() {
        return head().nextOffset();
    }

    /** The header of the last record that was received. */
    byte[] lastHeader() {
        return header;
    }

    @Override
    List<ScanRecord> receive(ReplyBody body) throws IOException {
        long next = nextOffset();
        if (next < offset) {
            throw malformed("Rochefort-Next-Offset is "
                    + (next < 0 ? "missing" : next + ", before " + offset), null);
        }
        List<ScanRecord> records = new ArrayList<>();
        if (head().status() == 204) {
            return records;
        }
        long at = offset;
        for (ScanRecord record = next(body, at, next); record != null;
                record = next(body, at, next)) {
            if (at - offset >= LIMIT_BYTES) {
                throw malformed("the reply has more records than were asked for", null);
            }
            records.add(record);
            at = record.nextOffset();
        }
        if (records.isEmpty()) {
            throw malformed("a reply without a record", null);
        }
        return records;
    }

    /** The record at {@code at}; null at the end of the body. */
    private ScanRecord next(ReplyBody body, long at, long end) throws IOException {
        int bytes = body.readFully(header, 0, header.length);
        if (bytes == 0) {
            return null;
        }
        long length = fields.getInt(0) & 0xffff_ffffL;
        sum.reset();
        sum.update(header, 0, SUMMED_BYTES);
        if (bytes < header.length || (int) sum.getValue() != fields.getInt(SUMMED_BYTES)) {
            throw malformed("no record at offset " + at + " of the reply", null);
        }
        if (length > end - at - header.length
                || body.left() >= 0 && length > body.left()) {
            throw malformed("the record at offset " + at + " does not end in the reply", null);
        }
        if (length > GrowableBuffer.BYTES_MAX) {
            throw malformed("the value at offset " + at + " is too long for an array: " + length
                    + " bytes", null);
        }
        byte[] value = GrowableBuffer.receive(body, (int) length);
        if (value.length < length) {
            throw malformed("the record at offset " + at + " is cut short", null);
        }
        return new ScanRecord(at, fields.getLong(4), value);
    }
}
