"""The configuration of logrotate in src/deploy/README.md: a real logrotate, while clients send
requests, costs no line of the access log."""
import glob
import gzip
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

import harness
import readme
import suite

DOCUMENT = os.path.join(os.environ["SOURCE_DIR"], "src/deploy/README.md")
LOGROTATE = shutil.which("logrotate", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
PATH_THERE = "/var/log/rochefort/access.log"
ROTATIONS = 5
CLIENTS = 2
# What `systemctl reload rochefort` does by the unit's ExecReload.
SYSTEMCTL = """#!/bin/sh
[ "$*" = "reload rochefort" ] || exit 1
kill -HUP %d
"""


def configuration():
    with open(DOCUMENT, encoding="utf-8") as document:
        block, = readme.blocks(document.read(), "logrotate")
    return block


@unittest.skipIf(LOGROTATE is None, "needs logrotate")
class Rotation(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="rochefort-test-")  # 0700: logrotate looks at that
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "access.log")
        self.server = self.enterContext(harness.Server("-access-log", self.path))
        self.answered, self.stopping = set(), threading.Event()

    def write(self, name, text, mode):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def send(self, client):
        with self.server.client() as http:
            number = 0
            while not self.stopping.is_set():
                target = "/healthz?%d.%d" % (client, number)
                self.assertEqual(200, http.request("GET", target)[0])
                self.answered.add(target)
                number += 1

    def rotate(self, times):
        text = configuration()
        self.assertIn(PATH_THERE, text)
        config = self.write("conf", text.replace(PATH_THERE, self.path), 0o644)
        self.write("systemctl", SYSTEMCTL % self.server.process.pid, 0o755)
        before = len(self.answered)
        # a thread of the server writes the lines; without one yet the file is not rotated
        harness.wait_for(lambda: os.path.getsize(self.path) > 0, "a line")
        done = subprocess.run(
            [LOGROTATE, "-f", "-v", "-s", os.path.join(self.directory, "state"), config],
            env=dict(os.environ, PATH=self.directory + ":" + os.environ["PATH"]),
            capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        harness.wait_for(lambda: self.server.log().count("is open again") == times,
                         "the file to be opened again")
        harness.wait_for(lambda: len(self.answered) > before + 10, "some requests")

    def test_no_line_is_lost(self):
        threads = [threading.Thread(target=self.send, args=(i,)) for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            for times in range(1, ROTATIONS + 1):
                self.rotate(times)
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join()
        self.assertEqual(0, self.server.stop())
        logged = []
        paths = glob.glob(self.path + "*")
        for path in paths:
            with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
                logged += re.findall(r'"GET (\S+) HTTP/1.1" 200 ', file.read())
        self.assertEqual(ROTATIONS + 1, len(paths), paths)
        self.assertEqual(ROTATIONS - 1, len([path for path in paths if path.endswith(".gz")]))
        self.assertEqual(len(logged), len(set(logged)))
        self.assertEqual(self.answered, set(logged))


if __name__ == "__main__":
    suite.main()
