package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A server that closes, resets or stalls after each byte of a request and of a reply. */
class DyingServerTest {
    private static final String APPENDED = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n18\r\n{\"offset\":7,\"file\":\"/f\"}\r\n0\r\n\r\n";
    private static final String VALUE = "HTTP/1.1 200 OK\r\n"
            + "Content-Type: application/octet-stream\r\nContent-Length: 10\r\n\r\n0123456789";

    enum End { CLOSE, RESET, STALL }

    private static void end(End how, RogueServer.Connection connection, CountDownLatch over)
            throws Exception {
        if (how == End.RESET) {
            connection.reset();
        } else if (how == End.STALL) {
            over.await(30, TimeUnit.SECONDS);
        }
    }

    /** Answers the request for id N with the first N bytes of {@code reply}. */
    private static RogueServer cutting(String reply, End how, CountDownLatch over)
            throws Exception {
        return new RogueServer(connection -> {
            RogueServer.Request request = connection.read();
            String id = request.line().replaceAll(".*[?&]id=([0-9]+).*", "$1");
            connection.write(reply.substring(0, Integer.parseInt(id)));
            end(how, connection, over);
        });
    }

    private static RochefortException failure(CompletableFuture<?> future) {
        ExecutionException e = assertThrows(ExecutionException.class,
                () -> future.get(60, TimeUnit.SECONDS));
        return (RochefortException) e.getCause();
    }

    private static Client client(RogueServer rogue, End how) {
        return Client.builder(rogue.url()).maxConnections(50)
                .requestTimeout(Duration.ofMillis(how == End.STALL ? 500 : 30_000)).build();
    }

    @ParameterizedTest
    @EnumSource(End.class)
    void replyToAnAppend(End how) throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        try (RogueServer rogue = cutting(APPENDED, how, over);
                Client client = client(rogue, how)) {
            List<CompletableFuture<Long>> appends = new ArrayList<>();
            for (int bytes = 0; bytes < APPENDED.length(); bytes++) {
                appends.add(client.appendAsync(String.valueOf(bytes), new byte[5]));
            }
            for (int bytes = 0; bytes < APPENDED.length(); bytes++) {
                RochefortException e = failure(appends.get(bytes));
                assertTrue(e.mayHaveHappened(), e.toString());
                assertEquals(how == End.STALL, e.getCause() instanceof HttpTimeoutException,
                        e.toString());
            }
            over.countDown();
            assertEquals(APPENDED.length(), rogue.requests.size(), "each is sent once");
            assertEquals(7, client.append(String.valueOf(APPENDED.length()), new byte[5]));
        }
    }

    @ParameterizedTest
    @EnumSource(End.class)
    void replyToAGet(End how) throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        try (RogueServer rogue = cutting(VALUE, how, over); Client client = client(rogue, how)) {
            List<CompletableFuture<byte[]>> gets = new ArrayList<>();
            for (int bytes = 0; bytes < VALUE.length(); bytes++) {
                gets.add(client.getAsync(String.valueOf(bytes), 0));
            }
            for (CompletableFuture<byte[]> get : gets) {
                RochefortException e = failure(get);
                assertEquals(how == End.STALL, e.getCause() instanceof HttpTimeoutException,
                        e.toString());
            }
            over.countDown();
            int twice = how == End.STALL ? 0 : 1; // the one without a byte of a reply
            assertEquals(VALUE.length() + twice, rogue.requests.size());
            assertEquals("0123456789", new String(client.get(String.valueOf(VALUE.length()), 0),
                    StandardCharsets.UTF_8));
        }
    }

    /** The whole request is on its way by then, so that nobody can know. */
    @ParameterizedTest
    @EnumSource(End.class)
    void request(End how) throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        String sent = "POST /append?id=00 HTTP/1.1\r\nHost: 127.0.0.1:12345\r\nContent-Length: 5"
                + "\r\n\r\n12345";
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.readBytes(connection.number); // at least one, or it may not be sent at all
            end(how, connection, over);
        }); Client client = client(rogue, how)) {
            List<CompletableFuture<Long>> appends = new ArrayList<>();
            for (int bytes = 0; bytes < sent.length(); bytes++) {
                appends.add(client.appendAsync("00", new byte[5]));
            }
            for (CompletableFuture<Long> append : appends) {
                RochefortException e = failure(append);
                assertTrue(e.mayHaveHappened(), e.toString());
                assertEquals(0, e.status());
            }
            over.countDown();
            assertEquals(sent.length(), rogue.accepted.get(), "each is sent once");
        }
    }

    /** The client may or may not have sent it by then, and says so. */
    @Test
    void resetAtOnce() throws Exception {
        try (RogueServer rogue = new RogueServer(RogueServer.Connection::reset);
                Client client = new Client(rogue.url())) {
            for (int i = 1; i <= 100; i++) {
                RochefortException e = assertThrows(RochefortException.class,
                        () -> client.append("id", new byte[5]));
                assertEquals(e.mayHaveHappened(), !e.getMessage().contains(": not sent: "),
                        e.toString());
                assertEquals(i, rogue.accepted.get(), "each is sent once");
            }
        }
    }

    /** A drip that is slower than the time-out is ended; a faster one is not. */
    @Test
    void drips() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            boolean slow = connection.read().line().contains("id=slow");
            for (char c : VALUE.toCharArray()) {
                Thread.sleep(slow ? 1500 : 25); // the pace that is tested
                connection.write(String.valueOf(c));
            }
        }); Client client = Client.builder(rogue.url()).requestTimeout(Duration.ofMillis(700))
                .build()) {
            CompletableFuture<byte[]> slow = client.getAsync("slow", 0);
            assertEquals(10, client.getAsync("fast", 0).get(60, TimeUnit.SECONDS).length);
            RochefortException e = failure(slow);
            assertTrue(e.getCause() instanceof HttpTimeoutException, e.toString());
            assertFalse(rogue.requests.isEmpty());
        }
    }
}
