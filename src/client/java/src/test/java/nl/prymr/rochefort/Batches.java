package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A server that answers a request when the test lets it, in the way that the test says. */
final class Batches implements AutoCloseable {
    static final int HEADER_BYTES = 16; // of a record, before its value

    final Semaphore gate = new Semaphore(0);
    final List<List<String>> batches = Collections.synchronizedList(new ArrayList<>());
    final RogueServer rogue;
    private final AtomicInteger end = new AtomicInteger();
    volatile RogueServer.Script other = connection -> { };
    volatile int answeredOtherwise = -1; // the index of a batch

    Batches() throws IOException {
        rogue = new RogueServer(connection -> {
            for (RogueServer.Request request = connection.read(); request != null;
                    request = connection.read()) {
                answer(connection, request);
            }
        });
    }

    static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    static List<String> values(int from, int to) {
        List<String> values = new ArrayList<>();
        for (int i = from; i < to; i++) {
            values.add("value " + i);
        }
        return values;
    }

    /** Appends {@link #values}. */
    static List<CompletableFuture<Long>> append(Appender appender, int from, int to) {
        List<CompletableFuture<Long>> futures = new ArrayList<>();
        for (int i = from; i < to; i++) {
            futures.add(appender.append("p", "id", bytes("value " + i)));
        }
        return futures;
    }

    static RochefortException failure(CompletableFuture<?> future) {
        return (RochefortException) assertThrows(ExecutionException.class,
                () -> future.get(30, TimeUnit.SECONDS)).getCause();
    }

    private void answer(RogueServer.Connection connection, RogueServer.Request request)
            throws Exception {
        List<String> values = new ArrayList<>();
        ByteBuffer body = ByteBuffer.wrap(request.body).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer offsets = ByteBuffer.allocate(request.body.length * 2)
                .order(ByteOrder.LITTLE_ENDIAN);
        while (body.hasRemaining()) {
            byte[] value = new byte[body.getInt()];
            body.get(value);
            values.add(new String(value, UTF_8));
            offsets.putLong(end.getAndAdd(HEADER_BYTES + value.length));
        }
        batches.add(values);
        int index = batches.size() - 1;
        gate.acquire();
        if (index == answeredOtherwise) {
            other.run(connection);
        } else {
            connection.reply("200 OK", "application/octet-stream",
                    new String(offsets.array(), 0, offsets.position(), ISO_8859_1));
        }
    }

    void awaitSent(int count) {
        Await.until(count + " batches", () -> batches.size() >= count);
    }

    @Override
    public void close() throws IOException {
        rogue.close();
    }
}
