package nl.prymr.rochefort;

import java.net.URL;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;

/**
 * A client of a rochefort server: appends values and reads them back by offset.
 *
 * <pre>{@code
 * try (Client client = new Client("http://localhost:8001")) {
 *     long offset = client.append("some_identifier", "some text".getBytes(UTF_8));
 *     byte[] value = client.get("some_identifier", offset);
 * }
 * }</pre>
 *
 * <p><b>Ids, prefixes, offsets.</b> The id selects a file; the offset is a position in that file,
 * in bytes. Keep both, and the storage prefix if you use one. An id may contain any character
 * except NUL. The head of a request is limited to 16 KiB, and each byte of the UTF-8 form may take
 * three bytes in it. A storage prefix is the name of one directory: 1 to 255 bytes, no slash, no
 * control characters, no dot at the start. Null or an empty string selects the default prefix. A
 * string with an unpaired surrogate is refused with an IllegalArgumentException.
 *
 * <p><b>Threads.</b> A client is safe for use by any number of threads; one is enough for a whole
 * program. It keeps connections open, at most {@link ClientBuilder#maxConnections} of them. Each
 * method has an asynchronous twin, with {@code Async} in its name, which returns at once.
 * Cancelling the returned future ends the request. Futures complete in one of the client's threads,
 * or of its {@linkplain ClientBuilder#executor executor}, and blocking it is allowed; a future
 * whose request was never sent completes in the thread that detected this, which is the caller's
 * after {@link #close()}. The number of asynchronous calls that wait is limited only by memory. The
 * client's threads are daemon threads: a program that ends abandons the calls under way, so close
 * the client, or wait for the futures, before {@code main} returns.
 *
 * <p><b>Arrays.</b> Arrays that are passed in are not copied: do not change them until the call has
 * returned or the future is complete. Arrays that are returned belong to the caller.
 *
 * <p><b>Errors.</b> Failures of the connection and refusals of the server are a {@link
 * RochefortException}, which is an IOException; a future completes with it. An interrupted thread
 * gets one with an InterruptedException as its cause, and its interrupt status stays set. Invalid
 * arguments cause an IllegalArgumentException or a NullPointerException, in the asynchronous
 * methods too.
 *
 * <p><b>Power failures.</b> A value whose append has returned is in its file, even if the server is
 * killed afterwards. Whether it survives a power failure or a kernel crash depends on the server's
 * flag {@code -sync}; with {@link ClientBuilder#syncAppends} it always does.
 *
 * <p><b>Retries.</b> An append is sent once. If the connection breaks before the reply, {@link
 * RochefortException#mayHaveHappened()} is true and the caller decides whether to send it again. A
 * program that prefers a duplicate to a missing value does. This is rare, but possible in normal
 * operation: a server that is stopped closes its connections, and a request on its way at that
 * moment gets no reply. Therefore an append is sent only on a connection that is open as far as can
 * be seen, and that the server will not close soon for being idle. Only if not one byte of it could
 * be sent on such a connection, it is sent on a new one. Any other request but {@link
 * #close(String)} reads: it is sent a second time, on a new connection, if the connection was lost
 * before the first byte of the reply. Nothing else is repeated.
 */
public final class Client extends DefaultPrefixCalls implements AutoCloseable {
    private final Endpoint endpoint;
    private final Transport transport;
    private final boolean syncAppends;
    private final Calls calls;

    /**
     * Makes a client with the default limits, see {@link ClientBuilder}. Sends nothing.
     *
     * @param url the server's address: {@code http://host:port}, or with a path if the server is
     *     behind a proxy: {@code https://host/some/path}
     * @throws IllegalArgumentException if it is not such a URL
     */
    public Client(String url) {
        this(builder(url));
    }

    /**
     * Makes a client with the default limits, see {@link #Client(String)}.
     *
     * @param url the server's address
     */
    public Client(URL url) {
        this(Objects.requireNonNull(url, "url").toString());
    }

    Client(ClientBuilder builder) {
        this.endpoint = builder.endpoint();
        this.transport = builder.transport();
        this.syncAppends = builder.syncsAppends();
        this.calls = new Calls(endpoint, syncAppends);
    }

    /**
     * Starts to build a client with other limits, or one whose appends wait for the disk.
     *
     * @param url the server's address, as in {@link #Client(String)}
     * @return a builder with the default limits
     */
    public static ClientBuilder builder(String url) {
        return new ClientBuilder(new Endpoint(url));
    }

    @Override
    Client client() {
        return this;
    }

    /**
     * Appends a value.
     *
     * @param storagePrefix the directory; the server makes it if it does not exist
     * @param id selects the file
     * @param data the value, at least 1 byte
     * @return the offset of the value
     * @throws RochefortException if it was refused or not answered
     */
    public long append(String storagePrefix, String id, byte[] data) throws RochefortException {
        return transport.call(calls.appending(storagePrefix, id, data));
    }

    /**
     * Appends a value asynchronously. Appends that are under way at the same time are stored in any
     * order.
     *
     * @param storagePrefix the directory; the server makes it if it does not exist
     * @param id selects the file
     * @param data the value, at least 1 byte
     * @return the offset, or a RochefortException
     */
    public CompletableFuture<Long> appendAsync(String storagePrefix, String id, byte[] data) {
        return transport.start(calls.appending(storagePrefix, id, data));
    }

    /**
     * Appends a value, if the file ends where it is expected to. Of the appends that expect the
     * same end at most one succeeds. So one of which {@link RochefortException#mayHaveHappened()}
     * is true can be sent again with the same offset, and is not stored twice.
     *
     * @param storagePrefix the directory; the server makes it if it does not exist
     * @param id selects the file
     * @param data the value, at least 1 byte
     * @param expectedOffset where the file must end, in bytes, which is the offset of the value; 0
     *     for the first value of a file
     * @return the offset of the value
     * @throws UnexpectedEndException if the file ends elsewhere
     * @throws RochefortException if it was refused or not answered
     * @throws IllegalArgumentException if the offset is negative
     */
    public long append(String storagePrefix, String id, byte[] data, long expectedOffset)
            throws RochefortException {
        return transport.call(calls.appending(storagePrefix, id, data, expectedOffset));
    }

    /**
     * Appends a value, if the file ends where it is expected to, asynchronously.
     *
     * @param storagePrefix the directory; the server makes it if it does not exist
     * @param id selects the file
     * @param data the value, at least 1 byte
     * @param expectedOffset where the file must end, in bytes
     * @return the offset, or an {@link UnexpectedEndException}, or another RochefortException
     */
    public CompletableFuture<Long> appendAsync(String storagePrefix, String id, byte[] data,
            long expectedOffset) {
        return transport.start(calls.appending(storagePrefix, id, data, expectedOffset));
    }

    /**
     * Appends many values with one request, all or none; they follow each other in the file. The
     * server takes 64 MiB together, with 4 bytes more for each value, unless its flag {@code
     * -max-batch} says otherwise. An {@link Appender} batches what many threads append.
     *
     * @param storagePrefix the directory; the server makes it if it does not exist
     * @param id selects the file
     * @param values the values, at most 1,048,576, at least 1 byte each; no request is sent for an
     *     empty list
     * @return the offset of each value, in their order: what {@link #getMulti(String, String,
     *     long[])} takes
     * @throws RochefortException if they were refused or not answered
     * @throws IllegalArgumentException if a value is empty, or they are too many
     */
    public long[] appendMulti(String storagePrefix, String id, List<byte[]> values)
            throws RochefortException {
        String target = endpoint.appendMultiTarget(storagePrefix, id, syncAppends);
        ValueFrames frames = ValueFrames.of(values);
        return frames.count() == 0 ? new long[0]
                : transport.call(new AppendMultiExchange(endpoint, target, frames));
    }

    /**
     * Appends many values with one request, all or none, asynchronously. The values are copied.
     *
     * @param storagePrefix the directory; the server makes it if it does not exist
     * @param id selects the file
     * @param values the values, at most 1,048,576, at least 1 byte each
     * @return the offset of each value, or a RochefortException
     */
    public CompletableFuture<long[]> appendMultiAsync(String storagePrefix, String id,
            List<byte[]> values) {
        String target = endpoint.appendMultiTarget(storagePrefix, id, syncAppends);
        ValueFrames frames = ValueFrames.of(values);
        return frames.count() == 0 ? CompletableFuture.completedFuture(new long[0])
                : transport.start(new AppendMultiExchange(endpoint, target, frames));
    }

    /**
     * Starts to build an {@link Appender}, which batches what many threads append.
     *
     * @return a builder with the default limits
     */
    public AppenderBuilder appender() {
        return new AppenderBuilder(transport, endpoint, syncAppends);
    }

    /**
     * Reads a value.
     *
     * @param storagePrefix the prefix that was used for the append
     * @param id the id that was used for the append
     * @param offset the offset of the value, in bytes
     * @return the value
     * @throws RochefortException with status 404 if there is no value
     */
    public byte[] get(String storagePrefix, String id, long offset) throws RochefortException {
        return transport.call(calls.getting(storagePrefix, id, offset));
    }

    /**
     * Reads a value asynchronously.
     *
     * @param storagePrefix the prefix that was used for the append
     * @param id the id that was used for the append
     * @param offset the offset of the value, in bytes
     * @return the value, or a RochefortException
     */
    public CompletableFuture<byte[]> getAsync(String storagePrefix, String id, long offset) {
        return transport.start(calls.getting(storagePrefix, id, offset));
    }

    /**
     * Reads a part of a value, so that a long value need not fit into memory.
     *
     * @param storagePrefix the prefix that was used for the append
     * @param id the id that was used for the append
     * @param offset the offset of the value, in bytes
     * @param from the first byte of the part, from 0
     * @param length the length of the part, in bytes, at least 1
     * @return the part, shorter if the value ends before
     * @throws RochefortException with status 404 if there is no value, and with status 416 if it
     *     has no byte {@code from}
     * @throws IllegalArgumentException if {@code from} is negative, or {@code length} less than 1
     */
    public byte[] getRange(String storagePrefix, String id, long offset, long from, int length)
            throws RochefortException {
        return transport.call(calls.gettingRange(storagePrefix, id, offset, from, length));
    }

    /**
     * Reads a part of a value asynchronously.
     *
     * @param storagePrefix the prefix that was used for the append
     * @param id the id that was used for the append
     * @param offset the offset of the value, in bytes
     * @param from the first byte of the part, from 0
     * @param length the length of the part, in bytes, at least 1
     * @return the part, shorter if the value ends before, or a RochefortException
     */
    public CompletableFuture<byte[]> getRangeAsync(String storagePrefix, String id, long offset,
            long from, int length) {
        return transport.start(calls.gettingRange(storagePrefix, id, offset, from, length));
    }

    /**
     * Reads many values. The server accepts 1,048,576 offsets in one request; for more, several
     * requests are sent one after the other. If the values do not fit into memory, use {@link
     * #getMultiIterator(String, String, long[])}.
     *
     * @param storagePrefix the prefix that was used for the appends
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes, in any order; one offset may occur
     *     several times
     * @return the values, in the order of the offsets; no request is sent for an empty array
     * @throws GetMultiException if one of them cannot be read; it contains those before
     */
    public List<byte[]> getMulti(String storagePrefix, String id, long[] offsets)
            throws GetMultiException {
        return multi(storagePrefix, id, new Offsets(offsets));
    }

    /**
     * Reads many values, with offsets that are already encoded.
     *
     * @param storagePrefix the prefix that was used for the appends
     * @param id the id that was used for the appends
     * @param encodedOffsets 8 bytes for each offset, little-endian
     * @return the values, in the order of the offsets
     * @throws GetMultiException if one of them cannot be read; it contains those before
     */
    public List<byte[]> getMulti(String storagePrefix, String id, byte[] encodedOffsets)
            throws GetMultiException {
        return multi(storagePrefix, id, new Offsets(encodedOffsets));
    }

    /**
     * Reads many values asynchronously.
     *
     * @param storagePrefix the prefix that was used for the appends
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes
     * @return the values, in the order of the offsets, or a {@link GetMultiException}
     */
    public CompletableFuture<List<byte[]>> getMultiAsync(String storagePrefix, String id,
            long[] offsets) {
        Offsets view = new Offsets(offsets);
        String target = endpoint.getMultiTarget(storagePrefix, id);
        return view.count() == 0 ? CompletableFuture.completedFuture(new ArrayList<>())
                : transport.start(calls.multiCall(target, view));
    }

    /**
     * Reads many values, also if some of them cannot be read. Otherwise as {@link #getMulti(String,
     * String, long[])}.
     *
     * @param storagePrefix the prefix that was used for the appends
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes, in any order; one offset may occur
     *     several times
     * @return for each offset, in their order, the value or why there is none; no request is sent
     *     for an empty array
     * @throws RochefortException if the request as a whole was refused or not answered
     */
    public List<MultiResult> getMultiEach(String storagePrefix, String id, long[] offsets)
            throws RochefortException {
        Offsets view = new Offsets(offsets);
        String target = endpoint.getMultiEachTarget(storagePrefix, id);
        return view.count() == 0 ? new ArrayList<>()
                : transport.call(calls.multiEachCall(target, view));
    }

    /**
     * Reads many values, also if some of them cannot be read, asynchronously.
     *
     * @param storagePrefix the prefix that was used for the appends
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes
     * @return for each offset the value or why there is none, or a RochefortException
     */
    public CompletableFuture<List<MultiResult>> getMultiEachAsync(String storagePrefix, String id,
            long[] offsets) {
        Offsets view = new Offsets(offsets);
        String target = endpoint.getMultiEachTarget(storagePrefix, id);
        return view.count() == 0 ? CompletableFuture.completedFuture(new ArrayList<>())
                : transport.start(calls.multiEachCall(target, view));
    }

    /**
     * Reads many values one after the other, in bounded memory whatever their number and size.
     *
     * @param storagePrefix the prefix that was used for the appends
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes; not to be changed until the iterator is
     *     at its end
     * @return the values, in the order of the offsets; to be closed unless all are taken
     * @throws RochefortException if the first value cannot be read
     */
    public ValueIterator getMultiIterator(String storagePrefix, String id, long[] offsets)
            throws RochefortException {
        return new ValueIterator(transport, endpoint, endpoint.getMultiTarget(storagePrefix, id),
                new Offsets(offsets));
    }

    /**
     * Reads the records of a bucket in their order, whatever their ids were, and follows it. Sends
     * nothing before the first record is asked for.
     *
     * @param storagePrefix the prefix
     * @param bucket the number of the bucket, from 0; {@link #ends(String)} tells how many there
     *     are
     * @param offset where to begin, in bytes: 0, or {@link ScanRecord#nextOffset()} of a record
     * @param wait how long {@link Scan#hasNext()} waits at the end of the bucket for more, rounded
     *     up to whole seconds; zero for not at all; more than 365 days means 365 days
     * @return the records; to be closed
     * @throws IllegalArgumentException if an argument is negative, or there can be no such bucket
     */
    public Scan scan(String storagePrefix, int bucket, long offset, Duration wait) {
        Calls.checkScan(bucket, offset, wait);
        return new Scan(transport, endpoint, endpoint.scanTarget(storagePrefix, bucket), offset,
                wait.compareTo(ClientBuilder.TIMEOUT_MAX) < 0 ? wait : ClientBuilder.TIMEOUT_MAX);
    }

    /**
     * Lists the storage prefixes, as {@code GET /prefixes} does, page by page. Of those that are
     * made or deleted meanwhile, some may be in it.
     *
     * @return the names, in the order of their bytes. In a name that is not UTF-8, which no client
     *     in Java can have made, U+FFFD stands for what cannot be decoded
     * @throws RochefortException if it was refused or not answered
     */
    public List<String> prefixes() throws RochefortException {
        return transport.call(new PrefixesCall(endpoint));
    }

    /**
     * Lists the storage prefixes, asynchronously.
     *
     * @return the names, as {@link #prefixes()} returns them, or a RochefortException
     */
    public CompletableFuture<List<String>> prefixesAsync() {
        return transport.start(new PrefixesCall(endpoint));
    }

    /**
     * Finds out where each bucket of a prefix ends.
     *
     * @param storagePrefix the prefix
     * @return its buckets
     * @throws RochefortException with status 404 if it does not exist
     */
    public PrefixInfo ends(String storagePrefix) throws RochefortException {
        return transport.call(calls.findingEnds(storagePrefix));
    }

    /**
     * Finds out where each bucket of a prefix ends, asynchronously.
     *
     * @param storagePrefix the prefix
     * @return its buckets, or a RochefortException
     */
    public CompletableFuture<PrefixInfo> endsAsync(String storagePrefix) {
        return transport.start(calls.findingEnds(storagePrefix));
    }

    /**
     * Makes the server close the files of a prefix, so that its directory can be moved or deleted.
     * Returns when all requests that the server accepted before on that prefix are done; replies
     * that have not ended after ten seconds are aborted. The next append opens the prefix again.
     * Not to be confused with {@link #close()}.
     *
     * @param storagePrefix the prefix; need not be open or exist
     * @throws RochefortException if it was refused or not answered
     */
    public void close(String storagePrefix) throws RochefortException {
        transport.call(calls.closing(storagePrefix));
    }

    /**
     * Makes the server close the files of a prefix, asynchronously.
     *
     * @param storagePrefix the prefix; need not be open or exist
     * @return null, or a RochefortException
     */
    public CompletableFuture<Void> closeAsync(String storagePrefix) {
        return transport.start(calls.closing(storagePrefix));
    }

    /**
     * Closes this client; has no effect on the server's files. Further calls fail. Waits for calls
     * that are under way or queued for a connection, and ends open iterators. If this thread is
     * interrupted while it waits, all calls are ended at once. Then all connections are closed.
     */
    @Override
    public void close() {
        transport.close();
    }

    private List<byte[]> multi(String storagePrefix, String id, Offsets offsets)
            throws GetMultiException {
        String target = endpoint.getMultiTarget(storagePrefix, id);
        if (offsets.count() == 0) {
            return new ArrayList<>();
        }
        try {
            return transport.call(calls.multiCall(target, offsets));
        } catch (GetMultiException e) {
            throw e;
        } catch (RochefortException e) {
            throw new AssertionError("described as something else", e);
        }
    }
}
