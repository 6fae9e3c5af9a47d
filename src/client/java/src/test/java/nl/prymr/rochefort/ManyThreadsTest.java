package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Far more callers than connections, and threads of the caller's own. */
class ManyThreadsTest {
    private static final int CALLERS = 1000;
    private static final int CONNECTIONS = 8;
    private static final int CALLS = 20;

    private static RogueServer numbering() throws Exception {
        AtomicInteger number = new AtomicInteger();
        return new RogueServer(connection -> {
            while (connection.read() != null) {
                connection.appended(number.getAndIncrement());
            }
        });
    }

    /** Each call gets a reply of its own. */
    @Test
    void aThousandOnEightConnections() throws Exception {
        Set<Long> offsets = ConcurrentHashMap.newKeySet();
        Set<Throwable> failures = ConcurrentHashMap.newKeySet();
        try (RogueServer rogue = numbering(); Client client =
                Client.builder(rogue.url()).maxConnections(CONNECTIONS).build()) {
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < CALLERS; i++) {
                Thread thread = new Thread(() -> {
                    try {
                        for (int j = 0; j < CALLS; j++) {
                            offsets.add(client.append("id", new byte[1]));
                        }
                    } catch (RochefortException e) {
                        failures.add(e);
                    }
                });
                threads.add(thread);
            }
            threads.forEach(Thread::start);
            for (Thread thread : threads) {
                thread.join();
            }
            assertEquals(Set.of(), failures);
            assertEquals(CALLERS * CALLS, offsets.size());
            // one that was idle for too long is replaced, and its end may be seen after that
            assertTrue(rogue.openMax.get() <= 2 * CONNECTIONS, rogue.openMax + " connections");
        }
    }

    @Test
    void executorOfTheCaller() throws Exception {
        ExecutorService executor =
                Executors.newFixedThreadPool(2, task -> new Thread(task, "own"));
        try (RogueServer rogue = numbering(); Client client =
                Client.builder(rogue.url()).executor(executor).build()) {
            Set<String> names = ConcurrentHashMap.newKeySet();
            List<CompletableFuture<Void>> all = new ArrayList<>();
            CompletableFuture<Void> gate = new CompletableFuture<>();
            for (int i = 0; i < 100; i++) {
                all.add(gate.thenCompose(start -> client.appendAsync("id", new byte[1])
                        .thenAccept(offset -> names.add(Thread.currentThread().getName()))));
            }
            gate.complete(null);
            for (CompletableFuture<Void> each : all) {
                each.get();
            }
            assertTrue(names.contains("own"), names.toString());
            assertTrue(rogue.openMax.get() <= 2, "two threads, two connections");
            assertEquals(0, Thread.getAllStackTraces().keySet().stream()
                    .filter(thread -> thread.getName().contains("-worker-")).count());
        } finally {
            executor.shutdown();
        }
    }
}
