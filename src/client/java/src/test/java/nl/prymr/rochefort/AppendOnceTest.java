package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

/** An append is sent once, whatever happens to the connection; a read may be sent twice. */
class AppendOnceTest {
    private static final byte[] FIRST = {1};
    private static final byte[] SECOND = new byte[200_000];

    /** Answers one request of each connection and hangs up after having read the second whole. */
    private static RogueServer hangsUpOnTheSecond() throws Exception {
        return new RogueServer(connection -> {
            connection.read();
            connection.appended(0);
            connection.read();
        });
    }

    private static long whole(RogueServer rogue, String start, int bodyBytes) {
        return rogue.requests.stream().filter(request -> request.whole
                && request.line().startsWith(start) && request.body.length == bodyBytes).count();
    }

    @Test
    void onAConnectionThatWasKept() throws Exception {
        try (RogueServer rogue = hangsUpOnTheSecond(); Client client = new Client(rogue.url())) {
            client.append("id", FIRST);
            RochefortException e =
                    assertThrows(RochefortException.class, () -> client.append("id", SECOND));
            assertTrue(e.mayHaveHappened());
            assertEquals(0, e.status());
            assertEquals(1, whole(rogue, "POST /append", SECOND.length));
            // Nothing comes later either: this request is behind whatever was sent before it.
            client.append("id", FIRST);
            assertEquals(1, whole(rogue, "POST /append", SECOND.length));
            assertEquals(2, whole(rogue, "POST /append", FIRST.length));
        }
    }

    @Test
    void asynchronously() throws Exception {
        try (RogueServer rogue = hangsUpOnTheSecond(); Client client = new Client(rogue.url())) {
            client.appendAsync("id", FIRST).get();
            ExecutionException e = assertThrows(ExecutionException.class,
                    () -> client.appendAsync("id", SECOND).get());
            assertTrue(((RochefortException) e.getCause()).mayHaveHappened());
            client.appendAsync("id", FIRST).get();
            assertEquals(1, whole(rogue, "POST /append", SECOND.length));
        }
    }

    /** A second connection would be refused, which says nothing about the first. */
    @Test
    void theServerStopsListeningFirst() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.appended(0);
            connection.stopListening();
            connection.read();
        }); Client client = new Client(rogue.url())) {
            client.append("id", FIRST);
            RochefortException e =
                    assertThrows(RochefortException.class, () -> client.append("id", SECOND));
            assertTrue(e.mayHaveHappened());
            assertEquals(1, whole(rogue, "POST /append", SECOND.length));
        }
    }

    @Test
    void onANewConnection() throws Exception {
        try (RogueServer rogue = new RogueServer(RogueServer.Connection::read);
                Client client = new Client(rogue.url())) {
            for (int i = 1; i <= 3; i++) {
                RochefortException e =
                        assertThrows(RochefortException.class, () -> client.append("id", SECOND));
                assertTrue(e.mayHaveHappened());
                assertEquals(i, whole(rogue, "POST /append", SECOND.length));
            }
        }
    }

    /** A read does no harm: the documentation of Client says so. */
    @Test
    void getMultiIsSentASecondTime() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            RogueServer.Request request = connection.read();
            if (connection.number == 1) {
                connection.appended(0);
                connection.read();
            } else if (request.whole) {
                connection.reply("200 OK", "application/octet-stream", "\1\0\0\0a");
            }
        }); Client client = new Client(rogue.url())) {
            client.append("id", FIRST);
            List<byte[]> values = client.getMulti("id", new long[1]);
            assertEquals(1, values.size());
            assertArrayEquals(new byte[] {'a'}, values.get(0));
            assertEquals(2, whole(rogue, "POST /getMulti", 8));
        }
    }

    /** It may have arrived, as far as anybody knows. */
    @Test
    void butNotAThirdTime() throws Exception {
        try (RogueServer rogue = new RogueServer(RogueServer.Connection::read);
                Client client = new Client(rogue.url())) {
            GetMultiException e = assertThrows(GetMultiException.class,
                    () -> client.getMulti("id", new long[3]));
            assertTrue(e.mayHaveHappened());
            assertEquals(0, e.status());
            assertEquals(2, whole(rogue, "POST /getMulti", 24));
        }
    }

    @Test
    void getIsSentASecondTime() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            if (connection.number == 2) {
                connection.reply("200 OK", "application/octet-stream", "abc");
            }
        }); Client client = new Client(rogue.url())) {
            assertArrayEquals(new byte[] {'a', 'b', 'c'}, client.get("id", 0));
            assertEquals(2, whole(rogue, "GET /get", 0));
        }
    }

    /** The server is stopped and started again while the client has connections. */
    @Test
    void connectionsClosedWhileUnused() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.appended(0);
        }); Client client = new Client(rogue.url())) {
            for (int i = 1; i <= 20; i++) {
                client.append("id", FIRST);
                Await.until("the connection is closed", () -> rogue.open.get() == 0);
                client.append("id", SECOND); // the client has noticed
                Await.until("the connection is closed", () -> rogue.open.get() == 0);
                assertEquals(i, whole(rogue, "POST /append", SECOND.length));
            }
        }
    }

    @Test
    void nobodyListens() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        try (Client client = new Client("http://127.0.0.1:" + port)) {
            RochefortException e =
                    assertThrows(RochefortException.class, () -> client.append("id", FIRST));
            assertFalse(e.mayHaveHappened());
            assertEquals(0, e.status());
            assertTrue(e.getMessage().contains("cannot connect"), e.getMessage());
        }
    }
}
