package nl.prymr.rochefort;

import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.BooleanSupplier;

/**
 * Limits how many requests are under way at a time. HTTP/1.1 has one request at a time on a
 * connection, so this is the number of connections too. Further requests are queued in order; a
 * queued request occupies no thread.
 */
final class ConnectionLimiter {
    private final Set<BooleanSupplier> waiting = new LinkedHashSet<>(); // in the order they came
    private int free;

    ConnectionLimiter(int count) {
        this.free = count;
    }

    /**
     * Acquires a connection if one is free. Otherwise {@code later} is queued: it is called when it
     * has the connection, and returns false to decline it. It runs in the thread that released the
     * connection, so it must be short.
     *
     * @return true if the connection is acquired, false if {@code later} is queued
     */
    synchronized boolean acquire(BooleanSupplier later) {
        if (free > 0) {
            free--;
            return true;
        }
        waiting.add(later);
        return false;
    }

    /** Removes {@code later} from the queue, so that nothing refers to it any more. */
    synchronized void cancel(BooleanSupplier later) {
        waiting.remove(later);
    }

    /** Releases a connection: to the next in the queue, if there is one. */
    void release() {
        BooleanSupplier next = next();
        while (next != null && !next.getAsBoolean()) {
            next = next();
        }
    }

    private synchronized BooleanSupplier next() {
        Iterator<BooleanSupplier> first = waiting.iterator();
        if (!first.hasNext()) {
            free++;
            return null;
        }
        BooleanSupplier next = first.next();
        first.remove();
        return next;
    }
}
