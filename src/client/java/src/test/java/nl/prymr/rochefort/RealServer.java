package nl.prymr.rochefort;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The server that ROCHEFORT names, on a free port, in a fresh directory. */
final class RealServer implements AutoCloseable {
    private static final Pattern STARTED =
            Pattern.compile(".* starting http server on (127\\.0\\.0\\.1:\\d+)");
    private static final long STOP_SECONDS = 30;

    private final Path root;
    private final List<String> flags;
    private final Map<String, String> environment;
    private Process process;
    private String address = "127.0.0.1:0";

    RealServer(String... flags) throws IOException {
        this(Map.of(), flags);
    }

    RealServer(Map<String, String> environment, String... flags) throws IOException {
        this.root = Files.createTempDirectory("rochefort-java-");
        this.flags = List.of(flags);
        this.environment = environment;
        start();
    }

    /** Starts it again, after it was stopped: with the same address, root and flags. */
    void start() throws IOException {
        String binary = Objects.requireNonNull(System.getenv("ROCHEFORT"), "ROCHEFORT is not set");
        List<String> command =
                new ArrayList<>(List.of(binary, "-bind", address, "-root", root.toString()));
        command.addAll(flags);
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.INHERIT);
        builder.environment().putAll(environment);
        process = builder.start();
        BufferedReader log = new BufferedReader(
                new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8));
        address = awaitStart(log);
        Thread rest = new Thread(() -> pass(log));
        rest.setDaemon(true);
        rest.start();
    }

    private String awaitStart(BufferedReader log) throws IOException {
        StringBuilder seen = new StringBuilder();
        for (String line = log.readLine(); line != null; line = log.readLine()) {
            Matcher matcher = STARTED.matcher(line);
            if (matcher.matches()) {
                return matcher.group(1);
            }
            seen.append(line).append('\n');
        }
        throw new IOException("the server did not start: " + seen);
    }

    private static void pass(BufferedReader log) {
        try (log) {
            for (String line = log.readLine(); line != null; line = log.readLine()) {
                System.err.println(line);
            }
        } catch (IOException e) {
            return; // the process has ended
        }
    }

    String url() {
        return "http://" + address;
    }

    Path root() {
        return root;
    }

    /** A figure of /metrics, with its labels; 0 if it is not there yet. */
    long figure(String name) {
        try (InputStream page = new URL(url() + "/metrics").openStream()) {
            return new String(page.readAllBytes(), StandardCharsets.UTF_8).lines()
                    .filter(line -> line.startsWith(name + " "))
                    .mapToLong(line -> Long.parseLong(line.substring(name.length() + 1)))
                    .sum();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Stops the process. A server that does not stop, or exits with an error, is a failure. */
    void stop() throws IOException {
        process.destroy();
        awaitExit();
        if (process.exitValue() != 0) {
            throw new IOException("the server's exit code: " + process.exitValue());
        }
    }

    void kill() throws IOException {
        process.destroyForcibly();
        awaitExit();
    }

    private void awaitExit() throws IOException {
        try {
            if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IOException("the server did not stop within " + STOP_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            throw new IOException(e);
        }
    }

    /** Stops it and deletes the root. */
    @Override
    public void close() throws IOException {
        try {
            stop();
        } finally {
            deleteRoot();
        }
    }

    private void deleteRoot() throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : (Iterable<Path>) files.sorted(Comparator.reverseOrder())::iterator) {
                Files.delete(file);
            }
        }
    }
}
