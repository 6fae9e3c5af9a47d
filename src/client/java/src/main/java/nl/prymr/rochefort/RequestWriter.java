package nl.prymr.rochefort;

import java.io.IOException;
import java.io.OutputStream;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;

/**
 * Sends the requests of a {@link Connection}, and tells each {@link Request} how much of it was
 * sent: whether an append may have happened depends on it.
 */
final class RequestWriter {
    /** Requests up to this length are sent with one write. */
    private static final int OUT_BYTES_MAX = 64 * 1024;
    private static final int FIRST_BYTES = 1024;
    private static final int SLICE_BYTES = 64 * 1024;

    private final SocketChannel channel;
    private OutputStream tls; // null without TLS
    private byte[] out = new byte[FIRST_BYTES];
    private ByteBuffer outBuffer = ByteBuffer.wrap(out);
    private volatile Selector waiting; // while a large body is sent

    RequestWriter(SocketChannel channel) {
        this.channel = channel;
    }

    void secure(OutputStream tls) {
        this.tls = tls;
    }

    /** Any thread, after the channel was closed: the owner notices. */
    void wake() {
        Selector selector = waiting;
        if (selector != null) {
            selector.wakeup();
        }
    }

    /** Returns early if a reply begins before all is sent, except with TLS. */
    void write(Request request) throws IOException {
        int head = request.headBytes();
        byte[] body = request.body();
        int length = request.bodyBytes();
        int first = Math.min(length, OUT_BYTES_MAX - head);
        if (first < 0) {
            throw new ProtocolException("the head of the request is too long");
        }
        reserve(head + first);
        request.head(out);
        System.arraycopy(body, 0, out, head, first);
        if (first == length) {
            request.completing();
            outBuffer.clear().limit(head + first);
            writeAll(request, outBuffer);
        } else if (tls != null) {
            writeAll(request, ByteBuffer.wrap(out, 0, head + first));
            for (int sent = first; sent < length;) {
                int slice = Math.min(SLICE_BYTES, length - sent);
                if (sent + slice == length) {
                    request.completing();
                }
                writeAll(request, ByteBuffer.wrap(body, sent, slice));
                sent += slice;
            }
        } else {
            sendLarge(request, ByteBuffer.wrap(out, 0, head + first),
                    ByteBuffer.wrap(body, first, length - first));
        }
    }

    private void reserve(int bytes) {
        if (out.length < bytes) {
            out = new byte[Math.min(OUT_BYTES_MAX, Math.max(bytes, 2 * out.length))];
            outBuffer = ByteBuffer.wrap(out);
        }
    }

    private void writeAll(Request request, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            write(request, bytes);
        }
    }

    /** A write that fails has sent nothing, unless the channel was closed meanwhile. */
    private void write(Request request, ByteBuffer bytes) throws IOException {
        try {
            if (tls != null) {
                request.sent();
                tls.write(bytes.array(), bytes.position(), bytes.remaining());
                bytes.position(bytes.limit());
            } else if (channel.write(bytes) > 0) {
                request.sent();
            }
        } catch (IOException e) {
            if (channel.isOpen()) {
                request.incomplete();
            } else {
                request.sent(); // closed by another thread or an interrupt: how much is unknown
            }
            throw e;
        }
    }

    /** A blocking write would not notice that the server refuses and does not read the rest. */
    private void sendLarge(Request request, ByteBuffer first, ByteBuffer rest) throws IOException {
        channel.configureBlocking(false);
        try (Selector selector = Selector.open()) {
            waiting = selector;
            SelectionKey key = channel.register(selector,
                    SelectionKey.OP_READ | SelectionKey.OP_WRITE);
            while (rest.hasRemaining()) {
                selector.select();
                if (Thread.currentThread().isInterrupted()) {
                    channel.close();
                }
                if (!channel.isOpen()) {
                    throw new ClosedChannelException();
                }
                if (key.isReadable()) {
                    return;
                }
                selector.selectedKeys().clear();
                if (first.hasRemaining()) {
                    write(request, first);
                } else {
                    writeSlice(request, rest);
                }
            }
        } catch (CancelledKeyException e) {
            throw new ClosedChannelException();
        } finally {
            waiting = null;
            if (channel.isOpen()) {
                channel.configureBlocking(true);
            }
        }
    }

    private void writeSlice(Request request, ByteBuffer rest) throws IOException {
        int end = rest.limit();
        rest.limit(Math.min(end, rest.position() + SLICE_BYTES));
        if (rest.limit() == end) {
            request.completing();
        }
        write(request, rest);
        rest.limit(end);
        if (rest.hasRemaining()) {
            request.incomplete();
        }
    }
}
