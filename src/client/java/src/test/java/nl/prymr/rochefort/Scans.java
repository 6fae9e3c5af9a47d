package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Random;

/** What the tests of scans share. */
final class Scans {
    static final Duration NO_WAIT = Duration.ZERO;
    static final Duration LONG = Duration.ofDays(1);

    private Scans() {
    }

    static byte[] value(int index) {
        byte[] value = new byte[1 + index * 7 % 300];
        new Random(index).nextBytes(value);
        return value;
    }

    static RochefortException fails(Scan scan) {
        return (RochefortException) assertThrows(UncheckedIOException.class, scan::hasNext)
                .getCause();
    }
}
