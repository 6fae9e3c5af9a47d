package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Replies, and ends, that come while a large body is being sent. */
class EarlyAnswerTest {
    private static final int LARGE_BYTES = 32 << 20; // more than all socket buffers

    private static String refusal(String status) {
        return "HTTP/1.1 " + status + "\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n"
                + "Connection: close\r\nContent-Length: 6\r\n\r\nbusy!\n";
    }

    private static RochefortException refused(RogueServer.Script script, int bytes)
            throws Exception {
        try (RogueServer rogue = new RogueServer(script); Client client = new Client(rogue.url())) {
            return assertTimeoutPreemptively(Duration.ofSeconds(30), () -> assertThrows(
                    RochefortException.class, () -> client.append("id", new byte[bytes])));
        }
    }

    private static void check(RochefortException e, String status) {
        assertEquals(Integer.parseInt(status.substring(0, 3)), e.status(), e.toString());
        assertEquals("busy!", e.serverText());
        assertFalse(e.mayHaveHappened());
    }

    /** The rest of the body is never read: the reply has to be seen while sending. */
    @ParameterizedTest
    @ValueSource(strings = {"413 Too Large", "503 Busy", "408 Too Slow", "401 Who"})
    void theRestIsNotRead(String status) throws Exception {
        for (int read : new int[] {0, 1, 1 << 20}) {
            CountDownLatch over = new CountDownLatch(1);
            check(refused(connection -> {
                connection.readHead();
                connection.readBytes(read);
                connection.write(refusal(status));
                over.await(30, TimeUnit.SECONDS);
            }, LARGE_BYTES), status);
            over.countDown();
        }
    }

    /** The server's lingering close. */
    @Test
    void theRestIsDropped() throws Exception {
        check(refused(connection -> {
            connection.readHead();
            connection.write(refusal("413 Too Large"));
            connection.awaitEnd();
        }, LARGE_BYTES), "413");
    }

    /** Of one write, the reply is there before the server has read it. */
    @Test
    void smallBody() throws Exception {
        check(refused(connection -> {
            connection.readHead();
            connection.write(refusal("503 Busy"));
            connection.awaitEnd();
        }, 10), "503");
    }

    /** A request that was not sent to its end leaves a connection that nothing else may use. */
    @Test
    void theConnectionIsNotUsedAgain() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.readHead();
            if (connection.number == 1) {
                connection.write("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
                connection.awaitEnd();
            }
            connection.appended(5);
        }); Client client = Client.builder(rogue.url()).maxConnections(1).build()) {
            assertThrows(RochefortException.class,
                    () -> client.append("id", new byte[LARGE_BYTES]));
            assertEquals(5, client.append("id", new byte[1]));
            assertEquals(2, rogue.accepted.get());
        }
    }

    /** Without a reply: the server cannot have stored what it has not received. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theServerEnds(boolean reset) throws Exception {
        RochefortException e = refused(connection -> {
            connection.readHead();
            connection.readBytes(100_000);
            if (reset) {
                connection.reset();
            }
        }, LARGE_BYTES);
        assertEquals(0, e.status());
        assertFalse(e.mayHaveHappened());
    }

    @Test
    void theServerStalls() throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.readHead();
            over.await(30, TimeUnit.SECONDS);
        }); Client client = Client.builder(rogue.url()).requestTimeout(Duration.ofMillis(200))
                .build()) {
            RochefortException e = assertTimeoutPreemptively(Duration.ofSeconds(30),
                    () -> assertThrows(RochefortException.class,
                            () -> client.append("id", new byte[LARGE_BYTES])));
            assertTrue(e.getCause() instanceof HttpTimeoutException, e.toString());
            assertFalse(e.mayHaveHappened());
            over.countDown();
        }
    }

    @Test
    void cancelledWhileItIsSent() throws Exception {
        CountDownLatch reading = new CountDownLatch(1);
        AtomicReference<Integer> rest = new AtomicReference<>();
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.readHead();
            reading.countDown();
            rest.set(connection.awaitCut());
        }); Client client = Client.builder(rogue.url()).maxConnections(1).build()) {
            CompletableFuture<Long> append = client.appendAsync("id", new byte[LARGE_BYTES]);
            assertTrue(reading.await(30, TimeUnit.SECONDS));
            append.cancel(true);
            assertThrows(CancellationException.class, append::get);
            Await.until("the server has read what there was", () -> rest.get() != null);
            assertTrue(rest.get() < LARGE_BYTES);
        }
    }

    @Test
    void interruptedWhileItIsSent() throws Exception {
        CountDownLatch reading = new CountDownLatch(1);
        CountDownLatch over = new CountDownLatch(1);
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.readHead();
            reading.countDown();
            over.await(30, TimeUnit.SECONDS);
        }); Client client = Client.builder(rogue.url()).maxConnections(1).build()) {
            AtomicReference<RochefortException> failure = new AtomicReference<>();
            AtomicReference<Boolean> flag = new AtomicReference<>();
            Thread thread = new Thread(() -> {
                failure.set(assertThrows(RochefortException.class,
                        () -> client.append("id", new byte[LARGE_BYTES])));
                flag.set(Thread.currentThread().isInterrupted());
            });
            thread.start();
            assertTrue(reading.await(30, TimeUnit.SECONDS));
            thread.interrupt();
            thread.join();
            over.countDown();
            assertTrue(failure.get().getCause() instanceof InterruptedException,
                    failure.get().toString());
            assertFalse(failure.get().mayHaveHappened());
            assertTrue(flag.get());
        }
    }
}
