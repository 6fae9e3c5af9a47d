package nl.prymr.rochefort;

import java.time.Duration;

/**
 * Counts ticks of a fixed length, for time-outs. Reading it is cheaper than the system's clock, and
 * it stands still while the machine or the JVM does, so that a pause is not taken for silence.
 */
final class Clock {
    private static final long TICK_MILLIS_MAX = 1000;
    private static final int TICKS_OF_A_TIMEOUT = 4; // at least, if it has as many milliseconds

    private final long tickMillis;
    private volatile long tick;

    /** {@code shortest}: of the time-outs that will be measured. */
    Clock(Duration shortest) {
        tickMillis = Math.max(1, Math.min(TICK_MILLIS_MAX,
                shortest.toMillis() / TICKS_OF_A_TIMEOUT));
    }

    long tickMillis() {
        return tickMillis;
    }

    long tick() {
        return tick;
    }

    /** Call from one thread only, at least {@link #tickMillis} after the last call. */
    long advance() {
        long next = tick + 1;
        tick = next;
        return next;
    }

    /** The number of ticks that are at least as long as {@code timeout}. */
    long ticks(Duration timeout) {
        return (timeout.toMillis() + tickMillis - 1) / tickMillis;
    }
}
