package nl.prymr.rochefort;

import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Executor;
import javax.net.ssl.SSLContext;

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
    static final Duration TIMEOUT_MAX = Duration.ofDays(365);

    private Endpoint endpoint;
    private Duration connectTimeout = Duration.ofSeconds(10);
    private Duration requestTimeout = Duration.ofSeconds(60);
    private int maxConnections = 64;
    private boolean syncAppends = false;
    private SSLContext sslContext; // null: the default one
    private Executor executor; // null: threads of the client

    ClientBuilder(Endpoint endpoint) {
        this.endpoint = endpoint;
    }

    /**
     * Sets how long to wait for a new connection, with its TLS handshake. The default is 10
     * seconds.
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
     * takes effect with a delay of up to a quarter of the shorter of the two time-outs, at most a
     * second. The time that a call waits for a free connection does not count.
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
     * Sets the TLS context for a URL with {@code https}: which certificates are trusted, and which
     * one the client shows. The default is {@link SSLContext#getDefault()}. The host name in the
     * server's certificate is checked in any case.
     *
     * @param context the context
     * @return this
     */
    public ClientBuilder sslContext(SSLContext context) {
        sslContext = Objects.requireNonNull(context, "context");
        return this;
    }

    /**
     * Sets a token that each request carries as {@code Authorization: Bearer}, for a server that
     * asks for one. Without TLS everybody on the way can read it.
     *
     * @param token visible ASCII characters
     * @return this
     * @throws IllegalArgumentException if it contains other characters, or none
     */
    public ClientBuilder bearerToken(String token) {
        endpoint = endpoint.withToken(Objects.requireNonNull(token, "token"));
        return this;
    }

    /**
     * Sets the executor that runs asynchronous calls and completes their futures. Each call
     * occupies one of its threads from when it has a connection until it has its reply; at most
     * {@link #maxConnections} calls do at a time. The caller shuts it down, after it has closed the
     * client. By default the client has threads of its own, which end when they are not needed.
     *
     * @param executor the executor
     * @return this
     */
    public ClientBuilder executor(Executor executor) {
        this.executor = Objects.requireNonNull(executor, "executor");
        return this;
    }

    /**
     * Builds the client. Sends nothing.
     *
     * @return a client; the caller closes it
     */
    public Client build() {
        return new Client(this);
    }

    Endpoint endpoint() {
        return endpoint;
    }

    boolean syncsAppends() {
        return syncAppends;
    }

    Transport transport() {
        return new Transport(endpoint, endpoint.tls() ? tls() : null, connectTimeout,
                requestTimeout, maxConnections, executor);
    }

    private SSLContext tls() {
        try {
            return sslContext != null ? sslContext : SSLContext.getDefault();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("the JDK has no default TLS context", e);
        }
    }

    private static Duration positive(Duration timeout) {
        Objects.requireNonNull(timeout, "timeout");
        if (timeout.isZero() || timeout.isNegative()) {
            throw new IllegalArgumentException("a time-out of " + timeout);
        }
        return timeout.compareTo(TIMEOUT_MAX) < 0 ? timeout : TIMEOUT_MAX;
    }
}
