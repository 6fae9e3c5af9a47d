package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import example.Example;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The example program does what it shows. */
@Tag("server")
class ExampleTest {
    @Test
    void prints() throws Exception {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream before = System.out;
        try (RealServer server = new RealServer();
                PrintStream out = new PrintStream(printed, true, UTF_8)) {
            System.setOut(out);
            Example.main(new String[] {server.url()});
        } finally {
            System.setOut(before);
        }
        assertEquals("some text\nsome other data\nsome text\nkept apart\n",
                printed.toString(UTF_8).replace(System.lineSeparator(), "\n"));
    }
}
