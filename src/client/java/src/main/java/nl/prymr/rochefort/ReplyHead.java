package nl.prymr.rochefort;

import java.net.http.HttpHeaders;
import java.util.List;

/** Checks of the head of a reply, before any of its body is believed. */
final class ReplyHead {
    private ReplyHead() {
    }

    /**
     * Whether this is the server saying that it did nothing. With 500, 503 and 507 it may also be a
     * proxy, which cannot know; but the server's own are text, and its 503 says when to try again.
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
     * The length of a 200's body, -1 if it is chunked. A body that just ends with the connection is
     * refused: nobody could tell whether it was cut.
     */
    static long bodyBytes(Exchange<?> exchange, HttpHeaders headers, String mediaType)
            throws RochefortException {
        String type = mediaType(headers);
        if (!type.equalsIgnoreCase(mediaType)) {
            throw exchange.malformed("the reply is " + (type.isEmpty() ? "of no type" : type)
                    + ", not " + mediaType + ": is that a rochefort?", null);
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
