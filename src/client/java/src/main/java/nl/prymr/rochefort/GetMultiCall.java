package nl.prymr.rochefort;

import java.util.ArrayList;
import java.util.List;

/** A getMulti that returns a list: as many exchanges, one after the other, as the offsets need. */
final class GetMultiCall implements Call<List<byte[]>> {
    private final Endpoint endpoint;
    private final String target;
    private final Offsets offsets;
    private final List<byte[]> values;
    private int nextFirst;
    private Throwable why;
    private GetMultiExchange current; // null: all are done

    GetMultiCall(Endpoint endpoint, String target, Offsets offsets) {
        this.endpoint = endpoint;
        this.target = target;
        this.offsets = offsets;
        this.values = new ArrayList<>(offsets.count());
        this.current = next();
    }

    private synchronized GetMultiExchange next() {
        int first = nextFirst;
        int count = Math.min(Offsets.REQUEST_MAX, offsets.count() - first);
        nextFirst += count;
        current = count == 0 ? null
                : new GetMultiExchange(endpoint, target, offsets, first, count, values);
        if (why != null && current != null) {
            current.fail(why);
        }
        return current;
    }

    @Override
    public List<byte[]> run(ConnectionPool pool) throws RochefortException {
        for (GetMultiExchange exchange = current; exchange != null; exchange = next()) {
            exchange.run(pool);
        }
        return values;
    }

    @Override
    public synchronized void fail(Throwable why) {
        this.why = this.why == null ? why : this.why;
        if (current != null) {
            current.fail(why);
        }
    }

    /** There is an exchange: a call without offsets is not failed. */
    @Override
    public synchronized RochefortException failure() {
        return current.failure();
    }
}
