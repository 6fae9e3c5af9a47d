package nl.prymr.rochefort;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;

/**
 * The values of one id in an {@link Appender}. One batch at a time is sent, so that they are stored
 * in the order in which they came; meanwhile the next ones are filled. For any thread.
 */
final class AppendLane {
    /** What came of a value. */
    enum Added { YES, LANE_REMOVED, APPENDER_CLOSED }

    private static final int FIRST_BYTES = 1024;

    private final Appender appender;
    private final AppendKey key;
    private final String target;
    private final Deque<AppendBatch> full = new ArrayDeque<>();
    private AppendBatch filling; // null for none
    private byte[] spare = new byte[FIRST_BYTES]; // null: in use
    private AppendBatch sending; // null for none
    private AppendMultiExchange exchange; // of it
    private boolean starting; // it is being started, in a thread that sees to the next one
    private final Deque<AppendBatch> answered = new ArrayDeque<>(); // not all callers know it
    private Throwable aborted; // null: not
    private boolean removed;

    /** {@code target}: of the requests. */
    AppendLane(Appender appender, AppendKey key, String target) {
        this.appender = appender;
        this.key = key;
        this.target = target;
    }

    Added add(byte[] value, CompletableFuture<Long> future, long cost) {
        AppendBatch next;
        synchronized (this) {
            if (removed || appender.isClosed()) {
                return removed ? Added.LANE_REMOVED : Added.APPENDER_CLOSED;
            }
            if (filling != null && !filling.fits(value, appender.maxBatchBytes())) {
                endFilling();
            }
            if (filling == null) {
                filling = new AppendBatch(spare == null ? new byte[FIRST_BYTES] : spare);
                spare = null;
                lingering(filling);
            }
            filling.add(value, future, cost);
            if (filling.frames().length() >= appender.maxBatchBytes()) {
                endFilling();
            }
            next = takeNext();
        }
        send(next);
        return Added.YES;
    }

    private void lingering(AppendBatch batch) {
        if (appender.lingers()) {
            batch.startTimer(appender.later(() -> endLingering(batch)));
        } else {
            batch.makeDue();
        }
    }

    private void endFilling() {
        filling.stopTimer();
        full.add(filling);
        filling = null;
    }

    /** Call with the lock, and then {@link #send}. Returns what to send now; null for nothing. */
    private AppendBatch takeNext() {
        if (sending != null || starting) {
            return null;
        }
        sending = full.poll();
        if (sending == null && filling != null && filling.due()) {
            sending = filling;
            filling = null;
        }
        return sending;
    }

    private void endLingering(AppendBatch batch) {
        AppendBatch next;
        synchronized (this) {
            batch.makeDue();
            next = takeNext();
        }
        send(next);
    }

    /** Sends what is there, and returns it with what is being sent. */
    List<AppendBatch> flush() {
        List<AppendBatch> batches = new ArrayList<>();
        AppendBatch next;
        synchronized (this) {
            if (filling != null) {
                filling.makeDue();
                batches.add(filling);
            }
            batches.addAll(full);
            if (sending != null) {
                batches.add(sending);
            }
            batches.addAll(answered);
            next = takeNext();
        }
        send(next);
        return batches;
    }

    /**
     * Starts to send what {@link #takeNext} has returned. If it is done before {@link
     * Transport#start} returns, as with an executor that runs tasks in the calling thread, the next
     * one is sent from here, and not from a deeper call each.
     */
    private void send(AppendBatch first) {
        for (AppendBatch batch = first; batch != null;) {
            try {
                start(batch);
            } catch (RuntimeException | Error e) { // no memory
                done(batch, null, e);
            }
            synchronized (this) {
                starting = false;
                batch = takeNext();
                removeIfIdle();
            }
        }
    }

    private void start(AppendBatch batch) {
        AppendMultiExchange request =
                new AppendMultiExchange(appender.endpoint(), target, batch.frames());
        synchronized (this) {
            exchange = request;
            starting = true;
            if (aborted != null) {
                request.fail(aborted);
            }
        }
        appender.transport().start(request)
                .whenComplete((offsets, why) -> done(batch, offsets, why));
    }

    private void done(AppendBatch batch, long[] offsets, Throwable why) {
        AppendBatch next;
        synchronized (this) {
            sending = null;
            exchange = null;
            answered.add(batch);
            byte[] buffer = batch.frames().bytes();
            spare = buffer.length <= 2L * appender.maxBatchBytes() ? buffer : null;
            next = takeNext();
        }
        send(next); // before callers are notified, which may take long
        appender.release(batch.cost());
        batch.complete(offsets, why);
        synchronized (this) {
            answered.remove(batch);
            removeIfIdle();
        }
    }

    private void removeIfIdle() {
        if (sending == null && filling == null && full.isEmpty() && answered.isEmpty()
                && !starting) {
            removed = true;
            appender.remove(key, this);
        }
    }

    /** Ends what is being sent, and fails all that is not. */
    void abort() {
        CancellationException why = new CancellationException("the appender was closed");
        List<AppendBatch> unsent;
        AppendMultiExchange current;
        synchronized (this) {
            aborted = why;
            current = exchange;
            if (filling != null) {
                endFilling();
            }
            unsent = new ArrayList<>(full);
            full.clear();
        }
        if (current != null) {
            current.fail(why);
        }
        for (AppendBatch batch : unsent) {
            appender.release(batch.cost());
            batch.complete(null, appender.unsent(target, why));
        }
    }
}
