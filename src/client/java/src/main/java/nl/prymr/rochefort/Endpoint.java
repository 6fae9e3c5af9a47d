package nl.prymr.rochefort;

import java.net.MalformedURLException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;

/** The address of the server, and that of each request. */
final class Endpoint {
    private final String base; // ends without a slash

    Endpoint(String url) {
        URI uri;
        try {
            uri = new URL(url).toURI();
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
        String path = uri.getRawPath();
        while (path.endsWith("/")) {
            path = path.substring(0, path.length() - 1);
        }
        String port = uri.getPort() == -1 ? "" : ":" + uri.getPort();
        base = scheme + "://" + uri.getHost() + port + path;
    }

    URI append(String storagePrefix, String id, boolean sync) {
        return URI.create(base + "/append?id=" + encode(id) + prefix(storagePrefix)
                + (sync ? "&sync=1" : ""));
    }

    URI get(String storagePrefix, String id, long offset) {
        return URI.create(
                base + "/get?id=" + encode(id) + "&offset=" + offset + prefix(storagePrefix));
    }

    URI getMulti(String storagePrefix, String id) {
        return URI.create(base + "/getMulti?id=" + encode(id) + prefix(storagePrefix));
    }

    URI close(String storagePrefix) {
        return URI.create(base + "/close" + prefix(storagePrefix).replaceFirst("&", "?"));
    }

    private static String prefix(String storagePrefix) {
        boolean absent = storagePrefix == null || storagePrefix.isEmpty();
        return absent ? "" : "&storagePrefix=" + encode(storagePrefix);
    }

    /** Encodes as in a form: the server decodes {@code +} as a space. */
    private static String encode(String text) {
        // URLEncoder would replace it by a question mark, and two ids would become one.
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException("unpaired surrogate in: " + text);
        }
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }
}
