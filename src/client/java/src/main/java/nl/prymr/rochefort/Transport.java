package nl.prymr.rochefort;

import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;

/**
 * Runs the calls of a client, a limited number at a time, and owns its threads.
 *
 * <p>A synchronous call is run by the caller's thread. An asynchronous one occupies no thread while
 * it is queued, and then one of the workers until its reply has been received. One more thread
 * watches the time-outs.
 */
final class Transport {
    private static final AtomicInteger CLIENTS = new AtomicInteger();

    private enum Phase { OPEN, CLOSING, CLOSED }

    private final ConnectionLimiter limiter;
    private final Clock clock;
    private final Connector connector;
    private final Duration timeout;
    private final ConnectionPool pool;
    private final Set<ConnectionPool> ownPools = ConcurrentHashMap.newKeySet(); // of scans
    private final Executor executor;
    private final ExecutorService workers; // null if the caller has an executor
    private final ScheduledExecutorService watch;
    private final AtomicInteger calls = new AtomicInteger(); // under way or queued
    private final Object lock = new Object();
    private volatile Phase phase = Phase.OPEN;

    /** {@code tls}: null without TLS. {@code executor}: null for threads of its own. */
    Transport(Endpoint endpoint, SSLContext tls, Duration connectTimeout, Duration timeout,
            int connectionsMax, Executor executor) {
        String name = "rochefort-client-" + CLIENTS.incrementAndGet();
        this.clock = new Clock(connectTimeout.compareTo(timeout) < 0 ? connectTimeout : timeout);
        this.connector = new Connector(endpoint, tls, connectTimeout, clock);
        this.timeout = timeout;
        this.limiter = new ConnectionLimiter(connectionsMax);
        this.pool = new ConnectionPool(connector, clock, timeout, connectionsMax);
        this.workers = executor != null ? null
                : Executors.newCachedThreadPool(threads(name + "-worker-"));
        this.executor = executor != null ? executor : workers;
        this.watch = Executors.newSingleThreadScheduledExecutor(threads(name + "-watch-"));
        watch.scheduleWithFixedDelay(this::tick, clock.tickMillis(), clock.tickMillis(),
                TimeUnit.MILLISECONDS);
    }

    private static ThreadFactory threads(String name) {
        AtomicInteger count = new AtomicInteger();
        return task -> {
            Thread thread = new Thread(task, name + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }

    private void tick() {
        try {
            long tick = clock.advance();
            pool.tick(tick);
            ownPools.forEach(own -> own.tick(tick));
        } catch (RuntimeException | Error e) {
            return; // at the next tick; if this were thrown, there would be no other
        }
    }

    ConnectionPool pool() {
        return pool;
    }

    /**
     * Returns a pool of one connection beside the others; {@link #closePool} has to follow. The
     * server may be silent for {@code longer} than otherwise.
     */
    ConnectionPool openPool(Duration longer) {
        ConnectionPool own = new ConnectionPool(connector, clock, timeout.plus(longer), 1);
        ownPools.add(own);
        if (phase != Phase.OPEN) {
            closePool(own, closed());
        }
        return own;
    }

    /** Ends what has a connection of the pool. Has no effect if the client was closed before. */
    void closePool(ConnectionPool own, Throwable why) {
        if (ownPools.remove(own)) {
            own.close(why);
        }
    }

    /** Runs the call in this thread. */
    <T> T call(Call<T> call) throws RochefortException {
        enter(call);
        try {
            acquire(call);
            try {
                return call.run(pool);
            } finally {
                release();
            }
        } finally {
            leave();
        }
    }

    /** Runs the call in another thread. Cancelling the returned future ends it. */
    <T> CompletableFuture<T> start(Call<T> call) {
        AsyncCall<T> async = new AsyncCall<>(this, call);
        calls.incrementAndGet();
        if (phase != Phase.OPEN) {
            async.reject(closed());
        } else if (limiter.acquire(async)) {
            execute(async);
        }
        return async.result();
    }

    private static IOException closed() {
        return new IOException("the client is closed");
    }

    private void enter(Call<?> call) throws RochefortException {
        calls.incrementAndGet();
        try {
            checkOpen(call);
        } catch (RochefortException e) {
            leave();
            throw e;
        }
    }

    /** Fails the call if the client is being closed. */
    void checkOpen(Call<?> call) throws RochefortException {
        if (phase != Phase.OPEN) {
            call.fail(closed());
            throw call.failure();
        }
    }

    /** A call has ended. */
    void leave() {
        if (calls.decrementAndGet() == 0 && phase != Phase.OPEN) {
            synchronized (lock) {
                lock.notifyAll();
            }
        }
    }

    /** Acquires a permit in this thread; {@link #release} has to follow. */
    void acquire(Call<?> call) throws RochefortException {
        if (!limiter.tryAcquire()) {
            QueuedThread queued = new QueuedThread();
            if (!limiter.acquire(queued)) {
                queued.await(call);
            }
        }
    }

    /** Passes a permit on. */
    void release() {
        ConnectionLimiter.Waiter next = limiter.release();
        if (next != null) {
            next.granted();
        }
    }

    /** Passes a permit on. Returns what the calling worker has to run unless it is {@code busy}. */
    AsyncCall<?> released(boolean busy) {
        ConnectionLimiter.Waiter next = limiter.release();
        if (next instanceof AsyncCall && !busy) {
            return (AsyncCall<?>) next;
        }
        if (next != null) {
            next.granted();
        }
        return null;
    }

    /** The call, which has failed, is not queued any more. */
    void cancel(AsyncCall<?> async) {
        if (limiter.cancel(async)) {
            leave();
        }
    }

    /** Runs a call that has a permit in a worker. */
    void execute(AsyncCall<?> async) {
        try {
            executor.execute(() -> work(async));
        } catch (RuntimeException | Error e) {
            AsyncCall<?> next = released(false);
            async.reject(e);
            if (next != null) {
                execute(next);
            }
        }
    }

    private static void work(AsyncCall<?> first) {
        for (AsyncCall<?> async = first; async != null;) {
            async = async.run();
        }
    }

    /** A thread that waits for a permit. */
    private final class QueuedThread implements ConnectionLimiter.Waiter {
        private final CountDownLatch decided = new CountDownLatch(1);
        private volatile Throwable refused;

        @Override
        public void granted() {
            decided.countDown();
        }

        @Override
        public void refused(Throwable why) {
            refused = why;
            decided.countDown();
        }

        void await(Call<?> call) throws RochefortException {
            try {
                decided.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                call.fail(e);
                if (!limiter.cancel(this) && refused == null) {
                    release(); // it has the permit, or will have it at once
                }
                throw call.failure();
            }
            if (refused != null) {
                call.fail(refused);
                throw call.failure();
            }
        }
    }

    /** Refuses new calls, waits for those under way, ends all threads. */
    void close() {
        IOException why = new IOException("the client was closed");
        setPhase(Phase.CLOSING);
        ownPools.forEach(own -> closePool(own, why));
        pool.fail(Exchange::waitsForCaller, why);
        try {
            synchronized (lock) {
                while (calls.get() > 0) {
                    lock.wait();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        setPhase(Phase.CLOSED);
        limiter.close(why); // first, or the next calls would be run when the others end
        pool.close(why);
        watch.shutdown();
        if (workers != null) {
            workers.shutdown();
        }
    }

    private void setPhase(Phase next) {
        synchronized (lock) {
            phase = next.compareTo(phase) > 0 ? next : phase;
        }
    }
}
