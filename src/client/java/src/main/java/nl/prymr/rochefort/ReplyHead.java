package nl.prymr.rochefort;

import java.net.http.HttpHeaders;
import java.util.List;

/** Checks the head of a reply before its body is used. */
final class ReplyHead {
    private ReplyHead() {
    }

    /**
     * Reports whether the server itself refused, and so did nothing. A 500, 503 or 507 may also
     * come from a proxy, which cannot know what the server did. The server's own are of type
     * text/plain, and its 503 has a Retry-After.
     */
    static boolean refuses(int status, HttpHeaders headers) {
        switch (status) {
            case 500:
            case 507:
                return mediaType(headers).equalsIgnoreCase("text/plain");
            case 503:
                return mediaType(headers).equalsIgnoreCase("text/plain")
                        && headers.firstValue("retry-after").isPresent();
            default:
                return status >= 400 && status < 500;
        }
    }

    private static String mediaType(HttpHeaders headers) {
        return headers.firstValue("content-type").orElse("").split(";", 2)[0].strip();
    }

    /**
     * Returns the length of the body of a 200, or -1 if it is chunked. A body that ends with the
     * connection is refused: a truncated one would look the same.
     */
    static long bodyBytes(Exchange<?> exchange, HttpHeaders headers, String mediaType)
            throws RochefortException {
        String type = mediaType(headers);
        if (!type.equalsIgnoreCase(mediaType)) {
            throw exchange.malformed("the reply is " + (type.isEmpty() ? "of no type" : type)
                    + ", not " + mediaType + ": is this a rochefort server?", null);
        }
        List<String> lengths = headers.allValues("content-length");
        List<String> encodings = headers.allValues("transfer-encoding");
        if (encodings.size() == 1 && encodings.get(0).equalsIgnoreCase("chunked")
                && lengths.isEmpty()) {
            return -1;
        }
        if (lengths.size() != 1 || !encodings.isEmpty()) {
            throw exchange.malformed("the reply does not say how long it is", null);
        }
        try {
            long bytes = Long.parseLong(lengths.get(0));
            if (bytes >= 0) {
                return bytes;
            }
        } catch (NumberFormatException e) {
            throw exchange.malformed("Content-Length: " + lengths.get(0), e);
        }
        throw exchange.malformed("Content-Length: " + lengths.get(0), null);
    }
}
