package nl.prymr.rochefort;

import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.UnresolvedAddressException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicReference;

/**
 * One request and its result. Processes the reply as it is received, and ends exactly once, with a
 * value or with an exception; the first of the reply, a time-out and a cancellation wins.
 *
 * <p>Replies with another status than 200 are handled here. A subclass sees only the body of a 200,
 * and returns its value from {@link #finish}.
 */
abstract class Exchange<T> implements HttpResponse.BodySubscriber<Void> {
    private static final int ERROR_TEXT_BYTES_MAX = 8 * 1024;

    /** Before, an interrupt ends only the waiting for a request (JDK-8245462). */
    private static final int JAVA_THAT_CANCELS = 16;

    /** If the JDK words it differently one day, nothing is sent again, which is safe. */
    private static final String NO_BYTE = "received no bytes";

    private enum State { WAITING, SENT, ENDED }

    private final HttpRequest request;
    private final Duration timeout;
    private final OneShotBody body;
    private final String mediaType;
    private final AtomicReference<State> state = new AtomicReference<>(State.WAITING);
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final GrowableBuffer errorText = new GrowableBuffer(ERROR_TEXT_BYTES_MAX, 256);
    private volatile boolean sent;
    private volatile Flow.Subscription subscription;
    private volatile long lastHeardNanos;
    private volatile boolean refused; // set before status
    private volatile int status;
    private T value;
    private RochefortException failure;

    /** {@code body}: null for a GET. {@code mediaType}: the required type of a 200. */
    Exchange(URI uri, OneShotBody body, Duration timeout, String mediaType) {
        this.request = request(uri, body, timeout);
        this.timeout = timeout;
        this.body = body;
        this.mediaType = mediaType;
    }

    private static HttpRequest request(URI uri, OneShotBody body, Duration timeout) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(uri);
        if (Runtime.version().feature() < JAVA_THAT_CANCELS) {
            builder.timeout(timeout); // the only way there to close a connection before the reply
        } // else endIfIdle is enough, and from Java 26 on this would limit the whole reply
        return (body == null ? builder.GET() : builder.POST(body)).build();
    }

    /** Called when a 200 has begun. {@code bytes} is its length, -1 if unknown. */
    abstract void start(long bytes) throws RochefortException;

    /** Called with the next bytes of a 200. */
    abstract void take(ByteBuffer bytes) throws RochefortException;

    /** Called at the end of a 200. Returns its value. */
    abstract T finish() throws RochefortException;

    /** Whether to pause before the next bytes of a 200. If true, {@link #resume} must follow. */
    boolean pause() {
        return false;
    }

    /** Whether it continues only when the caller takes what was received. */
    boolean waitsForCaller() {
        return false;
    }

    /** Whether it may be sent twice. A get may be, too, but the JDK repeats that by itself. */
    boolean repeatable() {
        return false;
    }

    /** Returns the exception that the caller gets for a failure. */
    RochefortException describe(RochefortException plain) {
        return plain;
    }

    final HttpRequest request() {
        return request;
    }

    /** Call before sending: the time-out begins. Returns false if the exchange has ended. */
    final boolean sending() {
        lastHeardNanos = System.nanoTime();
        return state.compareAndSet(State.WAITING, State.SENT);
    }

    /**
     * Call when sending failed because of {@code why}. Returns the request to send once more, whose
     * time-out begins now, or null. It is not null only if the exchange is {@link #repeatable} and
     * the connection was lost before the first byte of the reply.
     */
    final HttpRequest again(IOException why) {
        if (!repeatable() || begun() || over() || !lostBeforeReply(why)) {
            return null;
        }
        lastHeardNanos = System.nanoTime();
        return request(request.uri(), body.copy(), timeout);
    }

    /** The JDK shows it by its message, or by asking for the body a second time. */
    private boolean lostBeforeReply(IOException why) {
        return body.refused() || why.getMessage() != null && why.getMessage().contains(NO_BYTE);
    }

    /** After the end: whether it had been sent. */
    final boolean sent() {
        return sent;
    }

    /** Whether the head of the reply has been received. */
    final boolean begun() {
        return status != 0;
    }

    /** Whether nothing of it has been sent. */
    final boolean waiting() {
        return state.get() == State.WAITING;
    }

    final boolean over() {
        return state.get() == State.ENDED;
    }

    /** Completes, never exceptionally, when the exchange has ended. */
    final CompletableFuture<Void> ended() {
        return ended;
    }

    /** The result, after {@link #ended} is complete: the failure, or the {@link #value}. */
    final RochefortException failure() {
        return failure;
    }

    final T value() {
        return value;
    }

    final HttpResponse.BodySubscriber<Void> begin(HttpResponse.ResponseInfo info) {
        lastHeardNanos = System.nanoTime();
        refused = ReplyHead.refuses(info.statusCode(), info.headers());
        status = info.statusCode();
        if (status == 200) {
            try {
                start(ReplyHead.bodyBytes(this, info.headers(), mediaType));
            } catch (RochefortException e) {
                fail(e);
            }
        }
        return this;
    }

    @Override
    public final void onSubscribe(Flow.Subscription subscription) {
        this.subscription = subscription;
        if (over()) {
            subscription.cancel();
        } else {
            subscription.request(1);
        }
    }

    @Override
    public final void onNext(List<ByteBuffer> buffers) {
        lastHeardNanos = System.nanoTime();
        try {
            for (ByteBuffer buffer : buffers) {
                if (status == 200) {
                    take(buffer);
                } else {
                    takeErrorText(buffer);
                }
            }
        } catch (RochefortException e) {
            fail(e);
        }
        if (!over() && !pause()) {
            subscription.request(1);
        }
    }

    private void takeErrorText(ByteBuffer bytes) throws RochefortException {
        synchronized (errorText) {
            errorText.take(bytes);
        }
        if (errorText.full()) {
            throw refusal(null);
        }
    }

    @Override
    public final void onComplete() {
        try {
            if (status != 200) {
                throw refusal(null);
            }
            end(finish());
        } catch (RochefortException e) {
            fail(e);
        }
    }

    @Override
    public final void onError(Throwable why) {
        fail(why);
    }

    @Override
    public final CompletableFuture<Void> getBody() {
        return ended;
    }

    /** Call after a {@link #pause}. */
    final void resume() {
        subscription.request(1);
    }

    /** Call when the caller has taken a value: the time-out begins again. */
    final void taken() {
        lastHeardNanos = System.nanoTime();
    }

    /** Ends the exchange if for too long nothing was received, or nothing was taken. */
    final void endIfIdle(Duration timeout) {
        if (state.get() == State.SENT
                && System.nanoTime() - lastHeardNanos > timeout.toNanos()) {
            String what = begun() ? "nothing more was received" : "nothing was received";
            fail(new HttpTimeoutException(what + " for " + timeout.toMillis() + " ms"
                    + (begun() && waitsForCaller() ? ", or was not taken" : "")));
        }
    }

    /** Ends the exchange because of {@code why}, unless it has ended. Closes the connection. */
    final void fail(Throwable why) {
        State before = state.getAndSet(State.ENDED);
        if (before != State.ENDED) {
            end(before, null, why);
        }
    }

    private void end(T value) {
        State before = state.getAndSet(State.ENDED);
        if (before != State.ENDED) {
            end(before, value, null);
        }
    }

    /**
     * The one place that decides whether an append may have happened. It did not if the server said
     * so, or if its value had not been sent when the exchange ended, and so never will be.
     */
    private RochefortException exception(State before, Throwable why) {
        if (why instanceof RochefortException) {
            return (RochefortException) why;
        }
        if (begun() && status != 200) {
            return refusal(why); // the received part of the text says more
        }
        boolean neverSent = before == State.WAITING || body != null && body.withhold();
        String what = neverSent ? "not sent" : begun() ? "no whole reply" : "no reply";
        return exception(what + ": " + message(why), "", !neverSent, why);
    }

    /** The JDK's exceptions often have no message, or one without context. */
    private static String message(Throwable why) {
        Throwable root = why;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        if (root instanceof UnresolvedAddressException) {
            return "no such host";
        }
        if (why instanceof ConnectException && why.getMessage() == null) {
            return "cannot connect";
        }
        return why.getMessage() == null ? root.toString() : why.getMessage();
    }

    /** For an invalid reply. */
    final RochefortException malformed(String message, Throwable cause) {
        return exception(message, "", true, cause);
    }

    /** For a refusal by the server, with its text. */
    final RochefortException refused(String message, String text) {
        return exception(message, text, false, null);
    }

    private RochefortException refusal(Throwable cause) {
        String text;
        synchronized (errorText) {
            text = new String(errorText.bytes(), StandardCharsets.UTF_8).stripTrailing();
        }
        return exception((status + " " + text).strip(), text, !refused, cause);
    }

    private RochefortException exception(String message, String text, boolean mayHaveHappened,
            Throwable cause) {
        return new RochefortException(message, request.method(), request.uri(), status, text,
                mayHaveHappened, cause);
    }

    private void end(State before, T value, Throwable why) {
        try {
            this.sent = before == State.SENT;
            this.value = value;
            if (why != null) {
                failure = exception(before, why);
                Flow.Subscription open = subscription;
                if (open != null) {
                    open.cancel();
                }
                failure = described(failure);
            }
        } finally {
            ended.complete(null);
        }
    }

    private RochefortException described(RochefortException plain) {
        try {
            return describe(plain);
        } catch (OutOfMemoryError e) {
            plain.addSuppressed(e); // no memory to copy what was received
            return plain;
        }
    }
}
