"""A server that is spoken to with curl, as most users do."""
import os
import subprocess
import unittest

import harness

TEXT, JSON, BYTES = "text/plain", "application/json", "application/octet-stream"
# Neither the user's configuration nor a proxy of the machine may come between.
COMMAND = ["curl", "-q", "-s", "--noproxy", "*", "-m", str(harness.TIMEOUT_SECONDS)]


class TestCase(unittest.TestCase):
    """Each test has a server, self.server, with ten buckets and the flags that FLAGS says."""

    FLAGS = ()

    def setUp(self):
        self.server = self.start()

    def start(self):
        return self.enterContext(harness.Server("-buckets", "10", *self.FLAGS))

    def url(self, target):
        return "http://127.0.0.1:%d%s" % (self.server.port, target)

    def write(self, name, data):
        """A file for curl to send: its path."""
        path = os.path.join(self.server.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def curl(self, target, *arguments):
        """What curl prints. The target may be a whole URL."""
        url = self.url(target) if target.startswith("/") else target
        return subprocess.run([*COMMAND, *arguments, url], stdout=subprocess.PIPE,
                              check=True).stdout

    def expect(self, status, content_type, target, *arguments):
        """The body of a reply that must have this status and type."""
        url = self.url(target) if target.startswith("/") else target
        report = "%{stderr}%{http_code} %{content_type}"
        done = subprocess.run([*COMMAND, "-w", report, *arguments, url], capture_output=True)
        what = (target, arguments, done.stdout[:1000])
        self.assertEqual((0, "%d %s" % (status, content_type)),
                         (done.returncode, done.stderr.decode()), what)
        return done.stdout
