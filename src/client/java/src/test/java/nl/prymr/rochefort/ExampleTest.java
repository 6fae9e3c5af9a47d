package nl.prymr.rochefort;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import example.Example;
import example.Further;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The example programs do what they show. */
@Tag("server")
class ExampleTest {
    private interface Program {
        void main(String[] args) throws Exception;
    }

    private static String printed(Program program) throws Exception {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream before = System.out;
        try (RealServer server = new RealServer();
                PrintStream out = new PrintStream(printed, true, UTF_8)) {
            System.setOut(out);
            program.main(new String[] {server.url()});
        } finally {
            System.setOut(before);
        }
        return printed.toString(UTF_8).replace(System.lineSeparator(), "\n");
    }

    @Test
    void example() throws Exception {
        assertEquals("some text\nsome other data\nsome text\nkept apart\n",
                printed(Example::main));
    }

    @Test
    void further() throws Exception {
        assertEquals("0\n0\n0\nstored at 0\nstored at 19\n0: one\n19: two\n"
                + "two\n5 has status 404\none\n", printed(Further::main));
    }
}
