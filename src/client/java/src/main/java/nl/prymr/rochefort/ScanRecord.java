package nl.prymr.rochefort;

import java.time.Instant;

/**
 * A record of a bucket: a value, where it is and when it was appended. Returned by a {@link Scan}.
 *
 * <p>Safe for use by any number of threads, as far as nobody changes the value.
 */
public final class ScanRecord {
    /** What a record has before its value. */
    static final int HEADER_BYTES = 16;

    private static final long SECOND_NANOS = 1_000_000_000;

    private final long offset;
    private final long timeNanos;
    private final byte[] value;

    ScanRecord(long offset, long timeNanos, byte[] value) {
        this.offset = offset;
        this.timeNanos = timeNanos;
        this.value = value;
    }

    /**
     * Returns the offset of the record, which its append was answered with.
     *
     * @return the offset, in bytes
     */
    public long offset() {
        return offset;
    }

    /**
     * Returns where the record ends. The next one begins there, unless there is damage between
     * them, which the scan has stepped over.
     *
     * @return the offset behind it, in bytes: where a scan that goes on later begins
     */
    public long nextOffset() {
        return offset + HEADER_BYTES + value.length;
    }

    /**
     * Returns when the value was appended, by the clock of the server. Values that were written
     * together have the same time, and the clock may have been set back between two records.
     *
     * @return the time, in nanoseconds
     */
    public Instant time() {
        return Instant.ofEpochSecond(Long.divideUnsigned(timeNanos, SECOND_NANOS),
                Long.remainderUnsigned(timeNanos, SECOND_NANOS));
    }

    /**
     * Returns the value. It may have 0 bytes in a prefix of the Go original.
     *
     * @return the array, always the same one, which belongs to the caller
     */
    public byte[] value() {
        return value;
    }

    /**
     * Returns the offset, the time and the number of bytes.
     *
     * @return for people
     */
    @Override
    public String toString() {
        return "offset " + offset + ", " + time() + ": " + value.length + " bytes";
    }
}
