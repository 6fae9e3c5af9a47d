package example;

import static java.nio.charset.StandardCharsets.UTF_8;

import nl.prymr.rochefort.Client;
import nl.prymr.rochefort.RochefortException;

/** Appends, reads back, reads back many. */
public final class Example {
    /**
     * The program.
     *
     * @param args the server's URL, such as http://localhost:8001
     * @throws RochefortException if a request fails
     */
    public static void main(String[] args) throws RochefortException {
        try (Client client = new Client(args[0])) { // one for all threads of a program
            long first = client.append("some_identifier", "some text".getBytes(UTF_8));
            long second = client.append("some_identifier", "some other data".getBytes(UTF_8));
            System.out.println(new String(client.get("some_identifier", first), UTF_8));
            for (byte[] value : client.getMulti("some_identifier", new long[] {second, first})) {
                System.out.println(new String(value, UTF_8));
            }
            client.appendAsync("mine", "some_identifier", "kept apart".getBytes(UTF_8))
                    .thenCompose(offset -> client.getAsync("mine", "some_identifier", offset))
                    .thenAccept(value -> System.out.println(new String(value, UTF_8)))
                    .join();
        }
    }
}
