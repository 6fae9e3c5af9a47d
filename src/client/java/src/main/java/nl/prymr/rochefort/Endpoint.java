package nl.prymr.rochefort;

import java.net.MalformedURLException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/** The address of the server, and the target of each request. */
final class Endpoint {
    private static final byte[] NO_BODY = {};
    private static final String SYNC = "&sync=1";
    private static final int HTTP_PORT = 80;
    private static final int HTTPS_PORT = 443;

    private final boolean tls;
    private final String host; // without the brackets of an IPv6 address
    private final int port;
    private final String origin; // scheme, host and port
    private final String path; // ends without a slash
    private final byte[] headers;

    Endpoint(String url) {
        this(parse(url), null);
    }

    private Endpoint(URI uri, String token) {
        String bracketed = uri.getHost();
        tls = "https".equalsIgnoreCase(uri.getScheme());
        host = bracketed.startsWith("[") ? bracketed.substring(1, bracketed.length() - 1)
                : bracketed;
        port = uri.getPort() != -1 ? uri.getPort() : tls ? HTTPS_PORT : HTTP_PORT;
        String authority = bracketed + (uri.getPort() == -1 ? "" : ":" + uri.getPort());
        origin = uri.getScheme() + "://" + authority;
        String rest = uri.getRawPath();
        while (rest.endsWith("/")) {
            rest = rest.substring(0, rest.length() - 1);
        }
        path = rest;
        headers = (" HTTP/1.1\r\nHost: " + authority + "\r\n"
                + (token == null ? "" : "Authorization: Bearer " + token + "\r\n"))
                .getBytes(StandardCharsets.ISO_8859_1);
    }

    private static URI parse(String url) {
        URI uri;
        try {
            uri = new URL(Objects.requireNonNull(url, "url")).toURI();
        } catch (MalformedURLException | URISyntaxException e) {
            throw new IllegalArgumentException("not a URL: " + url, e);
        }
        String scheme = uri.getScheme();
        if (!"http".equalsIgnoreCase(scheme) && !"https".equalsIgnoreCase(scheme)) {
            throw new IllegalArgumentException("neither http nor https: " + url);
        }
        if (uri.getHost() == null) {
            throw new IllegalArgumentException("no host, or not a valid one: " + url);
        }
        if (uri.getRawUserInfo() != null || uri.getRawQuery() != null
                || uri.getRawFragment() != null) {
            throw new IllegalArgumentException("more than scheme, host, port and path: " + url);
        }
        if (!uri.toString().chars().allMatch(c -> c > ' ' && c < 0x7f)) {
            throw new IllegalArgumentException("not ASCII: " + url);
        }
        return uri;
    }

    /** The same server, with a token in each request. */
    Endpoint withToken(String token) {
        if (token.isEmpty() || !token.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
            throw new IllegalArgumentException("a token has only visible ASCII characters");
        }
        return new Endpoint(URI.create(origin + path), token);
    }

    boolean tls() {
        return tls;
    }

    String host() {
        return host;
    }

    int port() {
        return port;
    }

    String origin() {
        return origin;
    }

    /** What follows the target in each request. Not to be changed. */
    byte[] headers() {
        return headers;
    }

    /** {@code expected}: where the file must end; negative for anywhere. */
    Request append(String storagePrefix, String id, byte[] data, boolean sync, long expected) {
        StringBuilder target = fileTarget("/append?id=", storagePrefix, id);
        if (sync) {
            target.append(SYNC);
        }
        if (expected >= 0) {
            target.append("&expect=").append(expected);
        }
        Objects.requireNonNull(data, "data");
        return Request.post(this, target.toString(), data, false);
    }

    /** The target of an appendMulti, for {@link #appendMulti}. */
    String appendMultiTarget(String storagePrefix, String id, boolean sync) {
        StringBuilder target = fileTarget("/appendMulti?id=", storagePrefix, id);
        return sync ? target.append(SYNC).toString() : target.toString();
    }

    Request appendMulti(String target, ValueFrames values) {
        return Request.post(this, target, values.bytes(), values.length(), false);
    }

    Request get(String storagePrefix, String id, long offset) {
        return Request.get(this, getTarget(storagePrefix, id, offset));
    }

    /** The bytes {@code first} to {@code last} of a value. */
    Request getRange(String storagePrefix, String id, long offset, long first, long last) {
        return Request.get(this, getTarget(storagePrefix, id, offset),
                "Range: bytes=" + first + "-" + last + "\r\n");
    }

    private String getTarget(String storagePrefix, String id, long offset) {
        StringBuilder target = target("/get?id=");
        encode(target, Objects.requireNonNull(id, "id"));
        target.append("&offset=").append(offset);
        prefix(target, "&storagePrefix=", storagePrefix);
        return target.toString();
    }

    /** The target of a getMulti, for {@link #getMulti(String, byte[])}. */
    String getMultiTarget(String storagePrefix, String id) {
        return fileTarget("/getMulti?id=", storagePrefix, id).toString();
    }

    Request getMulti(String target, byte[] encodedOffsets) {
        return Request.post(this, target, encodedOffsets, true);
    }

    /** The target of a getMulti that goes on after an offset that cannot be read. */
    String getMultiEachTarget(String storagePrefix, String id) {
        return fileTarget("/getMulti?id=", storagePrefix, id).append("&errors=each").toString();
    }

    /** The target of a scan, for {@link #scan}. */
    String scanTarget(String storagePrefix, int bucket) {
        StringBuilder target = target("/scan?bucket=").append(bucket);
        prefix(target, "&storagePrefix=", storagePrefix);
        return target.append("&limit=").append(ScanExchange.LIMIT_BYTES).toString();
    }

    /** {@code last}: the record before; null for none. */
    Request scan(String scanTarget, long offset, long waitSeconds, String last) {
        StringBuilder target =
                new StringBuilder(scanTarget).append("&offset=").append(offset);
        if (waitSeconds > 0) {
            target.append("&wait=").append(waitSeconds);
        }
        if (last != null) {
            target.append("&last=").append(last);
        }
        return Request.get(this, target.toString());
    }

    Request ends(String storagePrefix) {
        StringBuilder target = target("/ends");
        prefix(target, "?storagePrefix=", storagePrefix);
        return Request.get(this, target.toString());
    }

    /** {@code after}: an encoded name; null for the first page. */
    Request prefixes(String after) {
        StringBuilder target = target("/prefixes");
        return Request.get(this,
                (after == null ? target : target.append("?after=").append(after)).toString());
    }

    Request close(String storagePrefix) {
        StringBuilder target = target("/close");
        prefix(target, "?storagePrefix=", storagePrefix);
        return Request.post(this, target.toString(), NO_BODY, false);
    }

    /** {@code endpoint} ends with the name of the parameter id. */
    private StringBuilder fileTarget(String endpoint, String storagePrefix, String id) {
        StringBuilder target = target(endpoint);
        encode(target, Objects.requireNonNull(id, "id"));
        prefix(target, "&storagePrefix=", storagePrefix);
        return target;
    }

    private StringBuilder target(String endpoint) {
        return new StringBuilder(path.length() + 64).append(path).append(endpoint);
    }

    private static void prefix(StringBuilder target, String name, String storagePrefix) {
        if (storagePrefix != null && !storagePrefix.isEmpty()) {
            encode(target.append(name), storagePrefix);
        }
    }

    /** Encodes as in a form: the server decodes {@code +} as a space. */
    private static void encode(StringBuilder target, String text) {
        for (int i = 0; i < text.length(); i++) {
            if (!unreserved(text.charAt(i))) {
                encodeAll(target, text);
                return;
            }
        }
        target.append(text);
    }

    private static boolean unreserved(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
                || c == '-' || c == '_' || c == '.' || c == '*';
    }

    private static void encodeAll(StringBuilder target, String text) {
        // URLEncoder would replace it by a question mark, and two ids would become one.
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException("unpaired surrogate in: " + text);
        }
        target.append(URLEncoder.encode(text, StandardCharsets.UTF_8));
    }
}
