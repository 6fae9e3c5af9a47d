package nl.prymr.rochefort;

import java.time.Duration;
import java.util.Objects;

/**
 * Builds a {@link Client} with limits other than the default ones, or one whose appends wait for
 * the disk.
 *
 * <pre>{@code
 * Client client = Client.builder("http://localhost:8001")
 *         .requestTimeout(Duration.ofSeconds(5))
 *         .maxConnections(16)
 *         .build();
 * }</pre>
 *
 * <p>Not thread-safe. A builder can build several clients.
 */
public final class ClientBuilder {
    /** Long enough for any use, and no sum or count of nanoseconds overflows. */
    private static final Duration TIMEOUT_MAX = Duration.ofDays(365);

    private final Endpoint endpoint;
    private Duration connectTimeout = Duration.ofSeconds(10);
    private Duration requestTimeout = Duration.ofSeconds(60);
    private int maxConnections = 64;
    private boolean syncAppends = false;

    ClientBuilder(Endpoint endpoint) {
        this.endpoint = endpoint;
    }

    /**
     * Sets how long to wait for a new connection. The default is 10 seconds.
     *
     * @param timeout a positive duration; more than 365 days means 365 days
     * @return this
     * @throws IllegalArgumentException if it is not positive
     */
    public ClientBuilder connectTimeout(Duration timeout) {
        connectTimeout = positive(timeout);
        return this;
    }

    /**
     * Sets how long to wait for the server while it sends nothing: from the first byte of the
     * request to the first byte of the reply, and between two parts of the reply. It does not limit
     * how long a large value takes to be received, but it limits how long one takes to be sent. It
     * is also how long a {@link ValueIterator} may be left unused. The default is 60 seconds. It
     * takes effect with a delay of up to a quarter of the time-out, at most a second. The time that
     * a call waits for a free connection does not count.
     *
     * @param timeout a positive duration; more than 365 days means 365 days
     * @return this
     * @throws IllegalArgumentException if it is not positive
     */
    public ClientBuilder requestTimeout(Duration timeout) {
        requestTimeout = positive(timeout);
        return this;
    }

    /**
     * Sets the maximum number of connections, which is also the maximum number of requests under
     * way at a time. Further calls are queued in order: synchronous calls block their thread,
     * asynchronous calls occupy none. The default is 64.
     *
     * <p>Before Java 16 the JDK does not end a request whose thread is interrupted (JDK-8245462):
     * there a call that is interrupted or cancelled before its reply leaves its connection open,
     * in addition to this number, until the reply comes or the request times out.
     *
     * @param count at least 1
     * @return this
     * @throws IllegalArgumentException if it is less than 1
     */
    public ClientBuilder maxConnections(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("maxConnections of " + count);
        }
        maxConnections = count;
        return this;
    }

    /**
     * Sets whether each append of this client waits until its value is on the disk, whatever the
     * server's flag {@code -sync} is. An acknowledged value then survives a power failure or a
     * kernel crash, provided that the disk keeps what it reports as written. The default is false:
     * the server decides, and a server that syncs by itself still does so.
     *
     * <p>If the sync fails, the append ends with a {@link RochefortException} of status 500, and
     * the value is not stored (it may reappear after a power failure, at an offset that was never
     * returned). From then on the server refuses to sync that file, with status 500 too, until its
     * prefix is closed or the server is restarted: call {@link Client#close(String)} after the
     * cause has been found.
     *
     * <p>Appends that wait for the same file at the same time share one sync, so asynchronous
     * appends, or those of many threads, cost far less than the same number one after the other. If
     * only some values need it, use two clients. A server that does not support syncs ignores this.
     *
     * @param sync true to wait
     * @return this
     */
    public ClientBuilder syncAppends(boolean sync) {
        syncAppends = sync;
        return this;
    }

    /**
     * Builds the client. Sends nothing.
     *
     * @return a client; the caller closes it
     */
    public Client build() {
        return new Client(endpoint, transport(), syncAppends);
    }

    Transport transport() {
        return new Transport(connectTimeout, requestTimeout, maxConnections);
    }

    private static Duration positive(Duration timeout) {
        Objects.requireNonNull(timeout);
        if (timeout.isZero() || timeout.isNegative()) {
            throw new IllegalArgumentException("a time-out of " + timeout);
        }
        return timeout.compareTo(TIMEOUT_MAX) < 0 ? timeout : TIMEOUT_MAX;
    }
}
