package nl.prymr.rochefort;

import static nl.prymr.rochefort.Scans.NO_WAIT;
import static nl.prymr.rochefort.Scans.fails;
import static nl.prymr.rochefort.Scans.value;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Reading a bucket in order: what is there, what comes, what is gone. Against the real server. */
@Tag("server")
@Timeout(120) // the end of a test that has failed may wait for ever
class ScanTest {
    @Test
    void all() throws Exception {
        try (RealServer server = new RealServer("-buckets", "1");
                Client client = new Client(server.url())) {
            List<byte[]> values = new ArrayList<>();
            for (int i = 0; i < 5000; i++) { // more than one request
                values.add(value(i));
            }
            values.add(new byte[3 << 20]);
            Instant before = Instant.now().minusSeconds(5);
            long[] offsets = client.appendMulti("p", "id", values);
            values.add(value(3));
            long end = client.append("p", "other", value(3));
            try (Scan scan = client.scan("p", 0, 0, NO_WAIT)) {
                for (int i = 0; i < values.size(); i++) {
                    long expected = i < offsets.length ? offsets[i] : end;
                    assertEquals(expected, scan.offset());
                    ScanRecord record = scan.next();
                    assertEquals(expected, record.offset());
                    assertArrayEquals(values.get(i), record.value(), "value " + i);
                    assertTrue(record.time().isAfter(before), record.toString());
                    assertTrue(record.time().isBefore(Instant.now().plusSeconds(5)));
                }
                assertFalse(scan.hasNext());
                assertThrows(NoSuchElementException.class, scan::next);
                assertEquals(client.ends("p").end(0), scan.offset());
                long next = client.append("p", "id", value(4));
                assertEquals(next, scan.next().offset());
                assertFalse(scan.hasNext());
            }
            try (Scan scan = client.scan("p", 0, offsets[4999], NO_WAIT)) {
                assertArrayEquals(values.get(4999), scan.next().value());
            }
            try (Scan scan = client.scan("p", 0, 1, NO_WAIT)) {
                assertEquals(404, fails(scan).status());
            }
            try (Scan scan = client.scan("p", 1, 0, NO_WAIT)) {
                assertEquals(404, fails(scan).status());
            }
            client.append("id", value(1));
            try (Scan scan = client.scan(0, 0, NO_WAIT)) {
                assertArrayEquals(value(1), scan.next().value());
            }
        }
    }

    @Test
    void prefixMadeAnew() throws Exception {
        try (RealServer server = new RealServer("-buckets", "1");
                Client client = new Client(server.url());
                Scan shorter = client.scan("p", 0, 0, NO_WAIT);
                Scan other = client.scan("p", 0, 0, NO_WAIT)) {
            client.appendMulti("p", "id", List.of(new byte[10], new byte[20]));
            assertEquals(10, shorter.next().value().length);
            assertEquals(20, shorter.next().value().length);
            assertEquals(10, other.next().value().length);
            assertEquals(20, other.next().value().length);
            client.close("p");
            for (String name : new String[] {"append.0.raw", "MANIFEST", ""}) {
                Files.delete(server.root().resolve("p").resolve(name));
            }
            client.append("p", "id", new byte[10]);
            assertEquals(416, fails(shorter).status());
            client.appendMulti("p", "id", List.of(new byte[20], new byte[30]));
            RochefortException e = fails(other);
            assertEquals(409, e.status());
            assertEquals(409, fails(other).status(), "again");
        }
    }

    @Test
    void damage() throws Exception {
        try (RealServer server = new RealServer("-buckets", "1");
                Client client = new Client(server.url());
                Scan scan = client.scan("p", 0, 0, NO_WAIT)) {
            long[] offsets = client.appendMulti("p", "id",
                    List.of(value(1), value(2), value(3), value(4)));
            client.close("p");
            Path file = server.root().resolve("p/append.0.raw");
            byte[] bytes = Files.readAllBytes(file);
            bytes[(int) offsets[2] + 13] ^= 1; // of the checksum
            Files.write(file, bytes);
            List<Long> found = new ArrayList<>();
            ScanRecord record = null;
            while (scan.hasNext()) {
                record = scan.next();
                found.add(record.offset());
            }
            assertEquals(List.of(offsets[0], offsets[1], offsets[3]), found);
            assertArrayEquals(value(4), record.value());
        }
    }
}
