package load;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import nl.prymr.rochefort.Appender;
import nl.prymr.rochefort.Client;

/**
 * Measures one client with 1, 8 and 64 callers: values per second, and for each request the
 * processor time, the context switches and the bytes that were allocated. Values have 100 bytes. A
 * getMulti reads 1000 of them; a caller of the appender appends 1000 and waits for them, which
 * counts as one request. Takes two minutes, or the seconds for each line that are given; the server
 * keeps the values, under the id "load". With the client's jar built in .build/release:
 *
 * <pre>
 * java -cp .build/release/src/client/java/rochefort-client.jar \
 *     src/client/java/src/test/java/load/Load.java http://127.0.0.1:8001
 * </pre>
 */
public final class Load {
    private static final int[] CALLERS = {1, 8, 64};
    private static final int MULTI_VALUES = 1000;
    private static final int WINDOW_VALUES = 1000;
    private static final byte[] VALUE = "0123456789".repeat(10).getBytes(StandardCharsets.UTF_8);
    private static final ThreadMXBean THREADS =
            (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final Client client;
    private final Appender appender;
    private final double seconds;
    private final long[] offsets = new long[MULTI_VALUES];
    private final AtomicInteger next = new AtomicInteger();

    private Load(Client client, Appender appender, double seconds) throws IOException {
        this.client = client;
        this.appender = appender;
        this.seconds = seconds;
        for (int i = 0; i < offsets.length; i++) {
            offsets[i] = client.append("load", VALUE);
        }
    }

    private interface Call {
        void run() throws Exception;
    }

    /** What this process has used so far. */
    private static final class Usage {
        final long cpuNanos;
        final long allocated;
        final long switches;

        Usage() throws IOException {
            long nanos = 0;
            long bytes = 0;
            for (long id : THREADS.getAllThreadIds()) {
                nanos += Math.max(0, THREADS.getThreadCpuTime(id));
                bytes += Math.max(0, THREADS.getThreadAllocatedBytes(id));
            }
            cpuNanos = nanos;
            allocated = bytes;
            switches = switches();
        }

        private static long switches() throws IOException {
            long count = 0;
            try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
                for (Path task : (Iterable<Path>) tasks::iterator) {
                    for (String line : status(task)) {
                        if (line.contains("ctxt_switches")) {
                            count += Long.parseLong(line.substring(line.indexOf(':') + 1).strip());
                        }
                    }
                }
            }
            return count;
        }

        private static List<String> status(Path task) throws IOException {
            try {
                return Files.readAllLines(task.resolve("status"));
            } catch (NoSuchFileException e) {
                return List.of(); // the thread has ended
            }
        }
    }

    private long someOffset() {
        return offsets[Math.floorMod(next.getAndIncrement(), offsets.length)];
    }

    /** Callers that each wait for their reply, and stay until all usage is measured. */
    private void measure(String what, int callers, Call call, int valuesEach) throws Exception {
        AtomicLong count = new AtomicLong();
        AtomicLong failed = new AtomicLong();
        CountDownLatch warm = new CountDownLatch(1);
        CountDownLatch started = new CountDownLatch(callers);
        CountDownLatch ended = new CountDownLatch(callers);
        CountDownLatch measured = new CountDownLatch(1);
        long warmUpEnd = System.nanoTime() + (long) (seconds * 0.5e9);
        long[] end = new long[1];
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < callers; i++) {
            Thread thread = new Thread(() -> {
                try {
                    work(call, warmUpEnd, new AtomicLong(), new AtomicLong());
                    started.countDown();
                    warm.await();
                    work(call, end[0], count, failed);
                    ended.countDown();
                    measured.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            threads.add(thread);
            thread.start();
        }
        started.await();
        Usage before = new Usage();
        long start = System.nanoTime();
        end[0] = start + (long) (seconds * 1e9);
        warm.countDown();
        ended.await();
        double passed = (System.nanoTime() - start) / 1e9;
        Usage after = new Usage();
        measured.countDown();
        for (Thread thread : threads) {
            thread.join();
        }
        double requests = count.get();
        System.out.printf(Locale.ROOT, "%-12s %3d %,12.0f %10.1f %10.2f %10.0f %8d%n",
                what, callers,
                requests * valuesEach / passed, (after.cpuNanos - before.cpuNanos) / requests / 1e3,
                (after.switches - before.switches) / requests,
                (after.allocated - before.allocated) / requests, failed.get());
    }

    /** Values that are sent in batches with those of the other callers. */
    private void appendMany() throws Exception {
        CompletableFuture<?>[] futures = new CompletableFuture<?>[WINDOW_VALUES];
        for (int i = 0; i < futures.length; i++) {
            futures[i] = appender.append("load", VALUE);
        }
        for (CompletableFuture<?> future : futures) {
            future.get();
        }
    }

    private static void work(Call call, long end, AtomicLong count, AtomicLong failed) {
        long done = 0;
        while (System.nanoTime() < end) {
            try {
                call.run();
                done++;
            } catch (Exception e) {
                failed.incrementAndGet();
            }
        }
        count.addAndGet(done);
    }

    /**
     * The program.
     *
     * @param args the server's URL, and optionally the seconds for each line, and how many callers
     * @throws Exception if the server cannot be used
     */
    public static void main(String[] args) throws Exception {
        if (args.length < 1) {
            System.err.println("usage: Load http://127.0.0.1:8001 [seconds [callers...]]");
            System.exit(2);
        }
        double seconds = args.length > 1 ? Double.parseDouble(args[1]) : 5;
        int[] counts = args.length <= 2 ? CALLERS
                : Stream.of(args).skip(2).mapToInt(Integer::parseInt).toArray();
        System.out.printf(Locale.ROOT, "%-12s %3s %12s %10s %10s %10s %8s%n", "", "at", "values/s",
                "us cpu", "switches", "bytes", "failed");
        try (Client client = new Client(args[0]); Appender appender = client.appender().build()) {
            Load load = new Load(client, appender, seconds);
            for (int callers : counts) {
                load.measure("append", callers, () -> client.append("load", VALUE), 1);
                load.measure("get", callers, () -> client.get("load", load.someOffset()), 1);
                load.measure("getMulti", callers, () -> client.getMulti("load", load.offsets),
                        MULTI_VALUES);
                load.measure("appender", callers, load::appendMany, WINDOW_VALUES);
                load.measure("appendAsync", callers,
                        () -> client.appendAsync("load", VALUE).get(), 1);
                load.measure("getAsync", callers,
                        () -> client.getAsync("load", load.someOffset()).get(), 1);
            }
        }
    }
}
