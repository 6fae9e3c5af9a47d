package nl.prymr.rochefort;

import java.time.Duration;
import java.util.List;
import java.util.Objects;

/**
 * Makes the calls of a {@link Client}: what is sent, and how the reply is read. Sends nothing. Null
 * and invalid arguments fail here, before anything is sent.
 */
final class Calls {
    private static final long ANYWHERE = -1;
    private static final int BUCKETS_MAX = 65_536;

    private final Endpoint endpoint;
    private final boolean syncAppends;

    Calls(Endpoint endpoint, boolean syncAppends) {
        this.endpoint = endpoint;
        this.syncAppends = syncAppends;
    }

    Call<Long> appending(String storagePrefix, String id, byte[] data) {
        return appendingAt(storagePrefix, id, data, ANYWHERE);
    }

    Call<Long> appending(String storagePrefix, String id, byte[] data, long expectedOffset) {
        if (expectedOffset < 0) {
            throw new IllegalArgumentException("expectedOffset of " + expectedOffset);
        }
        return appendingAt(storagePrefix, id, data, expectedOffset);
    }

    private Call<Long> appendingAt(String storagePrefix, String id, byte[] data, long expected) {
        return new SimpleExchange<>(
                endpoint.append(storagePrefix, id, data, syncAppends, expected), Exchange.JSON,
                Json::offset);
    }

    Call<byte[]> gettingRange(String storagePrefix, String id, long offset, long from,
            int length) {
        if (from < 0) {
            throw new IllegalArgumentException("from of " + from);
        }
        if (length < 1) {
            throw new IllegalArgumentException("length of " + length);
        }
        long last = from > Long.MAX_VALUE - length ? Long.MAX_VALUE : from + length - 1;
        return new GetRangeExchange(endpoint.getRange(storagePrefix, id, offset, from, last), from,
                last);
    }

    Call<PrefixInfo> findingEnds(String storagePrefix) {
        return new SimpleExchange<>(endpoint.ends(storagePrefix), Exchange.JSON, Json::ends);
    }

    Call<byte[]> getting(String storagePrefix, String id, long offset) {
        return new SimpleExchange<>(endpoint.get(storagePrefix, id, offset), Exchange.VALUE,
                Calls::notEmpty);
    }

    Call<Void> closing(String storagePrefix) {
        return new SimpleExchange<>(endpoint.close(storagePrefix), Exchange.JSON, Json::success);
    }

    Call<List<byte[]>> multiCall(String target, Offsets offsets) {
        return new GetMultiCall<>(offsets.count(), (first, count, values) -> new GetMultiExchange(
                endpoint, target, offsets, first, count, values));
    }

    Call<List<MultiResult>> multiEachCall(String target, Offsets offsets) {
        return new GetMultiCall<>(offsets.count(),
                (first, count, results) -> new GetMultiEachExchange(endpoint, target, offsets,
                        first, count, results));
    }

    static void checkScan(int bucket, long offset, Duration wait) {
        if (bucket < 0 || bucket >= BUCKETS_MAX) {
            throw new IllegalArgumentException("bucket of " + bucket);
        }
        if (offset < 0) {
            throw new IllegalArgumentException("offset of " + offset);
        }
        if (Objects.requireNonNull(wait, "wait").isNegative()) {
            throw new IllegalArgumentException("wait of " + wait);
        }
    }

    private static byte[] notEmpty(byte[] value) {
        if (value.length == 0) {
            throw new IllegalArgumentException("the value is empty");
        }
        return value;
    }
}
