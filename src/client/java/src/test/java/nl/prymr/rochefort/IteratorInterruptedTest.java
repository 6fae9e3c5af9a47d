package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** A thread that waits for the next value is interrupted just when one comes. */
class IteratorInterruptedTest {
    private static final int ROUNDS = 200;
    private static final byte[] VALUE_OF_5 = {1, 0, 0, 0, 5};
    private static final byte[] VALUE_OF_6 = {1, 0, 0, 0, 6};

    @Test
    void whatHasComeIsNotLost() throws Exception {
        int both = 0;
        for (int round = 0; round < ROUNDS; round++) {
            both += interrupted(round % 2 == 0) == 2 ? 1 : 0;
        }
        assertTrue(both > 0, "no round in which the value came first");
    }

    /** The number of values that were taken: the first always, the second if it came in time. */
    private static int interrupted(boolean valueFirst) throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        CountDownLatch written = new CountDownLatch(1);
        try (RogueServer rogue = new RogueServer(connection -> {
            connection.read();
            connection.write("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                    + "Content-Length: 50\r\n\r\n");
            connection.write(VALUE_OF_5);
            gate.await();
            connection.write(VALUE_OF_6);
            written.countDown();
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
            thread.start();
            gate.countDown();
            if (valueFirst) {
                written.await();
            }
            thread.interrupt();
            thread.join();
            assertArrayEquals(new byte[] {5}, taken.get(0));
            if (taken.size() == 2) {
                assertArrayEquals(new byte[] {6}, taken.get(1));
            }
            GetMultiException why = (GetMultiException) end.get().getCause();
            assertEquals(taken.size(), why.index());
            assertTrue(why.getCause() instanceof InterruptedException, why.toString());
            assertTrue(flag.get());
            return taken.size();
        }
    }
}
