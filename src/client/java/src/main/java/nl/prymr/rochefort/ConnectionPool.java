package nl.prymr.rochefort;

import java.io.IOException;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;

/**
 * The connections of a client. The one used last is used next, so that those that are not needed
 * grow old and are closed. For any thread; those that take a connection have a permit of the {@link
 * ConnectionLimiter}.
 */
final class ConnectionPool {
    private final Connector connector;
    private final Clock clock;
    private final Duration timeout;
    private final int max;
    private final Deque<Connection> idle = new ArrayDeque<>(); // guarded by itself
    private final Set<Connection> open = ConcurrentHashMap.newKeySet();
    private volatile Throwable closed;

    /** {@code timeout}: how long the server may be silent. */
    ConnectionPool(Connector connector, Clock clock, Duration timeout, int max) {
        this.connector = connector;
        this.clock = clock;
        this.timeout = timeout;
        this.max = max;
    }

    /**
     * Returns an idle connection, or a new one.
     *
     * @param repeatable whether the request may be sent again if the connection is lost
     */
    Connection take(Exchange<?> user, boolean repeatable) throws IOException {
        for (Connection last = lastUsed(); last != null; last = lastUsed()) {
            if (last.usable(repeatable, System.nanoTime())) {
                begin(last, user);
                return last;
            }
            discard(last);
        }
        return connect(user);
    }

    private Connection lastUsed() {
        synchronized (idle) {
            return idle.pollFirst();
        }
    }

    private void begin(Connection connection, Exchange<?> user) {
        connection.begin(user, clock, clock.ticks(timeout));
        user.uses(connection);
    }

    /** Returns a new connection. */
    Connection connect(Exchange<?> user) throws IOException {
        if (open.size() >= max) {
            closeOldest();
        }
        Connection[] last = new Connection[1];
        try {
            Connection connection = connector.connect(attempt -> {
                discard(last[0]);
                last[0] = attempt;
                open.add(attempt);
                user.uses(attempt);
                if (closed != null) {
                    user.fail(closed);
                }
            });
            begin(connection, user);
            return connection;
        } catch (IOException | RuntimeException | Error e) {
            discard(last[0]);
            throw e;
        }
    }

    private void closeOldest() {
        Connection oldest;
        synchronized (idle) {
            oldest = idle.pollLast();
        }
        discard(oldest);
    }

    /** The user is done, and the connection can be used again. */
    void give(Connection connection) {
        if (!connection.finish()) {
            discard(connection);
            return;
        }
        synchronized (idle) {
            idle.addFirst(connection);
        }
        if (closed != null) {
            closeIdle(any -> true);
        }
    }

    /** Closes a connection, null for none, that is not idle. */
    void discard(Connection connection) {
        if (connection != null) {
            connection.abort();
            open.remove(connection);
        }
    }

    private void closeIdle(Predicate<Connection> which) {
        for (;;) {
            Connection oldest;
            synchronized (idle) {
                oldest = idle.peekLast();
                if (oldest == null || !which.test(oldest)) {
                    return;
                }
                idle.removeLast();
            }
            discard(oldest);
        }
    }

    /** Call at each tick of the clock: ends what is over its time. */
    void tick(long tick) {
        for (Connection connection : open) {
            if (connection.expire(tick)) {
                Exchange<?> user = connection.user();
                if (user != null) {
                    user.fail(new HttpTimeoutException("nothing was received, or taken, for "
                            + timeout.toMillis() + " ms"));
                }
                connection.abort();
            }
        }
        long now = System.nanoTime();
        closeIdle(oldest -> oldest.tooOld(now));
    }

    /** Ends the exchanges that have a connection. */
    void fail(Predicate<Exchange<?>> which, Throwable why) {
        for (Connection connection : open) {
            Exchange<?> user = connection.user();
            if (user != null && which.test(user)) {
                user.fail(why);
            }
        }
    }

    /** Closes all connections, and refuses to make new ones. */
    void close(Throwable why) {
        closed = why;
        fail(user -> true, why);
        open.forEach(Connection::abort);
        closeIdle(any -> true);
    }
}
