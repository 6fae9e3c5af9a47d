package nl.prymr.rochefort;

import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.BooleanSupplier;

/**
 * How many requests are on their way at once. HTTP/1.1 has one request on a connection at a time,
 * so this is the number of connections too. Who finds no place waits in a queue, first come first
 * served, without a thread of its own.
 */
final class Places {
    private final Set<BooleanSupplier> waiting = new LinkedHashSet<>(); // in the order they came
    private int free;

    Places(int count) {
        this.free = count;
    }

    /**
     * Takes a place if there is one. Otherwise {@code later} runs when its turn has come: it has
     * the place then, or returns false to decline it. It runs in the thread of whoever gave the
     * place back, so it must be short.
     *
     * @return true if the place is taken, false if {@code later} is queued
     */
    synchronized boolean take(BooleanSupplier later) {
        if (free > 0) {
            free--;
            return true;
        }
        waiting.add(later);
        return false;
    }

    /** {@code later} is not wanted any more, and nothing keeps what it refers to. */
    synchronized void drop(BooleanSupplier later) {
        waiting.remove(later);
    }

    /** Gives a place back: to the next in the queue, if there is one. */
    void give() {
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
