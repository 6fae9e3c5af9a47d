package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Replies that are cut short or make no sense: always an exception, never a wrong value. */
class BrokenReplyTest {
    private static final String OK = "HTTP/1.1 200 OK\r\n";
    private static final String VALUE = "Content-Type: application/octet-stream\r\n";
    private static final String JSON = "Content-Type: application/json\r\n";
    private static final String TEXT = "Content-Type: text/plain\r\n";
    private static final String CHUNKED = "Transfer-Encoding: chunked\r\n";

    private interface Call {
        void run(Client client) throws Exception;
    }

    /** The failure of {@code call} if the server answers so and hangs up. */
    private static RochefortException fails(String reply, Call call) throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.write(reply);
        }); Client client = new Client(rogue.url())) {
            RochefortException e =
                    assertThrows(RochefortException.class, () -> call.run(client), reply);
            assertEquals(1, rogue.requests.size(), "sent once");
            return e;
        }
    }

    private static String length(int bytes) {
        return "Content-Length: " + bytes + "\r\n";
    }

    private static String value(int length, String value) {
        byte[] bytes = {(byte) length, (byte) (length >> 8), (byte) (length >> 16),
            (byte) (length >> 24)};
        return new String(bytes, ISO_8859_1) + value;
    }

    @ParameterizedTest
    @ValueSource(strings = {
        OK + VALUE + "Content-Length: 5\r\n\r\nabcd", // shorter than it says
        OK + VALUE + "Content-Length: 5\r\n\r\n",
        OK + VALUE + "Content-Length: 5\r\n", // cut in the head
        OK + VALUE + CHUNKED + "\r\n5\r\nabcd", // cut in a chunk
        OK + VALUE + CHUNKED + "\r\n5\r\nabcde\r\n", // cut between chunks
        OK + VALUE + CHUNKED + "\r\nx\r\nabcde\r\n0\r\n\r\n", // no chunk
        OK + VALUE + "\r\nabcde", // ends with the connection: who knows where
        OK + VALUE + "Content-Length: 5\r\n" + CHUNKED + "\r\nabcde",
        OK + VALUE + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        OK + VALUE + "Content-Length: -1\r\n\r\n",
        OK + VALUE + "Content-Length: 0\r\n\r\n", // there is no empty value
        OK + "Content-Type: text/html\r\nContent-Length: 5\r\n\r\nabcde", // somebody else
        OK + "Content-Length: 5\r\n\r\nabcde",
        OK + VALUE + "Content-Length: 4294967295\r\n\r\nabcde",
        "HTTP/1.1 206 Partial Content\r\n" + VALUE + "Content-Length: 5\r\n\r\nabcde",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n"})
    void get(String reply) throws Exception {
        fails(reply, client -> client.get("id", 0));
    }

    @Test
    void getFromAProxyThatChunks() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.write(OK + VALUE + CHUNKED + "\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
            connection.awaitEnd();
        }); Client client = new Client(rogue.url())) {
            assertArrayEquals("abcde".getBytes(UTF_8), client.get("id", 0));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{\"offset\":25}", "{\"offset\":25,\"file\":\"/a\"}\n",
        "{\"success\":true}", "{\"offset\":\"25\",\"file\":\"/a\"}", "<html></html>"})
    void append(String body) throws Exception {
        RochefortException e = fails(OK + JSON + length(body.length()) + "\r\n" + body,
                client -> client.append("id", new byte[1]));
        assertEquals(200, e.status());
        assertTrue(e.mayHaveHappened());
    }

    @Test
    void appendAnsweredByHalf() throws Exception {
        RochefortException e = fails(OK + JSON + length(28) + "\r\n{\"offset\":25,",
                client -> client.append("id", new byte[1]));
        assertTrue(e.mayHaveHappened());
        assertEquals(200, e.status());
        assertTrue(fails("", client -> client.append("id", new byte[1])).mayHaveHappened());
    }

    @Test
    void close() throws Exception {
        fails(OK + JSON + length(17) + "\r\n{\"success\":false}", client -> client.close("p"));
        fails("", client -> client.close("p"));
    }

    @Test
    void refusalCutShort() throws Exception {
        RochefortException e = fails("HTTP/1.1 507 Full\r\n" + TEXT + length(100) + "\r\nno spa",
                client -> client.append("id", new byte[1]));
        assertEquals(507, e.status());
        assertEquals("no spa", e.serverText());
        assertFalse(e.mayHaveHappened());
    }

    @Test
    void refusalThatNeverEnds() throws Exception {
        RochefortException e = fails(
                "HTTP/1.1 404 No\r\n" + TEXT + length(1_000_000) + "\r\n" + "x".repeat(20_000),
                client -> client.get("id", 0));
        assertEquals(404, e.status());
        assertEquals("x".repeat(8192), e.serverText());
    }

    @Test
    void badGatewaySaysNothingAboutTheAppend() throws Exception {
        for (String status : new String[] {"502 Bad Gateway", "504 Gateway Timeout"}) {
            assertTrue(fails("HTTP/1.1 " + status + "\r\n" + length(0) + "\r\n",
                    client -> client.append("id", new byte[1])).mayHaveHappened());
        }
        String retryAfter = "Retry-After: 1\r\n";
        for (String head : new String[] {"404 No\r\n", "500 Disk\r\n" + TEXT,
            "503 Full\r\n" + TEXT + retryAfter, "507 Full\r\n" + TEXT}) {
            assertFalse(fails("HTTP/1.1 " + head + length(0) + "\r\n",
                    client -> client.append("id", new byte[1])).mayHaveHappened(), head);
        }
        // These are not the server's: a proxy says so when it has lost its connection to it.
        for (String head : new String[] {"500 Oops\r\nContent-Type: text/html\r\n",
            "503 No\r\n", "503 No\r\n" + TEXT, "503 No\r\n" + retryAfter, "507 Full\r\n"}) {
            assertTrue(fails("HTTP/1.1 " + head + length(0) + "\r\n",
                    client -> client.append("id", new byte[1])).mayHaveHappened(), head);
        }
    }

    private static GetMultiException multi(String reply) throws Exception {
        return (GetMultiException) fails(reply,
                client -> client.getMulti("id", new long[] {70, 71, 72}));
    }

    private static void check(GetMultiException e, int index, String... values) {
        assertEquals(index, e.index());
        assertEquals(index == 3 ? -1 : 70 + index, e.offset());
        assertEquals(values.length, e.values().size());
        for (int i = 0; i < values.length; i++) {
            assertEquals(values[i], new String(e.values().get(i), UTF_8));
        }
        assertEquals("", e.serverText());
    }

    @Test
    void multiCutShort() throws Exception {
        String whole = value(1, "a") + value(2, "bb") + value(3, "ccc");
        for (int bytes = 0; bytes < whole.length(); bytes++) {
            String part = whole.substring(0, bytes);
            String[] values = bytes < 5 ? new String[0]
                    : bytes < 11 ? new String[] {"a"} : new String[] {"a", "bb"};
            // The connection breaks, in a body of known length and in chunks.
            check(multi(OK + VALUE + length(whole.length()) + "\r\n" + part), values.length,
                    values);
            String chunk = bytes == 0 ? "" : Integer.toHexString(bytes) + "\r\n" + part + "\r\n";
            check(multi(OK + VALUE + CHUNKED + "\r\n" + chunk), values.length, values);
            // The reply is well-formed and just ends too early.
            check(multi(OK + VALUE + CHUNKED + "\r\n" + chunk + "0\r\n\r\n"), values.length,
                    values);
        }
    }

    @Test
    void multiTooLong() throws Exception {
        String whole = value(1, "a") + value(2, "bb") + value(3, "ccc");
        check(multi(OK + VALUE + length(whole.length() + 1) + "\r\n" + whole + "x"), 3,
                "a", "bb", "ccc");
        check(multi(OK + VALUE + length(whole.length() + 4) + "\r\n" + whole + value(0, "")), 3,
                "a", "bb", "ccc");
    }

    @Test
    void multiWithALengthThatIsTooLarge() throws Exception {
        String first = value(1, "a");
        for (int length : new int[] {4, 5, 1 << 30, Integer.MAX_VALUE, -1}) {
            String body = first + value(length, "bbb");
            check(multi(OK + VALUE + length(body.length()) + "\r\n" + body), 1, "a");
            check(multi(OK + VALUE + CHUNKED + "\r\n" + Integer.toHexString(body.length()) + "\r\n"
                    + body + "\r\n0\r\n\r\n"), 1, "a");
        }
    }

    @Test
    void multiWithAReason() throws Exception {
        String body = value(1, "a") + value(0, "no record starts there\n");
        GetMultiException e = multi(OK + VALUE + length(body.length()) + "\r\n" + body);
        assertEquals(1, e.index());
        assertEquals(71, e.offset());
        assertEquals("no record starts there", e.serverText());
        assertFalse(e.mayHaveHappened());
        body = value(0, "x".repeat(10_000));
        e = multi(OK + VALUE + length(body.length()) + "\r\n" + body);
        assertEquals("x".repeat(8192), e.serverText());
    }

    @Test
    void iteratorCutShort() throws Exception {
        String part = value(1, "a") + value(2, "b");
        RochefortException e = fails(OK + VALUE + length(100) + "\r\n" + part, client -> {
            ValueIterator values = client.getMultiIterator("id", new long[] {70, 71, 72});
            assertArrayEquals("a".getBytes(UTF_8), values.next());
            throw (RochefortException) assertThrows(UncheckedIOException.class, values::next)
                    .getCause();
        });
        assertEquals(1, ((GetMultiException) e).index());
        assertEquals(71, ((GetMultiException) e).offset());
    }

    @Test
    void pathIsKept() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            while (connection.read() != null) {
                connection.appended(0);
            }
        }); Client client = new Client(rogue.url() + "/some/pa%20th/")) {
            client.append("ü +&%", "😀", new byte[1]);
            assertEquals("POST /some/pa%20th/append?id=%F0%9F%98%80"
                    + "&storagePrefix=%C3%BC+%2B%26%25 HTTP/1.1", rogue.requests.get(0).line());
        }
    }
}
