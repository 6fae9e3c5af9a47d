package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Replies of the endpoints for many values, parts and lists that are cut short, too long or make no
 * sense: always an exception, never a wrong value, and no memory for what is only announced.
 */
class WrongReplyTest {
    private static final String VALUE = "application/octet-stream";
    private static final String JSON = "application/json";
    private static final List<byte[]> TWO = List.of(new byte[5], new byte[7]);

    private interface Call<T> {
        T run(Client client) throws Exception;
    }

    /** What {@code call} returns if the server answers all its requests so, one after the other. */
    private static <T> T answered(Call<T> call, String... replies) throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            for (String reply : replies) {
                connection.read();
                connection.write(reply);
            }
        }); Client client = new Client(rogue.url())) {
            try {
                return call.run(client);
            } finally {
                assertEquals(replies.length, rogue.requests.size(), "each request is sent once");
            }
        }
    }

    private static RochefortException fails(Call<?> call, String... replies) {
        return assertThrows(RochefortException.class, () -> answered(call, replies),
                () -> String.join("", replies));
    }

    private static String head(String status, String type) {
        return "HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\n";
    }

    private static String sized(String head, String body) {
        return head + "Content-Length: " + body.length() + "\r\n\r\n" + body;
    }

    private static String chunked(String head, String body) {
        String chunk = body.isEmpty() ? "" : Integer.toHexString(body.length()) + "\r\n" + body
                + "\r\n";
        return head + "Transfer-Encoding: chunked\r\n\r\n" + chunk + "0\r\n\r\n";
    }

    private static String json(String body) {
        return sized(head("200 OK", JSON), body);
    }

    private static String offsets(long... offsets) {
        ByteBuffer bytes =
                ByteBuffer.allocate(offsets.length * 8).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(offsets);
        return new String(bytes.array(), ISO_8859_1);
    }

    private static long[] appendTwo(Client client) throws Exception {
        return client.appendMulti("id", TWO);
    }

    @Test
    void appendMulti() throws Exception {
        String ok = head("200 OK", VALUE);
        for (String reply : new String[] {sized(ok, offsets(100, 121)),
            chunked(ok, offsets(100, 121)), ok + "\r\n" + offsets(100, 121)}) {
            assertArrayEquals(new long[] {100, 121},
                    answered(WrongReplyTest::appendTwo, reply), reply);
        }
        for (String wrong : new String[] {"", offsets(100), offsets(100, 121, 142),
            offsets(100, 121) + "x", offsets(100, 121).substring(1), offsets(-1, 121),
            offsets(100, 100), offsets(121, 100), offsets(100, Long.MIN_VALUE)}) {
            for (String reply : new String[] {sized(ok, wrong), chunked(ok, wrong),
                ok + "\r\n" + wrong}) {
                RochefortException e = fails(WrongReplyTest::appendTwo, reply);
                assertTrue(e.mayHaveHappened(), "it was appended, but where?");
                assertEquals(200, e.status());
            }
        }
    }

    @Test
    void appendMultiCut() {
        String whole = sized(head("200 OK", VALUE), offsets(100, 121));
        for (int bytes = 0; bytes < whole.length(); bytes++) {
            assertTrue(fails(WrongReplyTest::appendTwo, whole.substring(0, bytes))
                    .mayHaveHappened());
        }
    }

    @Test
    void appendMultiRefused() {
        String text = "disk full";
        RochefortException e =
                fails(WrongReplyTest::appendTwo, sized(head("507 Full", "text/plain"), text));
        assertFalse(e.mayHaveHappened());
        assertEquals(text, e.serverText());
        assertTrue(fails(WrongReplyTest::appendTwo, sized(head("502 Bad", "text/html"), text))
                .mayHaveHappened());
    }

    @Test
    void unexpectedEnd() {
        Call<Long> append = client -> client.append("id", new byte[1], 5);
        String head = head("412 Precondition Failed", "text/plain");
        UnexpectedEndException e = (UnexpectedEndException) fails(append,
                sized(head + "rochefort-tail:  9223372036854775807 \r\n", "the end is 7"));
        assertEquals(Long.MAX_VALUE, e.end());
        assertEquals("the end is 7", e.serverText());
        assertFalse(e.mayHaveHappened());
        // A proxy's, with another condition: nothing is known of the end.
        assertEquals(RochefortException.class, fails(append, sized(head, "no")).getClass());
        for (String tail : new String[] {"", "x", "-1", "9223372036854775808"}) {
            RochefortException malformed =
                    fails(append, sized(head + "Rochefort-Tail: " + tail + "\r\n", "no"));
            assertEquals(RochefortException.class, malformed.getClass());
            assertTrue(malformed.getMessage().contains("Rochefort-Tail"), malformed.getMessage());
        }
    }

    private static String each(int status, String text) {
        return new String(new byte[] {0, 0, 0, 0, (byte) status, (byte) (status >> 8),
            (byte) text.length(), (byte) (text.length() >> 8)}, ISO_8859_1) + text;
    }

    private static List<MultiResult> threeEach(Client client) throws Exception {
        return client.getMultiEach("id", new long[] {70, 71, 72});
    }

    @Test
    void multiEach() throws Exception {
        String ok = head("200 OK", VALUE);
        String text = "no record starts there\n";
        String body = each(404, text) + "\3\0\0\0abc" + each(200, "");
        for (String reply : new String[] {sized(ok, body), chunked(ok, body),
            ok + "\r\n" + body}) {
            List<MultiResult> results = answered(WrongReplyTest::threeEach, reply);
            assertEquals(3, results.size());
            assertEquals(404, results.get(0).status());
            assertEquals("no record starts there", results.get(0).text());
            assertNull(results.get(0).value());
            assertEquals(70, results.get(0).offset());
            assertEquals("abc", new String(results.get(1).value(), ISO_8859_1));
            assertEquals("", results.get(1).text());
            assertEquals(71, results.get(1).offset());
            assertEquals(200, results.get(2).status());
            assertEquals(0, results.get(2).value().length);
        }
        for (int bytes = 0; bytes < body.length(); bytes++) {
            String part = body.substring(0, bytes);
            fails(WrongReplyTest::threeEach, sized(ok, part));
            fails(WrongReplyTest::threeEach, chunked(ok, part));
            fails(WrongReplyTest::threeEach, sized(ok, body).substring(0, ok.length() + bytes));
        }
        String longest = "x".repeat(65_535);
        assertEquals(longest, answered(WrongReplyTest::threeEach, sized(ok, each(500, longest)
                + each(500, "") + each(599, "y"))).get(0).text());
    }

    @Test
    void multiEachThatMakesNoSense() {
        String ok = head("200 OK", VALUE);
        String value = "\1\0\0\0a";
        for (String wrong : new String[] {each(0, ""), each(200, "text"), each(399, "x"),
            each(600, "x"), each(65_535, ""), "\0\0\0\0no record starts there", // not told to go on
            "\u00ff\u00ff\u00ff\u007fb", "\u00ff\u00ff\u00ff\u00ffb"}) {
            RochefortException e = fails(WrongReplyTest::threeEach,
                    chunked(ok, value + wrong + value));
            assertEquals(200, e.status());
            fails(WrongReplyTest::threeEach, sized(ok, value + wrong + value));
        }
        fails(WrongReplyTest::threeEach, sized(ok, value + value + value + value));
        fails(WrongReplyTest::threeEach, sized(ok, value + value + value + each(404, "no")));
        assertEquals(404, fails(WrongReplyTest::threeEach,
                sized(head("404 No", "text/plain"), "no such prefix")).status());
    }

    private static byte[] part(Client client) throws Exception {
        return client.getRange("id", 0, 10, 5);
    }

    private static String ranged(String contentRange) {
        return head("206 Partial Content", VALUE) + "Content-Range: " + contentRange + "\r\n";
    }

    @Test
    void range() throws Exception {
        byte[] whole = "abcde".getBytes(ISO_8859_1);
        for (String head : new String[] {ranged("bytes 10-14/15"), ranged("bytes 10-14/100")}) {
            assertArrayEquals(whole, answered(WrongReplyTest::part, sized(head, "abcde")));
            assertArrayEquals(whole, answered(WrongReplyTest::part, chunked(head, "abcde")));
        }
        assertArrayEquals(Arrays.copyOf(whole, 2),
                answered(WrongReplyTest::part, sized(ranged("bytes 10-11/12"), "ab")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "bytes", "bytes 10-14/*", "bytes */15", "bytes 10-14",
        "bytes 9-13/100", "bytes 11-15/100", "bytes 10-13/100", "bytes 10-15/100", "items 10-14/15",
        "bytes 10-9/10", "bytes 10-14/14", "bytes -14/15", "bytes 10-99999999999999999999/15",
        "bytes 10-14/15/", "abcdef 10-14/15"})
    void wrongRange(String contentRange) {
        fails(WrongReplyTest::part, sized(ranged(contentRange), "abcde"));
    }

    @Test
    void rangeOfAnotherLength() {
        for (String body : new String[] {"", "abcd", "abcdef"}) {
            fails(WrongReplyTest::part, sized(ranged("bytes 10-14/100"), body));
            fails(WrongReplyTest::part, chunked(ranged("bytes 10-14/100"), body));
        }
        fails(WrongReplyTest::part,
                sized(ranged("bytes 10-14/100"), "abcde").replace(": 5", ": 6"));
        fails(WrongReplyTest::part, sized(ranged("bytes 9-14/100"), "abcdef"));
        // The whole value is not the part, even if it is as long.
        fails(WrongReplyTest::part, sized(head("200 OK", VALUE), "abcde"));
        fails(WrongReplyTest::part, sized(head("206 Part", VALUE), "abcde"));
        // Two gigabytes are announced, and are not allocated.
        fails(client -> client.getRange("id", 0, 0, Integer.MAX_VALUE - 8),
                ranged("bytes 0-2147483638/4000000000")
                        + "Content-Length: 2147483639\r\n\r\nabcde");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{}", "{\"buckets\":2,\"hash\":\"xxh3\",\"ends\":[0]}",
        "{\"buckets\":1,\"hash\":\"xxh3\",\"ends\":[0,0]}",
        "{\"buckets\":0,\"hash\":\"xxh3\",\"ends\":[]}",
        "{\"buckets\":1,\"hash\":\"xxh3\",\"ends\":[-1]}",
        "{\"buckets\":1,\"hash\":\"xxh3\",\"ends\":[1,]}",
        "{\"buckets\":1,\"hash\":\"xx\\\"3\",\"ends\":[1]}",
        "{\"buckets\":1,\"hash\":\"xxh3\",\"ends\":[1]}}",
        "{\"buckets\":1,\"hash\":\"xxh3\",\"ends\":[1]"})
    void ends(String body) {
        fails(client -> client.ends("p"), json(body));
    }

    @Test
    void endsThatAreRight() throws Exception {
        PrefixInfo info = answered(client -> client.ends("p"),
                json("{\"buckets\":2,\"hash\":\"fnv1a\",\"ends\":[0,9223372036854775807]}"));
        assertArrayEquals(new long[] {0, Long.MAX_VALUE}, info.ends());
        assertEquals("fnv1a", info.hash());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{\"prefixes\":[]}", "{\"prefixes\":[],\"more\":true}",
        "{\"prefixes\":[\"a\" \"b\"],\"more\":false}", "{\"prefixes\":[\"a\",],\"more\":false}",
        "{\"prefixes\":[,\"a\"],\"more\":false}", "{\"prefixes\":[\"a\"],\"more\":maybe}",
        "{\"prefixes\":[\"\"],\"more\":false}", "{\"prefixes\":[\"a%2\"],\"more\":false}",
        "{\"prefixes\":[\"a%xy\"],\"more\":false}", "{\"prefixes\":[\"a/b\"],\"more\":false}",
        "{\"prefixes\":[\"a\\u0041\"],\"more\":false}", "{\"prefixes\":[\"ä\"],\"more\":false}",
        "{\"prefixes\":[\"b\",\"a\"],\"more\":false}",
        "{\"prefixes\":[\"a\",\"a\"],\"more\":false}",
        "{\"prefixes\":[\"%FF\",\"a\"],\"more\":false}", "{\"prefixes\":[\"a\"],\"more\":false}}"})
    void prefixes(String body) {
        fails(Client::prefixes, json(body));
    }

    @Test
    void pagesOfPrefixes() throws Exception {
        String first = json("{\"prefixes\":[\"a%20b\",\"b\"],\"more\":true}");
        assertEquals(List.of("a b", "b", "c"), answered(Client::prefixes, first,
                json("{\"prefixes\":[\"c\"],\"more\":false}")));
        assertEquals(List.of("a b", "b"), answered(Client::prefixes, first,
                json("{\"prefixes\":[],\"more\":false}")));
        // The same page for ever, and one before it.
        fails(Client::prefixes, first, first);
        fails(Client::prefixes, first, json("{\"prefixes\":[\"a\"],\"more\":false}"));
        fails(Client::prefixes, first, json("{\"prefixes\":[],\"more\":true}"));
    }
}
