package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Connections, time-outs, interruption, cancelling. */
class LimitsTest {
    private static final byte[] VALUE = {1};
    private static final String HEAD = "HTTP/1.1 200 OK\r\n"
            + "Content-Type: application/octet-stream\r\nContent-Length: 100\r\n\r\n";

    /** Answers each append with its number, after {@code gate} has opened. */
    private static RogueServer numbering(CountDownLatch gate) throws Exception {
        AtomicInteger number = new AtomicInteger();
        return new RogueServer(connection -> {
            while (connection.read() != null) {
                int mine = number.getAndIncrement();
                gate.await();
                connection.appended(mine);
            }
        });
    }

    @Test
    void connectionsAreLimited() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        try (RogueServer rogue = numbering(gate);
                Client client = Client.builder(rogue.url()).maxConnections(3).build()) {
            List<CompletableFuture<Long>> appends = new ArrayList<>();
            for (int i = 0; i < 500; i++) {
                appends.add(client.appendAsync("id", VALUE));
            }
            Await.until("three are on their way", () -> rogue.requests.size() == 3);
            long threads = Thread.getAllStackTraces().keySet().stream()
                    .filter(thread -> thread.getName().startsWith("rochefort-client")).count();
            assertTrue(threads < 50, threads + " threads for 500 calls");
            gate.countDown();
            for (CompletableFuture<Long> append : appends) {
                append.get();
            }
            assertEquals(3, rogue.openMax.get());
            assertEquals(3, rogue.accepted.get());
        }
    }

    @Test
    void firstComeFirstServed() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        try (RogueServer rogue = numbering(gate);
                Client client = Client.builder(rogue.url()).maxConnections(1).build()) {
            List<CompletableFuture<Long>> appends = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                appends.add(client.appendAsync("id", VALUE));
            }
            AtomicReference<Object> synchronous = new AtomicReference<>();
            Thread thread = new Thread(() -> {
                try {
                    synchronous.set(client.append("id", VALUE));
                } catch (RochefortException e) {
                    synchronous.set(e);
                }
            });
            thread.start();
            Await.until("it waits", () -> thread.getState() == Thread.State.WAITING);
            CompletableFuture<Long> last = client.appendAsync("id", VALUE);
            gate.countDown();
            for (int i = 0; i < 10; i++) {
                assertEquals(i, appends.get(i).get());
            }
            thread.join();
            assertEquals(10L, synchronous.get());
            assertEquals(11, last.get());
        }
    }

    /** With one connection, a callback that waits for another call must find it free. */
    @Test
    void callbacksMayCall() throws Exception {
        try (RogueServer rogue = numbering(new CountDownLatch(0));
                Client client = Client.builder(rogue.url()).maxConnections(1).build()) {
            assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
                CompletableFuture<Long> last = CompletableFuture.completedFuture(-1L);
                for (int i = 0; i < 20; i++) {
                    last = last.thenCompose(before -> client.appendAsync("id", VALUE))
                            .thenApply(number -> client.appendAsync("id", VALUE).join());
                }
                assertEquals(39, last.get());
            });
        }
    }

    private static void timesOut(RogueServer.Script script) throws Exception {
        try (RogueServer rogue = new RogueServer(script); Client client = Client
                .builder(rogue.url()).requestTimeout(Duration.ofMillis(200)).build()) {
            RochefortException e =
                    assertThrows(RochefortException.class, () -> client.get("id", 0));
            assertTrue(e.getCause() instanceof HttpTimeoutException, e.toString());
            assertFalse(Thread.interrupted());
            ExecutionException async = assertThrows(ExecutionException.class,
                    () -> client.getAsync("id", 0).get(30, TimeUnit.SECONDS));
            assertTrue(async.getCause().getCause() instanceof HttpTimeoutException,
                    async.toString());
            Await.until("the connections are cut", () -> rogue.open.get() == 0);
        }
    }

    @Test
    void timeoutBeforeTheReply() throws Exception {
        timesOut(connection -> {
            connection.read();
            connection.awaitEnd();
        });
    }

    @Test
    void timeoutInTheMiddleOfTheReply() throws Exception {
        timesOut(connection -> {
            connection.read();
            connection.write(HEAD + "half");
            connection.awaitEnd();
        });
    }

    /** Slower than the time-out in all, but never silent for so long. */
    @Test
    void slowIsNotSilent() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.write(HEAD);
            for (int i = 0; i < 100; i++) {
                Thread.sleep(20); // the pace that is tested, not a wait for something
                connection.write("x");
            }
        }); Client client = Client.builder(rogue.url()).requestTimeout(Duration.ofSeconds(1))
                .build()) {
            assertEquals(100, client.get("id", 0).length);
        }
    }

    @Test
    void interrupted() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.awaitEnd();
        }); Client client = Client.builder(rogue.url()).maxConnections(1).build()) {
            for (boolean queued : new boolean[] {false, true}) {
                CompletableFuture<Long> other =
                        queued ? client.appendAsync("id", VALUE) : new CompletableFuture<>();
                int before = rogue.requests.size();
                Await.until("sent", () -> !queued || rogue.open.get() == 1);
                AtomicReference<RochefortException> failure = new AtomicReference<>();
                AtomicReference<Boolean> flag = new AtomicReference<>();
                Thread thread = new Thread(() -> {
                    failure.set(assertThrows(RochefortException.class,
                            () -> client.append("id", VALUE)));
                    flag.set(Thread.currentThread().isInterrupted());
                });
                thread.start();
                Await.until("it waits", () -> queued
                        ? thread.getState() == Thread.State.WAITING
                        : rogue.requests.size() > before);
                thread.interrupt();
                thread.join();
                assertTrue(failure.get().getCause() instanceof InterruptedException);
                assertEquals(!queued, failure.get().mayHaveHappened());
                assertTrue(flag.get());
                other.cancel(true);
                Await.until("cut", () -> rogue.open.get() == 0);
            }
        }
    }

    @Test
    void cancelled() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            if (connection.number == 1) {
                connection.awaitEnd();
                gate.countDown();
            }
            connection.appended(5);
        }); Client client = Client.builder(rogue.url()).maxConnections(1).build()) {
            CompletableFuture<Long> sent = client.appendAsync("id", VALUE);
            CompletableFuture<Long> queued = client.appendAsync("id", new byte[7]);
            CompletableFuture<Long> last = client.appendAsync("id", VALUE);
            Await.until("sent", () -> rogue.requests.size() == 1);
            assertTrue(queued.cancel(true));
            assertTrue(sent.cancel(true));
            assertEquals(5, last.get(30, TimeUnit.SECONDS));
            assertTrue(gate.await(30, TimeUnit.SECONDS), "the first connection was cut");
            assertEquals(2, rogue.requests.size());
            assertEquals(0, rogue.requests.stream().filter(r -> r.body.length == 7).count());
        }
    }

    /** The next connection is made when the one before is cut, however its call ended. */
    @Test
    void cancelledCallsCountUntilTheirConnectionIsCut() throws Exception {
        AtomicReference<RogueServer.Connection> before = new AtomicReference<>();
        AtomicInteger tooMany = new AtomicInteger();
        try (RogueServer rogue = new RogueServer(connection -> {
            RogueServer.Connection last = before.getAndSet(connection);
            tooMany.addAndGet(last == null || last.ended() ? 0 : 1);
            connection.read();
            new CountDownLatch(1).await(30, TimeUnit.SECONDS); // not reading: the next one does
        }); Client client = Client.builder(rogue.url()).maxConnections(1).build()) {
            for (int i = 1; i <= 100; i++) {
                CompletableFuture<Long> append = client.appendAsync("id", VALUE);
                int count = i;
                Await.until("sent", () -> rogue.requests.size() == count);
                append.cancel(true);
            }
            assertEquals(0, tooMany.get());
        }
    }

    /** In all more than the memory of the machine. */
    @Test
    void cancelledCallsKeepNothing() throws Exception {
        long calls = 2 * (Runtime.getRuntime().maxMemory() >> 20);
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.awaitEnd();
        }); Client client = Client.builder(rogue.url()).maxConnections(1).build()) {
            CompletableFuture<Long> first = client.appendAsync("id", VALUE);
            for (long i = 0; i < calls; i++) {
                client.appendAsync("id", new byte[1 << 20]).cancel(true);
            }
            first.cancel(true);
        }
    }

    @Test
    void veryLongTimeouts() throws Exception {
        try (RogueServer rogue = numbering(new CountDownLatch(0))) {
            for (Duration timeout : new Duration[] {Duration.ofDays(365), Duration.ofDays(146_000),
                Duration.ofMillis(Long.MAX_VALUE), Duration.ofSeconds(Long.MAX_VALUE)}) {
                assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
                    try (Client client = Client.builder(rogue.url()).requestTimeout(timeout)
                            .build()) {
                        client.append("id", VALUE);
                    }
                    try (Client client = Client.builder(rogue.url()).connectTimeout(timeout)
                            .build()) {
                        client.append("id", VALUE);
                    }
                }, timeout.toString());
            }
        }
    }

    /** After a value, the iterator is left alone for longer than the time-out. */
    @Test
    void iteratorLeftAlone() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.write("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                    + "Content-Length: 100000000\r\n\r\n");
            byte[] value = new byte[10_004];
            value[0] = 0x10;
            value[1] = 0x27; // 10,000
            for (;;) {
                connection.write(value);
            }
        }); Client client = Client.builder(rogue.url()).requestTimeout(Duration.ofMillis(200))
                .build()) {
            ValueIterator values = client.getMultiIterator("id", new long[9996]);
            assertArrayEquals(new byte[10_000], values.next());
            Await.until("cut", () -> rogue.open.get() == 0);
            RuntimeException e = assertThrows(RuntimeException.class, () -> {
                while (values.hasNext()) {
                    values.next();
                }
            });
            assertTrue(e.getCause().getCause() instanceof HttpTimeoutException, e.toString());
            assertFalse(client.getMulti("id", new long[0]).iterator().hasNext());
        }
    }

    /** An iterator that is neither used nor closed does not hold its connection for ever. */
    @Test
    void iteratorThatIsForgotten() throws Exception {
        AtomicReference<RogueServer.Connection> first = new AtomicReference<>();
        CountDownLatch over = new CountDownLatch(1);
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            if (first.compareAndSet(null, connection)) {
                connection.write(HEAD + "\1\0\0\0a");
                over.await(30, TimeUnit.SECONDS); // not reading: the next one does
            } else {
                connection.appended(first.get().ended() ? 7 : 8);
            }
        }); Client client = Client.builder(rogue.url()).maxConnections(1)
                .requestTimeout(Duration.ofMillis(200)).build()) {
            client.getMultiIterator("id", new long[10]);
            assertEquals(7, client.appendAsync("id", VALUE).get(30, TimeUnit.SECONDS));
            over.countDown();
        }
    }

    @Test
    void wrongLimits() {
        ClientBuilder builder = Client.builder("http://localhost");
        assertThrows(IllegalArgumentException.class, () -> builder.maxConnections(0));
        assertThrows(IllegalArgumentException.class, () -> builder.connectTimeout(Duration.ZERO));
        assertThrows(IllegalArgumentException.class,
                () -> builder.requestTimeout(Duration.ofSeconds(-1)));
    }
}
