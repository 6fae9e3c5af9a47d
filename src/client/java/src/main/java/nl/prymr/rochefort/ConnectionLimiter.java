package nl.prymr.rochefort;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Limits how many calls are under way at a time. HTTP/1.1 has one request at a time on a
 * connection, so this is the number of connections too. Further calls are queued in order; a queued
 * call occupies no thread. For any thread.
 */
final class ConnectionLimiter {
    /** A queued call. */
    interface Waiter {
        /** It has a permit now. */
        void granted();

        /** It gets no permit because the client was closed. */
        void refused(Throwable why);
    }

    private final Set<Waiter> waiting = new LinkedHashSet<>(); // in the order they came
    private int free;
    private Throwable closed;

    ConnectionLimiter(int permits) {
        this.free = permits;
    }

    /** Acquires a permit if one is free. */
    synchronized boolean tryAcquire() {
        if (free == 0 || closed != null) {
            return false;
        }
        free--;
        return true;
    }

    /**
     * Acquires a permit if one is free; otherwise queues {@code waiter}, of which one method will
     * be called unless it is cancelled.
     *
     * @return true if the permit is acquired
     */
    boolean acquire(Waiter waiter) {
        Throwable refused;
        synchronized (this) {
            if (tryAcquire()) {
                return true;
            }
            refused = closed;
            if (refused == null) {
                waiting.add(waiter);
            }
        }
        if (refused != null) {
            waiter.refused(refused);
        }
        return false;
    }

    /** Removes {@code waiter} from the queue. Returns false if it is not queued (any more). */
    synchronized boolean cancel(Waiter waiter) {
        return waiting.remove(waiter);
    }

    /** Passes a permit on to the first in the queue, and returns it: call its method granted. */
    synchronized Waiter release() {
        Iterator<Waiter> first = waiting.iterator();
        if (!first.hasNext()) {
            free++;
            return null;
        }
        Waiter next = first.next();
        first.remove();
        return next;
    }

    /** Refuses all that are queued, and all that come. */
    void close(Throwable why) {
        List<Waiter> refused;
        synchronized (this) {
            closed = why;
            refused = new ArrayList<>(waiting);
            waiting.clear();
        }
        refused.forEach(waiter -> waiter.refused(why));
    }
}
