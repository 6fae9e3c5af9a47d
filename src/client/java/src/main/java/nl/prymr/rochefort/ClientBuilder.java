package nl.prymr.rochefort;

import java.time.Duration;
import java.util.Objects;

/**
 * Makes a {@link Client} with other limits than the usual ones, or one whose appends wait for the
 * disk.
 *
 * <pre>{@code
 * Client client = Client.builder("http://localhost:8001")
 *         .requestTimeout(Duration.ofSeconds(5))
 *         .maxConnections(16)
 *         .build();
 * }</pre>
 *
 * <p>A builder is for one thread; it can build more than one client.
 */
public final class ClientBuilder {
    /** As good as for ever, and no sum or count of nanoseconds overflows. */
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
     * How long to wait for a new connection. Usually 10 seconds.
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
     * How long to wait for the server without hearing anything: from when a request begins to be
     * sent until its reply begins, and then for each further piece of the reply. So it does not
     * limit how long a large value takes to come, but it does limit how long one takes to be sent.
     * It is also how long a {@link ValueIterator} may be left alone. Usually 60 seconds; noticed
     * with a delay of a quarter of it, at most a second. The time that a call waits for a
     * connection to be free does not count.
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
     * How many connections the client has at most, which is also how many requests are on their way
     * at once. Further calls wait, first come first served: synchronous ones in their thread,
     * asynchronous ones without one. Usually 64.
     *
     * <p>Before Java 16 the JDK does not end a request whose thread is interrupted (JDK-8245462):
     * there a call that is interrupted or cancelled before its reply leaves its connection open,
     * beyond this number, until the reply comes or the request time-out has passed.
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
     * Whether each append of this client waits until its value is on the disk, whatever the
     * server's flag {@code -sync} says: what was answered then outlives a power cut, or a crash of
     * the kernel, as far as the disk is right when it says that data is safe. Usually false: then
     * the server decides, and a server that syncs is not kept from it.
     *
     * <p>If the disk fails, the append ends with a {@link RochefortException} of status 500, and
     * the value is not stored (a power cut may bring it back, at an offset that nobody has). From
     * then on the server refuses to sync that file, with status 500 too, until its prefix is closed
     * or the server restarted: {@link Client#close(String)} is for a program that has found out
     * what became of its disk.
     *
     * <p>Appends that wait for one file at the same time share a sync, so asynchronous ones, or
     * those of many threads, cost far less than as many one after the other. Where only some values
     * are worth the wait, make two clients. A server that does not know of syncs yet ignores this.
     *
     * @param sync true to wait
     * @return this
     */
    public ClientBuilder syncAppends(boolean sync) {
        syncAppends = sync;
        return this;
    }

    /**
     * Makes the client. Nothing is sent yet.
     *
     * @return a client, to be closed by the caller
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
