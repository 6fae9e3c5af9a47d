package nl.prymr.rochefort;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A server on a free port that runs the script of a test on each connection. */
final class RogueServer implements AutoCloseable {
    static final int BACKLOG = 200;

    private static final int TIMEOUT_MILLIS = 30_000;

    interface Script {
        void run(Connection connection) throws Exception;
    }

    static final class Request {
        final String head;
        final byte[] body;
        final boolean whole;

        Request(String head, byte[] body, boolean whole) {
            this.head = head;
            this.body = body;
            this.whole = whole;
        }

        String line() {
            return head.substring(0, head.indexOf('\r'));
        }
    }

    final class Connection implements AutoCloseable {
        final int number;
        private final Socket socket;
        private final InputStream in;
        private final OutputStream out;

        Connection(int number, Socket socket) throws IOException {
            this.number = number;
            this.socket = socket;
            this.in = socket.getInputStream();
            this.out = socket.getOutputStream();
        }

        /** Returns the next request, or null at the end. Records all, also truncated ones. */
        Request read() throws IOException {
            String text = readHead();
            if (text == null) {
                return null;
            }
            int bytes = contentLength(text);
            byte[] body = in.readNBytes(bytes);
            Request request = new Request(text, body, body.length == bytes);
            requests.add(request);
            return request;
        }

        private int contentLength(String head) {
            for (String line : head.toLowerCase(Locale.ROOT).split("\r\n")) {
                if (line.startsWith("content-length:")) {
                    return Integer.parseInt(line.substring(line.indexOf(':') + 1).strip());
                }
            }
            return 0;
        }

        void write(String text) throws IOException {
            write(text.getBytes(StandardCharsets.ISO_8859_1));
        }

        void write(byte[] bytes) throws IOException {
            out.write(bytes);
            out.flush();
        }

        /** Reads the head of a request and nothing of its body. Records nothing. */
        String readHead() throws IOException {
            ByteArrayOutputStream head = new ByteArrayOutputStream();
            while (!head.toString(StandardCharsets.ISO_8859_1).endsWith("\r\n\r\n")) {
                int c = in.read();
                if (c < 0) {
                    return null;
                }
                head.write(c);
            }
            return head.toString(StandardCharsets.ISO_8859_1);
        }

        /** Reads that many bytes, or fewer at the end. Records nothing. */
        byte[] readBytes(int count) throws IOException {
            return in.readNBytes(count);
        }

        /** Closes so that the client gets a reset. */
        void reset() throws IOException {
            socket.setSoLinger(true, 0);
            socket.close();
        }

        /** Tells the client that nothing comes any more. */
        void endOutput() throws IOException {
            socket.shutdownOutput();
        }

        /** Writes a whole reply. */
        void reply(String status, String type, String body) throws IOException {
            write("HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\nContent-Length: "
                    + body.length() + "\r\n\r\n" + body);
        }

        void appended(long offset) throws IOException {
            reply("200 OK", "application/json", "{\"offset\":" + offset + ",\"file\":\"/f\"}");
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }

        /**
         * Reports whether the client has closed. Waits a little: on a busy machine the kernel may
         * deliver the end of one connection after the beginning of the next.
         */
        boolean ended() throws IOException {
            socket.setSoTimeout(100);
            try {
                return in.read() < 0;
            } catch (SocketTimeoutException e) {
                return false;
            }
        }

        /** Accepts no further connection. */
        void stopListening() throws IOException {
            listener.close();
        }

        /** Reads until the client closes, also with a reset. Returns how many bytes there were. */
        int awaitCut() {
            int count = 0;
            try {
                byte[] bytes = new byte[65_536];
                for (int read = in.read(bytes); read >= 0; read = in.read(bytes)) {
                    count += read;
                }
            } catch (IOException e) {
                return count;
            }
            return count;
        }

        /** Reads until the client closes. */
        void awaitEnd() throws IOException {
            while (in.read() >= 0) {
                continue;
            }
        }
    }

    final List<Request> requests = new CopyOnWriteArrayList<>();
    final AtomicInteger open = new AtomicInteger();
    final AtomicInteger openMax = new AtomicInteger();
    final AtomicInteger accepted = new AtomicInteger();
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final ServerSocket listener;
    private final Script script;

    RogueServer(Script script) throws IOException {
        this(new ServerSocket(0, BACKLOG, InetAddress.getByName("127.0.0.1")), script);
    }

    /** Closes {@code listener} with itself. */
    RogueServer(ServerSocket listener, Script script) {
        this.script = script;
        this.listener = listener;
        background(this::accept);
    }

    private static void background(Runnable task) {
        Thread thread = new Thread(task, "rogue");
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        try {
            for (;;) {
                Socket socket = listener.accept();
                socket.setSoTimeout(TIMEOUT_MILLIS);
                sockets.add(socket);
                Connection connection = new Connection(accepted.incrementAndGet(), socket);
                background(() -> serve(connection));
            }
        } catch (IOException e) {
            return; // closed
        }
    }

    private void serve(Connection connection) {
        openMax.accumulateAndGet(open.incrementAndGet(), Math::max);
        try (connection) {
            script.run(connection);
        } catch (Exception e) {
            // The client has closed, or the test has ended. The test checks the client's result.
        } finally {
            open.decrementAndGet();
        }
    }

    String url() {
        return "http://127.0.0.1:" + port();
    }

    int port() {
        return listener.getLocalPort();
    }

    @Override
    public void close() throws IOException {
        listener.close();
        for (Socket socket : sockets) {
            socket.close();
        }
    }
}
