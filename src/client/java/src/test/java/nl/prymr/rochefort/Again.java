package nl.prymr.rochefort;

import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * What a program does when an append has no answer: it appends again.
 *
 * <p>On a busy machine the JDK now and then (in 17: once in some 100,000 requests) hands the reply
 * on a connection that it has just used again to the pool that had the connection before, which
 * then closes it. No test may depend on that. But a server that is at fault must not get away
 * with it, so only what the JDK says to have closed itself is tolerated, and only so often.
 */
final class Again {
    private static final int LOST_MAX = 3; // in one JVM
    private static final AtomicInteger LOST = new AtomicInteger();

    private Again() {
    }

    interface Scenario {
        void run() throws Exception;
    }

    /** Whether {@code why} comes from such a connection, and there were not too many yet. */
    static boolean tolerates(Throwable why) {
        Throwable root = why;
        RochefortException failure = null;
        for (Throwable next = why; next != null; next = next.getCause()) {
            failure = next instanceof RochefortException ? (RochefortException) next : failure;
            root = next;
        }
        if (failure == null || failure.status() != 0 || !failure.mayHaveHappened()
                || !"connection closed locally".equals(root.getMessage())) {
            return false;
        }
        int lost = LOST.incrementAndGet();
        System.err.println("the JDK has lost a connection, number " + lost + ": " + failure);
        return lost <= LOST_MAX;
    }

    static <T> T call(Callable<T> call) throws Exception {
        for (;;) {
            try {
                return call.call();
            } catch (Exception e) {
                if (!tolerates(e)) {
                    throw e;
                }
            }
        }
    }

    static <T> CompletableFuture<T> callAsync(Supplier<CompletableFuture<T>> call) {
        return call.get().handle((value, why) -> {
            if (why == null) {
                return CompletableFuture.completedFuture(value);
            }
            return tolerates(why) ? callAsync(call) : CompletableFuture.<T>failedFuture(why);
        }).thenCompose(Function.identity());
    }

    /** For what would look different with an append more: begins anew. */
    static void scenario(Scenario scenario) throws Exception {
        call(() -> {
            scenario.run();
            return null;
        });
    }
}
