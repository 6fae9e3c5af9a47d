package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Flow;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of an exchange, seen from inside: what cannot be provoked from outside. */
class OutcomeTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);
    private static final URI ANYWHERE = URI.create("http://127.0.0.1:1/");

    private static SimpleExchange<Object> exchange(OneShotBody body) {
        return new SimpleExchange<>(ANYWHERE, body, TIMEOUT, "application/json", bytes -> bytes);
    }

    /** Whoever subscribes sees either all of a body, or an error. */
    private static boolean goesOut(OneShotBody body) {
        AtomicReference<Boolean> outcome = new AtomicReference<>();
        body.subscribe(new Flow.Subscriber<ByteBuffer>() {
            @Override
            public void onSubscribe(Flow.Subscription subscription) {
                subscription.request(Long.MAX_VALUE);
            }

            @Override
            public void onNext(ByteBuffer bytes) {
                assertEquals(3, bytes.remaining());
            }

            @Override
            public void onError(Throwable why) {
                assertTrue(outcome.compareAndSet(null, false));
            }

            @Override
            public void onComplete() {
                assertTrue(outcome.compareAndSet(null, true));
            }
        });
        return outcome.get();
    }

    /** Between finding out why it fails and ending it, another thread may send it. */
    @Test
    void sentWhileItFails() {
        SimpleExchange<Object> exchange = exchange(null);
        AtomicBoolean sent = new AtomicBoolean();
        exchange.fail(new IOException() {
            private static final long serialVersionUID = 1L;

            @Override
            public String getMessage() {
                sent.compareAndSet(false, exchange.sending());
                return "the client was closed";
            }
        });
        assertEquals(sent.get(), exchange.failure().mayHaveHappened());
    }

    @Test
    void sentBefore() {
        OneShotBody body = new OneShotBody(new byte[3]);
        SimpleExchange<Object> exchange = exchange(body);
        assertTrue(exchange.sending());
        assertTrue(goesOut(body));
        exchange.fail(new ConnectException()); // of the JDK's second try, say
        assertTrue(exchange.failure().mayHaveHappened());
        assertFalse(goesOut(body));
    }

    /** Its connection is there only after the call has ended. */
    @Test
    void neverSentAfterwards() {
        OneShotBody body = new OneShotBody(new byte[3]);
        SimpleExchange<Object> exchange = exchange(body);
        assertTrue(exchange.sending());
        exchange.fail(new HttpTimeoutException("too late"));
        assertFalse(exchange.failure().mayHaveHappened());
        assertFalse(goesOut(body));
    }

    /** The head of the request is all there is to it, and that may be there. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void withoutABody(boolean post) {
        SimpleExchange<Object> exchange = exchange(post ? new OneShotBody(new byte[0]) : null);
        assertTrue(exchange.sending());
        exchange.fail(new IOException());
        assertTrue(exchange.failure().mayHaveHappened());
    }

    /** From Java 26 on it would limit how long a whole reply may take. */
    @Test
    void theJdkHasNoTimeout() {
        assumeTrue(Runtime.version().feature() >= 16);
        assertTrue(exchange(null).request().timeout().isEmpty());
    }

    /** A description that fails ends neither the exchange's callers nor the watch. */
    @Test
    void failureThatCannotBeDescribed() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.awaitEnd();
        })) {
            Duration timeout = Duration.ofMillis(50);
            Transport transport = new Transport(TIMEOUT, timeout, 4);
            for (int i = 0; i < 3; i++) {
                CompletableFuture<Object> result = transport.start(
                        new Exchange<Object>(URI.create(rogue.url()), null, timeout, "none/none") {
                            @Override
                            void start(long bytes) {
                                throw new AssertionError("no reply");
                            }

                            @Override
                            void take(ByteBuffer bytes) {
                                throw new AssertionError("no reply");
                            }

                            @Override
                            Object finish() {
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

    private static Thread daemon(Runnable task) {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    }

    /** No thread can be made: the call fails, and its place is not lost. */
    @Test
    void noThread() throws Exception {
        LostConnections.scenario(() -> {
            AtomicBoolean scarce = new AtomicBoolean();
            ThreadPoolExecutor workers = new ThreadPoolExecutor(0, Integer.MAX_VALUE, 60,
                    TimeUnit.SECONDS, new SynchronousQueue<>(), OutcomeTest::daemon) {
                @Override
                public void execute(Runnable task) {
                    if (scarce.get()) {
                        throw new OutOfMemoryError("unable to create native thread, in a test");
                    }
                    super.execute(task);
                }
            };
            ScheduledExecutorService watch =
                    Executors.newSingleThreadScheduledExecutor(OutcomeTest::daemon);
            try (RogueServer rogue = new RogueServer(connection -> {
                while (connection.read() != null) {
                    connection.appended(7);
                }
            })) {
                Client client = new Client(new Endpoint(rogue.url()),
                        new Transport(TIMEOUT, TIMEOUT, 1, workers, watch), false);
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
            }
        });
    }
}
