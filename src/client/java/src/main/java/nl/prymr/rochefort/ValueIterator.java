package nl.prymr.rochefort;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Iterates over the values of a getMulti in the order of the offsets, in bounded memory: values are
 * received as they are taken, and meanwhile the server waits. Returned by {@link
 * Client#getMultiIterator(String, String, long[])}.
 *
 * <p>An iterator holds one of the client's connections until the last value has been read from it;
 * close it unless you take all values. A thread that holds as many iterators as the client has
 * connections and then makes another call waits until one of them fails. If no value is taken for
 * longer than the client's request time-out, the iterator fails; the server itself closes a
 * connection on which it cannot send for a minute.
 *
 * <p>Not thread-safe.
 */
public final class ValueIterator implements Iterator<byte[]>, AutoCloseable {
    private final Transport transport;
    private final Endpoint endpoint;
    private final String target;
    private final Offsets offsets;
    private Part part; // null: none left
    private int nextFirst;
    private byte[] next; // null: not received, or none left
    private RochefortException failure;

    /** One request, and its permit. */
    private final class Part extends GetMultiExchange {
        private final AtomicBoolean permit = new AtomicBoolean(true);
        private ReplyBody body;
        private boolean finished;

        Part(int first, int count) {
            super(endpoint, target, offsets, first, count, List.of());
        }

        @Override
        boolean waitsForCaller() {
            return true;
        }

        /** Nobody may be in a method of the iterator, and never be again. */
        @Override
        void failed() {
            transport.pool().discard(connection());
            release();
        }

        void release() {
            if (permit.compareAndSet(true, false)) {
                transport.release();
            }
        }

        void start() throws RochefortException {
            try {
                body = open(transport.pool());
            } catch (IOException | RuntimeException | Error e) {
                throw ended(e);
            }
        }

        byte[] take() throws RochefortException {
            try {
                byte[] value = next(body);
                connection().touch();
                if (value == null || complete() && body.ended()) {
                    finished = true;
                    finish(transport.pool());
                    release();
                }
                return value;
            } catch (IOException | RuntimeException | Error e) {
                throw ended(e);
            }
        }

        private RochefortException ended(Throwable e) {
            RochefortException why = failure(transport.pool(), e);
            release();
            return why;
        }
    }

    /** Waits for the first value, so that a refusal is reported at once. */
    ValueIterator(Transport transport, Endpoint endpoint, String target, Offsets offsets)
            throws RochefortException {
        this.transport = transport;
        this.endpoint = endpoint;
        this.target = target;
        this.offsets = offsets;
        startNext();
        fetch();
    }

    private void startNext() throws RochefortException {
        int first = nextFirst;
        int count = Math.min(Offsets.REQUEST_MAX, offsets.count() - first);
        part = null;
        if (count > 0) {
            nextFirst += count;
            Part started = new Part(first, count);
            transport.checkOpen(started);
            transport.acquire(started);
            started.start();
            part = started;
        }
    }

    private void fetch() throws RochefortException {
        while (next == null && part != null) {
            try {
                if (part.finished) {
                    startNext();
                } else {
                    next = part.take();
                }
            } catch (RochefortException e) {
                part = null;
                throw e;
            }
        }
    }

    /**
     * Reports whether there is another value. Waits until that is known.
     *
     * @return false at the end, and after {@link #close()}
     * @throws UncheckedIOException with a {@link GetMultiException} as its cause, which says which
     *     offset failed. All values before it have been returned; no value follows
     */
    @Override
    public boolean hasNext() {
        try {
            if (next == null && failure == null) {
                fetch();
            }
        } catch (RochefortException e) {
            failure = e;
        }
        if (failure != null) {
            throw new UncheckedIOException(failure);
        }
        return next != null;
    }

    /**
     * Returns the next value. Waits until it has been received.
     *
     * @return the value; the array belongs to the caller
     * @throws UncheckedIOException as {@link #hasNext()} does
     * @throws NoSuchElementException if there is none
     */
    @Override
    public byte[] next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        byte[] value = next;
        next = null;
        return value;
    }

    /** Ends the request if it has not ended, and drops the values that were not taken. */
    @Override
    public void close() {
        if (part != null) {
            part.fail(new CancellationException("closed by the caller"));
        }
        part = null;
        next = null;
        failure = null;
    }
}
