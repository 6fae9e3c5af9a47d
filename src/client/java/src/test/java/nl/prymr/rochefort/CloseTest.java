package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

/** The end of a client: nothing is lost, and nothing stays behind. */
class CloseTest {
    private static final byte[] VALUE = {1};

    private static long threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("rochefort-client")).count();
    }

    @Test
    void waitsForWhatIsUnderWay() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        try (RogueServer rogue = new RogueServer(connection -> {
            while (connection.read() != null) {
                gate.await();
                connection.appended(1);
            }
        })) {
            Client client = Client.builder(rogue.url()).maxConnections(2).build();
            List<CompletableFuture<Long>> appends = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                appends.add(client.appendAsync("id", VALUE));
            }
            Thread closer = new Thread(client::close);
            closer.start();
            Await.until("it waits", () -> closer.getState() == Thread.State.WAITING);
            RochefortException late =
                    assertThrows(RochefortException.class, () -> client.append("id", VALUE));
            assertFalse(late.mayHaveHappened());
            CompletableFuture<Long> lateAsync = client.appendAsync("id", VALUE);
            assertThrows(ExecutionException.class, lateAsync::get);
            gate.countDown();
            for (CompletableFuture<Long> append : appends) {
                assertEquals(1, append.get());
            }
            closer.join();
            Await.until("its threads end", () -> threads() == 0);
            client.close(); // a second time does nothing
        }
    }

    @Test
    void interruptedItEndsEverything() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.awaitEnd();
        })) {
            Client client = Client.builder(rogue.url()).maxConnections(1).build();
            CompletableFuture<Long> sent = client.appendAsync("id", VALUE);
            CompletableFuture<Long> queued = client.appendAsync("id", VALUE);
            Await.until("sent", () -> rogue.requests.size() == 1);
            Thread.currentThread().interrupt();
            client.close();
            assertTrue(Thread.interrupted());
            RochefortException e = (RochefortException) assertThrows(ExecutionException.class,
                    sent::get).getCause();
            assertTrue(e.mayHaveHappened());
            e = (RochefortException) assertThrows(ExecutionException.class, queued::get)
                    .getCause();
            assertFalse(e.mayHaveHappened());
            Await.until("the connection is cut", () -> rogue.open.get() == 0);
        }
    }

    /** Synchronous calls, under way and queued, and an iterator that nobody uses. */
    @Test
    void synchronousCallsAndIterators() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        try (RogueServer rogue = new RogueServer(connection -> {
            for (RogueServer.Request request = connection.read(); request != null;
                    request = connection.read()) {
                if (request.line().contains("/getMulti")) {
                    connection.write("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream"
                            + "\r\nContent-Length: 50\r\n\r\n\1\0\0\0a");
                } else {
                    gate.await();
                    connection.appended(1);
                }
            }
        })) {
            Client client = Client.builder(rogue.url()).maxConnections(2).build();
            ValueIterator values = client.getMultiIterator("id", new long[10]);
            List<Thread> callers = new ArrayList<>();
            List<Object> results = new CopyOnWriteArrayList<>();
            for (int i = 0; i < 5; i++) {
                Thread caller = new Thread(() -> {
                    try {
                        results.add(client.append("id", VALUE));
                    } catch (RochefortException e) {
                        results.add(e);
                    }
                });
                callers.add(caller);
                caller.start();
            }
            Await.until("one is under way", () -> rogue.requests.size() == 2);
            Await.until("four are queued", () -> callers.stream()
                    .filter(caller -> caller.getState() == Thread.State.WAITING).count() == 4);
            Thread closer = new Thread(client::close);
            closer.start();
            Await.until("it waits", () -> closer.getState() == Thread.State.WAITING);
            assertThrows(RochefortException.class,
                    () -> client.getMultiIterator("id", new long[1]));
            gate.countDown();
            closer.join();
            for (Thread caller : callers) {
                caller.join();
            }
            assertEquals(List.of(1L, 1L, 1L, 1L, 1L), results);
            assertEquals(1, values.next().length); // was received before
            UncheckedIOException e = assertThrows(UncheckedIOException.class, values::next);
            assertTrue(e.getCause().getMessage().contains("the client was closed"), e.toString());
            Await.until("its threads end", () -> threads() == 0);
            Await.until("its connections are closed", () -> rogue.open.get() == 0);
        }
    }

    @Test
    void fromACallback() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.appended(3);
        })) {
            Client client = new Client(rogue.url());
            assertEquals(3, client.appendAsync("id", VALUE).thenApply(offset -> {
                client.close();
                return offset;
            }).get());
        }
    }

    @Test
    void idleConnectionsAreClosed() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            while (connection.read() != null) {
                connection.appended(1);
            }
        })) {
            Client client = new Client(rogue.url());
            client.append("id", VALUE);
            assertEquals(1, rogue.open.get());
            client.close();
            Await.until("the connection is closed", () -> rogue.open.get() == 0);
            assertThrows(RochefortException.class, () -> client.append("id", VALUE));
        }
    }
}
