package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How requests are written, and how replies of servers and proxies are framed. */
class FramingTest {
    private static final String VALUE = "Content-Type: application/octet-stream\r\n";
    private static final String JSON = "Content-Type: application/json\r\n";
    private static final String OFFSET = "{\"offset\":7,\"file\":\"/f\"}";

    private interface Check {
        void run(Client client, RogueServer rogue) throws Exception;
    }

    /** Each request gets that reply; the connection is closed after {@code each} of them. */
    private static void with(String reply, int each, Check check) throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            for (int i = 0; i < each && connection.read() != null; i++) {
                connection.write(reply);
            }
        }); Client client = new Client(rogue.url())) {
            check.run(client, rogue);
        }
    }

    @Test
    void onlyTheFieldsThatAreNeeded() throws Exception {
        with("HTTP/1.1 200 OK\r\n" + JSON + "Content-Length: 24\r\n\r\n" + OFFSET, 9,
                (client, rogue) -> {
            client.append("id", new byte[123]);
            assertEquals("POST /append?id=id HTTP/1.1\r\nHost: 127.0.0.1:" + rogue.port()
                    + "\r\nContent-Length: 123\r\n\r\n", rogue.requests.get(0).head);
            assertThrows(RochefortException.class, () -> client.get("p", "id", 5));
            assertEquals("GET /get?id=id&offset=5&storagePrefix=p HTTP/1.1\r\nHost: 127.0.0.1:"
                    + rogue.port() + "\r\n\r\n", rogue.requests.get(1).head);
        });
    }

    @Test
    void token() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            while (connection.read() != null) {
                connection.appended(7);
            }
        }); Client client = Client.builder(rogue.url() + "/path/").bearerToken("a.b-c_d~+/=")
                .build()) {
            client.append("id", new byte[1]);
            assertEquals("POST /path/append?id=id HTTP/1.1\r\nHost: 127.0.0.1:" + rogue.port()
                    + "\r\nAuthorization: Bearer a.b-c_d~+/=\r\nContent-Length: 1\r\n\r\n",
                    rogue.requests.get(0).head);
            for (String wrong : new String[] {"", "a b", "a\r\nX: y", "\u00e4"}) {
                assertThrows(IllegalArgumentException.class,
                        () -> Client.builder(rogue.url()).bearerToken(wrong), wrong);
            }
        }
    }

    @Test
    void ipv6() throws Exception {
        ServerSocket listener;
        try {
            listener = new ServerSocket(0, RogueServer.BACKLOG, InetAddress.getByName("::1"));
        } catch (IOException e) {
            Assumptions.abort("no IPv6 here: " + e.getMessage());
            return;
        }
        try (RogueServer rogue = new RogueServer(listener, connection -> {
            connection.read();
            connection.appended(7);
        }); Client client = new Client("http://[::1]:" + listener.getLocalPort())) {
            assertEquals(7, client.append("id", new byte[1]));
            assertTrue(rogue.requests.get(0).head
                    .contains("\r\nHost: [::1]:" + listener.getLocalPort() + "\r\n"));
        }
    }

    /** Small, of two writes, and of many slices; each ends with its own last byte. */
    @ParameterizedTest
    @ValueSource(ints = {1, 65_000, 65_400, 65_460, 65_500, 65_536, 131_072, 200_000, 3_000_000})
    void bodiesOfAllSizes(int bytes) throws Exception {
        byte[] body = new byte[bytes];
        new Random(bytes).nextBytes(body);
        with("HTTP/1.1 200 OK\r\n" + JSON + "Content-Length: 24\r\n\r\n" + OFFSET, 9,
                (client, rogue) -> {
            for (int i = 0; i < 3; i++) {
                assertEquals(7, client.append("id", body));
                assertArrayEquals(body, rogue.requests.get(i).body);
            }
            assertEquals(1, rogue.accepted.get());
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "HTTP/1.1 200 OK\r\n" + JSON + "Content-Length: 24\r\n\r\n" + OFFSET,
        "HTTP/1.1 200\r\n" + JSON + "Content-Length: 24\r\n\r\n" + OFFSET,
        "HTTP/1.1 200 \r\n" + JSON + "Content-Length: 24\r\n\r\n" + OFFSET,
        "HTTP/1.1 200 OK\n" + "CONTENT-TYPE:Application/JSON;charset=x\nContent-length:  24 \n\n"
            + OFFSET,
        "HTTP/1.1 200 OK\r\n" + JSON + "content-length:\t24\r\nX:\r\nY: z: a\r\n\r\n" + OFFSET,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            + "HTTP/1.1 200 OK\r\n" + JSON + "Content-Length: 24\r\n\r\n" + OFFSET,
        "HTTP/1.1 200 OK\r\n" + JSON + "Transfer-Encoding: Chunked\r\n\r\n0A;x=\"y\"\r\n"
            + "{\"offset\":\r\n00e\r\n7,\"file\":\"/f\"}\r\n000\r\nX: trailer\r\n\r\n",
        "HTTP/1.1 200 OK\r\n" + JSON + "Transfer-Encoding: chunked\n\n18 \n" + OFFSET + "\n0\n\n",
        "HTTP/1.0 200 OK\r\n" + JSON + "Connection: x, Keep-Alive\r\nContent-Length: 24\r\n\r\n"
            + OFFSET})
    void repliesAfterWhichTheConnectionStays(String reply) throws Exception {
        with(reply, 9, (client, rogue) -> {
            for (int i = 0; i < 3; i++) {
                assertEquals(7, client.append("id", new byte[1]));
            }
            assertEquals(1, rogue.accepted.get());
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "HTTP/1.1 200 OK\r\n" + JSON + "Connection: close\r\nContent-Length: 24\r\n\r\n" + OFFSET,
        "HTTP/1.1 200 OK\r\n" + JSON + "Connection: x\r\nConnection: y , CLOSE\r\n"
            + "Content-Length: 24\r\n\r\n" + OFFSET,
        "HTTP/1.0 200 OK\r\n" + JSON + "Content-Length: 24\r\n\r\n" + OFFSET,
        "HTTP/1.1 200 OK\r\n" + JSON + "Keep-Alive: timeout=0\r\nContent-Length: 24\r\n\r\n"
            + OFFSET,
        "HTTP/1.1 200 OK\r\n" + JSON + "Content-Length: 24\r\n\r\n" + OFFSET + "x"})
    void repliesAfterWhichItIsNotUsedAgain(String reply) throws Exception {
        with(reply, 9, (client, rogue) -> {
            for (int i = 0; i < 3; i++) {
                assertEquals(7, client.append("id", new byte[1]));
            }
            assertEquals(3, rogue.accepted.get());
        });
    }

    /** What is complete by itself may end with the connection; a value may not. */
    @ParameterizedTest
    @ValueSource(strings = {"HTTP/1.1", "HTTP/1.0"})
    void untilTheConnectionCloses(String version) throws Exception {
        String ok = version + " 200 OK\r\n";
        with(ok + JSON + "\r\n" + OFFSET, 1, (client, rogue) -> {
            assertEquals(7, client.append("id", new byte[1]));
            assertEquals(7, client.append("id", new byte[1]));
        });
        with(ok + JSON + "\r\n" + OFFSET.substring(0, 20), 1, (client, rogue) ->
            assertTrue(assertThrows(RochefortException.class,
                    () -> client.append("id", new byte[1])).mayHaveHappened()));
        String values = new String(new byte[] {1, 0, 0, 0, 'a', 2, 0, 0, 0, 'b', 'b'}, ISO_8859_1);
        with(ok + VALUE + "\r\n" + values, 1, (client, rogue) -> {
            List<byte[]> got = client.getMulti("id", new long[2]);
            assertEquals("bb", new String(got.get(1), UTF_8));
            assertEquals(2, assertThrows(GetMultiException.class,
                    () -> client.getMulti("id", new long[3])).index());
        });
        with(ok + VALUE + "\r\nabc", 1, (client, rogue) ->
            assertThrows(RochefortException.class, () -> client.get("id", 0)));
        with(version + " 404 No\r\n\r\nno such\n", 1, (client, rogue) ->
            assertEquals("no such", assertThrows(RochefortException.class,
                    () -> client.get("id", 0)).serverText()));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "HTTP/2.0 200 OK\r\n", "HTTP/1.1  200 OK\r\n", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 20\r\n",
        "HTTP/1.1 099 OK\r\n", "HTTP/1.1 101 Switching\r\n", "\r\n", "http/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nno field\r\n", "HTTP/1.1 200 OK\r\n: x\r\n",
        "HTTP/1.1 200 OK\r\n" + JSON + " folded: x\r\n", "HTTP/1.1 200 OK\r\nX : y\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +24\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 24, 24\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0x18\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"})
    void malformedHeads(String head) throws Exception {
        with(head + JSON + (head.contains("Content-Length") || head.contains("Transfer") ? ""
                : "Content-Length: 24\r\n") + "\r\n" + OFFSET, 9, (client, rogue) -> {
            RochefortException e = assertThrows(RochefortException.class,
                    () -> client.append("id", new byte[1]));
            assertTrue(e.mayHaveHappened());
            assertEquals(1, rogue.requests.size());
        });
    }

    @Test
    void headsThatAreTooLong() throws Exception {
        String line = "X-" + "x".repeat(996) + ": \r\n"; // 1002 bytes
        String end = JSON + "Content-Length: 24\r\n\r\n" + OFFSET;
        with("HTTP/1.1 200 OK\r\n" + line.repeat(32) + end, 9, (client, rogue) ->
            assertEquals(7, client.append("id", new byte[1])));
        with("HTTP/1.1 200 OK\r\n" + line.repeat(33) + end, 9, (client, rogue) -> {
            RochefortException e = assertThrows(RochefortException.class,
                    () -> client.append("id", new byte[1]));
            assertTrue(e.getMessage().contains("longer than 32768 bytes"), e.getMessage());
        });
        with("HTTP/1.1 103 Early\r\n\r\n".repeat(1000) + "HTTP/1.1 200 OK\r\n" + end, 9,
                (client, rogue) -> {
            RochefortException e = assertThrows(RochefortException.class,
                    () -> client.append("id", new byte[1]));
            assertTrue(e.getMessage().contains("interim"), e.getMessage());
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1\r\n", "\r\n", "g\r\n", "5 5\r\n", "fffffffffffffffff\r\n",
        "3\r\n" + "{\"o" + "ff", "3;" /* followed by a line that never ends */})
    void malformedChunks(String chunk) throws Exception {
        with("HTTP/1.1 200 OK\r\n" + JSON + "Transfer-Encoding: chunked\r\n\r\n" + chunk
                + "x".repeat(40_000), 9, (client, rogue) ->
            assertTrue(assertThrows(RochefortException.class,
                    () -> client.append("id", new byte[1])).mayHaveHappened()));
    }

    @Test
    void trailersThatNeverEnd() throws Exception {
        with("HTTP/1.1 200 OK\r\n" + JSON + "Transfer-Encoding: chunked\r\n\r\n18\r\n" + OFFSET
                + "\r\n0\r\n" + "X: y\r\n".repeat(20_000), 9, (client, rogue) ->
            assertTrue(assertThrows(RochefortException.class,
                    () -> client.append("id", new byte[1])).mayHaveHappened()));
    }

    @Test
    void idThatIsTooLongForAHead() throws Exception {
        with("", 9, (client, rogue) -> {
            RochefortException e = assertThrows(RochefortException.class,
                    () -> client.append("x".repeat(70_000), new byte[1]));
            assertEquals(false, e.mayHaveHappened());
            assertEquals(0, rogue.requests.size());
        });
    }
}
