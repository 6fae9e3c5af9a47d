package nl.prymr.rochefort;

/**
 * An append that was refused because its file does not end where it was expected to: {@link
 * #status()} is 412, and nothing was stored.
 *
 * <p>If the same append was sent before and its reply was lost, it may be the record at the
 * expected offset: read it. Other ids may have the same file, and their appends move its end too.
 */
public final class UnexpectedEndException extends RochefortException {
    private static final long serialVersionUID = 1L;

    /**
     * The end that the file has.
     *
     * @serial
     */
    private final long end;

    UnexpectedEndException(RochefortException why, long end) {
        super(why);
        this.end = end;
    }

    /**
     * Returns where the file ended when the append was refused.
     *
     * @return the offset that the next record will have, in bytes
     */
    public long end() {
        return end;
    }
}
