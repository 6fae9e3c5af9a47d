package nl.prymr.rochefort;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;

/** A call whose result goes into a future. Completing the future in another way ends the call. */
final class AsyncCall<T> implements ConnectionLimiter.Waiter {
    private final Transport transport;
    private final Call<T> call;
    private final CompletableFuture<T> result = new CompletableFuture<>();
    private volatile boolean done;

    AsyncCall(Transport transport, Call<T> call) {
        this.transport = transport;
        this.call = call;
        result.whenComplete((value, why) -> {
            if (!done) {
                cancel();
            }
        });
    }

    CompletableFuture<T> result() {
        return result;
    }

    private void cancel() {
        call.fail(new CancellationException("cancelled"));
        transport.cancel(this);
    }

    /** Runs the call with a permit, and passes the permit on. Returns what is to be run next. */
    AsyncCall<?> run() {
        T value = null;
        Throwable why = null;
        try {
            value = call.run(transport.pool());
        } catch (RochefortException | RuntimeException | Error e) {
            why = e; // an Error if there is no memory for the next request
        }
        AsyncCall<?> next = transport.released(result.getNumberOfDependents() > 1);
        complete(value, why);
        return next;
    }

    /** Ends a call that was not run. */
    void reject(Throwable why) {
        call.fail(why);
        complete(null, call.failure());
    }

    private void complete(T value, Throwable why) {
        done = true;
        transport.leave(); // before the caller is notified, because it may close the client then
        if (why != null) {
            result.completeExceptionally(why);
        } else {
            result.complete(value);
        }
    }

    @Override
    public void granted() {
        transport.execute(this);
    }

    @Override
    public void refused(Throwable why) {
        reject(why);
    }
}
