package nl.prymr.rochefort;

import static nl.prymr.rochefort.Batches.append;
import static nl.prymr.rochefort.Batches.failure;
import static nl.prymr.rochefort.Batches.values;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What an appender waits for: room, a flush, its end; and who may wait. */
@Timeout(120) // the end of a test that has failed may wait for ever
class AppenderWaitTest {
    private static final long HOUR_MILLIS = 3_600_000;
    private static final long STACK_BYTES = 256 * 1024; // less than a thousand nested calls take

    @Test
    void flushWaitsForAllBatches() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender appender = client.appender().maxBatchBytes(22).build()) {
            List<CompletableFuture<Long>> futures = append(appender, 0, 7);
            AtomicInteger done = new AtomicInteger(-1);
            Thread flushing = new Thread(() -> {
                try {
                    appender.flush();
                    done.set((int) futures.stream().filter(CompletableFuture::isDone).count());
                } catch (InterruptedException e) {
                    done.set(-2);
                }
            });
            flushing.start();
            Await.until("it waits", () -> flushing.getState() == Thread.State.WAITING);
            server.gate.release(3);
            server.awaitSent(4);
            assertEquals(-1, done.get());
            server.gate.release();
            flushing.join();
            assertEquals(7, done.get());
            appender.flush(); // nothing to do
            Thread.currentThread().interrupt();
            append(appender, 7, 8);
            assertThrows(InterruptedException.class, appender::flush);
            server.gate.release();
        }
    }

    /** The values are stored, but not all callers know it. */
    @Test
    void flushWaitsForCallbacks() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender appender = client.appender().build()) {
            CountDownLatch called = new CountDownLatch(1);
            CountDownLatch end = new CountDownLatch(1);
            CompletableFuture<Boolean> last = append(appender, 0, 1).get(0).thenApply(offset -> {
                called.countDown();
                try {
                    return end.await(30, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            server.gate.release();
            called.await();
            Thread flushing = new Thread(() -> {
                try {
                    appender.flush();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            flushing.start();
            Await.until("it waits", () -> flushing.getState() == Thread.State.WAITING);
            end.countDown();
            flushing.join();
            assertTrue(last.isDone() && last.get());
        }
    }

    @Test
    void pendingBytesAreLimited() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender appender = client.appender().maxPendingBytes(1080).build()) {
            List<CompletableFuture<Long>> futures = append(appender, 0, 10); // 107 bytes each
            List<CompletableFuture<Long>> more = Collections.synchronizedList(new ArrayList<>());
            Thread waiting = new Thread(() -> {
                more.addAll(append(appender, 10, 11));
                more.addAll(append(appender, 11, 12));
            });
            waiting.start();
            Await.until("it waits", () -> waiting.getState() == Thread.State.WAITING);
            assertEquals(List.of(), more);
            server.gate.release(1); // one value of ten: more than half is left
            futures.get(0).get();
            server.awaitSent(2);
            assertEquals(Thread.State.WAITING, waiting.getState());
            assertEquals(List.of(), more);
            server.gate.release(100);
            waiting.join();
            futures.addAll(more);
            for (CompletableFuture<Long> future : futures) {
                future.get();
            }
            assertEquals(values(1, 10), server.batches.get(1));
        }
    }

    @Test
    void interruptedWhileItWaits() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender appender = client.appender().maxPendingBytes(250).build()) {
            List<CompletableFuture<Long>> first = append(appender, 0, 2); // 107 bytes each
            AtomicReference<CompletableFuture<Long>> third = new AtomicReference<>();
            AtomicReference<Boolean> flag = new AtomicReference<>();
            Thread waiting = new Thread(() -> {
                third.set(append(appender, 2, 3).get(0));
                flag.set(Thread.currentThread().isInterrupted());
            });
            waiting.start();
            Await.until("it waits", () -> waiting.getState() == Thread.State.WAITING);
            waiting.interrupt();
            waiting.join();
            assertTrue(flag.get());
            RochefortException e = failure(third.get());
            assertFalse(e.mayHaveHappened());
            assertTrue(e.getCause() instanceof InterruptedException, e.toString());
            server.gate.release(100);
            appender.flush();
            append(appender, 3, 5); // all that was acquired is free again
            appender.flush();
            assertTrue(first.get(1).isDone());
            List<String> sent = new ArrayList<>();
            server.batches.forEach(sent::addAll);
            assertEquals(List.of("value 0", "value 1", "value 3", "value 4"), sent);
        }
    }

    /** What lingers for an hour is all that is pending. */
    @Test
    void lingeringGivesRoom() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender appender = client.appender().lingerMillis(HOUR_MILLIS)
                        .maxPendingBytes(250).build()) {
            server.gate.release(100);
            List<CompletableFuture<Long>> futures = append(appender, 0, 7);
            futures.get(0).get(30, TimeUnit.SECONDS);
            byte[] large = new byte[10_000]; // more than there may be
            CompletableFuture<Long> last = appender.append("p", "id", large);
            appender.flush();
            assertTrue(last.isDone());
        }
    }

    @Test
    void afterTheEnd() throws Exception {
        try (Batches server = new Batches()) {
            Client client = new Client(server.rogue.url());
            Appender appender = client.appender().build();
            server.gate.release(100);
            append(appender, 0, 1).get(0).get();
            appender.close();
            appender.close();
            RochefortException e = failure(append(appender, 1, 2).get(0));
            assertFalse(e.mayHaveHappened());
            assertTrue(e.getMessage().endsWith("the appender is closed"), e.getMessage());
            Appender other = client.appender().build();
            client.close();
            e = failure(append(other, 1, 2).get(0));
            assertFalse(e.mayHaveHappened());
            assertTrue(e.getMessage().endsWith("the client is closed"), e.getMessage());
            other.close();
            assertEquals(1, server.batches.size());
        }
    }

    @Test
    void interruptedCloseEndsEverything() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url())) {
            Appender appender = client.appender().maxBatchBytes(22).build();
            List<CompletableFuture<Long>> futures = append(appender, 0, 6);
            server.awaitSent(1);
            Thread.currentThread().interrupt();
            appender.close();
            assertTrue(Thread.interrupted());
            for (int i = 0; i < 6; i++) {
                assertEquals(i == 0, failure(futures.get(i)).mayHaveHappened(), "value " + i);
            }
            assertEquals(1, server.batches.size());
        }
    }

    /** An executor that runs tasks in the calling thread does not nest all batches. */
    @Test
    void executorOfTheCaller() throws Exception {
        int count = 1000;
        try (Batches server = new Batches(); Client client = Client.builder(server.rogue.url())
                .executor(Runnable::run).build();
                Appender appender = client.appender().maxBatchBytes(1).build()) {
            Thread sending = new Thread(null, () -> append(appender, 0, 1), "small stack",
                    STACK_BYTES);
            sending.start();
            server.awaitSent(1);
            List<CompletableFuture<Long>> futures = append(appender, 1, count);
            server.gate.release(count);
            for (CompletableFuture<Long> future : futures) {
                future.get(30, TimeUnit.SECONDS);
            }
            sending.join();
            assertEquals(count, server.batches.size());
        }
    }

    @Test
    void callbacksMayAppendAndFlush() throws Exception {
        try (Batches server = new Batches(); Client client = new Client(server.rogue.url());
                Appender appender = client.appender().build()) {
            CountDownLatch called = new CountDownLatch(1);
            AtomicReference<CompletableFuture<Long>> second = new AtomicReference<>();
            CompletableFuture<Long> first = append(appender, 0, 1).get(0);
            CompletableFuture<Boolean> flushed = first.thenApply(offset -> {
                second.set(append(appender, 1, 2).get(0));
                called.countDown();
                try {
                    appender.flush();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                return second.get().isDone();
            });
            server.gate.release(1);
            called.await();
            server.gate.release(1);
            assertTrue(flushed.get(30, TimeUnit.SECONDS));
        }
    }
}
