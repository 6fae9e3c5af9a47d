package nl.prymr.rochefort;

import java.io.UncheckedIOException;
import java.net.URI;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.concurrent.CancellationException;

/**
 * The values of a getMulti, one after the other in the order of the offsets, in bounded memory:
 * some 300 KiB of values, and one value more if it is larger, are read ahead; then the server has
 * to wait. From {@link Client#getMultiIterator(String, String, long[])}.
 *
 * <p>It holds one of the client's connections until the last value of a request has been read from
 * it, so close it if you do not take all. A thread that holds as many as the client has connections
 * waits for itself if it then makes another call. Who takes nothing for longer than the client's
 * request time-out loses it, and the server hangs up on who takes nothing for a minute.
 *
 * <p>For one thread at a time.
 */
public final class ValueIterator implements Iterator<byte[]>, AutoCloseable {
    private static final int READ_AHEAD_BYTES = 256 * 1024;
    private static final int OVERHEAD_BYTES = 64; // of a value in memory, about

    private final Transport transport;
    private final URI uri;
    private final Offsets offsets;
    private MultiExchange exchange; // null: none left
    private int nextFirst;
    private byte[] next; // null: not fetched, or none left
    private RochefortException failure;

    /** Values between the thread that reads them and the one that takes them. */
    private final class Buffer implements MultiExchange.Sink {
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
        private byte[] take(MultiExchange from) throws InterruptedException {
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

    /** Waits for the first value, so that a refusal is told at once. */
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
            exchange = new MultiExchange(uri, offsets, first, count, transport.timeout(), buffer);
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
                continue; // with what had come before
            }
            if (next == null) {
                RochefortException why = exchange.failure();
                if (why != null) {
                    exchange = null;
                    why.fillInStackTrace(); // the caller's; its cause has the other
                    throw why;
                }
                startNext();
            }
        }
    }

    /**
     * Whether there is a further value. Waits until that is known.
     *
     * @return false at the end, and after {@link #close()}
     * @throws UncheckedIOException with a {@link GetMultiException} as its cause, which says which
     *     offset failed. Everything before it has been returned; nothing comes after it
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
     * The next value. Waits for it if it is not there yet.
     *
     * @return the value, an array that is the caller's
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

    /** Ends the request if it has not come to its end. Nothing is read any more. */
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
