package nl.prymr.rochefort;

/**
 * What a getMulti has found at one offset: a value, or why there is none. Returned by {@link
 * Client#getMultiEach(String, String, long[])}.
 *
 * <p>Safe for use by any number of threads, as far as nobody changes the value.
 */
public final class MultiResult {
    private final long offset;
    private final int status;
    private final byte[] value;
    private final String text;

    /** {@code value}: null for none. */
    MultiResult(long offset, int status, byte[] value, String text) {
        this.offset = offset;
        this.status = status;
        this.value = value;
        this.text = text;
    }

    /**
     * Returns the offset that was asked for.
     *
     * @return the offset, in bytes
     */
    public long offset() {
        return offset;
    }

    /**
     * Returns the HTTP status that a get of this offset would have.
     *
     * @return 200 if there is a value; 404 if no record starts there
     */
    public int status() {
        return status;
    }

    /**
     * Returns the value. It may have 0 bytes in a prefix of the Go original.
     *
     * @return the array, which belongs to the caller; null if {@link #status()} is not 200
     */
    public byte[] value() {
        return value;
    }

    /**
     * Returns the server's reason why there is no value.
     *
     * @return the text; empty if there is a value
     */
    public String text() {
        return text;
    }

    /**
     * Returns the offset, and the number of bytes or the status and the text.
     *
     * @return for people
     */
    @Override
    public String toString() {
        return "offset " + offset + ": "
                + (value != null ? value.length + " bytes" : status + " " + text);
    }
}
