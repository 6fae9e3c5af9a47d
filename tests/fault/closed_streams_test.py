"""Started with some of descriptors 0, 1 and 2 closed, no program writes into a file what is meant for
them: each combination, the server and the tools."""
import itertools
import os
import signal
import subprocess
import tempfile
import unittest

import harness
import process
import records

CLOSINGS = {0: "0<&-", 1: "1>&-", 2: "2>&-"}
# The first is none of them.
COMBINATIONS = [closed for count in range(4) for closed in itertools.combinations(CLOSINGS, count)]
VALUES = [b"the first", b"v" * 3000, b"the last"]


def command(closed, *arguments):
    """Runs the program with these descriptors closed."""
    return ["sh", "-c", 'exec "$0" "$@" ' + " ".join(CLOSINGS[fd] for fd in closed),
            harness.BINARY, *arguments]


def listening_port(pid):
    """The port that the process listens on, None as long as there is none."""
    inodes = set()
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    with open("/proc/%d/net/tcp" % pid) as sockets:
        for line in sockets.read().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].split(":")[1], 16)
    return None


def contents(directory):
    """{path: bytes} of all files below it."""
    found = {}
    for parent, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                found[os.path.relpath(file.name, directory)] = file.read()
    return found


class Case(unittest.TestCase):
    def each(self, check, *arguments):
        """check(closed, ...) for each combination, with a fresh self.directory."""
        for closed in COMBINATIONS:
            with self.subTest(closed=closed), tempfile.TemporaryDirectory(
                    prefix="rochefort-test-") as self.directory:
                check(closed, *arguments)


class Server(Case):
    def check(self, closed):
        root = os.path.join(self.directory, "root")
        server = subprocess.Popen(
            command(closed, "-bind", "127.0.0.1:0", "-root", root, "-buckets", "1",
                    "-log-slower-than", "0"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            port = process.wait_for(lambda: listening_port(server.pid), "the server to listen")
            with harness.Client(port) as client:
                offsets = [client.append("x", value) for value in VALUES]
                self.assertEqual(404, client.request("GET", "/nowhere")[0])
                self.assertEqual(VALUES, [client.get("x", offset) for offset in offsets])
            for fd in closed:
                self.assertEqual("/dev/null", os.readlink("/proc/%d/fd/%d" % (server.pid, fd)))
            server.send_signal(signal.SIGTERM)
            out, log = server.communicate(timeout=harness.TIMEOUT_SECONDS)
        finally:
            if server.poll() is None:
                server.kill()
                server.communicate()
        self.assertEqual((0, b""), (server.returncode, out))
        self.assertEqual(0 if 2 in closed else 7, log.count(b" ms "), log)
        self.assertEqual(2 not in closed, b" stopped\n" in log)
        self.assertEqual(VALUES, list(records.values(
            os.path.join(root, "default", "append.0.raw")).values()))
        for name, content in contents(root).items():
            for part in (b" ms ", b"starting", b"stopp"):
                self.assertNotIn(part, content, name)

    def test_every_log_line_goes_to_standard_error_or_nowhere(self):
        self.each(self.check)


class Tools(Case):
    def run_tool(self, closed, *arguments):
        """(exit status, standard output, standard error), and the files afterwards."""
        records.write_bucket(self.directory, "p", VALUES)
        with open(os.path.join(self.directory, "p", "append.0.raw"), "ab") as file:
            # so much damage that its lines are written before the tool has closed its files
            file.write((b"damage" * 10 + records.encode(b"value")) * 1000)
        done = subprocess.run(command(closed, *arguments), cwd=os.path.join(self.directory, "p"),
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=harness.TIMEOUT_SECONDS)
        return done.returncode, done.stdout, done.stderr, contents(self.directory)

    def check_one(self, closed, status, *arguments):
        """A result that cannot be written is a failure, status 1; all else is as with all open."""
        found = self.run_tool(closed, *arguments)
        if not closed:
            self.all_open = found
            self.assertEqual(status, found[0], found)
            self.assertNotEqual(b"", found[1])
            return
        _, out, err, files = self.all_open
        out_fails = 1 in closed
        self.assertEqual(1 if out_fails else status, found[0], found)
        self.assertEqual(b"" if out_fails else out, found[1])
        if 2 in closed:
            self.assertEqual(b"", found[2])
        elif out_fails:
            self.assertIn(b"standard output: Bad file descriptor", found[2])
        else:
            self.assertEqual(err, found[2])
        self.assertEqual(files, found[3])

    def check(self, status, *arguments):
        self.each(self.check_one, status, *arguments)

    def test_verify(self):
        self.check(1, "verify", ".")

    def test_dump_of_lines(self):
        self.check(1, "dump", "append.0.raw")

    def test_dump_of_values(self):
        self.check(0, "dump", "append.0.raw", "0")

    def test_repair(self):
        self.check(0, "repair", "append.0.raw")

    def test_help_and_wrong_flags(self):
        def check(closed):
            self.assertEqual(int(1 in closed), self.run_tool(closed, "-help")[0])
            self.assertEqual(2, self.run_tool(closed, "-nonsense")[0])
        self.each(check)


if __name__ == "__main__":
    unittest.main()
