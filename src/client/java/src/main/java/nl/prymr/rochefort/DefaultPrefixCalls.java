package nl.prymr.rochefort;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * The calls of a {@link Client} under the default prefix: each is the call of the same name with an
 * empty storage prefix, and says of errors and threads what that does.
 */
abstract class DefaultPrefixCalls {
    /** Itself. */
    abstract Client client();

    /**
     * Appends a value under the default prefix.
     *
     * @param id selects the file
     * @param data the value, at least 1 byte
     * @return the offset of the value
     * @throws RochefortException if it was refused or not answered
     */
    public long append(String id, byte[] data) throws RochefortException {
        return client().append("", id, data);
    }

    /**
     * Appends a value under the default prefix, asynchronously.
     *
     * @param id selects the file
     * @param data the value, at least 1 byte
     * @return the offset, or a RochefortException
     */
    public CompletableFuture<Long> appendAsync(String id, byte[] data) {
        return client().appendAsync("", id, data);
    }

    /**
     * Appends a value under the default prefix, if the file ends where it is expected to.
     *
     * @param id selects the file
     * @param data the value, at least 1 byte
     * @param expectedOffset where the file must end, in bytes, which is the offset of the value
     * @return the offset of the value
     * @throws UnexpectedEndException if the file ends elsewhere
     * @throws RochefortException if it was refused or not answered
     */
    public long append(String id, byte[] data, long expectedOffset) throws RochefortException {
        return client().append("", id, data, expectedOffset);
    }

    /**
     * Appends a value under the default prefix, if the file ends where it is expected to,
     * asynchronously.
     *
     * @param id selects the file
     * @param data the value, at least 1 byte
     * @param expectedOffset where the file must end, in bytes
     * @return the offset, or an {@link UnexpectedEndException}, or another RochefortException
     */
    public CompletableFuture<Long> appendAsync(String id, byte[] data, long expectedOffset) {
        return client().appendAsync("", id, data, expectedOffset);
    }

    /**
     * Appends many values under the default prefix, all or none.
     *
     * @param id selects the file
     * @param values the values, at least 1 byte each
     * @return the offset of each value, in their order
     * @throws RochefortException if they were refused or not answered
     */
    public long[] appendMulti(String id, List<byte[]> values) throws RochefortException {
        return client().appendMulti("", id, values);
    }

    /**
     * Appends many values under the default prefix, all or none, asynchronously.
     *
     * @param id selects the file
     * @param values the values, at least 1 byte each
     * @return the offset of each value, or a RochefortException
     */
    public CompletableFuture<long[]> appendMultiAsync(String id, List<byte[]> values) {
        return client().appendMultiAsync("", id, values);
    }

    /**
     * Reads a value of the default prefix.
     *
     * @param id the id that was used for the append
     * @param offset the offset of the value, in bytes
     * @return the value
     * @throws RochefortException with status 404 if there is no value
     */
    public byte[] get(String id, long offset) throws RochefortException {
        return client().get("", id, offset);
    }

    /**
     * Reads a value of the default prefix, asynchronously.
     *
     * @param id the id that was used for the append
     * @param offset the offset of the value, in bytes
     * @return the value, or a RochefortException
     */
    public CompletableFuture<byte[]> getAsync(String id, long offset) {
        return client().getAsync("", id, offset);
    }

    /**
     * Reads a part of a value of the default prefix.
     *
     * @param id the id that was used for the append
     * @param offset the offset of the value, in bytes
     * @param from the first byte of the part, from 0
     * @param length the length of the part, in bytes
     * @return the part, shorter if the value ends before
     * @throws RochefortException with status 416 if the value has no such byte
     */
    public byte[] getRange(String id, long offset, long from, int length)
            throws RochefortException {
        return client().getRange("", id, offset, from, length);
    }

    /**
     * Reads a part of a value of the default prefix, asynchronously.
     *
     * @param id the id that was used for the append
     * @param offset the offset of the value, in bytes
     * @param from the first byte of the part, from 0
     * @param length the length of the part, in bytes
     * @return the part, or a RochefortException
     */
    public CompletableFuture<byte[]> getRangeAsync(String id, long offset, long from,
            int length) {
        return client().getRangeAsync("", id, offset, from, length);
    }

    /**
     * Reads many values of the default prefix.
     *
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes
     * @return the values, in the order of the offsets
     * @throws GetMultiException if one of them cannot be read; it contains those before
     */
    public List<byte[]> getMulti(String id, long[] offsets) throws GetMultiException {
        return client().getMulti("", id, offsets);
    }

    /**
     * Reads many values of the default prefix, with offsets that are already encoded.
     *
     * @param id the id that was used for the appends
     * @param encodedOffsets 8 bytes for each offset, little-endian
     * @return the values, in the order of the offsets
     * @throws GetMultiException if one of them cannot be read; it contains those before
     */
    public List<byte[]> getMulti(String id, byte[] encodedOffsets) throws GetMultiException {
        return client().getMulti("", id, encodedOffsets);
    }

    /**
     * Reads many values of the default prefix, asynchronously.
     *
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes
     * @return the values, in the order of the offsets, or a {@link GetMultiException}
     */
    public CompletableFuture<List<byte[]>> getMultiAsync(String id, long[] offsets) {
        return client().getMultiAsync("", id, offsets);
    }

    /**
     * Reads many values of the default prefix, also if some of them cannot be read.
     *
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes
     * @return for each offset, in their order, the value or why there is none
     * @throws RochefortException if the request as a whole was refused or not answered
     */
    public List<MultiResult> getMultiEach(String id, long[] offsets) throws RochefortException {
        return client().getMultiEach("", id, offsets);
    }

    /**
     * Reads many values of the default prefix, also if some of them cannot be read, asynchronously.
     *
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes
     * @return for each offset the value or why there is none, or a RochefortException
     */
    public CompletableFuture<List<MultiResult>> getMultiEachAsync(String id, long[] offsets) {
        return client().getMultiEachAsync("", id, offsets);
    }

    /**
     * Reads many values of the default prefix, one after the other.
     *
     * @param id the id that was used for the appends
     * @param offsets the offsets of the values, in bytes; not to be changed until the iterator is
     *     at its end
     * @return the values, in the order of the offsets; to be closed unless all are taken
     * @throws RochefortException if the first value cannot be read
     */
    public ValueIterator getMultiIterator(String id, long[] offsets) throws RochefortException {
        return client().getMultiIterator("", id, offsets);
    }

    /**
     * Reads the records of a bucket of the default prefix in their order.
     *
     * @param bucket the number of the bucket, from 0
     * @param offset where to begin, in bytes
     * @param wait how long to wait for more at the end of the bucket
     * @return the records; to be closed
     */
    public Scan scan(int bucket, long offset, Duration wait) {
        return client().scan("", bucket, offset, wait);
    }

    /**
     * Finds out where each bucket of the default prefix ends.
     *
     * @return the buckets
     * @throws RochefortException with status 404 if it does not exist
     */
    public PrefixInfo ends() throws RochefortException {
        return client().ends("");
    }

    /**
     * Finds out where each bucket of the default prefix ends, asynchronously.
     *
     * @return the buckets, or a RochefortException
     */
    public CompletableFuture<PrefixInfo> endsAsync() {
        return client().endsAsync("");
    }
}
