package nl.prymr.rochefort;

import java.io.IOException;
import java.net.URI;

/**
 * A request that did not end well: refused by the server, cut short, or never answered.
 *
 * <p>Three questions tell a program what to do: {@link #status()} says whether the server refused
 * and how, {@link #serverText()} why, and {@link #mayHaveHappened()} whether an append may have
 * been stored all the same.
 */
public class RochefortException extends IOException {
    private static final long serialVersionUID = 1L;

    /** @serial see {@link #method()} */
    private final String method;

    /** @serial see {@link #uri()} */
    private final URI uri;

    /** @serial see {@link #status()} */
    private final int status;

    /** @serial see {@link #serverText()} */
    private final String serverText;

    /** @serial see {@link #mayHaveHappened()} */
    private final boolean mayHaveHappened;

    RochefortException(String message, String method, URI uri, int status, String serverText,
            boolean mayHaveHappened, Throwable cause) {
        super(method + " " + uri + ": " + message, cause);
        this.method = method;
        this.uri = uri;
        this.status = status;
        this.serverText = serverText;
        this.mayHaveHappened = mayHaveHappened;
    }

    /**
     * The method of the request that failed.
     *
     * @return {@code GET} or {@code POST}
     */
    public String method() {
        return method;
    }

    /**
     * The address of the request that failed, with its query.
     *
     * @return the address
     */
    public URI uri() {
        return uri;
    }

    /**
     * The HTTP status of the reply. 200 means that a reply began but is no good (cut short,
     * malformed), or that the server could not read one of several offsets.
     *
     * @return the status; 0 if no reply came
     */
    public int status() {
        return status;
    }

    /**
     * What the server said was wrong, without the line break at its end and cut at 8 KiB.
     *
     * @return the server's text; empty if it sent none
     */
    public String serverText() {
        return serverText;
    }

    /**
     * Whether the server may have carried out the request. For an append: if false, nothing was
     * stored, and sending it again is right; if true, the value may be stored, and sending it
     * again may store it a second time, at another offset.
     *
     * @return false if it is certain that nothing happened
     */
    public boolean mayHaveHappened() {
        return mayHaveHappened;
    }
}
