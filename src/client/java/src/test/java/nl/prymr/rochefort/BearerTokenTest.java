package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** A real server that asks for tokens. */
@Tag("server")
class BearerTokenTest {
    private static final String READS = "token-that-reads";
    private static final String BOTH = "token-that-does-both";
    private static final byte[] LARGE = new byte[8 << 20];

    private static Path file;
    private static RealServer server;

    @BeforeAll
    static void start() throws Exception {
        file = Files.createTempFile("rochefort-tokens-", "", PosixFilePermissions
                .asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(file, READS + " read\n" + BOTH + " read,write mine\n");
        server = new RealServer("-tokens", file.toString());
    }

    @AfterAll
    static void stop() throws Exception {
        server.close();
        Files.delete(file);
    }

    private static Client client(String token) {
        return Client.builder(server.url()).bearerToken(token).build();
    }

    private static void refused(int status, Executable call) {
        RochefortException e = assertThrows(RochefortException.class, call);
        assertEquals(status, e.status(), e.getMessage());
        assertFalse(e.mayHaveHappened());
        assertFalse(e.toString().contains("token-that"), e.getMessage());
    }

    @Test
    void noneOrAnUnknownOne() {
        try (Client none = new Client(server.url()); Client unknown = client(BOTH + "x")) {
            for (Client client : new Client[] {none, unknown}) {
                refused(401, () -> client.append("mine", "id", new byte[1]));
                refused(401, () -> client.append("mine", "id", LARGE));
                refused(401, () -> client.get("mine", "id", 0));
                refused(401, () -> client.close("mine"));
            }
        }
    }

    @Test
    void whatItMayDo() throws Exception {
        try (Client both = client(BOTH); Client reads = client(READS)) {
            refused(403, () -> both.append("id", new byte[1]));
            refused(403, () -> both.append("other", "id", LARGE));
            refused(403, () -> reads.append("mine", "id", LARGE));
            long offset = both.append("mine", "id", LARGE);
            assertArrayEquals(LARGE, both.get("mine", "id", offset));
            assertArrayEquals(LARGE, reads.get("mine", "id", offset));
            refused(403, () -> reads.close("mine"));
            both.close("mine");
        }
    }
}
