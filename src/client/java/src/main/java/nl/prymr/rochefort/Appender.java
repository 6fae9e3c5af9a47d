package nl.prymr.rochefort;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Batches the values that many threads append to the same ids: all that come for an id while a
 * request of it is under way are sent together with the next one. Made by {@link
 * Client#appender()}.
 *
 * <pre>{@code
 * try (Appender appender = client.appender().build()) {
 *     CompletableFuture<Long> offset = appender.append("mine", "some_identifier", value);
 *     ...
 * } // waits for all
 * }</pre>
 *
 * <p><b>Threads.</b> Safe for use by any number of threads; one is enough for a whole program.
 * Futures complete in the threads in which those of the client do. Do not block one for long: the
 * futures of the same batch complete after each other in the same thread.
 *
 * <p><b>Order.</b> For each id there is one request at a time. Values that a thread appends to one
 * id are stored in the order of its calls: their offsets rise.
 *
 * <p><b>Memory.</b> Values are copied. If those that are not answered have more than {@link
 * AppenderBuilder#maxPendingBytes}, append waits until half of them are.
 *
 * <p><b>Failures.</b> The values of a batch are stored together or not at all. If the request
 * fails, the futures of exactly these values complete with the same {@link RochefortException}.
 * {@link RochefortException#mayHaveHappened()} says whether they may be stored nevertheless.
 * Nothing is sent a second time, and the values behind them are sent as before. Cancelling a future
 * does not take its value out of its batch.
 */
public final class Appender implements AutoCloseable {
    /** The future, the offset and the entries of lists that a value costs beside its bytes. */
    private static final int VALUE_OVERHEAD_BYTES = 100;

    private static final AtomicInteger APPENDERS = new AtomicInteger();

    private final Transport transport;
    private final Endpoint endpoint;
    private final int maxBatchBytes;
    private final boolean sync;
    private final long lingerMillis;
    private final PendingLimit pending;
    private final ScheduledThreadPoolExecutor timer; // null if batches do not linger
    private final ConcurrentMap<AppendKey, AppendLane> lanes = new ConcurrentHashMap<>();
    private volatile boolean closed;

    Appender(Transport transport, Endpoint endpoint, AppenderBuilder builder) {
        this.transport = transport;
        this.endpoint = endpoint;
        this.maxBatchBytes = builder.batchBytes();
        this.sync = builder.syncs();
        this.lingerMillis = builder.linger();
        this.pending = new PendingLimit(builder.pendingBytes());
        this.timer = lingerMillis == 0 ? null : timer();
    }

    private static ScheduledThreadPoolExecutor timer() {
        String name = "rochefort-appender-" + APPENDERS.incrementAndGet();
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, name);
            thread.setDaemon(true);
            return thread;
        });
        timer.setRemoveOnCancelPolicy(true);
        return timer;
    }

    /**
     * Appends a value under the default prefix.
     *
     * @param id selects the file
     * @param value the value, at least 1 byte; it is copied
     * @return the offset of the value, or a RochefortException
     */
    public CompletableFuture<Long> append(String id, byte[] value) {
        return append("", id, value);
    }

    /**
     * Appends a value. Waits if there are too many that are not answered; if the thread is
     * interrupted meanwhile the value is not sent, and its interrupt status stays set.
     *
     * @param storagePrefix the directory; the server makes it if it does not exist
     * @param id selects the file
     * @param value the value, at least 1 byte; it is copied. If the server refuses it for its
     *     length, it refuses its whole batch
     * @return the offset of the value, or a RochefortException
     * @throws IllegalArgumentException if the value is empty
     */
    public CompletableFuture<Long> append(String storagePrefix, String id, byte[] value) {
        Objects.requireNonNull(id, "id");
        if (Objects.requireNonNull(value, "value").length == 0) {
            throw new IllegalArgumentException("value is empty");
        }
        if (value.length > GrowableBuffer.BYTES_MAX - ValueFrames.LENGTH_BYTES) {
            throw new IllegalArgumentException("value of " + value.length + " bytes");
        }
        AppendKey key = new AppendKey(storagePrefix == null ? "" : storagePrefix, id);
        CompletableFuture<Long> future = new CompletableFuture<>();
        long cost = pending.cost((long) value.length + VALUE_OVERHEAD_BYTES);
        try {
            if (!pending.tryAcquire(cost)) {
                if (lingers()) {
                    flushLanes(); // what lingers may be all there is
                }
                pending.acquire(cost);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            future.completeExceptionally(unsent(key, e));
            return future;
        }
        AppendLane.Added added = AppendLane.Added.LANE_REMOVED;
        try {
            while (added == AppendLane.Added.LANE_REMOVED) {
                added = lane(key).add(value, future, cost);
            }
        } finally {
            if (added != AppendLane.Added.YES) {
                pending.release(cost);
            }
        }
        if (added == AppendLane.Added.APPENDER_CLOSED) {
            future.completeExceptionally(unsent(key, new IOException("the appender is closed")));
        }
        return future;
    }

    private AppendLane lane(AppendKey key) {
        AppendLane lane = lanes.get(key);
        return lane != null ? lane : lanes.computeIfAbsent(key, this::newLane);
    }

    private AppendLane newLane(AppendKey key) {
        return new AppendLane(this, key, target(key));
    }

    private String target(AppendKey key) {
        return endpoint.appendMultiTarget(key.storagePrefix(), key.id(), sync);
    }

    private RochefortException unsent(AppendKey key, Throwable why) {
        return unsent(target(key), why);
    }

    /** The exception of a value that was not sent. */
    RochefortException unsent(String target, Throwable why) {
        AppendMultiExchange request =
                new AppendMultiExchange(endpoint, target, new ValueFrames(new byte[0]));
        request.fail(why);
        return request.failure();
    }

    private List<AppendBatch> flushLanes() {
        List<AppendBatch> batches = new ArrayList<>();
        lanes.values().forEach(lane -> batches.addAll(lane.flush()));
        return batches;
    }

    /**
     * Sends what lingers, and waits until all values whose append has returned before are stored or
     * have failed. The futures say which: they are complete then, but not those of the batch in
     * whose callback it is called.
     *
     * @throws InterruptedException if the thread is interrupted meanwhile
     */
    public void flush() throws InterruptedException {
        for (AppendBatch batch : flushLanes()) {
            batch.await();
        }
    }

    /**
     * Sends what lingers, and waits until all values are stored or have failed. Further calls of
     * append fail. If the thread is interrupted meanwhile, all requests are ended at once, values
     * that were not sent fail, and the interrupt status stays set. Close the client afterwards.
     */
    @Override
    public void close() {
        closed = true;
        try {
            flush();
        } catch (InterruptedException e) {
            lanes.values().forEach(AppendLane::abort);
            Thread.currentThread().interrupt();
        }
        if (timer != null) {
            timer.shutdown();
        }
    }

    Transport transport() {
        return transport;
    }

    Endpoint endpoint() {
        return endpoint;
    }

    int maxBatchBytes() {
        return maxBatchBytes;
    }

    boolean isClosed() {
        return closed;
    }

    /** Whether a batch waits for more values although it could be sent. */
    boolean lingers() {
        return timer != null;
    }

    /** Runs {@code task} when a batch has lingered. */
    Future<?> later(Runnable task) {
        return timer.schedule(task, lingerMillis, TimeUnit.MILLISECONDS);
    }

    /** The values of a batch are answered. */
    void release(long cost) {
        pending.release(cost);
    }

    /** For tests: of how many ids something is kept. */
    int activeIds() {
        return lanes.size();
    }

    /** The lane is not used any more. */
    void remove(AppendKey key, AppendLane lane) {
        lanes.remove(key, lane);
    }
}
