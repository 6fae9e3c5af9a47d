package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** A thread that waits for the next value is interrupted just when one comes. */
class IteratorInterruptedTest {
    private static final byte[] VALUE_OF_5 = {1, 0, 0, 0, 5};
    private static final byte[] VALUE_OF_6 = {1, 0, 0, 0, 6};

    private static Object of(ValueIterator values, String field) throws Exception {
        Field found = ValueIterator.class.getDeclaredField(field);
        found.setAccessible(true);
        return found.get(values);
    }

    @Test
    void whatHasComeIsNotLost() throws Exception {
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.write("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                    + "Content-Length: 50\r\n\r\n");
            connection.write(VALUE_OF_5);
            connection.awaitEnd();
        }); Client client = new Client(rogue.url());
                ValueIterator values = client.getMultiIterator("id", new long[10])) {
            List<byte[]> taken = new ArrayList<>();
            AtomicReference<UncheckedIOException> end = new AtomicReference<>();
            AtomicReference<Boolean> flag = new AtomicReference<>();
            Thread thread = new Thread(() -> {
                end.set(assertThrows(UncheckedIOException.class, () -> {
                    while (values.hasNext()) {
                        taken.add(values.next());
                    }
                }));
                flag.set(Thread.currentThread().isInterrupted());
            });
            GetMultiExchange exchange = (GetMultiExchange) of(values, "exchange");
            thread.start();
            Await.until("it waits", () -> thread.getState() == Thread.State.WAITING);
            synchronized (of(values, "buffer")) { // it cannot go on before the value is there
                thread.interrupt();
                Await.until("noticed", () -> thread.getState() == Thread.State.BLOCKED);
                exchange.take(ByteBuffer.wrap(VALUE_OF_6));
            }
            thread.join();
            assertEquals(2, taken.size());
            assertArrayEquals(new byte[] {5}, taken.get(0));
            assertArrayEquals(new byte[] {6}, taken.get(1));
            GetMultiException why = (GetMultiException) end.get().getCause();
            assertEquals(2, why.index());
            assertTrue(why.getCause() instanceof InterruptedException, why.toString());
            assertTrue(flag.get());
        }
    }
}
