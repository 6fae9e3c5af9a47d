package nl.prymr.rochefort;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Limits how many bytes an {@link Appender} holds. When there are too many, those who want to add
 * some wait until half of them are gone: so a thread that was woken has room for many values, and
 * large ones have their turn too. For any thread.
 */
final class PendingLimit {
    private final long max;
    private final long half;
    private final AtomicLong used = new AtomicLong();
    private final Object lock = new Object();
    private volatile int waiting; // changed with the lock

    PendingLimit(long max) {
        this.max = max;
        this.half = Math.max(1, max / 2);
    }

    /** What is to be acquired for {@code bytes}: more than half of all would never be free. */
    long cost(long bytes) {
        return Math.min(bytes, half);
    }

    /** Acquires a {@link #cost} if so much is free. */
    boolean tryAcquire(long cost) {
        for (;;) {
            long now = used.get();
            if (now > max - cost) {
                return false;
            }
            if (used.compareAndSet(now, now + cost)) {
                return true;
            }
        }
    }

    /** Acquires a {@link #cost}, and waits for it if it has to. */
    void acquire(long cost) throws InterruptedException {
        synchronized (lock) {
            waiting++;
            try {
                while (!tryAcquire(cost)) {
                    lock.wait();
                }
            } finally {
                waiting--;
            }
        }
    }

    void release(long cost) {
        if (used.addAndGet(-cost) <= half && waiting > 0) {
            synchronized (lock) {
                lock.notifyAll();
            }
        }
    }
}
