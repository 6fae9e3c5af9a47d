package nl.prymr.rochefort;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** A getMulti that returns a list: as many exchanges, one after the other, as the offsets need. */
final class GetMultiCall implements GetMultiExchange.Sink {
    private final Transport transport;
    private final URI uri;
    private final Offsets offsets;
    private final List<byte[]> values = new ArrayList<>();
    private int nextFirst;
    private boolean held;
    private volatile CompletableFuture<Void> current;

    GetMultiCall(Transport transport, URI uri, Offsets offsets) {
        this.transport = transport;
        this.uri = uri;
        this.offsets = offsets;
    }

    @Override
    public void value(byte[] value) {
        values.add(value);
    }

    @Override
    public List<byte[]> soFar() {
        return values;
    }

    private boolean more() {
        return nextFirst < offsets.count();
    }

    private GetMultiExchange nextExchange() {
        int first = nextFirst;
        int count = Math.min(Offsets.REQUEST_MAX, offsets.count() - first);
        nextFirst += count;
        return new GetMultiExchange(uri, offsets, first, count, transport.timeout(), this);
    }

    List<byte[]> call() throws GetMultiException {
        held = transport.hold();
        try {
            while (more()) {
                transport.call(nextExchange(), held);
            }
            return values;
        } catch (GetMultiException e) {
            throw e;
        } catch (RochefortException e) {
            throw new AssertionError("described as something else", e);
        } finally {
            release();
        }
    }

    private void release() {
        if (held) {
            transport.release();
        }
    }

    CompletableFuture<List<byte[]>> start() {
        CompletableFuture<List<byte[]>> result = new CompletableFuture<>();
        result.whenComplete((list, why) -> {
            if (current != null) {
                current.cancel(true);
            }
        });
        held = transport.hold();
        startNext(result);
        return result;
    }

    private void startNext(CompletableFuture<List<byte[]>> result) {
        if (result.isDone() || !more()) {
            release(); // before the caller is notified, as in Transport
            result.complete(values); // unless it is cancelled
            return;
        }
        current = transport.start(nextExchange(), held);
        if (result.isDone()) {
            current.cancel(true);
        }
        current.whenComplete((nothing, why) -> {
            if (why != null) {
                release();
                result.completeExceptionally(why);
            } else {
                startNext(result);
            }
        });
    }
}
