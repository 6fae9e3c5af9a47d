package nl.prymr.rochefort;

import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Iterates over the records of a bucket in their order, whatever their ids were, and follows it.
 * Returned by {@link Client#scan(String, int, long, Duration)}.
 *
 * <pre>{@code
 * try (Scan scan = client.scan("mine", 0, 0, Duration.ofSeconds(30))) {
 *     while (scan.hasNext()) {
 *         ScanRecord record = scan.next();
 *         System.out.println(record.offset() + ": " + record.value().length + " bytes");
 *     }
 * } // nothing was appended for 30 seconds
 * }</pre>
 *
 * <p>A scan has a connection of its own, which does not count for {@link
 * ClientBuilder#maxConnections}, and holds the records of about 1 MiB and one more. At the end of
 * the bucket {@link #hasNext()} waits for more. If it returns false, or throws an exception, it can
 * be called again, and goes on where it was.
 *
 * <p><b>Nothing is skipped silently.</b> With each request the server is told which record was read
 * last. If that is not there any more, or another one, because records were lost in a power failure
 * or the prefix was deleted and made anew, the request fails with status 409, 416 or 404: begin
 * again at offset 0. Damage in the file is stepped over: then the next record begins behind {@link
 * ScanRecord#nextOffset()} of the one before.
 *
 * <p>Not thread-safe, but for {@link #close()}.
 */
public final class Scan implements Iterator<ScanRecord>, AutoCloseable {
    private static final long WAIT_SECONDS_MAX = 60; // of one request
    private static final long PAUSE_NANOS = 100_000_000L;
    private static final long SECOND_NANOS = 1_000_000_000L;

    private final Transport transport;
    private final Endpoint endpoint;
    private final String target;
    private final ConnectionPool pool;
    private final long waitNanos;
    private final CountDownLatch closed = new CountDownLatch(1);
    private List<ScanRecord> records = List.of();
    private int taken; // of these
    private long requestOffset; // of the next request
    private String last; // the record before it, as a request has it; null for none

    /** Sends nothing. */
    Scan(Transport transport, Endpoint endpoint, String target, long offset, Duration wait) {
        this.transport = transport;
        this.endpoint = endpoint;
        this.target = target;
        this.requestOffset = offset;
        this.waitNanos = wait.toNanos();
        this.pool = transport.openPool(
                Duration.ofSeconds(Math.min(WAIT_SECONDS_MAX, seconds(waitNanos))));
    }

    private static long seconds(long nanos) {
        return (nanos + SECOND_NANOS - 1) / SECOND_NANOS;
    }

    /**
     * Reports whether there is another record. At the end of the bucket it waits for one, for as
     * long as the scan was told to.
     *
     * @return false if there is none so far, and after {@link #close()}
     * @throws UncheckedIOException with a {@link RochefortException} as its cause
     */
    @Override
    public boolean hasNext() {
        if (taken == records.size() && closed.getCount() > 0) {
            try {
                fetch();
            } catch (RochefortException e) {
                if (closed.getCount() > 0) {
                    throw new UncheckedIOException(e);
                }
            }
        }
        return taken < records.size() && closed.getCount() > 0;
    }

    private void fetch() throws RochefortException {
        long start = System.nanoTime();
        for (long left = waitNanos;; left = waitNanos - (System.nanoTime() - start)) {
            long seconds = Math.min(WAIT_SECONDS_MAX, seconds(Math.max(0, left)));
            long sent = System.nanoTime();
            long before = requestOffset;
            Request request = endpoint.scan(target, requestOffset, seconds, last);
            request(request);
            long now = System.nanoTime();
            if (!records.isEmpty() || closed.getCount() == 0) {
                return;
            }
            if (requestOffset == before) { // the end
                if (now - start >= waitNanos) {
                    return;
                }
                if (now - sent < seconds * SECOND_NANOS) {
                    pause(request, waitNanos - (now - start));
                }
            }
        }
    }

    private void request(Request request) throws RochefortException {
        ScanExchange exchange = new ScanExchange(request, requestOffset);
        List<ScanRecord> received = exchange.run(pool);
        if (!received.isEmpty()) {
            long lastOffset = received.get(received.size() - 1).offset();
            last = lastOffset + ":" + hex(exchange.lastHeader());
        }
        requestOffset = exchange.nextOffset();
        records = received;
        taken = 0;
    }

    private static String hex(byte[] bytes) {
        StringBuilder digits = new StringBuilder(2 * bytes.length);
        for (byte b : bytes) {
            digits.append(Character.forDigit(b >> 4 & 0xf, 16)).append(
                    Character.forDigit(b & 0xf, 16));
        }
        return digits.toString();
    }

    /** A server that does not wait, or not any more, is not asked all the time. */
    private void pause(Request request, long nanosLeft) throws RochefortException {
        try {
            closed.await(Math.min(PAUSE_NANOS, nanosLeft), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RochefortException("interrupted", request.method(), request.uri(), 0, "",
                    false, e);
        }
    }

    /**
     * Returns the next record. Waits for it as {@link #hasNext()} does.
     *
     * @return the record
     * @throws UncheckedIOException as {@link #hasNext()} does
     * @throws NoSuchElementException if there is none so far, and after {@link #close()}
     */
    @Override
    public ScanRecord next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return records.get(taken++);
    }

    /**
     * Returns where the scan goes on: the offset of the next record, as far as is known. A later
     * scan that begins there goes on too, but does not notice if other records are before it.
     *
     * @return the offset, in bytes
     */
    public long offset() {
        return taken < records.size() ? records.get(taken).offset() : requestOffset;
    }

    /** Ends the scan, and a call that waits in another thread. For any thread. */
    @Override
    public void close() {
        closed.countDown();
        transport.closePool(pool, new CancellationException("closed by the caller"));
    }
}
