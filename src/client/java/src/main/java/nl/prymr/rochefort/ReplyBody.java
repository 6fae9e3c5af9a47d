package nl.prymr.rochefort;

import java.io.EOFException;
import java.io.IOException;
import java.net.ProtocolException;

/** The body of a reply: of a known length, in chunks, or until the connection is closed. */
final class ReplyBody {
    private static final int CHUNK_LINE_MAX = 1024;
    private static final int TRAILERS_MAX = 32 * 1024;
    private static final long CHUNK_MAX = Long.MAX_VALUE >> 4;

    private enum Framing { LENGTH, CHUNKED, CLOSE }

    private final Connection connection;
    private final Framing framing;
    private long left; // of the body, or of the chunk
    private boolean firstChunk = true;
    private boolean ended;

    private ReplyBody(Connection connection, Framing framing, long left) {
        this.connection = connection;
        this.framing = framing;
        this.left = left;
        this.ended = framing == Framing.LENGTH && left == 0;
    }

    static ReplyBody ofLength(Connection connection, long length) {
        return new ReplyBody(connection, Framing.LENGTH, length);
    }

    static ReplyBody chunked(Connection connection) {
        return new ReplyBody(connection, Framing.CHUNKED, 0);
    }

    static ReplyBody untilClose(Connection connection) {
        return new ReplyBody(connection, Framing.CLOSE, Long.MAX_VALUE);
    }

    /** The number of bytes that follow; -1 if it is unknown. */
    long left() {
        return framing == Framing.LENGTH ? left : -1;
    }

    /** Whether the end of the connection is the only sign of the end. */
    boolean untilClose() {
        return framing == Framing.CLOSE;
    }

    /** Whether all was read, and the connection may have another reply after it. */
    boolean ended() {
        return ended && framing != Framing.CLOSE;
    }

    /**
     * Reads at least one byte unless {@code count} is 0; -1 at the end.
     *
     * @throws IOException if the connection fails or ends before the body does
     */
    int read(byte[] to, int from, int count) throws IOException {
        if (framing == Framing.CHUNKED && left == 0 && !ended) {
            nextChunk();
        }
        if (ended) {
            return -1;
        }
        int read = connection.read(to, from, (int) Math.min(count, left));
        if (read < 0) {
            if (framing == Framing.CLOSE) {
                ended = true;
                return -1;
            }
            throw new EOFException("the connection was closed in the body of the reply");
        }
        left -= read;
        ended = framing == Framing.LENGTH && left == 0;
        return read;
    }

    /** Reads that many bytes. Returns fewer only at the end. */
    int readFully(byte[] to, int from, int count) throws IOException {
        int done = 0;
        while (done < count) {
            int read = read(to, from + done, count - done);
            if (read < 0) {
                break;
            }
            done += read;
        }
        return done;
    }

    private void nextChunk() throws IOException {
        if (!firstChunk && !line(CHUNK_LINE_MAX).isEmpty()) {
            throw new ProtocolException("a chunk is longer than its length");
        }
        firstChunk = false;
        left = chunkLength(line(CHUNK_LINE_MAX));
        if (left == 0) {
            int trailers = TRAILERS_MAX;
            for (String line = line(trailers); !line.isEmpty(); line = line(trailers)) {
                trailers -= line.length();
            }
            ended = true;
        }
    }

    private static long chunkLength(String line) throws ProtocolException {
        long length = 0;
        int digits = 0;
        while (digits < line.length() && Character.digit(line.charAt(digits), 16) >= 0
                && line.charAt(digits) < 128) {
            if (length > CHUNK_MAX) {
                throw new ProtocolException("a chunk is too long");
            }
            length = length << 4 | Character.digit(line.charAt(digits), 16);
            digits++;
        }
        String extension = line.substring(digits).strip();
        if (digits == 0 || !extension.isEmpty() && extension.charAt(0) != ';') {
            throw new ProtocolException("malformed length of a chunk");
        }
        return length;
    }

    /** The next line without its end. */
    private String line(int max) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = connection.read(); c != '\n'; c = connection.read()) {
            if (c < 0) {
                throw new EOFException("the connection was closed between chunks of the reply");
            }
            if (line.length() >= max) {
                throw new ProtocolException("the framing of a chunk is too long");
            }
            line.append((char) c);
        }
        if (line.length() > 0 && line.charAt(line.length() - 1) == '\r') {
            line.setLength(line.length() - 1);
        }
        return line.toString();
    }
}
