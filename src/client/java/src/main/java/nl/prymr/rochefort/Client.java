package nl.prymr.rochefort;

import java.net.URL;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A client of a rochefort server: appends values, reads them back by offset.
 *
 * <pre>{@code
 * try (Client client = new Client("http://localhost:8001")) {
 *     long offset = client.append("some_identifier", "some text".getBytes(UTF_8));
 *     byte[] value = client.get("some_identifier", offset);
 * }
 * }</pre>
 *
 * <p><b>Ids, prefixes, offsets.</b> The id picks a file, and an offset, in bytes, is a place in it:
 * keep both, and the storage prefix if there is one. Ids may hold any character but NUL, as long as
 * the head of the request, in which each byte of UTF-8 may take three, is at most 16 KiB. A prefix
 * is one name of a directory: 1 to 255 bytes, no slash, no control characters, no dot at the start;
 * null or empty means the default one. Half a surrogate pair is an IllegalArgumentException.
 *
 * <p><b>Threads.</b> Make one client for the whole program and use it from as many threads as you
 * like. It keeps connections open, at most {@link ClientBuilder#maxConnections} of them. Each
 * method has a twin, with {@code Async} in its name, that returns at once, and cancelling the
 * returned future ends the request. A future completes in one of the client's threads, which may be
 * blocked; one whose request was never sent, in the thread that found that out: the caller's own
 * after {@link #close()}. Nothing limits how many asynchronous calls can wait, with their values,
 * but memory. The client's threads are daemons: a program that ends drops what is under way, so
 * close the client, or wait for the futures, before {@code main} returns.
 *
 * <p><b>Arrays.</b> Those given are not copied: leave them alone until the call has returned, or
 * the future is complete. Those returned are the caller's.
 *
 * <p><b>Errors.</b> What goes wrong on the way or at the server is a {@link RochefortException},
 * which is an IOException; a future completes with it. An interrupted thread gets one too, with an
 * InterruptedException as its cause, and stays interrupted. Wrong arguments are an
 * IllegalArgumentException or a NullPointerException, from the asynchronous methods as well.
 *
 * <p><b>Power cuts.</b> A value whose append has returned is in its file, also if the server is
 * killed. Whether it outlives a power cut, or a crash of the kernel, is what the server's flag
 * {@code -sync} says; with {@link ClientBuilder#syncAppends} it does in any case.
 *
 * <p><b>Retries.</b> An append is sent once, whatever the connection does, and whatever {@code
 * jdk.httpclient.enableAllMethodRetry} says: if the connection breaks before the reply, {@link
 * RochefortException#mayHaveHappened()} is true, and to send it again or not is the caller's
 * decision. That can happen on an ordinary day: a server that is stopped closes the connections
 * that the client keeps, and a request that is on its way just then gets no answer; and seldom, on
 * a busy machine, the JDK itself closes a connection that it has just used again, and drops the
 * reply that came on it. A program that would rather have a value twice than not at all appends
 * again. A read (get, getMulti) is sent a
 * second time without asking if the connection was lost before any byte of the reply came: a get by
 * the JDK, a getMulti by this client. Nothing else is repeated. (With that option the JDK may
 * repeat a request without a body, and it may try a second time to connect.)
 */
public final class Client implements AutoCloseable {
    private static final String VALUE = "application/octet-stream";
    private static final String JSON = "application/json";

    private final Endpoint endpoint;
    private final Transport transport;
    private final boolean syncAppends;

    /**
     * A client with the usual limits, see {@link ClientBuilder}. Nothing is sent yet.
     *
     * @param url where the server is: {@code http://host:port}, or a path on it if the server is
     *     behind a proxy, {@code https://host/some/path}
     * @throws IllegalArgumentException if it is not such a URL
     */
    public Client(String url) {
        this(new Endpoint(url), builder(url).transport(), false);
    }

    /**
     * The same.
     *
     * @param url where the server is
     */
    public Client(URL url) {
        this(url.toString());
    }

    Client(Endpoint endpoint, Transport transport, boolean syncAppends) {
        this.endpoint = endpoint;
        this.transport = transport;
        this.syncAppends = syncAppends;
    }

    /**
     * To make a client with other limits, or one whose appends wait for the disk.
     *
     * @param url where the server is, as in {@link #Client(String)}
     * @return a builder with the usual limits
     */
    public static ClientBuilder builder(String url) {
        return new ClientBuilder(new Endpoint(url));
    }

    /**
     * Appends a value under the default prefix.
     *
     * @param id picks the file
     * @param data the value, at least 1 byte
     * @return the offset to read it back with
     * @throws RochefortException if it was refused, or may have been stored without an answer
     */
    public long append(String id, byte[] data) throws RochefortException {
        return append("", id, data);
    }

    /**
     * Appends a value.
     *
     * @param storagePrefix the directory; made by the server if it is new
     * @param id picks the file
     * @param data the value, at least 1 byte
     * @return the offset to read it back with
     * @throws RochefortException if it was refused, or may have been stored without an answer
     */
    public long append(String storagePrefix, String id, byte[] data) throws RochefortException {
        return transport.call(appending(storagePrefix, id, data));
    }

    /**
     * Appends a value under the default prefix, without waiting.
     *
     * @param id picks the file
     * @param data the value, at least 1 byte
     * @return the offset, or a RochefortException
     */
    public CompletableFuture<Long> appendAsync(String id, byte[] data) {
        return appendAsync("", id, data);
    }

    /**
     * Appends a value, without waiting. Those under way at the same time are stored in any order.
     *
     * @param storagePrefix the directory; made by the server if it is new
     * @param id picks the file
     * @param data the value, at least 1 byte
     * @return the offset, or a RochefortException
     */
    public CompletableFuture<Long> appendAsync(String storagePrefix, String id, byte[] data) {
        return transport.start(appending(storagePrefix, id, data));
    }

    /**
     * Reads a value of the default prefix.
     *
     * @param id the id that the offset was answered for
     * @param offset where the value is, in bytes
     * @return the value
     * @throws RochefortException with status 404 if there is none
     */
    public byte[] get(String id, long offset) throws RochefortException {
        return get("", id, offset);
    }

    /**
     * Reads a value.
     *
     * @param storagePrefix the prefix that the offset was answered for
     * @param id the id that the offset was answered for
     * @param offset where the value is, in bytes
     * @return the value
     * @throws RochefortException with status 404 if there is none
     */
    public byte[] get(String storagePrefix, String id, long offset) throws RochefortException {
        return transport.call(getting(storagePrefix, id, offset));
    }

    /**
     * Reads a value of the default prefix, without waiting.
     *
     * @param id the id that the offset was answered for
     * @param offset where the value is, in bytes
     * @return the value, or a RochefortException
     */
    public CompletableFuture<byte[]> getAsync(String id, long offset) {
        return getAsync("", id, offset);
    }

    /**
     * Reads a value, without waiting.
     *
     * @param storagePrefix the prefix that the offset was answered for
     * @param id the id that the offset was answered for
     * @param offset where the value is, in bytes
     * @return the value, or a RochefortException
     */
    public CompletableFuture<byte[]> getAsync(String storagePrefix, String id, long offset) {
        return transport.start(getting(storagePrefix, id, offset));
    }

    /**
     * Reads many values of the default prefix.
     *
     * @param id the id that the offsets were answered for
     * @param offsets where the values are, in bytes
     * @return the values, in the order of the offsets
     * @throws GetMultiException if one of them cannot be had; it has those before
     */
    public List<byte[]> getMulti(String id, long[] offsets) throws GetMultiException {
        return getMulti("", id, offsets);
    }

    /**
     * Reads many values. The server takes 1,048,576 offsets with one request; more are asked for
     * with several, one after the other. Should not all fit into memory, use
     * {@link #getMultiIterator(String, String, long[])}.
     *
     * @param storagePrefix the prefix that the offsets were answered for
     * @param id the id that the offsets were answered for
     * @param offsets where the values are, in bytes, in any order, also several times
     * @return the values, in the order of the offsets; no request is made for none
     * @throws GetMultiException if one of them cannot be had; it has those before
     */
    public List<byte[]> getMulti(String storagePrefix, String id, long[] offsets)
            throws GetMultiException {
        return multi(storagePrefix, id, new Offsets(offsets)).call();
    }

    /**
     * Reads many values of the default prefix, with offsets that are encoded already.
     *
     * @param id the id that the offsets were answered for
     * @param encodedOffsets 8 bytes for each offset, little-endian
     * @return the values, in the order of the offsets
     * @throws GetMultiException if one of them cannot be had; it has those before
     */
    public List<byte[]> getMulti(String id, byte[] encodedOffsets) throws GetMultiException {
        return getMulti("", id, encodedOffsets);
    }

    /**
     * Reads many values, with offsets that are encoded already.
     *
     * @param storagePrefix the prefix that the offsets were answered for
     * @param id the id that the offsets were answered for
     * @param encodedOffsets 8 bytes for each offset, little-endian
     * @return the values, in the order of the offsets
     * @throws GetMultiException if one of them cannot be had; it has those before
     */
    public List<byte[]> getMulti(String storagePrefix, String id, byte[] encodedOffsets)
            throws GetMultiException {
        return multi(storagePrefix, id, new Offsets(encodedOffsets)).call();
    }

    /**
     * Reads many values of the default prefix, without waiting.
     *
     * @param id the id that the offsets were answered for
     * @param offsets where the values are, in bytes
     * @return the values, in the order of the offsets, or a {@link GetMultiException}
     */
    public CompletableFuture<List<byte[]>> getMultiAsync(String id, long[] offsets) {
        return getMultiAsync("", id, offsets);
    }

    /**
     * Reads many values, without waiting.
     *
     * @param storagePrefix the prefix that the offsets were answered for
     * @param id the id that the offsets were answered for
     * @param offsets where the values are, in bytes
     * @return the values, in the order of the offsets, or a {@link GetMultiException}
     */
    public CompletableFuture<List<byte[]>> getMultiAsync(String storagePrefix, String id,
            long[] offsets) {
        return multi(storagePrefix, id, new Offsets(offsets)).start();
    }

    /**
     * Reads many values of the default prefix, one after the other.
     *
     * @param id the id that the offsets were answered for
     * @param offsets where the values are, in bytes; left alone until the iterator is at its end
     * @return the values, in the order of the offsets; to be closed if not all are taken
     * @throws RochefortException if already the first cannot be had
     */
    public ValueIterator getMultiIterator(String id, long[] offsets) throws RochefortException {
        return getMultiIterator("", id, offsets);
    }

    /**
     * Reads many values, one after the other, in bounded memory however many and large they are.
     *
     * @param storagePrefix the prefix that the offsets were answered for
     * @param id the id that the offsets were answered for
     * @param offsets where the values are, in bytes; left alone until the iterator is at its end
     * @return the values, in the order of the offsets; to be closed if not all are taken
     * @throws RochefortException if already the first cannot be had
     */
    public ValueIterator getMultiIterator(String storagePrefix, String id, long[] offsets)
            throws RochefortException {
        return new ValueIterator(
                transport, endpoint.getMulti(storagePrefix, id), new Offsets(offsets));
    }

    /**
     * Asks the server to let go of the files of a prefix, so that its directory can be moved or
     * deleted. Returns when all that the server accepted before on that prefix is done; long
     * replies that have not ended ten seconds later are broken off. The next append opens it anew.
     * Not to be mixed up with {@link #close()}.
     *
     * @param storagePrefix the prefix; need not be open, nor exist
     * @throws RochefortException if it was refused or not answered
     */
    public void close(String storagePrefix) throws RochefortException {
        transport.call(closing(storagePrefix));
    }

    /**
     * Asks the server to let go of the files of a prefix, without waiting.
     *
     * @param storagePrefix the prefix; need not be open, nor exist
     * @return null, or a RochefortException
     */
    public CompletableFuture<Void> closeAsync(String storagePrefix) {
        return transport.start(closing(storagePrefix));
    }

    /**
     * Closes this client, not anything at the server. Further calls fail. Calls that are under way
     * or wait for a connection are waited for, and iterators that are open are ended. If this
     * thread is interrupted meanwhile, everything is ended at once. Before Java 21 the connections
     * that are kept, and one thread, end only with a garbage collection some time later.
     */
    @Override
    public void close() {
        transport.close();
    }

    private Exchange<Long> appending(String storagePrefix, String id, byte[] data) {
        return new WholeExchange<>(endpoint.append(storagePrefix, id, syncAppends),
                new OnceBody(data), transport.timeout(), JSON, Json::offset);
    }

    private Exchange<byte[]> getting(String storagePrefix, String id, long offset) {
        return new WholeExchange<>(endpoint.get(storagePrefix, id, offset), null,
                transport.timeout(), VALUE, Client::notEmpty);
    }

    private Exchange<Void> closing(String storagePrefix) {
        return new WholeExchange<>(endpoint.close(storagePrefix), new OnceBody(new byte[0]),
                transport.timeout(), JSON, Json::success);
    }

    private MultiList multi(String storagePrefix, String id, Offsets offsets) {
        return new MultiList(transport, endpoint.getMulti(storagePrefix, id), offsets);
    }

    private static byte[] notEmpty(byte[] value) {
        if (value.length == 0) {
            throw new IllegalArgumentException("an empty value, and there are none");
        }
        return value;
    }
}
