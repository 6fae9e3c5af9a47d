package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static nl.prymr.rochefort.Scans.LONG;
import static nl.prymr.rochefort.Scans.NO_WAIT;
import static nl.prymr.rochefort.Scans.fails;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The requests of a scan, good and wrong replies to them, and its end while it waits for one. */
@Timeout(120) // the end of a test that has failed may wait for ever
class ScanReplyTest {
    private static final int HEADER_BYTES = 16;
    private static final long TIME = 1_518_264_381_000_000_000L; // 2018-02-10 12:06:21

    @Test
    void arguments() {
        try (Client client = new Client("http://localhost:1")) {
            assertThrows(IllegalArgumentException.class, () -> client.scan(-1, 0, NO_WAIT));
            assertThrows(IllegalArgumentException.class, () -> client.scan(65_536, 0, NO_WAIT));
            assertThrows(IllegalArgumentException.class, () -> client.scan("p", 0, -1, NO_WAIT));
            assertThrows(IllegalArgumentException.class,
                    () -> client.scan(0, 0, Duration.ofNanos(-1)));
            assertEquals("wait", assertThrows(NullPointerException.class,
                    () -> client.scan("p", 0, 0, null)).getMessage());
            client.scan(65_535, Long.MAX_VALUE, Duration.ofSeconds(Long.MAX_VALUE)).close();
        }
    }

    private static byte[] header(int length, long time) {
        ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        header.putInt(length).putLong(time);
        CRC32 sum = new CRC32();
        sum.update(header.array(), 0, 12);
        return header.putInt((int) sum.getValue()).array();
    }

    private static String record(String value) {
        return new String(header(value.length(), TIME), ISO_8859_1) + value;
    }

    private static String head(String next) {
        return "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                + (next.isEmpty() ? "" : "Rochefort-Next-Offset: " + next + "\r\n");
    }

    private static String sized(String head, String body) {
        return head + "Content-Length: " + body.length() + "\r\n\r\n" + body;
    }

    private static String chunked(String head, String body) {
        return head + "Transfer-Encoding: chunked\r\n\r\n"
                + (body.isEmpty() ? "" : Integer.toHexString(body.length()) + "\r\n" + body
                        + "\r\n") + "0\r\n\r\n";
    }

    private static String nothing(long next) {
        return "HTTP/1.1 204 No Content\r\nRochefort-Next-Offset: " + next + "\r\n\r\n";
    }

    /** A server that answers so, one reply a request, and then no more. */
    private static RogueServer answering(String... replies) throws Exception {
        return new RogueServer(connection -> {
            for (String reply : replies) {
                connection.read();
                connection.write(reply);
            }
        });
    }

    @Test
    void requests() throws Exception {
        String two = record("some text") + record("b");
        // As in the format's own example
        assertEquals("\t\0\0\0\0\"\u00a2\20i\u00f5\21\25e=OA", two.substring(0, HEADER_BYTES));
        try (RogueServer rogue = answering(sized(head("142"), two), nothing(150),
                chunked(head("166"), record("")), nothing(166));
                Client client = new Client(rogue.url());
                Scan scan = client.scan("p q", 3, 100, NO_WAIT)) {
            assertEquals(0, rogue.requests.size(), "lazy");
            ScanRecord first = scan.next();
            assertEquals(100, first.offset());
            assertEquals(125, first.nextOffset());
            assertEquals(Instant.parse("2018-02-10T12:06:21Z"), first.time());
            assertEquals("some text", new String(first.value(), UTF_8));
            assertEquals(125, scan.next().offset());
            assertEquals(142, scan.offset());
            ScanRecord empty = scan.next();
            assertEquals(150, empty.offset(), "behind the damage");
            assertEquals(0, empty.value().length);
            assertFalse(scan.hasNext());
            String target = "GET /scan?bucket=3&storagePrefix=p+q&limit=1048576&offset=";
            String last = "010000000022a21069f51115"; // and the checksum
            assertEquals(target + "100 HTTP/1.1", rogue.requests.get(0).line());
            String second = rogue.requests.get(1).line();
            assertTrue(second.startsWith(target + "142&last=125:" + last), second);
            assertEquals((target + "142&last=125:").length() + 32 + " HTTP/1.1".length(),
                    second.length());
            assertTrue(rogue.requests.get(2).line().startsWith(target + "150&last=125:" + last));
            assertTrue(rogue.requests.get(3).line().startsWith(target + "166&last=150:0000"));
            assertEquals(1, rogue.accepted.get(), "one connection");
        }
    }

    private static void wrong(String reply) throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.write(reply);
        }); Client client = new Client(rogue.url());
                Scan scan = client.scan("p", 0, 100, NO_WAIT)) {
            assertFalse(fails(scan).getMessage().contains("cannot connect"));
            assertEquals(100, scan.offset(), "nothing was taken of it");
        }
    }

    @Test
    void wrongReplies() throws Exception {
        String two = record("some text") + record("b");
        List<String> bodies = new ArrayList<>(List.of("", two + "x", two + record("c").substring(1),
                "\t" + two, two.replace('O', 'P')));
        for (int length : new int[] {18, 1 << 30, Integer.MAX_VALUE, Integer.MIN_VALUE, -1}) {
            bodies.add(record("a") + new String(header(length, TIME), ISO_8859_1) + "b");
        }
        for (String body : bodies) {
            wrong(sized(head("142"), body));
            wrong(chunked(head("142"), body));
            wrong(sized(head("9223372036854775807"), body));
            wrong(chunked(head("9223372036854775807"), body));
        }
        for (String next : new String[] {"", "0", "99", "124", "141", "-1", "x"}) {
            wrong(sized(head(next), two));
        }
        wrong(nothing(99));
        wrong(nothing(99).replace("Offset: 99", "Offset: "));
        wrong(head("142") + "\r\n" + two); // where does it end?
        wrong(sized(head("142").replace("octet-stream", "json"), two));
        String record = record("x".repeat(600_000));
        wrong(sized(head("99999999"), record + record + record)); // more than was asked for
    }

    @Test
    void cutReplies() throws Exception {
        String whole = sized(head("142"), record("some text") + record("b"));
        for (int bytes = 0; bytes < whole.length(); bytes += bytes < 110 ? 11 : 1) {
            wrong(whole.substring(0, bytes));
        }
    }

    /** A failure takes nothing away, and the next call tries again. */
    @Test
    void goesOnAfterAFailure() throws Exception {
        try (RogueServer rogue = answering(sized(head("117"), record("a")),
                "HTTP/1.1 503 Full\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nfull",
                sized(head("134"), record("b")));
                Client client = new Client(rogue.url());
                Scan scan = client.scan("p", 0, 100, NO_WAIT)) {
            assertEquals(100, scan.next().offset());
            assertEquals("full", fails(scan).serverText());
            assertEquals(117, scan.next().offset());
            assertEquals(rogue.requests.get(1).line(), rogue.requests.get(2).line());
        }
    }

    /** A server that stops, or is killed, while the scan waits, and is back at once. */
    @Test
    void theServerIsBackAtOnce() throws Exception {
        String stopping = nothing(117).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        for (String end : new String[] {stopping, ""}) {
            try (RogueServer rogue = new RogueServer(connection -> {
                connection.read();
                if (connection.number == 1) {
                    connection.write(sized(head("117"), record("a")));
                    connection.read();
                    connection.write(end);
                } else {
                    connection.write(sized(head("134"), record("b")));
                }
            }); Client client = new Client(rogue.url());
                    Scan scan = client.scan("p", 0, 100, LONG)) {
                assertEquals(100, scan.next().offset());
                assertEquals(117, scan.next().offset());
                assertEquals(3, rogue.requests.size());
                assertEquals(rogue.requests.get(1).line(), rogue.requests.get(2).line());
                assertEquals(2, rogue.accepted.get());
            }
        }
    }

    /** A server that does not wait is asked ten times a second. */
    @Test
    void serverThatDoesNotWait() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            while (connection.read() != null) {
                connection.write(nothing(100));
            }
        }); Client client = new Client(rogue.url());
                Scan scan = client.scan("p", 0, 100, Duration.ofMillis(500))) {
            assertFalse(scan.hasNext());
            assertTrue(rogue.requests.size() <= 7, rogue.requests.size() + " requests");
            assertTrue(rogue.requests.get(0).line().contains("&wait=1"));
        }
    }

    @Test
    void waitsLongerThanTheTimeOut() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            never.await(500, TimeUnit.MILLISECONDS); // the pace that is tested
            connection.write(sized(head("117"), record("a")));
            connection.read();
            never.await();
        }); Client client = Client.builder(rogue.url()).requestTimeout(Duration.ofMillis(100))
                .build(); Scan scan = client.scan("p", 0, 100, Duration.ofSeconds(61))) {
            assertEquals(100, scan.next().offset());
            assertTrue(rogue.requests.get(0).line().endsWith("&wait=60 HTTP/1.1"));
        }
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            never.await();
        }); Client client = Client.builder(rogue.url()).requestTimeout(Duration.ofMillis(100))
                .build(); Scan scan = client.scan("p", 0, 100, Duration.ofMillis(1))) {
            RochefortException e = fails(scan);
            assertTrue(e.getMessage().contains("1100 ms"), e.getMessage());
        }
    }

    private enum End { SCAN, CLIENT, INTERRUPT }

    @Test
    void endsWhileItWaits() throws Exception {
        for (boolean silent : new boolean[] {true, false}) {
            for (End end : End.values()) {
                endsWhileItWaits(silent, end);
            }
        }
    }

    /** {@code silent}: it waits for the server, otherwise between two requests. */
    private static void endsWhileItWaits(boolean silent, End end) throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            while (connection.read() != null) {
                if (silent) {
                    connection.awaitEnd();
                }
                connection.write(nothing(100));
            }
        })) {
            Client client = new Client(rogue.url());
            Scan scan = client.scan("p", 0, 100, LONG);
            AtomicReference<Object> result = new AtomicReference<>();
            AtomicReference<Boolean> flag = new AtomicReference<>();
            Thread thread = new Thread(() -> {
                try {
                    result.set(scan.hasNext());
                } catch (UncheckedIOException e) {
                    result.set(e.getCause());
                }
                flag.set(Thread.currentThread().isInterrupted());
            });
            thread.start();
            Await.until("sent", () -> !rogue.requests.isEmpty());
            if (end == End.SCAN) {
                scan.close();
            } else if (end == End.CLIENT) {
                client.close();
            } else {
                thread.interrupt();
            }
            thread.join();
            if (end == End.SCAN) {
                assertEquals(false, result.get());
                assertFalse(scan.hasNext());
                assertThrows(NoSuchElementException.class, scan::next);
            } else {
                RochefortException e = (RochefortException) result.get();
                assertEquals(end == End.INTERRUPT,
                        e.getCause() instanceof InterruptedException, e.toString());
                assertEquals(end == End.INTERRUPT, flag.get());
            }
            client.close();
            Await.until("its connection is closed", () -> rogue.open.get() == 0);
            if (end != End.SCAN) {
                assertTrue(fails(scan).getMessage().endsWith("the client was closed"));
            }
            scan.close();
        }
    }
}
