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
 * One request, and what becomes of it: takes the reply as it comes and ends exactly once, with a
 * value or with an exception, whoever is first: the reply, a time-out, the caller who cancels.
 *
 * <p>The replies of the server that are not a 200 are handled here; a subclass sees only the body
 * of a 200, and says in {@link #finish} what it is worth.
 */
abstract class Exchange<T> implements HttpResponse.BodySubscriber<Void> {
    private static final int ERROR_TEXT_BYTES_MAX = 8 * 1024;

    /** Before, an interrupt ends only the waiting for a request (JDK-8245462). */
    private static final int JAVA_THAT_CANCELS = 16;

    /** If the JDK says it in other words one day, then nothing is sent again: no harm. */
    private static final String NO_BYTE = "received no bytes";

    private enum State { WAITING, SENT, ENDED }

    private final HttpRequest request;
    private final Duration timeout;
    private final OnceBody body;
    private final String mediaType;
    private final AtomicReference<State> state = new AtomicReference<>(State.WAITING);
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final Growing errorText = new Growing(ERROR_TEXT_BYTES_MAX, 256);
    private volatile boolean sent;
    private volatile Flow.Subscription subscription;
    private volatile long lastHeardNanos;
    private volatile boolean refused; // set before status
    private volatile int status;
    private T value;
    private RochefortException failure;

    /** {@code body}: null for a GET. {@code mediaType}: what a 200 has to be. */
    Exchange(URI uri, OnceBody body, Duration timeout, String mediaType) {
        this.request = request(uri, body, timeout);
        this.timeout = timeout;
        this.body = body;
        this.mediaType = mediaType;
    }

    private static HttpRequest request(URI uri, OnceBody body, Duration timeout) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(uri);
        if (Runtime.version().feature() < JAVA_THAT_CANCELS) {
            builder.timeout(timeout); // nothing else cuts a connection there before the reply
        } // else endIfIdle is enough, and from Java 26 on this would limit the whole reply
        return (body == null ? builder.GET() : builder.POST(body)).build();
    }

    /** A 200 has begun. {@code bytes} is its length, -1 if that is not known. */
    abstract void start(long bytes) throws RochefortException;

    /** The next bytes of a 200. */
    abstract void take(ByteBuffer bytes) throws RochefortException;

    /** All of a 200 is there: what it is worth. */
    abstract T finish() throws RochefortException;

    /** Whether to pause before the next bytes of a 200. If so, {@link #resume} has to follow. */
    boolean pause() {
        return false;
    }

    /** Whether this goes on only when the caller takes what came. */
    boolean waitsForCaller() {
        return false;
    }

    /** Whether it may arrive twice. A get may too, but the JDK sends that again by itself. */
    boolean repeatable() {
        return false;
    }

    /** What callers get to see of a failure. */
    RochefortException describe(RochefortException plain) {
        return plain;
    }

    final HttpRequest request() {
        return request;
    }

    /** It is sent now, and the time-out begins. False if it has ended already. */
    final boolean sending() {
        lastHeardNanos = System.nanoTime();
        return state.compareAndSet(State.WAITING, State.SENT);
    }

    /**
     * Sending it failed because of {@code why}: the request to send once more, whose time-out
     * begins now; null if there is none. There is one only if it is {@link #repeatable} and the
     * connection was lost before any byte of the reply came.
     */
    final HttpRequest again(IOException why) {
        if (!repeatable() || begun() || over() || !lostBeforeReply(why)) {
            return null;
        }
        lastHeardNanos = System.nanoTime();
        return request(request.uri(), body.copy(), timeout);
    }

    /** The JDK tells it by its message, and otherwise by asking for the body a second time. */
    private boolean lostBeforeReply(IOException why) {
        return body.refused() || why.getMessage() != null && why.getMessage().contains(NO_BYTE);
    }

    /** Once it has ended: whether it had got so far. */
    final boolean sent() {
        return sent;
    }

    /** Whether the head of the reply is there. */
    final boolean begun() {
        return status != 0;
    }

    /** Whether nothing of it has been sent yet. */
    final boolean waiting() {
        return state.get() == State.WAITING;
    }

    final boolean over() {
        return state.get() == State.ENDED;
    }

    /** Completes, never with an exception, when this has ended. */
    final CompletableFuture<Void> ended() {
        return ended;
    }

    /** The outcome, once {@link #ended} is complete: this, or the {@link #value}. */
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

    /** After a {@link #pause}. */
    final void resume() {
        subscription.request(1);
    }

    /** The caller has taken something of what came: the time-out begins anew. */
    final void taken() {
        lastHeardNanos = System.nanoTime();
    }

    /** Ends this if, since it was sent, nothing came or nothing was taken for too long. */
    final void endIfIdle(Duration timeout) {
        if (state.get() == State.SENT
                && System.nanoTime() - lastHeardNanos > timeout.toNanos()) {
            String what = begun() ? "the reply stood still" : "nothing came";
            fail(new HttpTimeoutException(what + " for " + timeout.toMillis() + " ms"
                    + (begun() && waitsForCaller() ? ", or was not taken" : "")));
        }
    }

    /** Ends this because of {@code why}, unless it has ended. Cuts the connection. */
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
     * The one place that knows whether an append may have happened: not if the server said so, and
     * not if its value was still here when this ended, and so stays here.
     */
    private RochefortException exception(State before, Throwable why) {
        if (why instanceof RochefortException) {
            return (RochefortException) why;
        }
        if (begun() && status != 200) {
            return refusal(why); // what is there of the text says more than the cut
        }
        boolean neverSent = before == State.WAITING || body != null && body.withhold();
        String what = neverSent ? "not sent" : begun() ? "no whole reply" : "no reply";
        return exception(what + ": " + message(why), "", !neverSent, why);
    }

    /** The JDK's exceptions often have no message, or one that says nothing to anybody else. */
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

    /** The reply is not what it has to be. */
    final RochefortException malformed(String message, Throwable cause) {
        return exception(message, "", true, cause);
    }

    /** The server said {@code text}, and that it did not do what was asked. */
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
            plain.addSuppressed(e); // there is no copying what came: go without
            return plain;
        }
    }
}
