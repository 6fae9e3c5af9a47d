package nl.prymr.rochefort;

import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Repeats what failed because the JDK lost a connection.
 *
 * <p>On a busy machine the JDK sometimes (JDK 17: once in about 100,000 requests) gives the reply
 * on a connection that it has just reused to the previous owner, which then closes the connection.
 * No test may depend on that. Only failures that the JDK itself reports as its own close are
 * tolerated, and only a few, so that a faulty server is still detected.
 */
final class LostConnections {
    private static final int LOST_MAX = 3; // in one JVM
    private static final AtomicInteger LOST = new AtomicInteger();

    private LostConnections() {
    }

    interface Scenario {
        void run() throws Exception;
    }

    /** Reports whether {@code why} is such a failure, and the limit is not exceeded. */
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

    /** Repeats a whole scenario, which one append more would change. */
    static void scenario(Scenario scenario) throws Exception {
        call(() -> {
            scenario.run();
            return null;
        });
    }
}
