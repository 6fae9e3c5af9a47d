package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/**
 * A server that closes and resets its connections at any moment: before a request, within it, after
 * it, within the reply, or a little after the reply. What the client says about an append is true.
 */
class ExactlyOnceTest {
    private static final long SEED = 20240607;
    private static final int THREADS = 8;
    private static final int APPENDS = 1500;

    private final Map<String, AtomicInteger> stored = new ConcurrentHashMap<>();
    private final AtomicInteger random = new AtomicInteger();

    private int stored(String id) {
        AtomicInteger count = stored.get(id);
        return count == null ? 0 : count.get();
    }

    private void script(RogueServer.Connection connection) throws Exception {
        Random chance = new Random(SEED + random.getAndIncrement());
        for (;;) {
            int fate = chance.nextInt(20);
            if (fate == 0) {
                connection.readBytes(chance.nextInt(60));
                break;
            }
            RogueServer.Request request = connection.read();
            if (request == null || !request.whole) {
                return;
            }
            if (fate == 1) {
                break; // read, but not stored
            }
            String id = request.line().replaceAll(".*id=([0-9]+) .*", "$1");
            stored.computeIfAbsent(id, any -> new AtomicInteger()).incrementAndGet();
            if (fate == 2) {
                connection.write("HTTP/1.1 200 OK\r\n");
                break;
            }
            connection.appended(Long.parseLong(id));
            if (fate == 3 || fate == 4) {
                LockSupport.parkNanos(chance.nextInt(300_000)); // into the next request, or before
                break;
            }
        }
        if (chance.nextBoolean()) {
            connection.reset();
        }
    }

    @Test
    void whatIsSaidIsTrue() throws Exception {
        List<String> wrong = new CopyOnWriteArrayList<>();
        AtomicInteger succeeded = new AtomicInteger();
        AtomicInteger unsure = new AtomicInteger();
        try (RogueServer rogue = new RogueServer(this::script);
                Client client = Client.builder(rogue.url()).maxConnections(THREADS).build()) {
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                int first = i * APPENDS;
                Thread thread = new Thread(() -> {
                    for (int id = first; id < first + APPENDS; id++) {
                        append(client, String.valueOf(id), wrong, succeeded, unsure);
                    }
                });
                threads.add(thread);
                thread.start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
        }
        assertEquals(List.of(), wrong, "seed " + SEED);
        assertTrue(succeeded.get() > THREADS * APPENDS / 2, succeeded + " succeeded");
        assertTrue(unsure.get() > 0, "no reply was lost");
    }

    private void append(Client client, String id, List<String> wrong, AtomicInteger succeeded,
            AtomicInteger unsure) {
        try {
            long offset = client.append(id, new byte[10]);
            succeeded.incrementAndGet();
            if (stored(id) != 1 || offset != Long.parseLong(id)) {
                wrong.add(id + " has offset " + offset + ", stored " + stored(id) + " times");
            }
        } catch (RochefortException e) {
            unsure.addAndGet(e.mayHaveHappened() ? 1 : 0);
            if (stored(id) > (e.mayHaveHappened() ? 1 : 0)) {
                wrong.add(id + " is stored " + stored(id) + " times: " + e);
            }
        }
    }
}
