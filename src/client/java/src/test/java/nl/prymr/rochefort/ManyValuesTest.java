package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** getMulti with more than one request takes, and more than memory takes. */
@Tag("server")
class ManyValuesTest {
    private static final int REQUEST_MAX = 1_048_576;

    private static RealServer server;
    private static Client client;

    @BeforeAll
    static void start() throws Exception {
        server = new RealServer("-buckets", "1");
        client = new Client(server.url());
    }

    @AfterAll
    static void stop() throws Exception {
        client.close();
        server.close();
    }

    private static long append(String prefix, String id, byte[] value) throws Exception {
        return client.append(prefix, id, value);
    }

    @Test
    void moreThanOneRequestInOneList() throws Exception {
        long a = append("list", "id", "a".getBytes(UTF_8));
        long b = append("list", "id", "bb".getBytes(UTF_8));
        long[] offsets = new long[REQUEST_MAX + 3];
        Arrays.fill(offsets, a);
        offsets[0] = b;
        offsets[REQUEST_MAX] = b;
        for (List<byte[]> values : List.of(client.getMulti("list", "id", offsets),
                client.getMultiAsync("list", "id", offsets).get())) {
            assertEquals(offsets.length, values.size());
            for (int i = 0; i < offsets.length; i++) {
                assertEquals(offsets[i] == b ? 2 : 1, values.get(i).length, "value " + i);
            }
        }
    }

    @Test
    void closeWaitsForAllRequests() throws Exception {
        long[] offsets = new long[2 * REQUEST_MAX + 1];
        Arrays.fill(offsets, append("close", "id", "a".getBytes(UTF_8)));
        Client closed = new Client(server.url());
        CompletableFuture<List<byte[]>> values = closed.getMultiAsync("close", "id", offsets);
        closed.close();
        assertEquals(offsets.length, values.get(30, TimeUnit.SECONDS).size());
        assertThrows(GetMultiException.class, () -> closed.getMulti("close", "id", new long[1]));
    }

    @Test
    void failureInTheSecondRequest() throws Exception {
        long a = append("second", "id", "a".getBytes(UTF_8));
        long[] offsets = new long[REQUEST_MAX + 3];
        Arrays.fill(offsets, a);
        offsets[REQUEST_MAX + 1] = a + 5;
        GetMultiException e = assertThrows(GetMultiException.class,
                () -> client.getMulti("second", "id", offsets));
        assertEquals(REQUEST_MAX + 1, e.index());
        assertEquals(a + 5, e.offset());
        assertEquals(REQUEST_MAX + 1, e.values().size());
    }

    @Test
    void iteratorOverTwoRequests() throws Exception {
        long a = append("iterator", "id", "a".getBytes(UTF_8));
        long[] offsets = new long[REQUEST_MAX + 2];
        Arrays.fill(offsets, a);
        int count = 0;
        try (ValueIterator values = client.getMultiIterator("iterator", "id", offsets)) {
            while (values.hasNext()) {
                assertEquals(1, values.next().length);
                count++;
            }
            assertThrows(NoSuchElementException.class, values::next);
        }
        assertEquals(offsets.length, count);
    }

    /** Values of twice the memory that the machine may use go through. */
    @Test
    void iteratorInBoundedMemory() throws Exception {
        byte[] value = new byte[8 << 20];
        new Random(1).nextBytes(value);
        long offset = append("memory", "id", value);
        int count = (int) (2 * Runtime.getRuntime().maxMemory() / value.length);
        long[] offsets = new long[count];
        Arrays.fill(offsets, offset);
        try (ValueIterator values = client.getMultiIterator("memory", "id", offsets)) {
            for (int i = 0; i < count; i++) {
                assertArrayEquals(value, values.next(), "value " + i);
            }
            assertFalse(values.hasNext());
        }
    }

    @Test
    void iteratorTellsWhatFailed() throws Exception {
        long a = append("fails", "id", "a".getBytes(UTF_8));
        long b = append("fails", "id", "bb".getBytes(UTF_8));
        ValueIterator values =
                client.getMultiIterator("fails", "id", new long[] {b, a, 3, a});
        assertArrayEquals("bb".getBytes(UTF_8), values.next());
        assertArrayEquals("a".getBytes(UTF_8), values.next());
        for (int again = 0; again < 2; again++) {
            UncheckedIOException e = assertThrows(UncheckedIOException.class, values::hasNext);
            GetMultiException why = (GetMultiException) e.getCause();
            assertEquals(2, why.index());
            assertEquals(3, why.offset());
            assertEquals(200, why.status());
            assertTrue(why.serverText().contains("offset 3 "), why.serverText());
            assertTrue(why.values().isEmpty());
        }
        values.close();
        assertFalse(values.hasNext());
    }

    @Test
    void iteratorThatIsNotWanted() throws Exception {
        byte[] value = new byte[1 << 20];
        long offset = append("left", "id", value);
        long[] offsets = new long[64];
        Arrays.fill(offsets, offset);
        try (Client one = Client.builder(server.url()).maxConnections(1).build()) {
            for (int i = 0; i < 3; i++) { // each waits for ever if one keeps its place
                ValueIterator values = one.getMultiIterator("left", "id", offsets);
                assertEquals(value.length, values.next().length);
                values.close();
                assertFalse(values.hasNext());
                assertThrows(NoSuchElementException.class, values::next);
            }
            one.getMultiIterator("left", "id", offsets).next();
        } // closes the client with an iterator open
    }

    @Test
    void noOffsets() throws Exception {
        assertFalse(client.getMultiIterator("none", "id", new long[0]).hasNext());
        assertTrue(client.getMulti("none", "id", new long[0]).isEmpty());
        assertTrue(client.getMultiAsync("none", "id", new long[0]).get().isEmpty());
    }
}
