package nl.prymr.rochefort;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.net.http.HttpConnectTimeoutException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/** Connects to the server, at the first of its addresses that answers. For any thread. */
final class Connector {
    private final Endpoint endpoint;
    private final SSLContext tls; // null without TLS
    private final Duration timeout;
    private final Clock clock;

    Connector(Endpoint endpoint, SSLContext tls, Duration timeout, Clock clock) {
        this.endpoint = endpoint;
        this.tls = tls;
        this.timeout = timeout;
        this.clock = clock;
    }

    /**
     * Connects. {@code attempts} gets each connection before it is connected, and may close it.
     *
     * @throws IOException if no address can be connected to; all attempts are closed then
     */
    Connection connect(Consumer<Connection> attempts) throws IOException {
        InetAddress[] addresses = addresses();
        Duration each = timeout.dividedBy(addresses.length); // one that is silent leaves time
        IOException failure = null;
        for (InetAddress address : addresses) {
            Connection connection = new Connection(SocketChannel.open());
            try {
                connection.begin(null, clock, clock.ticks(each));
                attempts.accept(connection);
                connect(connection, address);
                if (connection.finish()) {
                    return connection;
                }
                throw new ConnectException("too late");
            } catch (IOException | RuntimeException e) {
                IOException described = described(connection, e);
                if (!connection.isOpen() && !connection.expired()) {
                    throw described; // the exchange was ended
                }
                connection.abort();
                if (failure != null) {
                    described.addSuppressed(failure);
                }
                failure = described;
            }
        }
        throw failure;
    }

    private InetAddress[] addresses() throws IOException {
        try {
            return InetAddress.getAllByName(endpoint.host());
        } catch (UnknownHostException e) {
            throw described(e, "no such host: " + endpoint.host());
        }
    }

    private void connect(Connection connection, InetAddress address) throws IOException {
        SocketChannel channel = connection.channel();
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        channel.connect(new InetSocketAddress(address, endpoint.port()));
        if (tls == null) {
            return;
        }
        SSLSocket socket = (SSLSocket) tls.getSocketFactory().createSocket(
                channel.socket(), endpoint.host(), endpoint.port(), true);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS"); // checks the host name
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        connection.secure(socket);
    }

    private IOException described(Connection connection, Exception e) {
        if (connection.expired()) {
            IOException late = new HttpConnectTimeoutException(
                    "cannot connect within " + timeout.toMillis() + " ms");
            late.initCause(e);
            return late;
        }
        return described(e, "cannot connect: "
                + (e.getMessage() == null ? e.toString() : e.getMessage()));
    }

    private static IOException described(Exception e, String message) {
        IOException described = new ConnectException(message);
        described.initCause(e);
        return described;
    }
}
