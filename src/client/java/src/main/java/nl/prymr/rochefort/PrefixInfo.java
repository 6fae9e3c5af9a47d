package nl.prymr.rochefort;

/**
 * The buckets of a storage prefix. A bucket is one file, which the values of many ids may share;
 * its end is the offset that its next record will have.
 *
 * <p>Immutable, and safe for use by any number of threads.
 */
public final class PrefixInfo {
    private final String hash;
    private final long[] ends;

    PrefixInfo(String hash, long[] ends) {
        this.hash = hash;
        this.ends = ends;
    }

    /**
     * Returns the number of buckets.
     *
     * @return at least 1
     */
    public int buckets() {
        return ends.length;
    }

    /**
     * Returns how the server finds the bucket of an id.
     *
     * @return {@code xxh3}, or {@code fnv1a} in a prefix of the Go original
     */
    public String hash() {
        return hash;
    }

    /**
     * Returns where a bucket ended when the server looked; it looks at one bucket after the other.
     *
     * @param bucket the number of the bucket, from 0
     * @return the end, in bytes
     * @throws IndexOutOfBoundsException if there is no such bucket
     */
    public long end(int bucket) {
        return ends[bucket];
    }

    /**
     * Returns where each bucket ended when the server looked at it.
     *
     * @return a new array, in bytes, by the number of the bucket
     */
    public long[] ends() {
        return ends.clone();
    }

    /**
     * Returns the number of buckets and the hash.
     *
     * @return for people
     */
    @Override
    public String toString() {
        return ends.length + " buckets, " + hash;
    }
}
