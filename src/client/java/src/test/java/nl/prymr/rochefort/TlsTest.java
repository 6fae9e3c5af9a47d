package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.ServerSocket;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same over TLS: what is sent and received, and whom the client talks to. */
class TlsTest {
    private static final byte[] VALUE = {1};

    private static Certificate certificate;

    @BeforeAll
    static void make() throws Exception {
        certificate = new Certificate("dns:localhost,ip:127.0.0.1");
    }

    private static RogueServer rogue(RogueServer.Script script) throws Exception {
        return new RogueServer(certificate.listener(), script);
    }

    private static ClientBuilder client(RogueServer rogue) throws Exception {
        return Client.builder("https://127.0.0.1:" + rogue.port())
                .sslContext(certificate.trust());
    }

    private static void answerAll(RogueServer.Connection connection) throws Exception {
        while (connection.read() != null) {
            connection.appended(7);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 16_384, 65_400, 65_536, 70_000, 3_000_000})
    void bodiesOfAllSizes(int bytes) throws Exception {
        byte[] body = new byte[bytes];
        new Random(bytes).nextBytes(body);
        String latin = new String(body, StandardCharsets.ISO_8859_1);
        try (RogueServer rogue = rogue(connection -> {
            for (RogueServer.Request request = connection.read(); request != null;
                    request = connection.read()) {
                if (request.body.length > 0) {
                    connection.appended(7);
                } else {
                    connection.reply("200 OK", "application/octet-stream", latin);
                }
            }
        }); Client client = client(rogue).build()) {
            for (int i = 0; i < 3; i++) {
                assertEquals(7, client.append("id", body));
                assertArrayEquals(body, rogue.requests.get(2 * i).body);
                assertArrayEquals(body, client.get("id", 0));
            }
            assertEquals(1, rogue.accepted.get());
        }
    }

    @Test
    void manyAtOnce() throws Exception {
        try (RogueServer rogue = rogue(TlsTest::answerAll); Client client =
                client(rogue).maxConnections(4).build()) {
            CompletableFuture<?>[] appends = new CompletableFuture<?>[200];
            for (int i = 0; i < appends.length; i++) {
                appends[i] = client.appendAsync("id", new byte[i + 1]);
            }
            CompletableFuture.allOf(appends).get(60, TimeUnit.SECONDS);
            assertTrue(rogue.accepted.get() <= 4);
        }
    }

    private static void refused(Client client, RogueServer rogue) {
        RochefortException e =
                assertThrows(RochefortException.class, () -> client.append("id", VALUE));
        assertTrue(e.getMessage().contains("not sent: cannot connect"), e.getMessage());
        assertTrue(e.getCause().getCause() instanceof SSLException, e.getCause().toString());
        assertFalse(e.mayHaveHappened());
        assertEquals(0, rogue.requests.size());
    }

    @Test
    void unknownCertificate() throws Exception {
        try (RogueServer rogue = rogue(TlsTest::answerAll);
                Client client = new Client("https://127.0.0.1:" + rogue.port())) {
            refused(client, rogue);
        }
    }

    @Test
    void certificateOfAnotherHost() throws Exception {
        Certificate other = new Certificate("dns:example.com,ip:127.0.0.2");
        try (ServerSocket listener = other.listener();
                RogueServer rogue = new RogueServer(listener, TlsTest::answerAll);
                Client byAddress = Client.builder("https://127.0.0.1:" + rogue.port())
                        .sslContext(other.trust()).build();
                Client byName = Client.builder("https://localhost:" + rogue.port())
                        .sslContext(other.trust()).build()) {
            refused(byAddress, rogue);
            refused(byName, rogue);
        }
    }

    @Test
    void noTlsThere() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.readBytes(10);
            connection.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }); Client client = client(rogue).build()) {
            refused(client, rogue);
        }
    }

    /** A handshake that is never answered ends with the time to connect. */
    @Test
    void silentHandshake() throws Exception {
        try (RogueServer rogue = new RogueServer(RogueServer.Connection::awaitEnd);
                Client client = client(rogue).connectTimeout(Duration.ofMillis(300)).build()) {
            RochefortException e =
                    assertThrows(RochefortException.class, () -> client.append("id", VALUE));
            assertTrue(e.getCause() instanceof HttpTimeoutException, e.toString());
            assertFalse(e.mayHaveHappened());
            Await.until("the connection is cut", () -> rogue.open.get() == 0);
        }
    }

    @Test
    void closedByTheServer() throws Exception {
        CountDownLatch closed = new CountDownLatch(1);
        try (RogueServer rogue = rogue(connection -> {
            connection.read();
            connection.appended(7);
            if (connection.number == 1) {
                connection.endOutput();
                closed.countDown();
            }
            connection.awaitCut();
        }); Client client = client(rogue).build()) {
            assertEquals(7, client.append("id", VALUE));
            closed.await();
            Thread.sleep(150); // TLS connections are looked at only after a pause
            assertEquals(7, client.append("id", VALUE));
            assertEquals(2, rogue.accepted.get());
        }
    }

    /** A look at an open connection does no harm to it. */
    @Test
    void usedAgainAfterAPause() throws Exception {
        try (RogueServer rogue = rogue(TlsTest::answerAll); Client client =
                client(rogue).build()) {
            for (int i = 0; i < 5; i++) {
                assertEquals(7, client.append("id", VALUE));
                Thread.sleep(150); // so that it is looked at
            }
            assertEquals(1, rogue.accepted.get());
        }
    }

    @Test
    void timesOut() throws Exception {
        try (RogueServer rogue = rogue(connection -> {
            connection.read();
            connection.awaitCut();
        }); Client client = client(rogue).requestTimeout(Duration.ofMillis(200)).build()) {
            RochefortException e =
                    assertThrows(RochefortException.class, () -> client.append("id", VALUE));
            assertTrue(e.getCause() instanceof HttpTimeoutException, e.toString());
            assertTrue(e.mayHaveHappened());
            Await.until("the connection is cut", () -> rogue.open.get() == 0);
        }
    }

    @Test
    void interruptedAndCancelled() throws Exception {
        try (RogueServer rogue = rogue(connection -> {
            connection.read();
            connection.awaitCut();
        }); Client client = client(rogue).build()) {
            AtomicReference<RochefortException> failure = new AtomicReference<>();
            Thread thread = new Thread(() -> failure.set(assertThrows(RochefortException.class,
                    () -> client.append("id", VALUE))));
            thread.start();
            Await.until("sent", () -> rogue.requests.size() == 1);
            thread.interrupt();
            thread.join();
            assertTrue(failure.get().getCause() instanceof InterruptedException,
                    failure.get().toString());
            assertTrue(failure.get().mayHaveHappened());
            CompletableFuture<Long> append = client.appendAsync("id", VALUE);
            Await.until("sent", () -> rogue.requests.size() == 2);
            append.cancel(true);
            Await.until("the connections are cut", () -> rogue.open.get() == 0);
        }
    }

    /** The server reads all of it, as one that lingers does, or ends. */
    @Test
    void refusedWhileItIsSent() throws Exception {
        try (RogueServer rogue = rogue(connection -> {
            connection.readHead();
            connection.write("HTTP/1.1 413 Too Large\r\nContent-Type: text/plain\r\n"
                    + "Connection: close\r\nContent-Length: 4\r\n\r\nbig\n");
            connection.awaitCut();
        }); Client client = client(rogue).build()) {
            RochefortException e = assertThrows(RochefortException.class,
                    () -> client.append("id", new byte[8 << 20]));
            assertEquals(413, e.status());
            assertFalse(e.mayHaveHappened());
        }
    }

    @Test
    void getMulti() throws Exception {
        try (RogueServer rogue = rogue(connection -> {
            while (connection.read() != null) {
                connection.reply("200 OK", "application/octet-stream",
                        "\1\0\0\0a".repeat(100_000));
            }
        }); Client client = client(rogue).build()) {
            List<byte[]> values = client.getMulti("id", new long[100_000]);
            assertEquals(100_000, values.size());
            int count = 0;
            try (ValueIterator iterator = client.getMultiIterator("id", new long[100_000])) {
                while (iterator.hasNext()) {
                    assertEquals('a', iterator.next()[0]);
                    count++;
                }
            }
            assertEquals(100_000, count);
            assertThrows(ExecutionException.class,
                    () -> client.getMultiAsync("id", new long[99_999]).get());
        }
    }
}
