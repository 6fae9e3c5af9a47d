package nl.prymr.rochefort;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The JSON texts, and what only looks like them. */
class JsonTest {
    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void offsets() {
        assertEquals(0, Json.offset(utf8("{\"offset\":0,\"file\":\"/a\"}")));
        assertEquals(25, Json.offset(utf8("{\"offset\":25,\"file\":\"\"}")));
        assertEquals(Long.MAX_VALUE,
                Json.offset(utf8("{\"offset\":9223372036854775807,\"file\":\"/a\"}")));
    }

    @Test
    void escapesInTheFile() {
        String file = "\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\uD83d\\uDE00 ü 😀 {},:";
        assertEquals(7, Json.offset(utf8("{\"offset\":7,\"file\":\"" + file + "\"}")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "{}", "null", "25", "{\"offset\":25}",
        "{\"offset\":25,\"file\":\"/a\"", "{\"offset\":25,\"file\":\"/a}",
        "{\"offset\":25,\"file\":\"/a\"}\n", "{\"offset\":25,\"file\":\"/a\"}{}",
        " {\"offset\":25,\"file\":\"/a\"}", "{\"offset\": 25,\"file\":\"/a\"}",
        "{\"file\":\"/a\",\"offset\":25}", "{\"offset\":25,\"file\":\"/a\",\"x\":1}",
        "{\"offset\":-1,\"file\":\"/a\"}", "{\"offset\":025,\"file\":\"/a\"}",
        "{\"offset\":2.5,\"file\":\"/a\"}", "{\"offset\":1e3,\"file\":\"/a\"}",
        "{\"offset\":\"25\",\"file\":\"/a\"}", "{\"offset\":,\"file\":\"/a\"}",
        "{\"offset\":9223372036854775808,\"file\":\"/a\"}", "{\"offset\":٢٥,\"file\":\"/a\"}",
        "{\"offset\":25,\"file\":null}", "{\"offset\":25,\"file\":\"a\nb\"}",
        "{\"offset\":25,\"file\":\"\\x\"}", "{\"offset\":25,\"file\":\"\\u12g4\"}",
        "{\"offset\":25,\"file\":\"\\u12\"}", "{\"offset\":25,\"file\":\"\\\"}",
        "{\"success\":true}", "<html></html>"})
    void notAnOffset(String text) {
        assertThrows(IllegalArgumentException.class, () -> Json.offset(utf8(text)));
    }

    @Test
    void notUtf8() {
        byte[] reply = "{\"offset\":25,\"file\":\"/\u00fc\"}".getBytes(StandardCharsets.ISO_8859_1);
        assertThrows(IllegalArgumentException.class, () -> Json.offset(reply));
    }

    @Test
    void success() {
        Json.success(utf8("{\"success\":true}"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{}", "{\"success\":false}", "{\"success\":true}\n", "true"})
    void noSuccess(String text) {
        assertThrows(IllegalArgumentException.class, () -> Json.success(utf8(text)));
    }
}
