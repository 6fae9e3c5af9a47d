package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.ConnectException;
import java.net.http.HttpTimeoutException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of an exchange, seen from inside: what cannot be provoked from outside. */
class OutcomeTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);
    private static final Endpoint ANYWHERE = new Endpoint("http://127.0.0.1:1/");

    private static Request append() {
        return ANYWHERE.append("p", "id", new byte[3], false, -1);
    }

    private static SimpleExchange<Object> exchange(Request request) {
        return new SimpleExchange<>(request, Exchange.JSON, bytes -> bytes);
    }

    /** Between finding out why it fails and ending it, another thread may send it. */
    @Test
    void sentWhileItFails() {
        Request request = append();
        SimpleExchange<Object> exchange = exchange(request);
        AtomicBoolean sent = new AtomicBoolean();
        exchange.fail(new IOException() {
            private static final long serialVersionUID = 1L;

            @Override
            public String getMessage() {
                if (exchange.sending()) {
                    request.completing();
                    sent.set(true);
                }
                return "the client was closed";
            }
        });
        assertEquals(exchange.failure().mayHaveHappened(), sent.get());
    }

    @Test
    void sentBefore() {
        Request request = append();
        SimpleExchange<Object> exchange = exchange(request);
        assertTrue(exchange.sending());
        request.completing();
        exchange.fail(new ConnectException());
        assertTrue(exchange.failure().mayHaveHappened());
    }

    /** Its connection is there only after the call has ended. */
    @Test
    void neverSentAfterwards() throws IOException {
        SimpleExchange<Object> exchange = exchange(append());
        assertTrue(exchange.sending());
        exchange.fail(new HttpTimeoutException("too late"));
        assertFalse(exchange.failure().mayHaveHappened());
        Connection connection = new Connection(SocketChannel.open());
        exchange.uses(connection);
        assertFalse(connection.isOpen());
    }

    /** The last byte was not sent: the server cannot have processed it. */
    @Test
    void sentInPart() {
        Request request = append();
        SimpleExchange<Object> exchange = exchange(request);
        assertTrue(exchange.sending());
        request.completing();
        request.sent();
        request.incomplete();
        exchange.fail(new IOException("Broken pipe"));
        assertFalse(exchange.failure().mayHaveHappened());
    }

    /** The head of the request is all there is to it, and that may be there. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void withoutABody(boolean post) {
        Request request = post ? ANYWHERE.close("p") : ANYWHERE.get("p", "id", 0);
        SimpleExchange<Object> exchange = exchange(request);
        assertTrue(exchange.sending());
        request.completing();
        exchange.fail(new IOException());
        assertTrue(exchange.failure().mayHaveHappened());
    }

    /** A description that fails ends neither the exchange's callers nor the watch. */
    @Test
    void failureThatCannotBeDescribed() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.awaitEnd();
        })) {
            Endpoint endpoint = new Endpoint(rogue.url());
            Transport transport = new Transport(
                    endpoint, null, TIMEOUT, Duration.ofMillis(50), 4, null);
            for (int i = 0; i < 3; i++) {
                CompletableFuture<Object> result = transport.start(
                        new Exchange<Object>(endpoint.get("p", "id", 0), "none/none") {
                            @Override
                            Object receive(ReplyBody body) {
                                throw new AssertionError("no reply");
                            }

                            @Override
                            RochefortException describe(RochefortException plain) {
                                throw new OutOfMemoryError("in a test");
                            }
                        });
                ExecutionException e = assertThrows(ExecutionException.class,
                        () -> result.get(30, TimeUnit.SECONDS));
                assertTrue(e.getCause().getCause() instanceof HttpTimeoutException, e.toString());
            }
            transport.close();
        }
    }

    /** No thread can be made: the call fails, and its permit is not lost. */
    @Test
    void noThread() throws Exception {
        AtomicBoolean scarce = new AtomicBoolean();
        ExecutorService workers = Executors.newCachedThreadPool();
        Executor executor = task -> {
            if (scarce.get()) {
                throw new OutOfMemoryError("unable to create native thread, in a test");
            }
            workers.execute(task);
        };
        try (RogueServer rogue = new RogueServer(connection -> {
            while (connection.read() != null) {
                connection.appended(7);
            }
        })) {
            Client client =
                    Client.builder(rogue.url()).maxConnections(1).executor(executor).build();
            for (int i = 0; i < 3; i++) {
                scarce.set(true);
                CompletableFuture<Long> refused = client.appendAsync("id", new byte[1]);
                ExecutionException e = assertThrows(ExecutionException.class,
                        () -> refused.get(30, TimeUnit.SECONDS));
                assertFalse(((RochefortException) e.getCause()).mayHaveHappened());
                scarce.set(false);
                CompletableFuture<Long> append = client.appendAsync("id", new byte[1]);
                assertEquals(7, append.get(30, TimeUnit.SECONDS));
            }
            assertEquals(3, rogue.requests.size());
            Thread closer = new Thread(client::close);
            closer.setDaemon(true);
            closer.start();
            closer.join(30_000);
            assertFalse(closer.isAlive());
            assertFalse(workers.isShutdown(), "the executor belongs to the caller");
        } finally {
            workers.shutdown();
        }
    }
}
