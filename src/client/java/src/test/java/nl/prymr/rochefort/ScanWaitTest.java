package nl.prymr.rochefort;

import static nl.prymr.rochefort.Scans.LONG;
import static nl.prymr.rochefort.Scans.NO_WAIT;
import static nl.prymr.rochefort.Scans.fails;
import static nl.prymr.rochefort.Scans.value;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What happens to the real server and its files while a scan waits at the end of a bucket. */
@Tag("server")
@Timeout(120) // the end of a test that has failed may wait for ever
class ScanWaitTest {
    private static final int HEADER_BYTES = 16; // of a record, before its value

    private final ExecutorService executor = Executors.newSingleThreadExecutor();

    @AfterEach
    void stop() {
        executor.shutdownNow();
    }

    /** The next record, which the scan has to wait for at that server. */
    private Future<ScanRecord> waiting(Scan scan, RealServer server) {
        Future<ScanRecord> next = executor.submit(scan::next);
        Await.until("a scan that waits", () -> server.figure("rochefort_scans_waiting") == 1);
        return next;
    }

    private static ScanRecord received(Future<ScanRecord> next) throws Exception {
        return next.get(30, TimeUnit.SECONDS);
    }

    private static RochefortException failure(Future<ScanRecord> next) {
        Throwable e = assertThrows(ExecutionException.class, () -> received(next)).getCause();
        return (RochefortException) ((UncheckedIOException) e).getCause();
    }

    @Test
    void follows() throws Exception {
        try (RealServer server = new RealServer("-buckets", "1");
                Client client = Client.builder(server.url()).maxConnections(1).build();
                Client writer = new Client(server.url())) {
            writer.append("p", "id", value(0));
            CountDownLatch atEnd = new CountDownLatch(1);
            Thread thread = new Thread(() -> {
                try {
                    atEnd.await();
                    for (int i = 1; i < 200; i++) {
                        writer.append("p", "id", value(i));
                    }
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            thread.start();
            try (Scan scan = client.scan("p", 0, 0, LONG)) {
                for (int i = 0; i < 200; i++) {
                    assertArrayEquals(value(i), scan.next().value(), "value " + i);
                    atEnd.countDown();
                    // Its connection is one of its own.
                    assertArrayEquals(value(0), client.get("p", "id", 0));
                }
            }
            thread.join();
        }
    }

    /** At the end of the bucket one request waits there, and the client asks no more. */
    @Test
    void theServerWaits() throws Exception {
        try (RealServer server = new RealServer("-buckets", "1");
                Client client = new Client(server.url());
                Scan scan = client.scan("p", 0, client.append("p", "id", value(0)), LONG)) {
            assertArrayEquals(value(0), scan.next().value());
            Future<ScanRecord> next = waiting(scan, server);
            client.append("p", "id", value(1));
            assertArrayEquals(value(1), received(next).value());
            Future<Boolean> more = executor.submit(scan::hasNext);
            Await.until("a scan that waits", () -> server.figure("rochefort_scans_waiting") == 1);
            assertEquals(2, server.figure(
                    "rochefort_http_requests_total{endpoint=\"scan\",code=\"200\"}"));
            CompletableFuture.runAsync(scan::close).get();
            assertFalse(more.get(30, TimeUnit.SECONDS));
            Await.until("no scan that waits",
                    () -> server.figure("rochefort_scans_waiting") == 0);
        }
    }

    /** It fails while the server is down, and then goes on; so does another from its offset. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theServerIsRestarted(boolean killed) throws Exception {
        try (RealServer server = new RealServer("-buckets", "1");
                Client client = new Client(server.url());
                Scan scan = client.scan("p", 0, client.append("p", "id", value(0)), LONG)) {
            assertArrayEquals(value(0), scan.next().value());
            for (int i = 1; i <= 3; i++) {
                Future<ScanRecord> next = waiting(scan, server);
                if (killed) {
                    server.kill();
                } else {
                    server.stop();
                }
                RochefortException e = failure(next);
                assertEquals(0, e.status(), e.toString());
                // The kernel may reset the second attempt too when it ends the process.
                assertTrue(killed || e.getMessage().contains("cannot connect"), e.toString());
                server.start();
                long offset = scan.offset();
                next = waiting(scan, server);
                assertEquals(offset, client.append("p", "id", value(i)));
                ScanRecord record = received(next);
                assertEquals(offset, record.offset());
                assertArrayEquals(value(i), record.value());
                try (Scan other = client.scan("p", 0, offset, NO_WAIT)) {
                    assertArrayEquals(value(i), other.next().value());
                    assertFalse(other.hasNext());
                }
            }
        }
    }

    private enum Change {
        REPLACED(409), SHORTER(416), DELETED(404);

        final int status;

        Change(int status) {
            this.status = status;
        }

        /** {@code other}: a bucket with other records, of which the second begins elsewhere. */
        void make(Path bucket, Path other) throws IOException {
            if (this == REPLACED) {
                Files.move(other, bucket, StandardCopyOption.ATOMIC_MOVE);
            } else if (this == SHORTER) {
                try (FileChannel file = FileChannel.open(bucket, StandardOpenOption.WRITE)) {
                    file.truncate(HEADER_BYTES + value(1).length);
                }
            } else {
                Files.delete(bucket.resolveSibling("MANIFEST"));
                Files.delete(bucket);
                Files.delete(bucket.getParent());
            }
        }
    }

    /** A server that only reads looks at what is there while the scan waits. */
    @ParameterizedTest
    @EnumSource(Change.class)
    void theFileIsAnotherOne(Change change) throws Exception {
        try (RealServer server = new RealServer("-buckets", "1");
                RealServer reader = new RealServer("-read-only", "-root", server.root().toString());
                Client client = new Client(server.url()); Client readers = new Client(reader.url());
                Scan scan = readers.scan("p", 0, 0, LONG)) {
            client.appendMulti("p", "id", List.of(value(1), value(2)));
            client.appendMulti("other", "id", List.of(value(3), value(4), value(5)));
            assertArrayEquals(value(1), scan.next().value());
            assertArrayEquals(value(2), scan.next().value());
            Future<ScanRecord> next = waiting(scan, reader);
            long offset = scan.offset();
            client.close("p");
            client.close("other");
            change.make(server.root().resolve("p/append.0.raw"),
                    server.root().resolve("other/append.0.raw"));
            assertEquals(change.status, failure(next).status());
            assertEquals(change.status, fails(scan).status(), "again");
            assertEquals(offset, scan.offset(), "nothing was taken");
        }
    }
}
