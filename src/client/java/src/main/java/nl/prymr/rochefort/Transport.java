package nl.prymr.rochefort;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/**
 * Sends exchanges, a limited number at a time, and owns all threads of a client.
 *
 * <p>A synchronous call is sent by the caller's thread. An asynchronous one occupies no thread
 * while it is queued, and then one of the workers until its reply has been received.
 */
final class Transport {
    private static final AtomicInteger CLIENTS = new AtomicInteger();

    private enum Phase { OPEN, CLOSING, CLOSED }

    private final Duration timeout;
    private final ConnectionLimiter limiter;
    private final ExecutorService workers;
    private final ScheduledExecutorService watch;
    private final Set<Exchange<?>> live = ConcurrentHashMap.newKeySet();
    private final Object lock = new Object();
    private Phase phase = Phase.OPEN; // guarded by lock, as is adding to live
    private int holds;
    private volatile HttpClient http;

    Transport(Duration connectTimeout, Duration timeout, int connectionsMax) {
        this(connectTimeout, timeout, connectionsMax,
                "rochefort-client-" + CLIENTS.incrementAndGet());
    }

    private Transport(Duration connectTimeout, Duration timeout, int connectionsMax, String name) {
        this(connectTimeout, timeout, connectionsMax,
                Executors.newCachedThreadPool(threads(name + "-worker-")),
                Executors.newSingleThreadScheduledExecutor(threads(name + "-watch-")));
    }

    /** Both executors are shut down by {@link #close}. */
    Transport(Duration connectTimeout, Duration timeout, int connectionsMax,
            ExecutorService workers, ScheduledExecutorService watch) {
        this.timeout = timeout;
        this.limiter = new ConnectionLimiter(connectionsMax);
        this.workers = workers;
        this.watch = watch;
        this.http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.NEVER).connectTimeout(connectTimeout)
                .executor(workers).build();
        long period = Math.max(1, Math.min(1000, timeout.toMillis() / 4));
        watch.scheduleWithFixedDelay(() -> live.forEach(this::endIfIdle), period, period,
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

    Duration timeout() {
        return timeout;
    }

    private void endIfIdle(Exchange<?> exchange) {
        try {
            exchange.endIfIdle(timeout);
        } catch (RuntimeException | Error e) {
            exchange.fail(e); // if this were thrown, the watch would end for all exchanges
        }
    }

    /** Sends the exchange and waits for its result. */
    <T> T call(Exchange<T> exchange) throws RochefortException {
        return call(exchange, false);
    }

    /** {@code held}: the exchange is part of a call that has a {@link #hold}. */
    <T> T call(Exchange<T> exchange, boolean held) throws RochefortException {
        if (enter(exchange, held)) {
            try {
                if (awaitConnection(exchange)) {
                    send(exchange);
                }
            } finally {
                leave(exchange);
            }
        }
        exchange.ended().join();
        if (exchange.failure() != null) {
            exchange.failure().fillInStackTrace(); // of the caller; the cause has the other one
            throw exchange.failure();
        }
        return exchange.value();
    }

    /** Returns false if the exchange ended while it was queued. */
    private boolean awaitConnection(Exchange<?> exchange) {
        CompletableFuture<Boolean> turn = new CompletableFuture<>();
        BooleanSupplier later = () -> turn.complete(true);
        if (limiter.acquire(later)) {
            return true;
        }
        exchange.ended().thenRun(() -> {
            limiter.cancel(later);
            turn.complete(false);
        });
        try {
            return turn.get();
        } catch (InterruptedException e) {
            exchange.fail(e);
            Thread.currentThread().interrupt();
            return turn.join(); // the connection may have been assigned at the same time
        } catch (ExecutionException e) {
            throw new AssertionError(e);
        }
    }

    /** Sends as soon as a connection is free. Cancelling the returned future ends the exchange. */
    <T> CompletableFuture<T> start(Exchange<T> exchange) {
        return start(exchange, false);
    }

    /** {@code held}: the exchange is part of a call that has a {@link #hold}. */
    <T> CompletableFuture<T> start(Exchange<T> exchange, boolean held) {
        CompletableFuture<T> result = new CompletableFuture<>();
        exchange.ended().thenRun(() -> {
            if (!exchange.sent()) {
                deliver(exchange, result);
            }
        });
        result.whenComplete((value, why) -> {
            if (!exchange.over()) {
                exchange.fail(new CancellationException("cancelled"));
            }
        });
        if (enter(exchange, held)) {
            BooleanSupplier later = () -> !exchange.over() && execute(exchange, () -> {
                try {
                    send(exchange);
                } finally {
                    deliver(exchange, result);
                }
            });
            if (!limiter.acquire(later)) {
                exchange.ended().thenRun(() -> limiter.cancel(later));
            } else if (!later.getAsBoolean()) {
                limiter.release();
            }
        }
        return result;
    }

    private <T> void deliver(Exchange<T> exchange, CompletableFuture<T> result) {
        exchange.ended().join();
        leave(exchange); // before the caller is notified, because it may close the client then
        if (exchange.failure() != null) {
            result.completeExceptionally(exchange.failure());
        } else {
            result.complete(exchange.value());
        }
    }

    /** Returns false, and ends the exchange, if no thread is available. */
    private boolean execute(Exchange<?> exchange, Runnable task) {
        try {
            workers.execute(task);
            return true;
        } catch (RuntimeException | Error e) {
            exchange.fail(e);
            return false;
        }
    }

    /**
     * Sends an exchange that has acquired a connection, and releases it when the connection is idle
     * or closed. Returns when the exchange has ended; ending it before the reply begins interrupts
     * the sending too.
     *
     * <p>Does not use sendAsync: on one or two processors it creates a thread for each reply, which
     * halves the throughput.
     */
    private void send(Exchange<?> exchange) {
        Sleeper here = new Sleeper();
        exchange.ended().thenRun(() -> {
            if (!exchange.begun()) {
                here.wake();
            }
        });
        Throwable why = null;
        try {
            if (exchange.sending()) {
                sendOnceOrTwice(exchange);
            }
        } catch (IOException | InterruptedException | RuntimeException | Error e) {
            why = e;
        }
        here.leave(why instanceof InterruptedException);
        try {
            if (why != null) {
                exchange.fail(why);
            }
        } finally {
            limiter.release();
        }
    }

    private void sendOnceOrTwice(Exchange<?> exchange) throws IOException, InterruptedException {
        try {
            http.send(exchange.request(), exchange::begin);
        } catch (IOException e) {
            HttpRequest again = exchange.again(e);
            if (again == null) {
                throw e;
            }
            http.send(again, exchange::begin);
        }
    }

    /** The sending thread while it may be interrupted, which is the only way to end a send. */
    private static final class Sleeper {
        private Thread thread = Thread.currentThread();
        private boolean woken;

        synchronized void wake() {
            if (thread != null) {
                woken = true;
                thread.interrupt();
            }
        }

        /** {@code interrupted}: the thread was interrupted and its interrupt status is cleared. */
        synchronized void leave(boolean interrupted) {
            thread = null;
            if (woken && !interrupted) {
                Thread.interrupted(); // ours, but too late
            } else if (interrupted && !woken) {
                Thread.currentThread().interrupt(); // not ours: restore it
            }
        }
    }

    private boolean enter(Exchange<?> exchange, boolean held) {
        synchronized (lock) {
            if (phase == Phase.OPEN || held && phase == Phase.CLOSING) {
                live.add(exchange);
                return true;
            }
        }
        exchange.fail(new IllegalStateException("the client is closed"));
        return false;
    }

    private void leave(Exchange<?> exchange) {
        live.remove(exchange);
        if (live.isEmpty()) {
            synchronized (lock) {
                lock.notifyAll();
            }
        }
    }

    /** For a call of several exchanges: {@link #close} waits for the {@link #release} too. */
    boolean hold() {
        synchronized (lock) {
            holds += phase == Phase.OPEN ? 1 : 0;
            return phase == Phase.OPEN;
        }
    }

    /** Call only after a {@link #hold} that returned true. */
    void release() {
        synchronized (lock) {
            holds--;
            lock.notifyAll();
        }
    }

    /** Refuses new exchanges, waits for those under way, ends all threads. */
    void close() {
        setPhase(Phase.CLOSING);
        endAll(Exchange::waitsForCaller);
        try {
            synchronized (lock) {
                while (!live.isEmpty() || holds > 0) {
                    lock.wait();
                }
            }
            setPhase(Phase.CLOSED);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            setPhase(Phase.CLOSED);
            endAll(Exchange::waiting); // first: otherwise they would be sent when the others end
            endAll(exchange -> true);
        }
        HttpClient last = http;
        http = null;
        if (last != null) {
            shutDown(last);
        }
        watch.shutdown();
        workers.shutdown();
    }

    private void setPhase(Phase next) {
        synchronized (lock) {
            phase = next.compareTo(phase) > 0 ? next : phase;
        }
    }

    private void endAll(Predicate<Exchange<?>> which) {
        live.stream().filter(which)
                .forEach(exchange -> exchange.fail(new IOException("the client was closed")));
    }

    /** Ends its connections and its thread. */
    private static void shutDown(HttpClient http) {
        try {
            HttpClient.class.getMethod("shutdownNow").invoke(http);
        } catch (ReflectiveOperationException e) {
            return; // before Java 21 they end when it is unreachable
        }
    }
}
