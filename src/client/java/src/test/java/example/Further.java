package example;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import javax.net.ssl.SSLContext;
import nl.prymr.rochefort.Appender;
import nl.prymr.rochefort.Client;
import nl.prymr.rochefort.MultiResult;
import nl.prymr.rochefort.RochefortException;
import nl.prymr.rochefort.Scan;
import nl.prymr.rochefort.ScanRecord;
import nl.prymr.rochefort.UnexpectedEndException;

/** The examples of the client's page that come after its first one. */
public final class Further {
    private Further() {
    }

    /** Stores a value again if it may have been lost: twice rather than not at all. */
    static long appendAtLeastOnce(Client client, String id, byte[] value)
            throws RochefortException {
        for (int attempt = 1;; attempt++) {
            try {
                return client.append(id, value);
            } catch (RochefortException e) {
                if (!e.mayHaveHappened() && e.status() != 503 || attempt == 3) {
                    throw e; // refused, and would be refused again
                }
            }
        }
    }

    /** Stores a value at the end of its file, and only once however often it is called. */
    static long appendOnce(Client client, String id, byte[] value, long end)
            throws RochefortException {
        try {
            return client.append("log", id, value, end);
        } catch (UnexpectedEndException e) {
            if (e.end() > end && Arrays.equals(value, client.get("log", id, end))) {
                return end; // it was stored before, and the reply was lost
            }
            throw e;
        }
    }

    static void batch(Client client, List<byte[]> values)
            throws InterruptedException, ExecutionException {
        try (Appender appender = client.appender().build()) { // one for all threads
            List<CompletableFuture<Long>> offsets = new ArrayList<>();
            for (byte[] value : values) {
                offsets.add(appender.append("batched", "some_identifier", value));
            }
            for (CompletableFuture<Long> offset : offsets) {
                System.out.println("stored at " + offset.get());
            }
        }
    }

    static void scan(Client client) throws RochefortException {
        for (int bucket = 0; bucket < client.ends("batched").buckets(); bucket++) {
            try (Scan scan = client.scan("batched", bucket, 0, Duration.ZERO)) {
                while (scan.hasNext()) { // with another duration it would wait at the end
                    ScanRecord record = scan.next();
                    System.out.println(record.offset() + ": " + new String(record.value(), UTF_8));
                }
            }
        }
    }

    static void getMultiEach(Client client, long[] offsets) throws RochefortException {
        for (MultiResult result : client.getMultiEach("batched", "some_identifier", offsets)) {
            if (result.value() != null) {
                System.out.println(new String(result.value(), UTF_8));
            } else {
                System.out.println(result.offset() + " has status " + result.status());
            }
        }
    }

    static Client secured(SSLContext context, String token) {
        return Client.builder("https://data.example:8443")
                .sslContext(context) // without it the JDK's certificates are trusted
                .bearerToken(token) // of the file that the server's flag -tokens names
                .requestTimeout(Duration.ofSeconds(5))
                .build();
    }

    /**
     * Runs the examples.
     *
     * @param args the server's URL
     * @throws Exception if one of them fails
     */
    public static void main(String[] args) throws Exception {
        try (Client client = new Client(args[0])) {
            System.out.println(appendAtLeastOnce(client, "some_identifier", "a".getBytes(UTF_8)));
            System.out.println(appendOnce(client, "some_identifier", "b".getBytes(UTF_8), 0));
            System.out.println(appendOnce(client, "some_identifier", "b".getBytes(UTF_8), 0));
            batch(client, List.of("one".getBytes(UTF_8), "two".getBytes(UTF_8)));
            scan(client);
            getMultiEach(client, new long[] {19, 5, 0});
        }
        secured(SSLContext.getDefault(), "secret").close();
    }
}
