package load;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import nl.prymr.rochefort.Client;
import nl.prymr.rochefort.RochefortException;

/**
 * Measures requests per second: append and get of 100 bytes, 64 callers at once, one client. Prints
 * one line each for synchronous and for asynchronous callers. Takes a minute; the server keeps
 * the values, under the id "load". With the client's jar built in .build/gcc-release:
 *
 * <pre>
 * java -cp .build/gcc-release/src/client/java/rochefort-client.jar \
 *     src/client/java/src/test/java/load/Load.java http://127.0.0.1:8001
 * </pre>
 */
public final class Load {
    private static final int CALLERS = 64;
    private static final long WARM_UP_NANOS = 5_000_000_000L;
    private static final long MEASURED_NANOS = 10_000_000_000L;
    private static final long LOST_MAX = 3; // of the requests of one measurement
    private static final byte[] VALUE = "0123456789".repeat(10).getBytes(StandardCharsets.UTF_8);

    private final Client client;
    private final long[] offsets;
    private final AtomicInteger next = new AtomicInteger();

    private Load(Client client) throws Exception {
        this.client = client;
        this.offsets = new long[1000];
        for (int i = 0; i < offsets.length; i++) {
            offsets[i] = client.append("load", VALUE);
        }
    }

    /** On a busy machine the JDK loses a connection now and then: see Client on retries. */
    private static boolean noAnswer(Throwable why) {
        Throwable failure = why instanceof ExecutionException ? why.getCause() : why;
        return failure instanceof RochefortException
                && ((RochefortException) failure).status() == 0
                && ((RochefortException) failure).mayHaveHappened();
    }

    private interface Call {
        void run() throws Exception;
    }

    private long someOffset() {
        return offsets[Math.floorMod(next.getAndIncrement(), offsets.length)];
    }

    /** Requests answered in that time by callers that each wait for their reply. */
    private static long synchronously(Call call, long nanos) throws Exception {
        AtomicLong count = new AtomicLong();
        AtomicLong lost = new AtomicLong();
        AtomicLong failed = new AtomicLong();
        long end = System.nanoTime() + nanos;
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < CALLERS; i++) {
            Thread thread = new Thread(() -> {
                while (System.nanoTime() < end) {
                    try {
                        call.run();
                        count.incrementAndGet();
                    } catch (Exception e) {
                        (noAnswer(e) ? lost : failed).incrementAndGet();
                    }
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        if (failed.get() > 0 || lost.get() > LOST_MAX) {
            throw new IllegalStateException(failed + " requests failed, " + lost + " unanswered");
        }
        return count.get();
    }

    private static void measure(String what, Call call) throws Exception {
        synchronously(call, WARM_UP_NANOS);
        long count = synchronously(call, MEASURED_NANOS);
        System.out.printf(Locale.ROOT, "%-12s %,9.0f requests/s, %d callers, %d bytes%n", what,
                count * 1e9 / MEASURED_NANOS, CALLERS, VALUE.length);
    }

    /**
     * The program.
     *
     * @param args the server's URL
     * @throws Exception if a request fails
     */
    public static void main(String[] args) throws Exception {
        if (args.length != 1) {
            System.err.println("usage: Load http://127.0.0.1:8001");
            System.exit(2);
        }
        try (Client client = new Client(args[0])) {
            Load load = new Load(client);
            measure("append", () -> client.append("load", VALUE));
            measure("get", () -> client.get("load", load.someOffset()));
            measure("appendAsync", () -> client.appendAsync("load", VALUE).get());
            measure("getAsync", () -> client.getAsync("load", load.someOffset()).get());
        }
    }
}
