package nl.prymr.rochefort;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLSocket;

/**
 * One connection to the server, with TLS or without. Only its owner reads and writes: the thread
 * that has taken it from the {@link ConnectionPool}. Other threads may call {@link #abort} and
 * {@link #expire}, which make the owner's call fail with a ClosedChannelException.
 *
 * <p>A SocketChannel in blocking mode rather than a Socket, because an interrupt of the thread then
 * closes it, and because a read needs one system call. Without blocking mode the look before an
 * append would be one call and not five, but each reply would need a wait with a Selector besides
 * its read: measured, an append takes 5 % less processor time so, and a get 9 % more.
 */
final class Connection {
    /** The maximum length of the head of a reply. */
    static final int IN_BYTES = 32 * 1024;

    private static final int SLICE_BYTES = 64 * 1024;

    /** How long it may be idle before an append, if the server has not sent Keep-Alive: timeout. */
    private static final long APPEND_IDLE_NANOS = 500_000_000L;
    private static final long IDLE_NANOS = 30_000_000_000L;

    /** A look costs some system calls, with TLS a millisecond: not if it was in use until now. */
    private static final long LOOK_NANOS = 10_000_000L;
    private static final long TLS_LOOK_NANOS = 100_000_000L;

    private static final long IDLE = -1;
    private static final long EXPIRED = -2;

    private final SocketChannel channel;
    private final AtomicLong activity = new AtomicLong(IDLE); // tick, IDLE or EXPIRED
    private final byte[] in = new byte[IN_BYTES];
    private final ByteBuffer inBuffer = ByteBuffer.wrap(in);
    private int at;
    private int end;
    private final RequestWriter writer;
    private SSLSocket tls; // null without TLS
    private InputStream tlsIn;
    private boolean replyBegun;
    private boolean reused;
    private volatile Exchange<?> user;
    private volatile Clock clock;
    private volatile long limitTicks;
    private volatile long idleSinceNanos;
    private volatile long appendIdleNanos = APPEND_IDLE_NANOS;
    private volatile long maxIdleNanos = IDLE_NANOS;

    Connection(SocketChannel channel) {
        this.channel = channel;
        this.writer = new RequestWriter(channel);
    }

    SocketChannel channel() {
        return channel;
    }

    /** All bytes go through {@code tls}, which is layered over the channel. */
    void secure(SSLSocket tls) throws IOException {
        this.tls = tls;
        this.tlsIn = tls.getInputStream();
        writer.secure(tls.getOutputStream());
    }

    /** The calling thread becomes the owner, and may be silent for that number of ticks. */
    void begin(Exchange<?> user, Clock clock, long limitTicks) {
        this.user = user;
        this.clock = clock;
        this.limitTicks = limitTicks;
        reused |= replyBegun;
        replyBegun = false;
        activity.set(clock.tick());
    }

    /** Call when something was received, or taken by the caller: the time-out begins again. */
    void touch() {
        long last = activity.get();
        long now = clock.tick();
        if (last != now && last != EXPIRED) {
            activity.compareAndSet(last, now);
        }
    }

    /** The owner is done. Returns false if the connection cannot be used again. */
    boolean finish() {
        idleSinceNanos = System.nanoTime();
        return activity.getAndSet(IDLE) != EXPIRED && at == end && channel.isOpen();
    }

    /** Any thread: returns true, once, if it was silent for too long. Close it then. */
    boolean expire(long tick) {
        long last = activity.get();
        return last >= 0 && tick - last > limitTicks && activity.compareAndSet(last, EXPIRED);
    }

    /** Whether {@link #expire} has returned true. */
    boolean expired() {
        return activity.get() == EXPIRED;
    }

    boolean isOpen() {
        return channel.isOpen();
    }

    /** Any thread: whose it is, or was last; null while it is being connected. */
    Exchange<?> user() {
        return user;
    }

    /** Whether it was used before, so that the server may have closed it. */
    boolean reused() {
        return reused;
    }

    /** Whether anything was received since {@link #begin}. */
    boolean replyBegun() {
        return replyBegun;
    }

    /** From {@code Keep-Alive: timeout}: the client closes it long before the server does. */
    void keepAlive(long seconds) {
        appendIdleNanos = Math.min(IDLE_NANOS, seconds * 1_000_000_000L / 2);
        maxIdleNanos = appendIdleNanos;
    }

    /** Whether it has been idle for so long that it is better closed. */
    boolean tooOld(long nowNanos) {
        return nowNanos - idleSinceNanos > maxIdleNanos;
    }

    /**
     * Whether the next request can be sent on it: it is not near the server's time-out for idle
     * connections, it is open as far as can be seen, and has no unsolicited data.
     *
     * @param repeatable whether the request may be sent again if this turns out to be wrong
     */
    boolean usable(boolean repeatable, long nowNanos) {
        long idle = nowNanos - idleSinceNanos;
        if (idle > (repeatable ? maxIdleNanos : appendIdleNanos)) {
            return false;
        }
        if (idle < (tls != null ? TLS_LOOK_NANOS : repeatable ? LOOK_NANOS : 0)) {
            return true;
        }
        try {
            return tls != null ? tlsSilent() : silent();
        } catch (IOException e) {
            return false;
        }
    }

    private boolean silent() throws IOException {
        inBuffer.clear();
        channel.configureBlocking(false);
        try {
            return channel.read(inBuffer) == 0;
        } finally {
            channel.configureBlocking(true);
        }
    }

    private boolean tlsSilent() throws IOException {
        tls.setSoTimeout(1);
        try {
            tlsIn.read();
            return false;
        } catch (SocketTimeoutException e) {
            tls.setSoTimeout(0);
            return true;
        }
    }

    /**
     * Any thread: closes it, whatever its owner is doing. With TLS without a close_notify, for
     * which the JDK may wait: requests and replies have a length.
     */
    void abort() {
        try {
            channel.close();
        } catch (IOException e) {
            return; // the descriptor is released nevertheless
        } finally {
            writer.wake();
        }
    }

    /** Sends a request. Returns early if a reply begins before all is sent. */
    void send(Request request) throws IOException {
        writer.write(request);
    }

    /** Returns the next byte, or -1 at the end. */
    int read() throws IOException {
        if (at == end && fill() < 0) {
            return -1;
        }
        return in[at++] & 0xff;
    }

    /** Reads at least one byte unless {@code count} is 0; -1 at the end. */
    int read(byte[] to, int from, int count) throws IOException {
        if (at == end && count >= IN_BYTES) {
            return receive(to, from, Math.min(count, SLICE_BYTES));
        }
        if (at == end && count > 0 && fill() < 0) {
            return -1;
        }
        int read = Math.min(count, end - at);
        System.arraycopy(in, at, to, from, read);
        at += read;
        return read;
    }

    /**
     * Receives until the buffer begins with the whole head of a reply. Returns its length with the
     * empty line; 0 if the connection was closed before the first byte.
     */
    int awaitHead() throws IOException {
        for (int searched = at;;) {
            for (; searched < end; searched++) {
                if (in[searched] == '\n' && emptyLine(searched)) {
                    return searched + 1 - at;
                }
            }
            if (at > 0) {
                System.arraycopy(in, at, in, 0, end - at);
                searched -= at;
                end -= at;
                at = 0;
            }
            if (end == IN_BYTES) {
                throw new ProtocolException("the head of the reply is longer than " + end
                        + " bytes");
            }
            int received = receive(in, end, IN_BYTES - end);
            if (received < 0 && end == 0) {
                return 0;
            }
            if (received < 0) {
                throw new EOFException("the connection was closed in the head of the reply");
            }
            end += received;
        }
    }

    /** The line that ends here, with CR LF or with LF alone, is empty. */
    private boolean emptyLine(int newline) {
        int last = newline - 1;
        if (last >= at && in[last] == '\r') {
            last--;
        }
        return last >= at && in[last] == '\n';
    }

    /** The buffer, for the head that {@link #awaitHead} has found. */
    byte[] in() {
        return in;
    }

    /** Returns where in {@link #in} the next byte is, and skips that many. */
    int skip(int bytes) {
        int from = at;
        at += bytes;
        return from;
    }

    private int fill() throws IOException {
        at = 0;
        end = 0;
        int received = receive(in, 0, IN_BYTES);
        end = Math.max(0, received);
        return received;
    }

    private int receive(byte[] to, int from, int count) throws IOException {
        int read;
        if (tls != null) {
            read = tlsIn.read(to, from, count);
        } else if (to == in) {
            inBuffer.limit(from + count).position(from);
            read = channel.read(inBuffer);
        } else {
            read = channel.read(ByteBuffer.wrap(to, from, count));
        }
        replyBegun |= read > 0;
        touch();
        return read;
    }
}
