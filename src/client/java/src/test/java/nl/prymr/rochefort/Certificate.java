package nl.prymr.rochefort;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** A key and a certificate that it has signed itself, and the TLS contexts of both sides. */
final class Certificate {
    private static final char[] PASSWORD = "secret".toCharArray();

    private final KeyStore store;

    /** {@code names}: as in the option san of keytool. */
    Certificate(String names) throws Exception {
        Path file = Files.createTempFile("rochefort-java-", ".p12");
        try {
            Files.delete(file);
            Process keytool = new ProcessBuilder(System.getProperty("java.home") + "/bin/keytool",
                    "-genkeypair", "-keystore", file.toString(), "-storepass", "secret",
                    "-storetype", "PKCS12", "-alias", "server", "-keyalg", "EC", "-dname",
                    "CN=server", "-ext", "san=" + names)
                    .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.INHERIT)
                    .start();
            if (!keytool.waitFor(60, TimeUnit.SECONDS) || keytool.exitValue() != 0) {
                keytool.destroyForcibly();
                throw new IOException("keytool failed");
            }
            store = KeyStore.getInstance("PKCS12");
            try (InputStream in = Files.newInputStream(file)) {
                store.load(in, PASSWORD);
            }
        } finally {
            Files.deleteIfExists(file);
        }
    }

    /** A listener on 127.0.0.1 that shows the certificate. */
    ServerSocket listener() throws Exception {
        KeyManagerFactory keys =
                KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, PASSWORD);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        return context.getServerSocketFactory().createServerSocket(
                0, RogueServer.BACKLOG, InetAddress.getByName("127.0.0.1"));
    }

    /** Of a client that trusts the certificate, and no other. */
    SSLContext trust() throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("server", store.getCertificate("server"));
        TrustManagerFactory trust =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
