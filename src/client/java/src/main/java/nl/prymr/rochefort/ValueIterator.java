package nl.prymr.rochefort;

import java.io.UncheckedIOException;
import java.net.URI;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.concurrent.CancellationException;

/**
 * Iterates over the values of a getMulti in the order of the offsets, in bounded memory: about 300
 * KiB of values, and one more value if it is larger, are read ahead; then the server has to wait.
 * Returned by {@link Client#getMultiIterator(String, String, long[])}.
 *
 * <p>An iterator holds one of the client's connections until the last value has been read from it;
 * close it unless you take all values. A thread that holds as many iterators as the client has
 * connections and then makes another call waits forever. If no value is taken for longer than the
 * client's request time-out, the iterator fails; the server itself closes a connection on which it
 * cannot send for a minute.
 *
 * <p>Not thread-safe.
 */
public final class ValueIterator implements Iterator<byte[]>, AutoCloseable {
    private static final int READ_AHEAD_BYTES = 256 * 1024;
    private static final int OVERHEAD_BYTES = 64; // of a value in memory, about

    private final Transport transport;
    private final URI uri;
    private final Offsets offsets;
    private GetMultiExchange exchange; // null: none left
    private int nextFirst;
    private byte[] next; // null: not fetched, or none left
    private RochefortException failure;

    /** The values that were read but not taken yet. */
    private final class Buffer implements GetMultiExchange.Sink {
        private final Queue<byte[]> values = new ArrayDeque<>();
        private long bytes;
        private boolean paused;

        @Override
        public synchronized void value(byte[] value) {
            values.add(value);
            bytes += value.length + OVERHEAD_BYTES;
            notifyAll();
        }

        @Override
        public synchronized boolean pause() {
            paused = bytes >= READ_AHEAD_BYTES;
            return paused;
        }

        @Override
        public boolean waitsForCaller() {
            return true;
        }

        private synchronized void wake() {
            notifyAll();
        }

        /** The next value; null if {@code from} has ended and there is none. */
        private byte[] take(GetMultiExchange from) throws InterruptedException {
            byte[] value;
            boolean resume;
            synchronized (this) {
                while (values.isEmpty() && !from.ended().isDone()) {
                    wait();
                }
                value = values.poll();
                bytes -= value == null ? 0 : value.length + OVERHEAD_BYTES;
                resume = paused && bytes < READ_AHEAD_BYTES;
                paused &= !resume;
            }
            from.taken();
            if (resume) {
                from.resume();
            }
            return value;
        }
    }

    private final Buffer buffer = new Buffer();

    /** Waits for the first value, so that a refusal is reported at once. */
    ValueIterator(Transport transport, URI uri, Offsets offsets) throws RochefortException {
        this.transport = transport;
        this.uri = uri;
        this.offsets = offsets;
        startNext();
        fetch();
    }

    private void startNext() {
        int first = nextFirst;
        int count = Math.min(Offsets.REQUEST_MAX, offsets.count() - first);
        exchange = null;
        if (count > 0) {
            nextFirst += count;
            exchange = new GetMultiExchange(
                    uri, offsets, first, count, transport.timeout(), buffer);
            exchange.ended().thenRun(buffer::wake);
            transport.start(exchange);
        }
    }

    private void fetch() throws RochefortException {
        while (next == null && exchange != null) {
            try {
                next = buffer.take(exchange);
            } catch (InterruptedException e) {
                exchange.fail(e);
                exchange.ended().join();
                Thread.currentThread().interrupt();
                continue; // with the values received before
            }
            if (next == null) {
                RochefortException why = exchange.failure();
                if (why != null) {
                    exchange = null;
                    why.fillInStackTrace(); // of the caller; the cause has the other one
                    throw why;
                }
                startNext();
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
        if (exchange != null) {
            exchange.fail(new CancellationException("closed by the caller"));
        }
        exchange = null;
        next = null;
        failure = null;
    }
}
