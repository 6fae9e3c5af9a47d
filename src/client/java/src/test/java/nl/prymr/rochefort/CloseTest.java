package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
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
        LostConnections.scenario(() -> {
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
        });
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

    /** Before Java 21 java.net.http has no close: the connections go when the garbage does. */
    @Test
    void connectionsAreNotKeptForEver() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            while (connection.read() != null) {
                connection.appended(1);
            }
        })) {
            Client client = new Client(rogue.url());
            client.append("id", VALUE);
            assertEquals(1, rogue.open.get());
            client.close();
            Await.until("the connection is closed", () -> {
                if (Runtime.version().feature() < 21) {
                    System.gc();
                }
                return rogue.open.get() == 0;
            });
            assertThrows(RochefortException.class, () -> client.append("id", VALUE));
        }
    }
}
