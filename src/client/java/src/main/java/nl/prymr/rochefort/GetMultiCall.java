package nl.prymr.rochefort;

import java.util.ArrayList;
import java.util.List;

/** A getMulti that returns a list: as many exchanges as the offsets need. */
final class GetMultiCall<V> extends ExchangeSequence<Void, List<V>> {
    /** Makes the exchange of {@code count} offsets from index {@code first}. */
    interface Maker<V> {
        MultiExchange<V> make(int first, int count, List<V> values);
    }

    private final int count;
    private final Maker<V> maker;
    private final List<V> values;
    private int nextFirst;

    /** For {@code count} offsets, at least one. */
    GetMultiCall(int count, Maker<V> maker) {
        this.count = count;
        this.maker = maker;
        this.values = new ArrayList<>(count);
        next();
    }

    @Override
    Exchange<Void> create() {
        int first = nextFirst;
        int part = Math.min(Offsets.REQUEST_MAX, count - first);
        nextFirst += part;
        return part == 0 ? null : maker.make(first, part, values);
    }

    @Override
    void received(Void none) {
        // each value was added when it came
    }

    @Override
    List<V> result() {
        return values;
    }
}
