"""`sh cmake/dev cluster`: three nodes and HAProxy, what it says to type, and that all of them end."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import cluster
import harness
import process
import proxies
import suite

SOURCE = os.environ["SOURCE_DIR"]


@unittest.skipIf(cluster.reason_to_skip(cluster.HAProxy), cluster.reason_to_skip(cluster.HAProxy))
@unittest.skipUnless(shutil.which("curl"), "needs curl")
class Cluster(unittest.TestCase):
    """With the binary that is under test in place of one that it would build."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-cluster-"))
        for folder in ("cmake", "src/deploy"):
            shutil.copytree(os.path.join(SOURCE, folder), os.path.join(self.directory, folder))
        release = os.path.join(self.directory, ".build", "release")
        os.makedirs(release)
        os.symlink(harness.BINARY, os.path.join(release, "rochefort"))
        tools = os.path.join(self.directory, "tools")
        os.mkdir(tools)
        for tool in ("cmake", "dpkg-query", "apt-get"):  # nothing is built or installed
            with open(os.path.join(tools, tool), "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho install ok installed\n")
            os.chmod(file.name, 0o755)
        self.home = os.path.join(self.directory, "home")
        os.mkdir(self.home)
        self.env = dict(os.environ, HOME=self.home, PATH=tools + os.pathsep + os.environ["PATH"])
        self.env.pop("XDG_STATE_HOME", None)

    def start(self, port):
        started = process.Process(
            ["sh", os.path.join(self.directory, "cmake", "dev"), "cluster", str(port)],
            os.path.join(self.directory, "log"), self.env)
        self.addCleanup(self.stop, started)
        return started

    def stop(self, started):
        started.signal()
        return started.popen.wait(harness.TIMEOUT_SECONDS)

    def shell(self, command):
        return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False,
                              timeout=harness.TIMEOUT_SECONDS)

    def test_what_it_prints_works_and_all_ends(self):
        for attempt in range(proxies.ATTEMPTS):  # another program may take the port before it does
            started = self.start(proxies.free_port())
            try:
                started.wait_for_log(r"\nLogs, data and .*\n")
                break
            except process.Failure:
                if attempt == proxies.ATTEMPTS - 1:
                    raise
        text = started.log()
        commands = re.findall(r"^  ((?:curl|sh) .*)$", text, re.MULTILINE)
        append, get, other, ends, close = commands
        self.assertRegex(self.shell(append).stdout, r'^\{"offset":0,"file":"%s/\S*node2/default/' %
                         os.path.join(self.home, ".local/state"))
        self.assertEqual("some text", self.shell(get).stdout)
        self.assertIn("the id is in slot 1387 of 4096, and 0-1365 are here", self.shell(other).stdout)
        self.assertIn('"slots":"1366-2730/4096"', self.shell(ends).stdout)
        closed = self.shell(close)
        self.assertEqual((0, 3), (closed.returncode, closed.stdout.count(": closed\n")), closed)

        nodes = [(int(pid), int(port)) for port, pid in
                 re.findall(r"^  node\d .* http://127.0.0.1:(\d+)   process (\d+)$", text, re.MULTILINE)]
        self.assertEqual(3, len(nodes))
        os.kill(nodes[1][0], signal.SIGKILL)
        harness.wait_for(lambda: "503" in self.shell(get + " -o /dev/null -w '%{http_code}' -s").stdout,
                         "the ids of the node that was killed to get 503")
        again = next(line.strip() for line in text.splitlines()
                     if "-slots 1366-2730/4096 -bind" in line)
        node = process.Process(again.split(), os.path.join(self.directory, "again"))
        self.addCleanup(self.stop, node)
        harness.wait_for(lambda: self.shell(get).stdout == "some text", "the node to be back")

        self.assertEqual(0, self.stop(started))
        self.assertEqual(0, self.stop(node))
        for pid, port in nodes:
            self.assertFalse(os.path.exists("/proc/%d" % pid))
            with socket.socket() as sock:
                self.assertNotEqual(0, sock.connect_ex(("127.0.0.1", port)))

    def test_a_port_that_is_taken(self):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            started = self.start(sock.getsockname()[1])
            self.assertEqual(1, started.popen.wait(harness.TIMEOUT_SECONDS))
            self.assertIn("cannot bind socket", started.log())


if __name__ == "__main__":
    suite.main()
