package nl.prymr.rochefort;

import java.util.ArrayList;
import java.util.List;

/** A getMulti that returns a list: as many exchanges as the offsets need. */
final class GetMultiCall extends ExchangeSequence<Void, List<byte[]>> {
    private final Endpoint endpoint;
    private final String target;
    private final Offsets offsets;
    private final List<byte[]> values;
    private int nextFirst;

    /** There is at least one offset. */
    GetMultiCall(Endpoint endpoint, String target, Offsets offsets) {
        this.endpoint = endpoint;
        this.target = target;
        this.offsets = offsets;
        this.values = new ArrayList<>(offsets.count());
        next();
    }

    @Override
    Exchange<Void> create() {
        int first = nextFirst;
        int count = Math.min(Offsets.REQUEST_MAX, offsets.count() - first);
        nextFirst += count;
        return count == 0 ? null
                : new GetMultiExchange(endpoint, target, offsets, first, count, values);
    }

    @Override
    void received(Void none) {
        // each value was added when it came
    }

    @Override
    List<byte[]> result() {
        return values;
    }
}
