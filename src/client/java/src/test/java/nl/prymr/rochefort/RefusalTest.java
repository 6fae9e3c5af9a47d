package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What the real server refuses, and how a program sees it. */
@Tag("server")
class RefusalTest {
    private static RealServer server;
    private static Client client;

    @BeforeAll
    static void start() throws Exception {
        server = new RealServer("-max-value", "1000");
        client = new Client(server.url());
    }

    @AfterAll
    static void stop() throws Exception {
        client.close();
        server.close();
    }

    private static long append(String prefix, byte[] value) throws Exception {
        return client.append(prefix, "id", value);
    }

    private static RochefortException refused(int status, String word, Executable call) {
        RochefortException e = assertThrows(RochefortException.class, call);
        assertEquals(status, e.status());
        assertTrue(e.serverText().contains(word), e.serverText());
        assertTrue(e.getMessage().endsWith(status + " " + e.serverText()), e.getMessage());
        assertFalse(e.mayHaveHappened());
        return e;
    }

    @Test
    void emptyId() {
        refused(400, "id", () -> client.append("", new byte[1]));
        refused(400, "id", () -> client.get("", 0));
    }

    @Test
    void emptyValue() {
        RochefortException e =
                refused(400, "empty", () -> client.append("p", "i d", new byte[0]));
        assertEquals("POST", e.method());
        assertEquals(URI.create(server.url() + "/append?id=i+d&storagePrefix=p"), e.uri());
    }

    @Test
    void valueTooLarge() throws Exception {
        refused(413, "1000",
                () -> client.append("id", new byte[1001]));
        append("", new byte[1000]);
    }

    @Test
    void badPrefix() {
        for (String prefix : new String[] {"a/b", "..", ".a", "a\nb", "x".repeat(256)}) {
            RochefortException e = assertThrows(RochefortException.class,
                    () -> client.append(prefix, "id", new byte[1]));
            assertEquals(400, e.status(), prefix);
            assertThrows(RochefortException.class, () -> client.close(prefix));
        }
    }

    @Test
    void unknownPrefix() {
        RochefortException e =
                assertThrows(RochefortException.class, () -> client.get("none", "id", 0));
        assertEquals(404, e.status());
        assertEquals("GET", e.method());
        assertEquals(URI.create(server.url() + "/get?id=id&offset=0&storagePrefix=none"), e.uri());
        GetMultiException multi = assertThrows(GetMultiException.class,
                () -> client.getMulti("none", "id", new long[] {17, 4}));
        assertEquals(404, multi.status());
        assertEquals(0, multi.index());
        assertEquals(17, multi.offset());
        assertTrue(multi.getMessage().endsWith(": offset 17 (index 0): 404 " + multi.serverText()),
                multi.getMessage());
        assertTrue(multi.values().isEmpty());
    }

    @Test
    void noRecordThere() throws Exception {
        append("wrong", new byte[100]);
        String file = server.root() + "/wrong/";
        RochefortException e =
                assertThrows(RochefortException.class, () -> client.get("wrong", "id", 7));
        assertEquals(404, e.status());
        assertTrue(e.serverText().contains("offset 7 of " + file), e.serverText());
        refused(400, "offset",
                () -> client.get("wrong", "id", -1));
    }

    @Test
    void thirdOffset() throws Exception {
        long a = append("third", "a".getBytes(UTF_8));
        long b = append("third", "bb".getBytes(UTF_8));
        long[] offsets = {b, a, b + 1, a};
        check(assertThrows(GetMultiException.class,
                () -> client.getMulti("third", "id", offsets)), b + 1);
        ExecutionException e = assertThrows(ExecutionException.class,
                () -> client.getMultiAsync("third", "id", offsets).get());
        check((GetMultiException) e.getCause(), b + 1);
    }

    private static void check(GetMultiException e, long offset) {
        assertEquals(200, e.status());
        assertEquals(2, e.index());
        assertEquals(offset, e.offset());
        assertTrue(e.serverText().contains("offset " + offset + " of "), e.serverText());
        assertTrue(e.getMessage().endsWith("index 2: " + e.serverText()), e.getMessage());
        assertEquals(2, e.getMessage().split("offset " + offset).length, e.getMessage());
        assertEquals(2, e.values().size());
        assertArrayEquals("bb".getBytes(UTF_8), e.values().get(0));
        assertArrayEquals("a".getBytes(UTF_8), e.values().get(1));
    }

    /** The connection is good afterwards: no refusal costs one. */
    @Test
    void asynchronous() throws Exception {
        try (Client one = Client.builder(server.url()).maxConnections(1).build()) {
            for (int i = 0; i < 100; i++) {
                ExecutionException e = assertThrows(ExecutionException.class,
                        () -> one.appendAsync("id", new byte[0]).get());
                assertEquals(400, ((RochefortException) e.getCause()).status());
            }
            one.append("id", new byte[1]);
        }
    }

    @Test
    void wrongArguments() {
        assertThrows(IllegalArgumentException.class, () -> client.append("\ud800", new byte[1]));
        assertThrows(IllegalArgumentException.class, () -> client.getAsync("\udc00", "id", 0));
        assertThrows(IllegalArgumentException.class, () -> client.getMulti("id", new byte[9]));
        assertThrows(NullPointerException.class, () -> client.append(null, new byte[1]));
        assertThrows(NullPointerException.class, () -> client.append("id", null));
        for (String url : new String[] {"", "localhost:8001", "ftp://localhost", "http://",
            "http://localhost/?a=b", "http://localhost/#a", "http://a@localhost/", "http://a b"}) {
            assertThrows(IllegalArgumentException.class, () -> new Client(url), url);
        }
    }
}
