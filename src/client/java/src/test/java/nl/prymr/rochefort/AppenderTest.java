package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static nl.prymr.rochefort.Batches.append;
import static nl.prymr.rochefort.Batches.bytes;
import static nl.prymr.rochefort.Batches.failure;
import static nl.prymr.rochefort.Batches.values;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Batches: what is in them, their order, their size, and what fails with them. */
@Timeout(120) // the end of a test that has failed may wait for ever
class AppenderTest {
    private static final long HOUR_MILLIS = 3_600_000;

    @Test
    @Tag("server")
    void manyThreads() throws Exception {
        int threads = 16;
        int each = 600;
        String[] ids = {"a", "b", "c"};
        try (RealServer server = new RealServer("-buckets", "2");
                Client client = new Client(server.url());
                Appender appender = client.appender().maxBatchBytes(5000).maxPendingBytes(100_000)
                        .build()) {
            List<long[]> offsets = new ArrayList<>();
            List<Thread> running = new ArrayList<>();
            List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
            for (int t = 0; t < threads; t++) {
                int number = t;
                long[] mine = new long[each];
                offsets.add(mine);
                Thread thread = new Thread(() -> {
                    try {
                        List<CompletableFuture<Long>> futures = new ArrayList<>();
                        for (int i = 0; i < each; i++) {
                            futures.add(appender.append(i % 2 == 0 ? "p" : null, ids[i % 3],
                                    bytes(number + " " + i)));
                        }
                        for (int i = 0; i < each; i++) {
                            mine[i] = futures.get(i).get();
                        }
                    } catch (Exception e) {
                        failures.add(e);
                    }
                });
                running.add(thread);
                thread.start();
            }
            for (Thread thread : running) {
                thread.join();
            }
            assertEquals(List.of(), failures);
            for (int t = 0; t < threads; t++) {
                long[] mine = offsets.get(t);
                for (int i = 0; i < each; i++) {
                    if (i >= 6) { // the same prefix and id
                        assertTrue(mine[i] > mine[i - 6], "in order");
                    }
                    if (i % 20 == 0) {
                        assertEquals(t + " " + i, new String(
                                client.get(i % 2 == 0 ? "p" : "", ids[i % 3], mine[i]), UTF_8));
                    }
                }
            }
            assertEquals(mine(offsets, 0, each), mine(offsets, 0, each).stream().distinct()
                    .collect(Collectors.toList()), "each has its own offset");
            Await.until("nothing is kept of the ids", () -> appender.activeIds() == 0);
            long alone = appender.append("last", bytes("alone")).get();
            assertEquals("alone", new String(client.get("last", alone), UTF_8));
        }
    }

    /** The offsets of one prefix and id. */
    private static List<Long> mine(List<long[]> offsets, int first, int each) {
        List<Long> found = new ArrayList<>();
        for (long[] mine : offsets) {
            for (int i = first; i < each; i += 6) {
                found.add(mine[i]);
            }
        }
        return found;
    }

    @Test
    void whatComesDuringARequestIsTheNextBatch() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender appender = client.appender().build()) {
            byte[] reused = bytes("value 0");
            List<CompletableFuture<Long>> futures = new ArrayList<>();
            futures.add(appender.append("p", "id", reused));
            reused[6] = 'x'; // it was copied
            server.awaitSent(1);
            futures.addAll(append(appender, 1, 100));
            CompletableFuture<Long> other = appender.append("p", "other id", bytes("value 0"));
            server.awaitSent(2); // does not wait for the first id
            server.gate.release(3);
            long end = other.get() + Batches.HEADER_BYTES + 7;
            assertEquals(0, futures.get(0).get());
            for (int i = 1; i < 100; i++) {
                assertEquals(end, futures.get(i).get());
                end += Batches.HEADER_BYTES + ("value " + i).length();
            }
            assertEquals(List.of(values(0, 1), values(0, 1), values(1, 100)), server.batches);
            assertTrue(server.rogue.requests.get(0).line()
                    .startsWith("POST /appendMulti?id=id&storagePrefix=p HTTP"));
        }
    }

    @Test
    void batchesAreLimited() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender appender = client.appender().maxBatchBytes(34).syncAppends(true)
                        .build()) {
            List<CompletableFuture<Long>> futures = append(appender, 0, 9); // 11 bytes each
            String longer = "x".repeat(50);
            futures.add(appender.append("p", "id", bytes(longer)));
            futures.addAll(append(appender, 9, 10));
            server.gate.release(100);
            for (CompletableFuture<Long> future : futures) {
                future.get();
            }
            assertEquals(List.of(values(0, 1), values(1, 4), values(4, 7), values(7, 9),
                    List.of(longer), values(9, 10)), server.batches);
            assertTrue(server.rogue.requests.get(0).line().contains("&sync=1"));
        }
    }

    @Test
    void lingers() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender sooner = client.appender().lingerMillis(1).build()) {
            Appender appender = client.appender().lingerMillis(HOUR_MILLIS).maxBatchBytes(33)
                    .build();
            server.gate.release(100);
            sooner.append("p", "id", bytes("x")).get(30, TimeUnit.SECONDS);
            List<CompletableFuture<Long>> full = append(appender, 0, 3);
            for (CompletableFuture<Long> future : full) {
                future.get(30, TimeUnit.SECONDS); // does not wait for the hour
            }
            List<CompletableFuture<Long>> rest = append(appender, 3, 5);
            assertEquals(List.of(List.of("x"), values(0, 3)), server.batches);
            appender.flush();
            assertTrue(rest.get(0).isDone() && rest.get(1).isDone());
            assertEquals(values(3, 5), server.batches.get(2));
            rest = append(appender, 5, 6);
            appender.close();
            assertTrue(rest.get(0).isDone());
            assertEquals(values(5, 6), server.batches.get(3));
        }
    }

    private static void oneBatchFails(RogueServer.Script answer, boolean mayHaveHappened)
            throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender appender = client.appender().maxBatchBytes(33).build()) {
            server.answeredOtherwise = 1;
            server.other = answer;
            List<CompletableFuture<Long>> futures = append(appender, 0, 7);
            futures.get(5).cancel(true); // is sent all the same
            server.gate.release(100);
            appender.flush();
            assertEquals(List.of(values(0, 1), values(1, 4), values(4, 7)), server.batches,
                    "each is sent once");
            RochefortException why = failure(futures.get(1));
            assertEquals(mayHaveHappened, why.mayHaveHappened());
            for (int i = 0; i < 7; i++) {
                if (i >= 1 && i < 4) {
                    assertSame(why, failure(futures.get(i)));
                } else if (i != 5) {
                    assertTrue(futures.get(i).get() >= 0);
                }
            }
        }
    }

    @Test
    void failureOfABatch() throws Exception {
        oneBatchFails(connection -> connection.reply("507 Full", "text/plain", "disk full"),
                false);
        oneBatchFails(connection -> connection.reply("502 Bad Gateway", "text/html", ""), true);
        oneBatchFails(RogueServer.Connection::close, true);
        oneBatchFails(connection -> connection.reply("200 OK", "application/octet-stream",
                "01234567".repeat(2)), true); // offsets of two values
    }

    @Test
    void arguments() {
        try (Client client = new Client("http://localhost:1");
                Appender appender = client.appender().build()) {
            assertEquals("id", assertThrows(NullPointerException.class,
                    () -> appender.append("p", null, new byte[1])).getMessage());
            assertEquals("value", assertThrows(NullPointerException.class,
                    () -> appender.append("id", null)).getMessage());
            assertThrows(IllegalArgumentException.class, () -> appender.append("id", new byte[0]));
            assertThrows(IllegalArgumentException.class,
                    () -> appender.append("\ud800", new byte[1]));
            AppenderBuilder builder = client.appender();
            assertThrows(IllegalArgumentException.class, () -> builder.lingerMillis(-1));
            assertThrows(IllegalArgumentException.class,
                    () -> builder.lingerMillis(HOUR_MILLIS + 1));
            assertThrows(IllegalArgumentException.class, () -> builder.maxBatchBytes(0));
            assertThrows(IllegalArgumentException.class, () -> builder.maxPendingBytes(0));
            assertEquals(0, appender.activeIds());
        }
    }

    @Test
    void valuesArriveAsTheyAre() {
        ValueFrames frames = new ValueFrames(new byte[0]);
        frames.add(bytes("one"));
        frames.add(bytes("three"));
        assertEquals(2, frames.count());
        assertArrayEquals("\3\0\0\0one\5\0\0\0three".getBytes(ISO_8859_1),
                Arrays.copyOf(frames.bytes(), frames.length()));
    }
}
