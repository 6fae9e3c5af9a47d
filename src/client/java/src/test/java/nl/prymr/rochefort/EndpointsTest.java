package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Many values at once, expected ends, parts of values, lists. Against the real server. */
@Tag("server")
class EndpointsTest {
    private static final int HEADER_BYTES = 16; // of a record, before its value
    private static final byte[] VALUE = "0123456789".getBytes(UTF_8);

    private static RealServer server;
    private static Client client;

    @BeforeAll
    static void start() throws Exception {
        server = new RealServer("-buckets", "3", "-max-value", "100000", "-max-batch", "200000");
        client = new Client(server.url());
    }

    @AfterAll
    static void stop() throws Exception {
        client.close();
        server.close();
    }

    private static RochefortException failure(CompletableFuture<?> future) {
        return (RochefortException) assertThrows(ExecutionException.class, future::get).getCause();
    }

    private static List<byte[]> values(int count) {
        Random random = new Random(count);
        List<byte[]> values = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] value = new byte[1 + i % 37];
            random.nextBytes(value);
            values.add(value);
        }
        return values;
    }

    private static void same(List<byte[]> expected, List<byte[]> actual) {
        assertEquals(expected.size(), actual.size());
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), actual.get(i), "value " + i);
        }
    }

    @Test
    void appendMulti() throws Exception {
        for (int count : new int[] {1, 2, 8192, 8193}) {
            List<byte[]> values = values(count);
            long[] offsets = client.appendMulti("multi", "i d", values);
            for (int i = 1; i < count; i++) {
                assertEquals(offsets[i - 1] + HEADER_BYTES + values.get(i - 1).length, offsets[i]);
            }
            same(values, client.getMulti("multi", "i d", offsets));
            same(values, client.getMulti("multi", "i d",
                    client.appendMultiAsync("multi", "i d", values).get()));
        }
        same(values(3), client.getMulti("id", client.appendMulti("id", values(3))));
        same(values(3), client.getMulti("id", client.appendMultiAsync("id", values(3)).get()));
    }

    @Test
    void appendMultiOfNothing() throws Exception {
        assertEquals(0, client.appendMulti("nothing", "id", List.of()).length);
        assertEquals(0, client.appendMultiAsync("nothing", "id", List.of()).get().length);
        assertFalse(client.prefixes().contains("nothing"));
    }

    @Test
    void appendMultiIsAllOrNothing() throws Exception {
        client.append("all", "id", VALUE);
        long[] before = client.ends("all").ends();
        RochefortException e = assertThrows(RochefortException.class, () -> client
                .appendMulti("all", "id", List.of(VALUE, new byte[100_001], VALUE)));
        assertEquals(413, e.status());
        assertFalse(e.mayHaveHappened());
        e = failure(client.appendMultiAsync("all", "id",
                List.of(new byte[99_999], new byte[99_999], VALUE)));
        assertEquals(413, e.status());
        assertFalse(e.mayHaveHappened());
        assertArrayEquals(before, client.ends("all").ends());
    }

    @Test
    void wrongArgumentsAreNamed() {
        List<byte[]> withNull = Arrays.asList(VALUE, null);
        named("values[1]", () -> client.appendMulti("id", withNull));
        named("values", () -> client.appendMultiAsync("id", null));
        named("id", () -> client.appendMulti(null, List.of(VALUE)));
        named("id", () -> client.getRange("p", null, 0, 0, 1));
        named("data", () -> client.append("id", null, 0));
        named("url", () -> new Client((URL) null));
        assertTrue(assertThrows(IllegalArgumentException.class,
                () -> client.appendMulti("id", List.of(VALUE, VALUE, new byte[0])))
                .getMessage().contains("values[2]"));
        List<byte[]> tooMany = Collections.nCopies(ValueFrames.REQUEST_MAX + 1, VALUE);
        assertThrows(IllegalArgumentException.class, () -> client.appendMulti("id", tooMany));
        List<byte[]> tooLong = Collections.nCopies(2048, new byte[1 << 20]);
        assertThrows(IllegalArgumentException.class, () -> client.appendMulti("id", tooLong));
        assertThrows(IllegalArgumentException.class, () -> client.append("id", VALUE, -1));
        assertThrows(IllegalArgumentException.class, () -> client.appendAsync("id", VALUE, -1));
        assertThrows(IllegalArgumentException.class, () -> client.getRange("id", 0, -1, 1));
        assertThrows(IllegalArgumentException.class, () -> client.getRangeAsync("id", 0, 0, 0));
    }

    private static void named(String argument, Executable call) {
        assertEquals(argument, assertThrows(NullPointerException.class, call).getMessage());
    }

    @Test
    void expectedOffset() throws Exception {
        assertEquals(0, client.append("expect", "id", VALUE, 0));
        long end = HEADER_BYTES + VALUE.length;
        UnexpectedEndException e = assertThrows(UnexpectedEndException.class,
                () -> client.append("expect", "id", VALUE, 0));
        assertEquals(412, e.status());
        assertEquals(end, e.end());
        assertFalse(e.mayHaveHappened());
        assertTrue(e.getMessage().contains("412 the end is " + end), e.getMessage());
        e = (UnexpectedEndException) failure(client.appendAsync("expect", "id", VALUE, end + 1));
        assertEquals(end, e.end());
        assertEquals(end, client.appendAsync("expect", "id", VALUE, e.end()).get());
        long next = client.append("some id", VALUE) + end;
        assertEquals(next, client.append("some id", VALUE, next));
        assertEquals(next + end, client.appendAsync("some id", VALUE, next + end).get());
    }

    @Test
    void oneOfManyThatExpectTheSame() throws Exception {
        List<CompletableFuture<Long>> appends = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            appends.add(client.appendAsync("race", "id", VALUE, 0));
        }
        int stored = 0;
        for (CompletableFuture<Long> append : appends) {
            try {
                assertEquals(0, append.get());
                stored++;
            } catch (ExecutionException e) {
                assertEquals(HEADER_BYTES + VALUE.length,
                        ((UnexpectedEndException) e.getCause()).end());
            }
        }
        assertEquals(1, stored);
    }

    @Test
    void ranges() throws Exception {
        byte[] value = values(37).get(36);
        long offset = client.append("range", "id", value);
        for (int from = 0; from < value.length; from++) {
            for (int length : new int[] {1, 2, 37, 38, Integer.MAX_VALUE}) {
                byte[] expected = Arrays.copyOfRange(value, from,
                        (int) Math.min(value.length, (long) from + length));
                assertArrayEquals(expected, client.getRange("range", "id", offset, from, length));
            }
        }
        assertArrayEquals(new byte[] {value[36]},
                client.getRangeAsync("range", "id", offset, 36, 5).get());
        for (long from : new long[] {37, 1L << 40, Long.MAX_VALUE}) {
            assertEquals(416, assertThrows(RochefortException.class,
                    () -> client.getRange("range", "id", offset, from, 5)).status());
        }
        assertEquals(404, failure(client.getRangeAsync("range", "id", offset + 1, 0, 1)).status());
        long other = client.append("id", VALUE);
        assertEquals("345", new String(client.getRange("id", other, 3, 3), UTF_8));
        assertEquals("9", new String(client.getRangeAsync("id", other, 9, 3).get(), UTF_8));
    }

    @Test
    void rangeOfALongValue() throws Exception {
        byte[] value = new byte[90_000];
        new Random(7).nextBytes(value);
        long offset = client.append("long", "id", value);
        assertArrayEquals(Arrays.copyOfRange(value, 5, 80_005),
                client.getRange("long", "id", offset, 5, 80_000));
    }

    @Test
    void multiEach() throws Exception {
        List<byte[]> values = values(3);
        long[] offsets = client.appendMulti("each", "id", values);
        long[] asked = {offsets[2], offsets[0] + 1, offsets[1], Long.MAX_VALUE, offsets[1]};
        for (List<MultiResult> results : List.of(client.getMultiEach("each", "id", asked),
                client.getMultiEachAsync("each", "id", asked).get())) {
            for (int i = 0; i < asked.length; i++) {
                MultiResult result = results.get(i);
                boolean there = i % 2 == 0;
                assertEquals(asked[i], result.offset());
                assertEquals(there ? 200 : 404, result.status());
                assertArrayEquals(there ? values.get(i == 0 ? 2 : 1) : null, result.value());
                assertEquals(there, result.text().isEmpty(), result.text());
            }
            assertEquals(asked.length, results.size());
        }
        assertEquals(List.of(), client.getMultiEach("id", new long[0]));
        long other = client.append("id", VALUE);
        assertArrayEquals(VALUE, client.getMultiEach("id", new long[] {other}).get(0).value());
        assertArrayEquals(VALUE,
                client.getMultiEachAsync("id", new long[] {other}).get().get(0).value());
        assertEquals(404, assertThrows(RochefortException.class,
                () -> client.getMultiEach("none", "id", new long[] {0})).status());
    }

    @Test
    void ends() throws Exception {
        long length = HEADER_BYTES + VALUE.length;
        client.append("ends", "id", VALUE);
        client.append("ends", "id", VALUE);
        PrefixInfo info = client.ends("ends");
        assertEquals(3, info.buckets());
        assertEquals("xxh3", info.hash());
        long[] ends = info.ends();
        Arrays.sort(ends);
        assertArrayEquals(new long[] {0, 0, 2 * length}, ends);
        assertEquals(2 * length, info.end(0) + info.end(1) + info.end(2));
        assertThrows(IndexOutOfBoundsException.class, () -> info.end(3));
        assertArrayEquals(info.ends(), client.endsAsync("ends").get().ends());
        client.append("id", VALUE);
        assertEquals(3, client.ends().buckets());
        assertEquals(3, client.endsAsync().get().buckets());
        assertEquals(404,
                assertThrows(RochefortException.class, () -> client.ends("none")).status());
    }

    /** More than one page has. */
    @Test
    void prefixes() throws Exception {
        try (RealServer many = new RealServer("-buckets", "1");
                Client other = new Client(many.url())) {
            assertEquals(List.of(), other.prefixes());
            List<String> expected = new ArrayList<>(List.of("a b", "a+b%", "ä&", "日本", "😀"));
            for (String prefix : expected) {
                assertEquals(0, other.append(prefix, "id", VALUE));
            }
            for (int i = 1000; i < 2000; i++) { // as the server makes them, but sooner
                Path prefix = Files.createDirectory(many.root().resolve("p" + i));
                Files.writeString(prefix.resolve("MANIFEST"),
                        "rochefort 1\nbuckets 1\nhash xxh3\n");
                expected.add("p" + i);
            }
            expected.sort((a, b) -> Arrays.compareUnsigned(a.getBytes(UTF_8), b.getBytes(UTF_8)));
            assertEquals(expected, other.prefixes());
            assertEquals(expected, other.prefixesAsync().get());
        }
    }
}
