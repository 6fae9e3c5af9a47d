package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Appends that wait for the disk: which ask for it, and what comes of a disk that fails. */
class SyncTest {
    private static final byte[] VALUE = "value".getBytes(UTF_8);
    private static final int RECORD_BYTES = 16 + VALUE.length;

    private static Client waiting(String url) {
        return Client.builder(url).syncAppends(true).build();
    }

    private static List<String> targets(ClientBuilder builder, RogueServer rogue)
            throws Exception {
        int before = rogue.requests.size();
        try (Client client = builder.build()) {
            client.append("a", VALUE);
            client.append("p", "a", VALUE);
            client.appendAsync("a", VALUE).get();
            client.appendAsync("p", "a", VALUE).get();
            client.close("p");
        }
        List<String> targets = new ArrayList<>();
        for (RogueServer.Request request : rogue.requests.subList(before, rogue.requests.size())) {
            targets.add(request.line().split(" ")[1]);
        }
        return targets;
    }

    @Test
    void eachAppendAsksForIt() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            for (RogueServer.Request request = connection.read(); request != null;
                    request = connection.read()) {
                if (request.line().contains("/append?")) {
                    connection.appended(0);
                } else {
                    connection.reply("200 OK", "application/json", "{\"success\":true}");
                }
            }
        })) {
            ClientBuilder builder = Client.builder(rogue.url());
            List<String> plain = List.of("/append?id=a", "/append?id=a&storagePrefix=p",
                    "/append?id=a", "/append?id=a&storagePrefix=p", "/close?storagePrefix=p");
            List<String> synced = List.of("/append?id=a&sync=1",
                    "/append?id=a&storagePrefix=p&sync=1", "/append?id=a&sync=1",
                    "/append?id=a&storagePrefix=p&sync=1", "/close?storagePrefix=p");
            assertEquals(plain, targets(builder, rogue));
            assertEquals(synced, targets(builder.syncAppends(true), rogue));
            assertEquals(plain, targets(builder.syncAppends(false), rogue));
        }
    }

    /** What tests/lib/fail_disk.c is told: the next fdatasync fails. And what it has seen. */
    private static final class FailingDisk implements AutoCloseable {
        private static final int CALLS = 12;
        private static final int PLAN_BYTES = 5 * Integer.BYTES;
        private static final int FDATASYNC = 9 * PLAN_BYTES;
        private static final int SEEN = FDATASYNC + 4 * Integer.BYTES;
        private static final int EIO = 5;

        private final Path plans;

        FailingDisk() throws IOException {
            plans = Files.createTempFile("rochefort-java-", ".plans");
            Files.write(plans, ByteBuffer.allocate(CALLS * PLAN_BYTES)
                    .order(ByteOrder.nativeOrder())
                    .putInt(FDATASYNC, EIO)
                    .putInt(FDATASYNC + Integer.BYTES, 1) // the first
                    .putInt(FDATASYNC + 2 * Integer.BYTES, 1) // and no more
                    .array());
        }

        Map<String, String> environment() {
            return Map.of("LD_PRELOAD", System.getenv("FAIL_DISK"), "FAIL_FILE", plans.toString());
        }

        int syncs() throws IOException {
            return ByteBuffer.wrap(Files.readAllBytes(plans)).order(ByteOrder.nativeOrder())
                    .getInt(SEEN);
        }

        @Override
        public void close() throws IOException {
            Files.delete(plans);
        }
    }

    private static void refused(String text, Client client) {
        RochefortException e =
                assertThrows(RochefortException.class, () -> client.append("id", VALUE));
        assertEquals(500, e.status());
        assertTrue(e.serverText().startsWith(text), e.serverText());
        assertFalse(e.mayHaveHappened());
    }

    @Test
    @Tag("server")
    void theDiskFails() throws Exception {
        assumeTrue(System.getenv("FAIL_DISK") != null);
        try (FailingDisk disk = new FailingDisk();
                RealServer server = new RealServer(disk.environment(), "-buckets", "1");
                Client plain = new Client(server.url());
                Client waiting = waiting(server.url())) {
            assertEquals(0, plain.append("id", VALUE));
            assertEquals(0, disk.syncs());
            refused("could not be synced: Input/output error: ", waiting);
            assertEquals(1, disk.syncs());
            refused("an earlier sync of this file failed; ", waiting);
            assertEquals(1, disk.syncs());
            assertEquals(RECORD_BYTES, plain.append("id", VALUE)); // where the failed one was
            waiting.close("");
            assertEquals(2 * RECORD_BYTES, waiting.append("id", VALUE));
            assertEquals(2, disk.syncs());
            assertArrayEquals(VALUE, waiting.get("id", 2 * RECORD_BYTES));
        }
    }
}
