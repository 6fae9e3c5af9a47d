package nl.prymr.rochefort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;

/**
 * One request and its result. Its owner, the thread that runs it, does all input and output. Any
 * thread may {@link #fail} it, which closes the connection, and the owner then gets the exception.
 *
 * <p>Refusals are handled here. A subclass sees only the body of a reply whose status it {@link
 * #accepts}, and returns its value from {@link #receive}.
 */
abstract class Exchange<T> implements Call<T> {
    static final String VALUE = "application/octet-stream";
    static final String JSON = "application/json";
    static final String TEXT = "text/plain";

    private static final int ERROR_TEXT_BYTES_MAX = 8 * 1024;
    private static final int ERROR_TEXT_FIRST_BYTES = 256;

    /** In place of a failure: the exchange has ended with a value. */
    private static final Throwable NONE = new Throwable("no failure", null, false, false) {
        private static final long serialVersionUID = 1L;
    };

    private final Request request;
    private final String mediaType;
    private final AtomicReference<Throwable> why = new AtomicReference<>(); // the first is kept
    private final AtomicBoolean decided = new AtomicBoolean(); // whether it will be sent or not
    private volatile boolean sending;
    private volatile Connection connection;
    private ReplyHead head; // of the final reply
    private ReplyBody body;
    private GrowableBuffer errorText;
    private boolean intact; // the reply was received as far as its framing goes

    /** {@code mediaType}: the required type of a reply that is no refusal. */
    Exchange(Request request, String mediaType) {
        this.request = request;
        this.mediaType = mediaType;
    }

    /**
     * Reads the body of a reply that is no refusal to its end and returns its value.
     *
     * @throws RochefortException if it is invalid
     */
    abstract T receive(ReplyBody body) throws IOException;

    /**
     * Whether a body shows itself that it is complete, so that the end of the connection may end
     * it.
     */
    boolean selfDelimiting() {
        return true;
    }

    /** Whether a reply of that status is no refusal. */
    boolean accepts(int status) {
        return status == 200;
    }

    /** Whether it continues only when the caller takes what was received. */
    boolean waitsForCaller() {
        return false;
    }

    /** Returns the exception that the caller gets for a failure. */
    RochefortException describe(RochefortException plain) {
        return plain;
    }

    @Override
    public final T run(ConnectionPool pool) throws RochefortException {
        try {
            T value = receive(open(pool));
            if (!finish(pool)) {
                throw new IOException("it has ended");
            }
            return value;
        } catch (IOException | RuntimeException | Error e) {
            throw failure(pool, e);
        }
    }

    /**
     * Sends the request and receives the head of a reply that is no refusal. If the connection is
     * lost before any byte of the reply, the request is sent a second time, provided that the
     * server may process it twice or has not received any of it.
     */
    final ReplyBody open(ConnectionPool pool) throws IOException {
        if (!sending()) {
            throw new IOException("it has ended");
        }
        if (Thread.currentThread().isInterrupted()) {
            throw new IOException("interrupted");
        }
        Connection first = pool.take(this, request.repeatable());
        try {
            attempt(first);
        } catch (IOException e) {
            if (why.get() != null || !first.isOpen() || first.replyBegun()
                    || !request.repeatable() && (request.anySent() || !first.reused())) {
                throw e;
            }
            pool.discard(first);
            attempt(pool.connect(this));
        }
        if (!accepts(head.status())) {
            throw refused();
        }
        body = head.body(connection);
        check();
        return body;
    }

    private void attempt(Connection connection) throws IOException {
        IOException unsent = null;
        try {
            connection.send(request);
        } catch (IOException e) {
            if (!request.anySent()) {
                throw e;
            }
            unsent = e; // the server may have replied before it closed
        }
        try {
            head = ReplyHead.read(connection);
        } catch (IOException e) {
            throw unsent == null || connection.replyBegun() ? e : unsent;
        }
        if (head.keepAliveSeconds() >= 0) {
            connection.keepAlive(head.keepAliveSeconds());
        }
    }

    private RochefortException refused() {
        errorText = new GrowableBuffer(ERROR_TEXT_BYTES_MAX, ERROR_TEXT_FIRST_BYTES);
        try {
            body = head.body(connection);
            errorText.receive(body);
            intact = true;
            return refusal(null);
        } catch (IOException e) {
            return refusal(e); // the received part of the text says more
        }
    }

    private void check() throws RochefortException {
        if (head.status() != 204 && !head.mediaType().equalsIgnoreCase(mediaType)) {
            throw malformed("the reply is "
                    + (head.mediaType().isEmpty() ? "of no type" : head.mediaType())
                    + ", not " + mediaType + ": is this a rochefort server?", null);
        }
        if (body.untilClose() && !selfDelimiting()) {
            throw malformed("the reply does not say how long it is", null);
        }
    }

    /** The head of the reply. */
    final ReplyHead head() {
        return head;
    }

    /** Call after the last byte that is expected of {@code body}. */
    final void expectEnd(ReplyBody body) throws IOException {
        if (body.readFully(new byte[1], 0, 1) != 0) {
            throw malformed("the reply goes on behind its end", null);
        }
    }

    /** After {@link #receive}: gives the connection back. Returns false if it was failed before. */
    final boolean finish(ConnectionPool pool) {
        intact = why.compareAndSet(null, NONE);
        giveBack(pool);
        return intact;
    }

    /**
     * Call when {@link #fail} has no effect any more: it would close the next user's connection.
     */
    private void giveBack(ConnectionPool pool) {
        Connection used = connection;
        connection = null;
        if (used == null) {
            return;
        }
        if (intact && head.persistent() && request.wholeSent() && body.ended()) {
            pool.give(used);
        } else {
            pool.discard(used);
        }
    }

    /** Call with a connection before it is used: from now on {@link #fail} closes it. */
    final void uses(Connection next) {
        connection = next;
        if (why.get() != null) {
            next.abort();
        }
    }

    /** The connection that it uses; null if it has none. */
    final Connection connection() {
        return connection;
    }

    /** Call before sending. Returns false if the exchange has ended. */
    final boolean sending() {
        sending |= decided.compareAndSet(false, true);
        return sending;
    }

    @Override
    public final void fail(Throwable why) {
        if (!this.why.compareAndSet(null, why)) {
            return;
        }
        decided.set(true);
        Connection used = connection;
        if (used != null) {
            used.abort();
        }
        failed();
    }

    /** Called by {@link #fail}, in its thread, after the connection was closed. */
    void failed() {
    }

    /** Call in the owner when {@code e} was thrown: closes the connection. */
    final RochefortException failure(ConnectionPool pool, Throwable e) {
        Connection used = connection;
        Throwable cause = e;
        if (!(e instanceof RochefortException) && Thread.currentThread().isInterrupted()
                && (used == null || !used.isOpen())) {
            cause = new InterruptedException(e.getMessage()).initCause(e);
        }
        intact &= why.compareAndSet(null, cause);
        giveBack(pool);
        return failure();
    }

    @Override
    public final RochefortException failure() {
        RochefortException plain = exception(why.get());
        try {
            return describe(plain);
        } catch (OutOfMemoryError e) {
            plain.addSuppressed(e); // no memory to copy what was received
            return plain;
        }
    }

    /**
     * The one place that decides whether an append may have happened. It did not if the server said
     * so, or if not all of it had been sent when the exchange ended.
     */
    private RochefortException exception(Throwable why) {
        if (why instanceof RochefortException) {
            return (RochefortException) why;
        }
        if (errorText != null) {
            return refusal(why);
        }
        String message = message(why);
        boolean sent = sending && request.wholeSent();
        return exception((head != null ? "no whole reply: " : sent ? "no reply: " : "not sent: ")
                + message, "", sent, why);
    }

    private static String message(Throwable why) {
        Throwable root = why;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return why.getMessage() == null ? root.toString() : why.getMessage();
    }

    /** For an invalid reply. */
    final RochefortException malformed(String message, Throwable cause) {
        return exception(message, "", true, cause);
    }

    /** For a refusal in a 200, with the server's text. */
    final RochefortException refused(String message, String text) {
        intact = true;
        return exception(message, text, false, null);
    }

    private RochefortException refusal(Throwable cause) {
        String text = new String(errorText.bytes(), StandardCharsets.UTF_8).stripTrailing();
        RochefortException plain = exception((head.status() + " " + text).strip(), text,
                !head.refuses(), cause);
        return head.status() == 412 && head.tail() >= 0
                ? new UnexpectedEndException(plain, head.tail()) : plain;
    }

    private RochefortException exception(String message, String text, boolean mayHaveHappened,
            Throwable cause) {
        return new RochefortException(message, request.method(), request.uri(),
                head == null ? 0 : head.status(), text, mayHaveHappened, cause);
    }
}
