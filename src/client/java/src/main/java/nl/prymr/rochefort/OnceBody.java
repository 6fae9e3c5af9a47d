package nl.prymr.rochefort;

import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The body of a POST, which can be sent once.
 *
 * <p>java.net.http sends a request again by itself when the connection ends before the reply
 * begins, a POST too if the JVM runs with {@code jdk.httpclient.enableAllMethodRetry}. For an
 * append that would store the value twice. It has to ask here for the body again, and is refused:
 * then the second request ends after its head, and the server drops it. Nor does it get the body
 * when the call has ended meanwhile.
 */
final class OnceBody implements HttpRequest.BodyPublisher {
    /** What goes to the socket at once: the JDK copies as much into a direct buffer. */
    private static final int SLICE_BYTES = 64 * 1024;

    private final byte[] data;
    private final AtomicBoolean gone = new AtomicBoolean();
    private volatile boolean refused;

    /** Does not copy: {@code data} must not change until the request is over. */
    OnceBody(byte[] data) {
        this.data = Objects.requireNonNull(data);
    }

    @Override
    public long contentLength() {
        return data.length;
    }

    /**
     * Keeps it from being sent, if it has not been: the JDK asks for the body just before it goes
     * out, and not at all when it cannot connect. Nobody sees an empty body go, so never that one.
     *
     * @return true if the server has not got it, and never will
     */
    boolean withhold() {
        return data.length > 0 && gone.compareAndSet(false, true);
    }

    /** Whether it was asked for again, or too late. */
    boolean refused() {
        return refused;
    }

    /** The same bytes, to be sent once more: only for a request that may arrive twice. */
    OnceBody copy() {
        return new OnceBody(data);
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
                    "the call is over, or the connection before the reply: it is not sent again"));
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
                return; // from inside onNext, or another thread is in the loop
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
