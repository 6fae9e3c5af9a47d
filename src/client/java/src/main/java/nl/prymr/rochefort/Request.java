package nl.prymr.rochefort;

import java.net.URI;
import java.nio.charset.StandardCharsets;

/** One request, how it is written, and how much of it has been sent. */
final class Request {
    private static final byte[] GET = latin1("GET ");
    private static final byte[] POST = latin1("POST ");
    private static final byte[] CONTENT_LENGTH = latin1("Content-Length: ");
    private static final byte[] END = latin1("\r\n\r\n");
    private static final byte[] NO_BYTES = {};

    private final Endpoint endpoint;
    private final byte[] method;
    private final String target;
    private final byte[] fields; // of this request only
    private final byte[] body;
    private final int bodyBytes;
    private final boolean repeatable;
    private boolean sent;
    private boolean whole;

    private Request(Endpoint endpoint, byte[] method, String target, byte[] fields, byte[] body,
            int bodyBytes, boolean repeatable) {
        this.endpoint = endpoint;
        this.method = method;
        this.target = target;
        this.fields = fields;
        this.body = body;
        this.bodyBytes = bodyBytes;
        this.repeatable = repeatable;
    }

    /** {@code target}: path and query, encoded. */
    static Request get(Endpoint endpoint, String target) {
        return new Request(endpoint, GET, target, NO_BYTES, NO_BYTES, 0, true);
    }

    /** {@code fields}: further lines of the head, each with its end. */
    static Request get(Endpoint endpoint, String target, String fields) {
        return new Request(endpoint, GET, target, latin1(fields), NO_BYTES, 0, true);
    }

    /** {@code body} is not copied. {@code repeatable}: it may be sent twice. */
    static Request post(Endpoint endpoint, String target, byte[] body, boolean repeatable) {
        return post(endpoint, target, body, body.length, repeatable);
    }

    /** The body is the first {@code bodyBytes} of {@code body}. */
    static Request post(Endpoint endpoint, String target, byte[] body, int bodyBytes,
            boolean repeatable) {
        return new Request(endpoint, POST, target, NO_BYTES, body, bodyBytes, repeatable);
    }

    private static byte[] latin1(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** Whether the server may process it twice without harm. */
    boolean repeatable() {
        return repeatable;
    }

    /** The body is the first {@link #bodyBytes} of this array. */
    byte[] body() {
        return body;
    }

    int bodyBytes() {
        return bodyBytes;
    }

    String method() {
        return method == GET ? "GET" : "POST";
    }

    URI uri() {
        return URI.create(endpoint.origin() + target);
    }

    int headBytes() {
        int bytes = method.length + target.length() + endpoint.headers().length + fields.length;
        return bytes + (method == GET ? 2 : CONTENT_LENGTH.length + digits() + END.length);
    }

    private int digits() {
        int digits = 1;
        for (int rest = bodyBytes; rest >= 10; rest /= 10) {
            digits++;
        }
        return digits;
    }

    /** Writes the head to the start of {@code out}. */
    void head(byte[] out) {
        int at = put(method, out, 0);
        for (int i = 0; i < target.length(); i++) {
            out[at++] = (byte) target.charAt(i);
        }
        at = put(fields, out, put(endpoint.headers(), out, at));
        if (method == GET) {
            out[at++] = '\r';
            out[at] = '\n';
            return;
        }
        at = put(CONTENT_LENGTH, out, at);
        int digits = digits();
        for (int i = digits - 1, rest = bodyBytes; i >= 0; i--, rest /= 10) {
            out[at + i] = (byte) ('0' + rest % 10);
        }
        put(END, out, at + digits);
    }

    private static int put(byte[] bytes, byte[] out, int at) {
        System.arraycopy(bytes, 0, out, at, bytes.length);
        return at + bytes.length;
    }

    /** Call before the write that contains the last byte. */
    void completing() {
        whole = true;
    }

    /** Call when it turns out that the last byte was not sent. */
    void incomplete() {
        whole = false;
    }

    /** Call when at least one byte has, or may have, been sent. */
    void sent() {
        sent = true;
    }

    /** Whether any byte may have been sent. */
    boolean anySent() {
        return sent;
    }

    /** Whether all bytes may have been sent, so that the server may have processed it. */
    boolean wholeSent() {
        return whole;
    }
}
