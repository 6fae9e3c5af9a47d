package nl.prymr.rochefort;

import java.io.IOException;
import java.net.URI;

/**
 * A request that failed: refused by the server, cut short, or not answered.
 *
 * <p>{@link #status()} is the HTTP status, {@link #serverText()} the server's reason, and {@link
 * #mayHaveHappened()} says whether an append may have been stored nevertheless.
 */
public class RochefortException extends IOException {
    private static final long serialVersionUID = 1L;

    /**
     * The HTTP method.
     *
     * @serial
     */
    private final String method;

    /**
     * The address with its query.
     *
     * @serial
     */
    private final URI uri;

    /**
     * The HTTP status, 0 for none.
     *
     * @serial
     */
    private final int status;

    /**
     * The text of the reply.
     *
     * @serial
     */
    private final String serverText;

    /**
     * False if it is certain that nothing happened.
     *
     * @serial
     */
    private final boolean mayHaveHappened;

    RochefortException(String message, String method, URI uri, int status, String serverText,
            boolean mayHaveHappened, Throwable cause) {
        this(method, uri, status, serverText, mayHaveHappened, method + " " + uri + ": " + message,
                cause);
    }

    /** With all that {@code same} says. */
    RochefortException(RochefortException same) {
        this(same.method, same.uri, same.status, same.serverText, same.mayHaveHappened,
                same.getMessage(), same.getCause());
    }

    private RochefortException(String method, URI uri, int status, String serverText,
            boolean mayHaveHappened, String whole, Throwable cause) {
        super(whole, cause);
        this.method = method;
        this.uri = uri;
        this.status = status;
        this.serverText = serverText;
        this.mayHaveHappened = mayHaveHappened;
    }

    /**
     * Returns the method of the request that failed.
     *
     * @return {@code GET} or {@code POST}
     */
    public String method() {
        return method;
    }

    /**
     * Returns the address of the request that failed, with its query.
     *
     * @return the address
     */
    public URI uri() {
        return uri;
    }

    /**
     * Returns the HTTP status of the reply. 200 means that the reply is cut short or malformed, or
     * that the server could not read one of several offsets.
     *
     * @return the status; 0 if no reply came
     */
    public int status() {
        return status;
    }

    /**
     * Returns the server's error text, without the line break at its end and cut at 8 KiB.
     *
     * @return the text; empty if there was none
     */
    public String serverText() {
        return serverText;
    }

    /**
     * Reports whether the server may have carried out the request. For an append: if false, nothing
     * was stored, and it is safe to send it again; if true, the value may have been stored, and
     * sending it again may store it a second time, at another offset.
     *
     * @return false if it is certain that nothing happened
     */
    public boolean mayHaveHappened() {
        return mayHaveHappened;
    }
}
