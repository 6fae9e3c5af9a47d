"""Listening sockets that a service manager has opened."""
import os
import re
import signal
import socket
import subprocess
import unittest

import curl
import harness
import process
import proxies
import suite

ACTIVATE = proxies.find("systemd-socket-activate")
# Opens sockets as descriptors from 3 on, sets LISTEN_PID and runs the rest.
PROGRAM = """
import os, socket, sys
kinds, count, process = sys.argv[1], sys.argv[2], sys.argv[3]
for fd, kind in enumerate(kinds.split(), 3):
    if kind == "file":
        made = os.open("/dev/null", os.O_RDWR)
    else:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp"
                             else socket.SOCK_STREAM)
        sock.bind(("127.0.0.1", 0))
        if kind == "tcp":
            sock.listen()
        made = sock.detach()
    if made != fd:
        os.dup2(made, fd)
        os.close(made)
    os.set_inheritable(fd, True)
os.environ.update(LISTEN_FDS=count, LISTEN_PID=process or str(os.getpid()))
os.execv(sys.argv[4], sys.argv[4:])
"""


class Inherited(curl.TestCase):
    def setUp(self):
        self.server = None

    def under(self, kinds, count=None, process=""):
        count = str(len(kinds.split())) if count is None else count
        return ["python3", "-c", PROGRAM, kinds, count, process]

    def started(self, kinds, *flags, **options):
        """Its -bind is what the flags say; with none, what is inherited."""
        class Server(harness.Server):
            def start(self):
                started = process.Process(
                    self.under + [self.binary, "-root", self.root, *self.flags], self.log_path)
                self.process, self.sockets = started.popen, started.sockets
                self.port = int(started.wait_for_log(process.START_LINE).group(1))
        return Server(*flags, under=self.under(kinds, **options))

    def test_they_are_listened_on_in_place_of_the_default(self):
        with self.started("tcp tcp") as server:
            def ports_said():
                ports = re.findall(process.START_LINE, server.log())
                return len(ports) == 2 and ports
            ports = harness.wait_for(ports_said, "a line for each")
            for port in ports:
                self.assertEqual(b"ok\n", self.curl("http://127.0.0.1:%s/healthz" % port))
            self.assertEqual(0, server.stop())

    def test_bind_adds_to_them(self):
        with self.started("tcp", "-bind", "127.0.0.1:0") as server:
            server.stop()  # its log is complete
            self.assertEqual(2, len(re.findall(process.START_LINE, server.log())))

    def test_those_of_another_process_are_not_used(self):
        with self.started("tcp", "-bind", "127.0.0.1:0", process="1") as server:
            server.stop()  # its log is complete
            self.assertEqual(1, len(re.findall(process.START_LINE, server.log())))

    def test_what_is_not_a_listening_socket_ends_the_start(self):
        for kinds, count in (("udp", None), ("file", None), ("bound", None), ("tcp file", None),
                             ("tcp", "17"), ("tcp", "-1"), ("tcp", "1x"), ("tcp", "")):
            with self.subTest(kinds, count=count):
                done = subprocess.run(
                    self.under(kinds, count) + [harness.BINARY, "-root", "/nonexistent/root"],
                    capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)
                self.assertEqual(1, done.returncode)
                self.assertRegex(done.stderr, r"\A[^\n]*LISTEN_FDS: [^\n]*\n\Z")

    @unittest.skipUnless(ACTIVATE, "needs systemd-socket-activate")
    def test_by_systemd(self):
        directory = self.enterContext(harness.tempfile.TemporaryDirectory(
            prefix="rochefort-test-"))
        path = os.path.join(directory, "socket")
        started = process.Process(
            [ACTIVATE, "-l", path, harness.BINARY, "-root", os.path.join(directory, "root")],
            os.path.join(directory, "log"))
        try:
            harness.wait_for(lambda: self.is_open(path), "the socket")
            self.assertEqual(b"ok\n", self.curl("http://localhost/healthz", "--unix-socket", path))
            started.wait_for_log(re.escape("starting http server on unix:%s\n" % path))
            started.signal(signal.SIGTERM)
            self.assertEqual(0, started.popen.wait(harness.TIMEOUT_SECONDS))
        finally:
            if started.popen.poll() is None:
                started.popen.kill()
                started.popen.wait()

    @staticmethod
    def is_open(path):
        """This wakes the server, too."""
        with socket.socket(socket.AF_UNIX) as sock:
            return sock.connect_ex(path) == 0


if __name__ == "__main__":
    suite.main()
