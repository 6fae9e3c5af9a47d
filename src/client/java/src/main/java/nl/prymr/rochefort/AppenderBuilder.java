package nl.prymr.rochefort;

/**
 * Builds an {@link Appender}.
 *
 * <pre>{@code
 * Appender appender = client.appender().lingerMillis(2).build();
 * }</pre>
 *
 * <p>Not thread-safe. A builder can build several appenders.
 */
public final class AppenderBuilder {
    private static final long LINGER_MILLIS_MAX = 3_600_000;

    private final Transport transport;
    private final Endpoint endpoint;
    private boolean syncAppends;
    private long lingerMillis;
    private int maxBatchBytes = 1024 * 1024;
    private long maxPendingBytes = 64 * 1024 * 1024;

    AppenderBuilder(Transport transport, Endpoint endpoint, boolean syncAppends) {
        this.transport = transport;
        this.endpoint = endpoint;
        this.syncAppends = syncAppends;
    }

    /**
     * Sets how long a batch that is not full waits for more values, from its first one on. The
     * default is 0: it is sent as soon as no request of its id is under way, and values that come
     * during a request are batched all the same.
     *
     * @param millis the time in milliseconds, 0 to 3,600,000 (an hour)
     * @return this
     * @throws IllegalArgumentException if it is another
     */
    public AppenderBuilder lingerMillis(long millis) {
        if (millis < 0 || millis > LINGER_MILLIS_MAX) {
            throw new IllegalArgumentException("lingerMillis of " + millis);
        }
        lingerMillis = millis;
        return this;
    }

    /**
     * Sets how long a batch may be: the bytes of its values, and 4 for each of them. A longer value
     * is a batch of its own. It must not be more than the server's flag {@code -max-batch}. The
     * default is 1 MiB. A batch has at most 1,048,576 values.
     *
     * @param bytes at least 1
     * @return this
     * @throws IllegalArgumentException if it is less than 1
     */
    public AppenderBuilder maxBatchBytes(int bytes) {
        if (bytes < 1) {
            throw new IllegalArgumentException("maxBatchBytes of " + bytes);
        }
        maxBatchBytes = bytes;
        return this;
    }

    /**
     * Sets how many bytes the values may have that are not answered; each counts 100 bytes more
     * than it has. Over that, append waits until half of them are answered. A value that is longer
     * than half of it counts as half. The default is 64 MiB.
     *
     * @param bytes at least 1
     * @return this
     * @throws IllegalArgumentException if it is less than 1
     */
    public AppenderBuilder maxPendingBytes(long bytes) {
        if (bytes < 1) {
            throw new IllegalArgumentException("maxPendingBytes of " + bytes);
        }
        maxPendingBytes = bytes;
        return this;
    }

    /**
     * Sets whether a batch waits until it is on the disk, as {@link ClientBuilder#syncAppends} says
     * for an append. There is one sync for a batch. The default is what the client does.
     *
     * @param sync true to wait
     * @return this
     */
    public AppenderBuilder syncAppends(boolean sync) {
        syncAppends = sync;
        return this;
    }

    /**
     * Builds the appender. Sends nothing.
     *
     * @return an appender; the caller closes it, before the client
     */
    public Appender build() {
        return new Appender(transport, endpoint, this);
    }

    boolean syncs() {
        return syncAppends;
    }

    long linger() {
        return lingerMillis;
    }

    int batchBytes() {
        return maxBatchBytes;
    }

    long pendingBytes() {
        return maxPendingBytes;
    }
}
