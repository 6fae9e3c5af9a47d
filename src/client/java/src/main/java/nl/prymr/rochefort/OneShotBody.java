package nl.prymr.rochefort;

import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The body of a POST, which is sent at most once.
 *
 * <p>java.net.http sends a request again by itself when the connection ends before the reply
 * begins, and with {@code jdk.httpclient.enableAllMethodRetry} a POST too. An append would be
 * stored twice. Before it sends again it has to ask this publisher for the body again, which fails:
 * the second request ends after its head, and the server discards it. The body is also refused when
 * the call has ended in the meantime.
 */
final class OneShotBody implements HttpRequest.BodyPublisher {
    /** The size of one write: the JDK copies as much into a direct buffer. */
    private static final int SLICE_BYTES = 64 * 1024;

    private final byte[] data;
    private final AtomicBoolean gone = new AtomicBoolean();
    private volatile boolean refused;

    /** Does not copy: {@code data} must not change until the request is over. */
    OneShotBody(byte[] data) {
        this.data = Objects.requireNonNull(data);
    }

    @Override
    public long contentLength() {
        return data.length;
    }

    /**
     * Prevents the body from being sent unless it has been sent: the JDK asks for it immediately
     * before it is sent, and never if it cannot connect. For an empty body this always fails,
     * because nothing shows that it was sent.
     *
     * @return true if the server does not have the body and will never get it
     */
    boolean withhold() {
        return data.length > 0 && gone.compareAndSet(false, true);
    }

    /** Reports whether it was requested again, or too late. */
    boolean refused() {
        return refused;
    }

    /** Returns a body with the same bytes, for a request that may be sent twice. */
    OneShotBody copy() {
        return new OneShotBody(data);
    }

    @Override
    public void subscribe(Flow.Subscriber<? super ByteBuffer> subscriber) {
        Slices slices = new Slices(subscriber);
        boolean first = gone.compareAndSet(false, true);
        slices.over = !first;
        refused |= !first;
        subscriber.onSubscribe(slices);
        if (!first) {
            subscriber.onError(new IOException(
                    "the call or its connection has ended: the request is not sent again"));
        }
    }

    private final class Slices implements Flow.Subscription {
        private final Flow.Subscriber<? super ByteBuffer> subscriber;
        private final AtomicLong demand = new AtomicLong();
        private int at;
        private volatile boolean over;

        Slices(Flow.Subscriber<? super ByteBuffer> subscriber) {
            this.subscriber = subscriber;
        }

        @Override
        public void request(long n) {
            if (over) {
                return;
            }
            if (n <= 0) {
                over = true;
                subscriber.onError(new IllegalArgumentException("demand of " + n));
                return;
            }
            long before = demand.getAndAccumulate(n, (a, b) -> a + b < 0 ? Long.MAX_VALUE : a + b);
            if (before > 0) {
                return; // called by onNext, or another thread runs the loop
            }
            do {
                push();
            } while (!over && demand.decrementAndGet() > 0);
        }

        private void push() {
            int bytes = Math.min(SLICE_BYTES, data.length - at);
            if (bytes > 0) {
                ByteBuffer slice = ByteBuffer.wrap(data, at, bytes).slice().asReadOnlyBuffer();
                at += bytes;
                subscriber.onNext(slice);
            }
            if (at == data.length && !over) {
                over = true;
                subscriber.onComplete();
            }
        }

        @Override
        public void cancel() {
            over = true;
        }
    }
}
