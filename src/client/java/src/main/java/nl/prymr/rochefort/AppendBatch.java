package nl.prymr.rochefort;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;

/**
 * The values of one appendMulti of an {@link Appender}, and who waits for them. Filled with the
 * lock of its {@link AppendLane}; then it belongs to the one who sends it.
 */
final class AppendBatch {
    private final ValueFrames frames;
    private final List<CompletableFuture<Long>> futures = new ArrayList<>();
    private final CountDownLatch done = new CountDownLatch(1);
    private volatile Thread completing; // null: not yet
    private long cost;
    private boolean due;
    private Future<?> timer; // null for none

    /** {@code buffer}: for the values, as long as they fit into it. */
    AppendBatch(byte[] buffer) {
        frames = new ValueFrames(buffer);
    }

    /** Whether a value can be added so that there are at most {@code maxBytes}. */
    boolean fits(byte[] value, int maxBytes) {
        return frames.count() == 0 || frames.count() < ValueFrames.REQUEST_MAX
                && (long) frames.length() + ValueFrames.LENGTH_BYTES + value.length <= maxBytes;
    }

    /** {@code cost}: what was acquired for it. */
    void add(byte[] value, CompletableFuture<Long> future, long cost) {
        frames.reserve(value.length); // both may find no memory, and then nothing is added
        futures.add(future);
        frames.add(value);
        this.cost += cost;
    }

    ValueFrames frames() {
        return frames;
    }

    /** What was acquired for all values. */
    long cost() {
        return cost;
    }

    /** Whether it is to be sent although it is not full. */
    boolean due() {
        return due;
    }

    void makeDue() {
        due = true;
        stopTimer();
    }

    void startTimer(Future<?> timer) {
        this.timer = timer;
    }

    /** A timer that has not run would keep this batch in memory. */
    void stopTimer() {
        if (timer != null) {
            timer.cancel(false);
            timer = null;
        }
    }

    /** Completes the futures: with the offsets, or with {@code why}. */
    void complete(long[] offsets, Throwable why) {
        completing = Thread.currentThread();
        for (int i = 0; i < futures.size(); i++) {
            if (why == null) {
                futures.get(i).complete(offsets[i]);
            } else {
                futures.get(i).completeExceptionally(why);
            }
        }
        done.countDown();
    }

    /** Waits until the futures are complete, but not if the caller runs in one of them. */
    void await() throws InterruptedException {
        if (completing != Thread.currentThread()) {
            done.await();
        }
    }
}
