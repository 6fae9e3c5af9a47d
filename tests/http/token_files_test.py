"""The file of -tokens: which the server does not start with, and SIGHUP. What its lines may say is
tested in tokens_test.c."""
import os
import re
import signal
import subprocess
import tempfile
import threading
import unittest

import harness
import process
import suite
from capabilities import needs_ipv6, needs_localhost, needs_root
from tokens import Server, bearer, line_of, token_of, write_file
from users import AS_NOBODY, NOBODY, copy_binary

GROUP = 12345


class WithoutOne(unittest.TestCase):
    LINE = "without -tokens everybody who reaches %s may read and write everything\n"

    def check(self, bind, warned, kind=harness.Server):
        with self.subTest(bind), kind("-bind", bind) as server:
            server.stop()  # its log is complete
            name = "%s:%d" % (bind.removesuffix(":0"), server.port)
            self.assertEqual(warned, server.log().count(self.LINE % name), server.log())
            self.assertEqual(warned, server.log().count("without -tokens"))

    def test_a_server_that_others_can_reach_says_so(self):
        for bind in (":0", "0.0.0.0:0"):
            self.check(bind, 1)
            self.check(bind, 0, kind=Server)
        for bind in ("127.0.0.1:0", "127.9.9.9:0"):
            self.check(bind, 0)

    @needs_localhost
    def test_by_name(self):
        self.check("localhost:0", 0)

    @needs_ipv6
    def test_of_ipv6(self):
        self.check("[::1]:0", 0)
        self.check("[::]:0", 1)


def refusal(*flags):
    """What a server says that does not start: one line."""
    done = subprocess.run([harness.BINARY, "-bind", "127.0.0.1:0", *flags], capture_output=True,
                          text=True, timeout=harness.TIMEOUT_SECONDS)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


class Files(unittest.TestCase):
    GOOD = line_of("all") + "\n"

    def setUp(self):
        self.server = self.enterContext(Server())
        self.path = os.path.join(self.server.directory, "file")
        self.root = os.path.join(self.server.directory, "other root")

    def refusal(self):
        line = refusal("-root", self.root, "-tokens", self.path)
        self.assertIn(self.path, line)
        self.assertNotIn("token-of", line)
        return line

    def test_a_start_names_the_line(self):
        for text, number, why in (
                ("", 1, "no token"), ("# nothing\n\n", 3, "no token"),
                (self.GOOD + "\n" + line_of("reader").replace("read ", "reed ") + "\n", 3,
                 "read, write"),
                (self.GOOD + self.GOOD, 2, "the same token as in line 1"),
                (self.GOOD + "short read\n", 2, "16 to 128"), (self.GOOD.strip(), 1, "no end"),
                (self.GOOD.replace("\n", " mine\n"), 1, "no storagePrefix"),
                (b"\0" * 100, 1, "no end"), (self.GOOD.replace("\n", "\r\n"), 1,
                                                        "carriage return")):
            with self.subTest(text):
                write_file(self.path, text)
                self.assertRegex(self.refusal(), re.escape(self.path) + ":%d: .*%s" % (number, why))

    def test_others_may_not_read_or_write_it(self):
        for mode in (0o644, 0o604, 0o602, 0o620, 0o660, 0o666):
            with self.subTest("%04o" % mode):
                write_file(self.path, self.GOOD, mode)
                self.assertIn("others can read or write it; chmod 0600", self.refusal())
        for mode in (0o600, 0o400, 0o640, 0o440, 0o711):
            with self.subTest("%04o" % mode):
                write_file(self.server.tokens, self.GOOD, mode)
                self.server.read_again(": 1\n")

    def test_what_is_no_file_for_tokens(self):
        self.assertIn("No such file", self.refusal())
        os.mkdir(self.path, 0o700)
        self.assertIn("not a regular file", self.refusal())
        os.rmdir(self.path)
        os.mkfifo(self.path, 0o600)
        self.assertIn("not a regular file", self.refusal())  # and nobody waits for its other end
        os.unlink(self.path)
        os.symlink("/dev/null", self.path)
        self.assertIn("not a regular file", self.refusal())
        os.unlink(self.path)
        write_file(self.path, self.GOOD + "#" * (512 * 1024 - len(self.GOOD)) + "\n")
        self.assertIn("over 512 KiB", self.refusal())
        write_file(self.path, "".join("token-%010d read\n" % number for number in range(1025)))
        self.assertIn(":1025: more than 1024", self.refusal())

    @needs_root
    def test_it_belongs_to_the_server_or_to_root(self):
        write_file(self.path, self.GOOD)
        os.chown(self.path, 12345, 0)
        self.assertIn("belongs to another user", self.refusal())

    def test_a_symbolic_link_to_one_will_do(self):
        """As Kubernetes and systemd mount secrets."""
        target = os.path.join(self.server.directory, "elsewhere")
        write_file(target, self.GOOD)
        os.unlink(self.server.tokens)
        os.symlink(target, self.server.tokens)
        self.server.read_again(": 1\n")


@needs_root
class OfRoot(unittest.TestCase):
    """A server of another user, which cannot write the file."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-test-"))
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "tokens")
        root = os.path.join(self.directory, "root")
        os.mkdir(root)
        os.chown(root, NOBODY, NOBODY)
        self.command = [*(word for word in AS_NOBODY if word != "--clear-groups"),
                        "--groups=%d" % GROUP, copy_binary(self.directory), "-bind", "127.0.0.1:0",
                        "-root", root, "-tokens", self.path]

    def test_its_group_may_read_it(self):
        write_file(self.path, line_of("all") + "\n")
        done = subprocess.run(self.command, capture_output=True, text=True)
        self.assertEqual(1, done.returncode)
        self.assertIn(self.path + ": Permission denied\n", done.stderr)
        os.chown(self.path, 0, GROUP)
        os.chmod(self.path, 0o640)
        server = process.Process(self.command, os.path.join(self.directory, "log"))
        try:
            server.wait_for_log(process.START_LINE)
            server.signal(signal.SIGHUP)
            server.wait_for_log("(?s)tokens read.*tokens read")
        finally:
            server.signal()
            self.assertEqual(0, server.popen.wait(process.TIMEOUT_SECONDS))


class Again(unittest.TestCase):
    """SIGHUP."""

    def status(self, server, name, target="/stats"):
        with server.send("GET", target, None, bearer(name)) as sock:
            return harness.receive_reply(sock)[0]

    def test_the_file_counts_as_it_is_then(self):
        with Server() as server:
            write_file(server.tokens, "%s admin\n" % token_of("new"))
            self.assertEqual((200, 401), (self.status(server, "all"), self.status(server, "new")))
            server.read_again("tokens read from %s: 1\n" % server.tokens)
            self.assertEqual((401, 200), (self.status(server, "all"), self.status(server, "new")))
            self.assertNotIn("token-of", server.log())

    def test_a_bad_one_changes_nothing(self):
        with Server() as server:
            for text, why in (("", ":1: there is no token"), (line_of("all"),
                                                              ":1: the line has no end"),
                              ("%s admin\n%s nothing\n" % (token_of("new"), token_of("x")),
                              ":2: ")):
                write_file(server.tokens, text)
                server.read_again(server.tokens + why)
                self.assertEqual((200, 401), (self.status(server, "all"), self.status(server,
                                                                                      "new")))
            os.chmod(server.tokens, 0o644)
            server.read_again(server.tokens + ": others can read or write it")
            os.unlink(server.tokens)
            server.read_again(server.tokens + ": No such file")
            self.assertEqual((200, 401), (self.status(server, "all"), self.status(server, "new")))
            self.assertEqual(5, server.log().count("; the tokens stay as they were\n"))
            self.assertNotIn("token-of", server.log())

    def test_without_the_flag_it_does_nothing(self):
        with harness.Server() as server:
            server.process.send_signal(signal.SIGHUP)
            self.assertEqual(200, self.status(server, None))
            server.stop()  # its log is complete
            self.assertNotIn("tokens read", server.log())

    def test_under_load_no_request_is_answered_by_half_a_file(self):
        """One token is in all files; the others are in every other one, a thousand lines apart."""
        many = ["token-%010d read" % number for number in range(1000)]
        texts = ["\n".join([line_of("all"), line_of(name), *many, line_of("reader"), ""])
                 for name in ("writer", "admin")]
        bad = texts[0] + line_of("all") + "\n"
        with Server("-buckets", "1", text=texts[0]) as server:
            done, failures = threading.Event(), []
            counts = {"writer": {200: 0, 401: 0}, "admin": {200: 0, 401: 0}}

            def use(other, target):
                try:
                    with server.connect() as sock:
                        one = harness.request_bytes("GET", "/prefixes", None, bearer("all"))
                        last = harness.request_bytes("GET", "/ends", None, bearer("reader"))
                        odd = harness.request_bytes("GET", target, None, bearer(other))
                        while not done.is_set():
                            sock.sendall(one + odd + last)
                            for number in range(3):
                                status = harness.receive_reply(sock)[0]
                                if number == 1:
                                    counts[other][status] += 1
                                else:
                                    assert status == (200, None, 404)[number], (number, status)
                except Exception as failure:
                    failures.append(repr(failure))
            threads = [threading.Thread(target=use, args=arguments) for arguments in
                       (("writer", "/close"), ("admin", "/stats"))]
            for thread in threads:
                thread.start()
            try:
                for number in range(20):
                    if number % 3 == 2:
                        write_file(server.tokens, bad)
                        server.read_again("the same token as in line 1; the tokens stay")
                    before = {name: dict(counted) for name, counted in counts.items()}
                    write_file(server.tokens, texts[number % 2])
                    server.read_again(": 1003\n")
                    # each file is used before the next one comes
                    harness.wait_for(lambda: failures or all(
                        sum(counts[name].values()) > sum(before[name].values()) + 1
                        for name in counts), "requests")
            finally:
                done.set()
                for thread in threads:
                    thread.join()
            self.assertEqual([], failures)
            for name in counts:
                self.assertGreater(min(counts[name].values()), 0, counts)


if __name__ == "__main__":
    suite.main()
