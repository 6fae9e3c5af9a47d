package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Connections that cannot be made: nothing was sent. */
class ConnectTest {
    private static final byte[] VALUE = {1};

    /** Listens, but its queue is full, so that the kernel drops further attempts. */
    private static final class FullListener implements AutoCloseable {
        final ServerSocket listener =
                new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"));
        private final List<Socket> queued = new ArrayList<>();

        FullListener() throws IOException {
            for (;;) {
                Socket socket = new Socket();
                queued.add(socket);
                try {
                    socket.connect(new InetSocketAddress(listener.getInetAddress(),
                            listener.getLocalPort()), 500);
                } catch (SocketTimeoutException e) {
                    return;
                }
            }
        }

        ClientBuilder client() {
            return Client.builder("http://127.0.0.1:" + listener.getLocalPort());
        }

        @Override
        public void close() throws IOException {
            listener.close();
            for (Socket socket : queued) {
                socket.close();
            }
        }
    }

    @Test
    void takesTooLong() throws Exception {
        try (FullListener full = new FullListener(); Client client =
                full.client().connectTimeout(Duration.ofMillis(300)).build()) {
            RochefortException e =
                    assertThrows(RochefortException.class, () -> client.append("id", VALUE));
            assertTrue(e.getCause() instanceof HttpTimeoutException, e.toString());
            assertTrue(e.getMessage().endsWith("not sent: cannot connect within 300 ms"),
                    e.getMessage());
            assertFalse(e.mayHaveHappened());
            assertThrows(GetMultiException.class, () -> client.getMulti("id", new long[1]));
        }
    }

    @Test
    void interrupted() throws Exception {
        try (FullListener full = new FullListener(); Client client = full.client().build()) {
            AtomicReference<RochefortException> failure = new AtomicReference<>();
            AtomicReference<Boolean> flag = new AtomicReference<>();
            Thread thread = new Thread(() -> {
                failure.set(assertThrows(RochefortException.class,
                        () -> client.append("id", VALUE)));
                flag.set(Thread.currentThread().isInterrupted());
            });
            thread.start();
            Await.until("it connects", () -> connecting(thread));
            thread.interrupt();
            thread.join();
            assertTrue(failure.get().getCause() instanceof InterruptedException,
                    failure.get().toString());
            assertFalse(failure.get().mayHaveHappened());
            assertTrue(flag.get());
        }
    }

    private static boolean connecting(Thread thread) {
        for (StackTraceElement frame : thread.getStackTrace()) {
            if (frame.getClassName().endsWith("SocketChannelImpl")) {
                return true;
            }
        }
        return false;
    }

    @Test
    void cancelledAndClosed() throws Exception {
        try (FullListener full = new FullListener()) {
            Client client = full.client().maxConnections(1).build();
            CompletableFuture<Long> first = client.appendAsync("id", VALUE);
            CompletableFuture<Long> second = client.appendAsync("id", VALUE);
            first.cancel(true);
            Thread.currentThread().interrupt();
            client.close();
            assertTrue(Thread.interrupted());
            ExecutionException e = assertThrows(ExecutionException.class,
                    () -> second.get(30, TimeUnit.SECONDS));
            assertFalse(((RochefortException) e.getCause()).mayHaveHappened());
        }
    }

    @Test
    void interruptedBefore() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            while (connection.read() != null) {
                connection.appended(7);
            }
        }); Client client = new Client(rogue.url())) {
            client.append("id", VALUE);
            Thread.currentThread().interrupt();
            RochefortException e =
                    assertThrows(RochefortException.class, () -> client.append("id", VALUE));
            assertTrue(Thread.interrupted());
            assertTrue(e.getCause() instanceof InterruptedException, e.toString());
            assertFalse(e.mayHaveHappened());
            assertEquals(7, client.append("id", VALUE));
            assertEquals(1, rogue.accepted.get(), "its connection was not closed");
        }
    }

    @Test
    void noSuchHost() {
        try (Client client = new Client("http://no-such-host.invalid")) {
            RochefortException e =
                    assertThrows(RochefortException.class, () -> client.append("id", VALUE));
            assertTrue(e.getMessage().endsWith("no such host: no-such-host.invalid"),
                    e.getMessage());
            assertFalse(e.mayHaveHappened());
        }
    }
}
