package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Connections that the server closes, has closed, or may close before the next request. */
class StaleConnectionTest {
    private static final byte[] VALUE = {1};
    private static final boolean THOROUGH = "1".equals(System.getenv("ROCHEFORT_THOROUGH"));

    private static String appended(String fields) {
        return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + fields
                + "Content-Length: 24\r\n\r\n{\"offset\":7,\"file\":\"/f\"}";
    }

    private static RogueServer answering(String reply) throws Exception {
        return new RogueServer(connection -> {
            while (connection.read() != null) {
                connection.write(reply);
            }
        });
    }

    /** Idle connections that are all closed at once cost neither an append nor a get. */
    @Test
    void closedByTheServer() throws Exception {
        for (boolean read : new boolean[] {false, true}) {
            CountDownLatch all = new CountDownLatch(10);
            try (RogueServer rogue = new RogueServer(connection -> {
                RogueServer.Request request = connection.read();
                if (connection.number <= 10) {
                    all.countDown();
                    all.await();
                }
                if (request.line().startsWith("GET")) {
                    connection.reply("200 OK", "application/octet-stream", "abc");
                } else {
                    connection.appended(7);
                }
            }); Client client = new Client(rogue.url())) {
                List<CompletableFuture<Long>> appends = new ArrayList<>();
                for (int i = 0; i < 10; i++) {
                    appends.add(client.appendAsync("id", VALUE));
                }
                for (CompletableFuture<Long> append : appends) {
                    append.get();
                }
                Await.until("all are closed", () -> rogue.open.get() == 0);
                if (read) {
                    assertArrayEquals(new byte[] {'a', 'b', 'c'}, client.get("id", 0));
                } else {
                    assertEquals(7, client.append("id", VALUE));
                }
                assertEquals(11, rogue.accepted.get());
            }
        }
    }

    /** What comes without a request is no reply to the next one. */
    @Test
    void aReplyThatNobodyAskedFor() throws Exception {
        CountDownLatch told = new CountDownLatch(1);
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.write(appended(""));
            if (connection.number == 1) {
                connection.write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
                told.countDown();
                connection.awaitEnd();
            }
        }); Client client = new Client(rogue.url())) {
            assertEquals(7, client.append("id", VALUE));
            told.await();
            assertEquals(7, client.append("id", VALUE));
            assertEquals(2, rogue.accepted.get());
        }
    }

    /** The number of connections that two appends need with that pause between them. */
    private static int connections(String fields, long pauseMillis) throws Exception {
        try (RogueServer rogue = answering(appended(fields)); Client client =
                new Client(rogue.url())) {
            client.append("id", VALUE);
            Thread.sleep(pauseMillis); // what is tested
            client.append("id", VALUE);
            return rogue.accepted.get();
        }
    }

    @Test
    void hintOfTheServer() throws Exception {
        assertEquals(2, connections("Keep-Alive: timeout=1\r\n", 600));
        assertEquals(2, connections("keep-alive:max=5 , Timeout = 1\r\n", 600));
        assertEquals(2, connections("Keep-Alive: timeout=0\r\n", 0));
        assertEquals(2, connections("Keep-Alive: timeout=x\r\n", 0));
        assertEquals(1, connections("Keep-Alive: timeout=10\r\n", 1200));
        assertEquals(1, connections("Keep-Alive: max=10\r\n", 0));
        assertEquals(2, connections("", 600)); // without a hint the client does not rely on more
    }

    /** The hint comes with the first reply only, and holds for the connection. */
    @Test
    void hintOfTheFirstReply() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            for (int i = 0; connection.read() != null; i++) {
                connection.write(appended(i == 0 ? "Keep-Alive: timeout=60\r\n" : ""));
            }
        }); Client client = new Client(rogue.url())) {
            for (int i = 0; i < 3; i++) {
                client.append("id", VALUE);
                Thread.sleep(600); // longer than without a hint
            }
            assertEquals(1, rogue.accepted.get());
        }
    }

    /** Also when no further call is made. */
    @Test
    void idleConnectionsAreClosedInTime() throws Exception {
        try (RogueServer rogue = answering(appended("Keep-Alive: timeout=1\r\n"));
                Client client = new Client(rogue.url())) {
            client.append("id", VALUE);
            Await.until("the client has closed it", () -> rogue.open.get() == 0);
            assertEquals(7, client.append("id", VALUE));
        }
    }

    /** None of them may be reported as one that may have happened. */
    @Test
    @Tag("server")
    void pausesAroundTheServersTimeout() throws Exception {
        int threads = THOROUGH ? 1000 : 500;
        int appends = THOROUGH ? 1000 : 100;
        int appendsPerPause = THOROUGH ? 4 : 2;
        AtomicInteger done = new AtomicInteger();
        List<Throwable> failures = new CopyOnWriteArrayList<>();
        try (RealServer server = new RealServer("-idle-timeout", "1", "-buckets", "1");
                Client client = Client.builder(server.url()).maxConnections(threads).build()) {
            List<Thread> all = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                Random random = new Random(i);
                Thread thread = new Thread(() -> {
                    try {
                        for (int j = 0; j < appends; j++) {
                            client.append("id", VALUE);
                            done.incrementAndGet();
                            long around = random.nextBoolean() ? 500 : 1000;
                            if (random.nextInt(appendsPerPause) == 0) {
                                TimeUnit.MILLISECONDS.sleep(around - 50 + random.nextInt(100));
                            }
                        }
                    } catch (RochefortException | InterruptedException e) {
                        failures.add(e);
                    }
                });
                all.add(thread);
                thread.start();
            }
            for (Thread thread : all) {
                thread.join();
            }
            assertEquals(List.of(), failures);
            assertEquals(threads * appends, done.get());
        }
    }
}
