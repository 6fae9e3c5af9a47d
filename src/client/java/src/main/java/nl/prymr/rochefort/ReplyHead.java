package nl.prymr.rochefort;

import java.io.EOFException;
import java.io.IOException;
import java.net.ProtocolException;
import java.nio.charset.StandardCharsets;

/** The head of a reply: its status, and the fields that matter to a client. */
final class ReplyHead {
    private static final int INTERIM_MAX = 20;
    private static final int SWITCHING_PROTOCOLS = 101;
    private static final int STATUS_AT = "HTTP/1.1 ".length();
    private static final int STATUS_END = STATUS_AT + 3;
    private static final int SHOWN_MAX = 100;

    /** Known values, so that most replies need no new string. */
    private static final String[] MEDIA_TYPES = {Exchange.VALUE, Exchange.JSON, Exchange.TEXT};

    private final byte[] in;
    private int status;
    private boolean http11;
    private String mediaType = "";
    private long contentLength = -1;
    private int lengths;
    private int encodings;
    private boolean chunked;
    private boolean retryAfter;
    private boolean close;
    private boolean keepAlive;
    private long keepAliveSeconds = -1;
    private String contentRange = "";
    private long tail = -1;
    private long nextOffset = -1;

    private ReplyHead(byte[] in) {
        this.in = in;
    }

    /**
     * Reads the head of the final reply. Interim replies are skipped.
     *
     * @throws ProtocolException if it is malformed or too long
     * @throws IOException if the connection fails or ends
     */
    static ReplyHead read(Connection connection) throws IOException {
        for (int i = 0; i <= INTERIM_MAX; i++) {
            int length = connection.awaitHead();
            if (length == 0) {
                throw new EOFException("the connection was closed");
            }
            ReplyHead head = new ReplyHead(connection.in());
            head.parse(connection.skip(length), length);
            if (head.status >= 200) {
                return head;
            }
        }
        throw new ProtocolException("more than " + INTERIM_MAX + " interim replies");
    }

    private void parse(int from, int length) throws ProtocolException {
        int end = from + length;
        int lineEnd = lineEnd(from);
        statusLine(from, trimmed(from, lineEnd));
        for (int at = lineEnd + 1; at < end; at = lineEnd + 1) {
            lineEnd = lineEnd(at);
            int last = trimmed(at, lineEnd);
            if (last > at) {
                field(at, last);
            }
        }
    }

    private int lineEnd(int at) {
        int end = at;
        while (in[end] != '\n') {
            end++;
        }
        return end;
    }

    /** Without the CR and spaces at the end. */
    private int trimmed(int from, int end) {
        int last = end;
        while (last > from && in[last - 1] <= ' ' && in[last - 1] >= 0) {
            last--;
        }
        return last;
    }

    private void statusLine(int from, int end) throws ProtocolException {
        String text = end - from < STATUS_END ? "" : string(from, from + STATUS_AT);
        http11 = text.equals("HTTP/1.1 ");
        if (!http11 && !text.equals("HTTP/1.0 ")) {
            throw new ProtocolException("not HTTP/1.1: " + shown(from, end));
        }
        for (int i = from + STATUS_AT; i < from + STATUS_END; i++) {
            int digit = in[i] - '0';
            if (digit < 0 || digit > 9) {
                throw new ProtocolException("no status: " + shown(from, end));
            }
            status = 10 * status + digit;
        }
        if (status < 100 || status == SWITCHING_PROTOCOLS) {
            throw new ProtocolException("unexpected status: " + shown(from, end));
        }
    }

    private void field(int from, int end) throws ProtocolException {
        int colon = from;
        while (colon < end && in[colon] != ':') {
            if (in[colon] <= ' ') {
                throw new ProtocolException("malformed field: " + shown(from, end));
            }
            colon++;
        }
        if (colon == end || colon == from) {
            throw new ProtocolException("malformed field: " + shown(from, end));
        }
        int value = colon + 1;
        while (value < end && (in[value] == ' ' || in[value] == '\t')) {
            value++;
        }
        if (equals(from, colon, "content-length")) {
            lengths++;
            contentLength = number("Content-Length", value, end);
        } else if (equals(from, colon, "content-type")) {
            mediaType = mediaType.isEmpty() ? mediaType(value, end) : mediaType;
        } else if (equals(from, colon, "transfer-encoding")) {
            encodings++;
            chunked = equals(value, end, "chunked");
        } else if (equals(from, colon, "connection")) {
            connection(string(value, end));
        } else if (equals(from, colon, "keep-alive")) {
            keepAliveSeconds = timeout(string(value, end));
        } else if (equals(from, colon, "retry-after")) {
            retryAfter = true;
        } else if (equals(from, colon, "content-range")) {
            contentRange = string(value, end);
        } else if (equals(from, colon, "rochefort-tail")) {
            tail = number("Rochefort-Tail", value, end);
        } else if (equals(from, colon, "rochefort-next-offset")) {
            nextOffset = number("Rochefort-Next-Offset", value, end);
        }
    }

    /** {@code expected}: in lower case. */
    private boolean equals(int from, int end, String expected) {
        if (end - from != expected.length()) {
            return false;
        }
        for (int i = 0; i < expected.length(); i++) {
            int c = in[from + i];
            if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != expected.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    private long number(String field, int from, int end) throws ProtocolException {
        long number = 0;
        for (int i = from; i < end; i++) {
            int digit = in[i] - '0';
            if (digit < 0 || digit > 9 || number > (Long.MAX_VALUE - digit) / 10) {
                throw new ProtocolException(field + ": " + shown(from, end));
            }
            number = 10 * number + digit;
        }
        if (from == end) {
            throw new ProtocolException(field + " without a value");
        }
        return number;
    }

    private String mediaType(int from, int end) {
        int last = from;
        while (last < end && in[last] != ';') {
            last++;
        }
        last = trimmed(from, last);
        for (String known : MEDIA_TYPES) {
            if (equals(from, last, known)) {
                return known;
            }
        }
        return string(from, last);
    }

    private void connection(String options) {
        for (String option : options.split(",")) {
            close |= option.strip().equalsIgnoreCase("close");
            keepAlive |= option.strip().equalsIgnoreCase("keep-alive");
        }
    }

    /** The timeout in {@code timeout=5, max=100}; -1 if there is none. */
    private static long timeout(String parameters) {
        for (String parameter : parameters.split(",")) {
            String[] parts = parameter.strip().split("=", 2);
            if (parts.length == 2 && parts[0].strip().equalsIgnoreCase("timeout")) {
                try {
                    return Math.max(0, Integer.parseInt(parts[1].strip()));
                } catch (NumberFormatException e) {
                    return 0; // unknown: do not rely on it
                }
            }
        }
        return -1;
    }

    private String string(int from, int end) {
        return new String(in, from, end - from, StandardCharsets.ISO_8859_1);
    }

    private String shown(int from, int end) {
        return string(from, Math.min(end, from + SHOWN_MAX)).replaceAll("[^ -~]", "?");
    }

    int status() {
        return status;
    }

    /** The media type without parameters; empty if there is none. */
    String mediaType() {
        return mediaType;
    }

    /** The seconds of {@code Keep-Alive: timeout}; -1 if there is none. */
    long keepAliveSeconds() {
        return keepAliveSeconds;
    }

    /** The value of Content-Range; empty if there is none. */
    String contentRange() {
        return contentRange;
    }

    /** The value of Rochefort-Tail, where a file ends; -1 if there is none. */
    long tail() {
        return tail;
    }

    /** The value of Rochefort-Next-Offset, where a scan goes on; -1 if there is none. */
    long nextOffset() {
        return nextOffset;
    }

    /** Whether the connection stays open after the reply. */
    boolean persistent() {
        return !close && (http11 || keepAlive);
    }

    /**
     * Reports whether the server itself refused, and so did nothing. A 500, 503 or 507 may also
     * come from a proxy, which cannot know what the server did. The server's own are of type
     * text/plain, and its 503 has a Retry-After.
     */
    boolean refuses() {
        switch (status) {
            case 500:
            case 507:
                return mediaType.equalsIgnoreCase(Exchange.TEXT);
            case 503:
                return mediaType.equalsIgnoreCase(Exchange.TEXT) && retryAfter;
            default:
                return status >= 400 && status < 500;
        }
    }

    /** Returns the body that follows. */
    ReplyBody body(Connection connection) throws ProtocolException {
        if (status == 204 || status == 304) {
            return ReplyBody.ofLength(connection, 0);
        }
        if (lengths > 1 || encodings > 1 || lengths + encodings > 1
                || encodings == 1 && !chunked) {
            throw new ProtocolException("the reply says in two ways, or in an unknown one, how long"
                    + " it is");
        }
        return chunked ? ReplyBody.chunked(connection)
                : lengths == 1 ? ReplyBody.ofLength(connection, contentLength)
                : ReplyBody.untilClose(connection);
    }
}
