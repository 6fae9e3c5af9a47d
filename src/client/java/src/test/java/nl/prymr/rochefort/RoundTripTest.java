package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is appended comes back: sizes, names, many at once. Against the real server. */
@Tag("server")
class RoundTripTest {
    private static final int HEADER_BYTES = 16; // of a record, before its value

    private static RealServer server;
    private static Client client;

    @BeforeAll
    static void start() throws Exception {
        server = new RealServer("-buckets", "3");
        client = new Client(server.url());
    }

    @AfterAll
    static void stop() throws Exception {
        client.close();
        server.close();
    }

    private static byte[] random(long seed, int bytes) {
        byte[] value = new byte[bytes];
        new Random(seed).nextBytes(value);
        return value;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 100, 4095, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 1 << 20,
        (1 << 20) + 1, 16 << 20})
    void sizes(int bytes) throws Exception {
        byte[] value = random(bytes, bytes);
        long offset = client.append("sizes", "id", value);
        assertArrayEquals(value, client.get("sizes", "id", offset));
        List<byte[]> twice = client.getMulti("sizes", "id", new long[] {offset, offset});
        assertEquals(2, twice.size());
        assertArrayEquals(value, twice.get(0));
        assertArrayEquals(value, twice.get(1));
        long again = client.appendAsync("sizes", "id", value).get();
        assertEquals(offset + HEADER_BYTES + bytes, again);
        assertArrayEquals(value, client.getAsync("sizes", "id", again).get());
    }

    @Test
    void defaultPrefix() throws Exception {
        byte[] value = random(1, 50);
        long offset = client.append("id", value);
        assertArrayEquals(value, client.get("id", offset));
        assertArrayEquals(value, client.get("", "id", offset));
        assertArrayEquals(value, client.get(null, "id", offset));
        assertArrayEquals(value, client.get("default", "id", offset));
        assertArrayEquals(value, client.getAsync("id", offset).get());
        assertArrayEquals(value, client.getMulti("id", new long[] {offset}).get(0));
        assertArrayEquals(value, client.getMultiAsync("id", new long[] {offset}).get().get(0));
        assertArrayEquals(value, client.getMultiIterator("id", new long[] {offset}).next());
        long next = client.appendAsync("id", value).get();
        assertEquals(offset + HEADER_BYTES + value.length, next);
    }

    @Test
    void urlWithTrailingSlash() throws Exception {
        try (Client other = new Client(new URL(server.url() + "/"))) {
            byte[] value = random(2, 5);
            assertArrayEquals(value, client.get("id", other.append("id", value)));
        }
    }

    @Test
    void encodedOffsets() throws Exception {
        byte[] first = random(3, 10);
        byte[] second = random(4, 20);
        long[] offsets = {client.append("e", "id", first), client.append("e", "id", second)};
        ByteBuffer encoded = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
        encoded.putLong(offsets[1]).putLong(offsets[0]);
        List<byte[]> values = client.getMulti("e", "id", encoded.array());
        assertArrayEquals(second, values.get(0));
        assertArrayEquals(first, values.get(1));
        assertEquals(2, values.size());
        assertEquals(2, client.getMulti("e", "id", offsets).size());
        assertTrue(client.getMulti("id", new byte[0]).isEmpty());
    }

    @ParameterizedTest
    @ValueSource(strings = {"a b", "a&b", "a+b", "a%b", "a%20b", "äöü ß", "😀", "a=b", "a;b", "a#b",
        "a?b", "\"'<>\\", "a,b~*!()", "日本", "-", "~"})
    void names(String name) throws Exception {
        byte[] value = ("value of " + name).getBytes(UTF_8);
        long offset = client.append(name, name, value);
        assertArrayEquals(value, client.get(name, name, offset));
        assertArrayEquals(value, client.getMulti(name, name, new long[] {offset}).get(0));
        // The prefix is a directory, so its name says what has arrived.
        assertTrue(Files.isDirectory(server.root().resolve(name)), name);
        client.close(name);
        client.closeAsync(name).get();
        assertArrayEquals(value, client.get(name, name, offset));
    }

    /** With so many buckets that each id has a file of its own, in which its value is the first. */
    @Test
    void idsThatOnlyLookAlike() throws Exception {
        List<String> ids = List.of("a b", "a+b", "a%20b", "a%2Bb", "a", " a b", "A B");
        try (RealServer many = new RealServer("-buckets", "1024");
                Client other = new Client(many.url())) {
            for (String id : ids) {
                assertEquals(0, other.append("p", id, id.getBytes(UTF_8)), id);
            }
            for (String id : ids) {
                assertEquals(id, new String(other.get("p", id, 0), UTF_8));
            }
        }
    }

    @Test
    void twentyThreads() throws Exception {
        int threads = 20;
        int each = 50;
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<Future<Integer>> results = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            int thread = i;
            results.add(pool.submit(() -> writeAndReadBack(thread, each)));
        }
        int values = 0;
        for (Future<Integer> result : results) {
            values += result.get();
        }
        pool.shutdown();
        assertEquals(threads * each, values);
    }

    private static int writeAndReadBack(int thread, int count) throws Exception {
        String prefix = "threads " + thread % 3;
        String id = "id " + thread;
        long[] offsets = new long[count];
        for (int i = 0; i < count; i++) {
            byte[] value = random(thread * 1000L + i, 1 + i * 97);
            offsets[i] = client.append(prefix, id, value);
        }
        List<byte[]> values = client.getMulti(prefix, id, offsets);
        for (int i = 0; i < count; i++) {
            byte[] expected = random(thread * 1000L + i, 1 + i * 97);
            assertArrayEquals(expected, values.get(i));
            assertArrayEquals(expected, client.get(prefix, id, offsets[i]));
        }
        return values.size();
    }

    @Test
    void manyAsynchronously() throws Exception {
        int count = 2000;
        List<CompletableFuture<byte[]>> roundTrips = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String id = "id" + i % 7;
            byte[] value = random(i, 1 + i % 300);
            roundTrips.add(client.appendAsync("async", id, value)
                    .thenCompose(offset -> client.getAsync("async", id, offset)));
        }
        for (int i = 0; i < count; i++) {
            assertArrayEquals(random(i, 1 + i % 300), roundTrips.get(i).get());
        }
    }

    @Test
    void closedPrefixCanBeDeleted() throws Exception {
        byte[] value = random(5, 10);
        client.append("gone", "id", value);
        client.close("gone");
        for (int bucket = 0; bucket < 3; bucket++) {
            Files.delete(server.root().resolve("gone/append." + bucket + ".raw"));
        }
        Files.delete(server.root().resolve("gone/MANIFEST"));
        Files.delete(server.root().resolve("gone"));
        assertEquals(0, client.append("gone", "id", value));
        assertArrayEquals(value, client.get("gone", "id", 0));
    }
}
