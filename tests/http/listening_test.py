"""Where a server listens: several addresses, and Unix domain sockets with their files."""
import contextlib
import fcntl
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

import curl
import harness
import process
import proxies
import suite
import users
from capabilities import needs_root, needs_strace

ADDRESSES_MAX = 16
PATH_BYTES_MAX = 107
ROUNDS = 10


class TestCase(curl.TestCase):
    """Each test starts servers of its own."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-test-"))
        self.path = os.path.join(self.directory, "socket")

    def started(self, *flags, **options):
        return harness.Server("-buckets", "10", *flags, **options)

    def refused(self, *flags):
        """The line of a server that does not start."""
        done = subprocess.run(
            [harness.BINARY, "-root", os.path.join(self.directory, "other"), *flags],
            capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual((1, "", 1), (done.returncode, done.stdout, len(done.stderr.splitlines())),
                         done.stderr)
        return done.stderr

    def append_and_get(self, path, value=b"value"):
        """With curl, over a Unix domain socket."""
        target = "http://localhost/append?id=x"
        reply = self.curl(target, "--unix-socket", path, "--data-binary", value)
        offset = int(reply.split(b":")[1].split(b",")[0])
        self.assertEqual(value, self.curl("http://localhost/get?id=x&offset=%d" % offset,
                                          "--unix-socket", path))

    def mode(self, path):
        status = os.lstat(path)
        self.assertTrue(stat.S_ISSOCK(status.st_mode))
        return stat.S_IMODE(status.st_mode)


class Several(TestCase):
    def test_all_are_listened_on(self):
        with self.started("-bind", "127.0.0.1:0", "-bind=127.0.0.2:0", "--bind",
                          "unix:" + self.path) as server:
            lines = harness.wait_for(lambda: server.log().count("\n") >= 3
                                     and server.log().splitlines(), "a line for each")
            self.assertEqual(["127.0.0.1", "127.0.0.2", "unix"],
                             [line.split()[-1].split(":")[0] for line in lines], lines)
            for line in lines[:2]:
                self.assertEqual(b"ok\n", self.curl("http://%s/healthz" % line.split()[-1]))
            self.append_and_get(self.path)

    def test_as_many_as_the_page_says_and_no_more(self):
        flags = ADDRESSES_MAX * ["-bind", "127.0.0.1:0"]
        with self.started(*flags) as server:
            server.stop()  # its log is complete
            self.assertEqual(ADDRESSES_MAX, server.log().count("starting http server on"))
        done = subprocess.run([harness.BINARY, *flags, "-bind", "127.0.0.1:0"],
                              capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual(2, done.returncode)
        self.assertRegex(done.stderr, r"\Arochefort: -bind: more than 16 of them\n\Z")

    def test_one_that_cannot_be_used_ends_the_start_without_a_start_line(self):
        with self.started() as server:
            used = "127.0.0.1:%d" % server.port
            line = self.refused("-bind", "unix:" + self.path, "-bind", used)
            self.assertRegex(line, "cannot listen on %s: .*in use" % used)
            self.assertFalse(os.path.lexists(self.path))

    def test_connections_are_counted_over_all(self):
        """A server that is full rests on each address."""
        with self.started("-bind", "127.0.0.1:0", "-bind", "unix:" + self.path,
                          "-max-connections", "1") as server:
            with server.client() as client, socket.socket(socket.AF_UNIX) as other:
                client.append("x", b"value")
                other.connect(self.path)
                other.settimeout(harness.TIMEOUT_SECONDS)
                other.sendall(harness.request_bytes("GET", "/healthz"))
                self.assertFalse(harness.is_readable(other))
                client.hang_up()
                self.assertEqual(200, harness.receive_reply(other)[0])


class UnixSocket(TestCase):
    def unix(self, *flags, **options):
        return self.started("-bind", "127.0.0.1:0", "-bind", "unix:" + self.path, *flags,
                            **options)

    def test_values_of_any_size(self):
        with self.unix():
            for size in (1, 65536, 3 << 20):
                path = os.path.join(self.directory, "value")
                with open(path, "wb") as file:
                    file.write(os.urandom(size))
                with open(path, "rb") as file:
                    value = file.read()
                reply = self.curl("http://localhost/append?id=x", "--unix-socket", self.path,
                                  "--data-binary", "@" + path)
                offset = int(reply.split(b":")[1].split(b",")[0])
                self.assertEqual(value, self.curl(
                    "http://localhost/get?id=x&offset=%d" % offset, "--unix-socket", self.path))

    def test_permissions_whatever_the_umask_is(self):
        for flags, mode in (((), 0o600), (("-socket-mode", "0660"), 0o660),
                            (("-socket-mode", "0666", "-mode", "0600"), 0o666)):
            for umask in ("000", "777"):
                under = ["sh", "-c", 'umask %s && exec "$@"' % umask, "sh"]
                if umask == "777" and os.geteuid() != 0:
                    continue  # then a server cannot enter its own root
                with self.subTest(flags, umask=umask), self.unix(*flags, under=under):
                    self.assertEqual(mode, self.mode(self.path))

    @needs_root
    def test_who_may_not_write_to_the_file_cannot_connect(self):
        os.chmod(self.directory, 0o755)
        command = [*users.AS_NOBODY, *curl.COMMAND, "--unix-socket", self.path,
                   "http://localhost/healthz"]
        for mode, status in (("0600", 7), ("0660", 7), ("0606", 0)):
            with self.subTest(mode), self.unix("-socket-mode", mode):
                self.assertEqual(status, subprocess.run(command, capture_output=True).returncode)

    def test_removed_at_the_stop(self):
        with self.unix() as server:
            self.assertEqual(0o600, self.mode(self.path))
            self.assertEqual(0, server.stop())
            self.assertFalse(os.path.lexists(self.path))

    def test_what_a_dead_server_has_left_is_replaced(self):
        with self.unix() as server:
            server.kill()
            self.assertEqual(0o600, self.mode(self.path))
            server.flags += ["-socket-mode", "0660"]
            server.start()
            self.assertEqual(0o660, self.mode(self.path))
            self.append_and_get(self.path)

    def test_of_those_that_find_it_at_once_one_has_it(self):
        """The others end with their line; nobody removes a socket that is listened on."""
        for number in range(ROUNDS):
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(self.path)
            started = [subprocess.Popen(
                [harness.BINARY, "-root", os.path.join(self.directory, "%d.%d" % (number, n)),
                 "-bind", "unix:" + self.path], stderr=subprocess.PIPE) for n in range(3)]
            try:
                harness.wait_for(lambda: sum(one.poll() is not None for one in started) == 2,
                                 "two to end")
                self.append_and_get(self.path)
                for one in started:
                    if one.poll() is not None:
                        self.assertEqual(1, one.returncode)
                        self.assertIn(b"another program listens on it", one.stderr.read())
            finally:
                for one in started:
                    one.terminate()
                    one.wait(harness.TIMEOUT_SECONDS)
                    one.stderr.close()

    @unittest.skipIf(harness.SANITIZE != "none", "strace and sanitizers do not go together")
    @needs_strace
    def test_calls_that_fail_end_the_start_with_a_line_and_without_a_file(self):
        for call, error, text in (("fchmod", "EROFS", "Read-only"), ("chmod", "EPERM", "permitted"),
                                  ("listen", "ENOBUFS", "No buffer space"),
                                  ("bind", "EACCES", "denied"), ("socket", "EMFILE", "Too many")):
            with self.subTest(call):
                done = subprocess.run(
                    ["strace", "-o", os.devnull, "-f", "-e", "trace=" + call, "-e",
                     "inject=%s:error=%s" % (call, error), harness.BINARY, "-root",
                     os.path.join(self.directory, "other"), "-bind", "unix:" + self.path],
                    capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)
                self.assertEqual(1, done.returncode, done.stderr)
                self.assertIn("cannot listen on unix:" + self.path, done.stderr)
                self.assertIn(text, done.stderr)
                self.assertFalse(os.path.lexists(self.path))

    @unittest.skipIf(harness.SANITIZE != "none", "strace and sanitizers do not go together")
    @needs_strace
    def test_one_whose_name_cannot_be_read_back_is_served_and_counts_as_open_to_strangers(self):
        started = process.Process(
            ["strace", "-D", "-o", os.devnull, "-f", "-e", "trace=getsockname", "-e",
             "inject=getsockname:error=ENOBUFS", harness.BINARY, "-root",
             os.path.join(self.directory, "other"), "-bind", "unix:" + self.path],
            os.path.join(self.directory, "log"))
        try:
            started.wait_for_log("without -tokens everybody who reaches unix:%s may read and write "
                                 "everything\n" % re.escape(self.path))
            self.append_and_get(self.path)
        finally:
            started.popen.terminate()
            status = started.popen.wait(harness.TIMEOUT_SECONDS)
        self.assertEqual(0, status)

    def test_a_directory_that_another_has_locked_ends_the_start_without_a_file(self):
        lock = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.assertIn("cannot listen on unix:%s: another server that is starting has locked its "
                      "directory\n" % self.path, self.refused("-bind", "unix:" + self.path))
        self.assertFalse(os.path.lexists(self.path))
        fcntl.flock(lock, fcntl.LOCK_UN)
        with self.unix():
            self.append_and_get(self.path)

    def test_that_of_a_live_server_is_refused_and_stays(self):
        with self.unix():
            line = self.refused("-bind", "unix:" + self.path)
            self.assertIn("cannot listen on unix:%s: another program listens on it" % self.path,
                          line)
            self.append_and_get(self.path)

    def test_that_of_a_program_whose_backlog_is_full_is_refused_and_stays(self):
        with contextlib.ExitStack() as sockets:
            live = sockets.enter_context(socket.socket(socket.AF_UNIX))
            live.bind(self.path)
            live.listen(0)
            inode = os.lstat(self.path).st_ino
            while True:
                client = sockets.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                try:
                    client.connect(self.path)
                except BlockingIOError:
                    break
            self.assertIn("another program listens on it", self.refused("-bind",
                                                                        "unix:" + self.path))
            self.assertEqual(inode, os.lstat(self.path).st_ino)

    def test_files_that_are_no_sockets_are_refused_and_stay(self):
        target = os.path.join(self.directory, "target")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(target)
        for make in (lambda: open(self.path, "w").close(), lambda: os.mkdir(self.path),
                     lambda: os.symlink(target, self.path), lambda: os.mkfifo(self.path)):
            make()
            before = os.lstat(self.path)
            self.assertIn("is not a socket", self.refused("-bind", "unix:" + self.path))
            self.assertEqual(before.st_ino, os.lstat(self.path).st_ino)
            (os.rmdir if stat.S_ISDIR(before.st_mode) else os.unlink)(self.path)
        self.assertTrue(os.path.lexists(target))

    def test_a_file_that_another_has_put_in_its_place_is_not_removed(self):
        with self.unix() as server:
            os.unlink(self.path)
            with socket.socket(socket.AF_UNIX) as other:
                other.bind(self.path)
                self.assertEqual(0, server.stop(signal.SIGINT))
                self.assertTrue(os.path.lexists(self.path))

    def test_a_directory_that_is_not_there_ends_the_start(self):
        self.assertIn("No such file", self.refused("-bind", "unix:%s/none/socket" % self.directory))

    def test_the_longest_path_and_one_that_is_relative(self):
        longest = self.directory + "/"
        longest += "x" * (PATH_BYTES_MAX - len(longest))
        with self.started("-bind", "127.0.0.1:0", "-bind", "unix:" + longest):
            self.append_and_get(longest)
        under = ["sh", "-c", 'cd "$0" && exec "$@"', self.directory]
        with self.started("-bind", "127.0.0.1:0", "-bind", "unix:relative", under=under):
            self.append_and_get(os.path.join(self.directory, "relative"))

    def test_nobody_but_this_machine_reaches_it(self):
        with self.unix() as server:
            server.stop()  # its log is complete
            self.assertNotIn("without -tokens", server.log())


class NginxToUnixSocket(proxies.Nginx):
    """`backend` is the path."""

    def write(self, name, text):
        return super().write(name, text.replace("server %s;" % self.NOWHERE,
                                                "server unix:%s;" % self.path))

    NOWHERE = "127.0.0.1:0"

    def __init__(self, path):
        self.path = path
        super().__init__(0)


class Proxies(TestCase):
    @proxies.needs(proxies.Nginx)
    def test_nginx_in_front(self):
        with self.started("-bind", "127.0.0.1:0", "-bind", "unix:" + self.path):
            with NginxToUnixSocket(self.path) as proxy, harness.Client(proxy.port) as client:
                values = [b"v" * size for size in (1, 70000, 2 << 20)]
                offsets = [client.append("x", value) for value in values]
                self.assertEqual(values, [client.get("x", offset) for offset in offsets])
                reply = client.get_multi("x", offsets)
                self.assertEqual((values, None), harness.split_multi(reply))


if __name__ == "__main__":
    suite.main()
