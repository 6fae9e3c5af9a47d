package nl.prymr.rochefort;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Parses the JSON texts that the server answers with, and nothing else. */
final class Json {
    private static final String OFFSET = "{\"offset\":";
    private static final String FILE = ",\"file\":\"";
    private static final String SUCCESS = "{\"success\":true}";
    private static final String BUCKETS = "{\"buckets\":";
    private static final String HASH = ",\"hash\":\"";
    private static final String ENDS = ",\"ends\":[";
    private static final String PREFIXES = "{\"prefixes\":[";
    private static final String MORE = "],\"more\":";

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /**
     * Returns the offset in {@code {"offset":25,"file":"/data/append.3.raw"}}.
     *
     * @throws IllegalArgumentException if the text has any other form
     */
    static long offset(byte[] reply) {
        Json json = new Json(utf8(reply));
        json.expect(OFFSET);
        long offset = json.number();
        json.expect(FILE);
        json.skipString();
        json.expect("}");
        json.expectEnd();
        return offset;
    }

    /** Checks for {@code {"success":true}} in the same way. */
    static Void success(byte[] reply) {
        Json json = new Json(utf8(reply));
        json.expect(SUCCESS);
        json.expectEnd();
        return null;
    }

    /** Returns what is in {@code {"buckets":2,"hash":"xxh3","ends":[0,25]}}. */
    static PrefixInfo ends(byte[] reply) {
        Json json = new Json(utf8(reply));
        json.expect(BUCKETS);
        long buckets = json.number();
        json.expect(HASH);
        int from = json.at;
        json.skipString();
        String hash = json.text.substring(from, json.at - 1);
        json.check(hash.indexOf('\\') < 0, "no escape before here");
        json.expect(ENDS);
        List<Long> ends = new ArrayList<>();
        do {
            ends.add(json.number());
        } while (json.skip(","));
        json.check(ends.size() == buckets, "as many ends as buckets");
        json.expect("]}");
        json.expectEnd();
        return new PrefixInfo(hash, ends.stream().mapToLong(Long::longValue).toArray());
    }

    /** Returns the names in {@code {"prefixes":["a","b"],"more":false}}. */
    static PrefixPage prefixes(byte[] reply) {
        Json json = new Json(utf8(reply));
        json.expect(PREFIXES);
        List<String> names = new ArrayList<>();
        while (json.skip(names.isEmpty() ? "\"" : ",\"")) {
            int from = json.at;
            json.skipString();
            names.add(json.text.substring(from, json.at - 1));
        }
        json.expect(MORE);
        boolean more = json.skip("true");
        if (!more) {
            json.expect("false");
        }
        json.expect("}");
        json.expectEnd();
        return new PrefixPage(names, more);
    }

    private static String utf8(byte[] reply) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(reply)).toString();
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("the reply is not UTF-8", e);
        }
    }

    private void expect(String part) {
        check(text.startsWith(part, at), part);
        at += part.length();
    }

    /** Moves past {@code part} if it is there. */
    private boolean skip(String part) {
        boolean there = text.startsWith(part, at);
        at += there ? part.length() : 0;
        return there;
    }

    private void expectEnd() {
        check(at == text.length(), "the end");
    }

    private long number() {
        int from = at;
        while (at < text.length() && digit(text.charAt(at), 10)) {
            at++;
        }
        String digits = text.substring(from, at);
        check(!digits.isEmpty(), "a number");
        check(digits.equals("0") || digits.charAt(0) != '0', "no leading zero");
        try {
            return Long.parseLong(digits);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("not an offset: " + digits, e);
        }
    }

    /** Moves past the closing quote. */
    private void skipString() {
        for (;;) {
            char c = next();
            if (c == '"') {
                return;
            }
            check(c >= ' ', "no control character");
            if (c == '\\') {
                skipEscape();
            }
        }
    }

    private void skipEscape() {
        char kind = next();
        check("\"\\/bfnrtu".indexOf(kind) >= 0, "an escape");
        for (int i = 0; kind == 'u' && i < 4; i++) {
            check(digit(next(), 16), "four hexadecimal digits");
        }
    }

    private char next() {
        check(at < text.length(), "more");
        return text.charAt(at++);
    }

    private static boolean digit(char c, int radix) {
        return c < 128 && Character.digit(c, radix) >= 0;
    }

    private void check(boolean right, String expected) {
        if (!right) {
            String shown = text.length() > 200 ? text.substring(0, 200) + "..." : text;
            throw new IllegalArgumentException(
                    "expected " + expected + " at character " + at + " of " + shown);
        }
    }
}
