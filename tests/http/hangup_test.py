"""SIGHUP: at a terminal that goes away it is a clean stop, otherwise it is ignored. Nowhere does it
cost a sync that -sync interval still owes."""
import errno
import os
import re
import signal
import subprocess
import sys
import unittest

import faults
import harness
import process

# The terminal argv[1] becomes the standard streams argv[2], for instance "02".
PROGRAM = """
import fcntl, os, signal, sys, termios
path, streams, how = sys.argv[1:4]
os.setsid()
terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
if how != "not controlling":
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
if how == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
for stream in streams:
    os.dup2(terminal, int(stream))
os.execvp(sys.argv[4], sys.argv[4:])
"""
FLAGS = ("-buckets", "1", "-workers", "1", "-sync", "interval:3600000")


class AtTerminal(faults.Server):
    """The leader of a session with a terminal of its own. The log is what standard error gets, be
    it the terminal or the file."""

    def __init__(self, streams, how="controlling", **options):
        self.streams, self.how, self.seen_on_terminal = streams, how, ""
        super().__init__(*FLAGS, hold=True, **options)

    def start(self):
        self.master, slave = os.openpty()
        os.set_blocking(self.master, False)
        self.under = [sys.executable, "-c", PROGRAM, os.ttyname(slave), self.streams, self.how]
        if "2" not in self.streams:
            super().start()
        else:
            self.start_without_log()
        os.close(slave)

    def start_without_log(self):
        env = dict(os.environ, **self.env, HOLD_FILE=self.hold_file)
        preload = [harness.HOLD_DISK] + self.preload
        if harness.SANITIZE in ("address", "thread"):
            preload.insert(0, harness.sanitizer_runtime())
        self.process = subprocess.Popen(
            self.under + ["env", "LD_PRELOAD=" + " ".join(preload), self.binary, "-bind",
                          "127.0.0.1:0", "-root", self.root] + self.flags, env=env)
        start_line = process.START_LINE.replace(r"\n", r"\r\n")
        harness.wait_for(lambda: re.search(start_line, self.log()), "the start")
        self.port = int(re.search(start_line, self.log()).group(1))

    def log(self, begin=0):
        if "2" not in self.streams:
            return super().log(begin)
        try:
            if self.master is not None:
                self.seen_on_terminal += os.read(self.master, 1 << 16).decode()
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.EIO:  # nobody has it open any more
                raise
        return self.seen_on_terminal[begin:]

    def hang_up(self):
        os.close(self.master)
        self.master = None

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        if self.master is not None:
            os.close(self.master)


class Terminal(unittest.TestCase):
    def start(self, *arguments, **options):
        server = self.enterContext(AtTerminal(*arguments, **options))
        with server.client() as client:
            self.assertEqual(0, client.append("x", b"value"))
        self.assertEqual(0, server.seen("fdatasync"))
        return server

    def check_stopped(self, server):
        self.assertEqual(0, server.process.wait(harness.TIMEOUT_SECONDS))
        self.assertEqual(1, server.seen("fdatasync"))

    def test_a_terminal_that_goes_away_is_a_clean_stop(self):
        for streams in ("0", "2", "012"):
            with self.subTest(streams=streams):
                server = self.start(streams)
                server.hang_up()
                self.check_stopped(server)
                if streams == "0":
                    self.assertRegex(server.log(), r"Hangup, stopping\n.*stopped\n\Z")

    def test_requests_under_way_are_answered(self):
        server = self.start("012")
        server.hold_disk()
        sock = self.enterContext(server.send("POST", "/append?id=x", b"under way"))
        harness.wait_for(server.disk_is_waiting, "the write")
        server.hang_up()
        harness.wait_for(lambda: not self.can_connect(server), "the stop to begin")
        server.release_disk()
        self.assertEqual(200, harness.receive_reply(sock)[0])
        self.check_stopped(server)

    def can_connect(self, server):
        try:
            server.connect().close()
        except ConnectionError:
            return False
        return True

    def test_a_second_hangup_does_not_end_the_last_syncs(self):
        """The shell may send one too."""
        server = self.start("0")
        server.hold_disk()
        sock = self.enterContext(server.send("POST", "/append?id=x", b"under way"))
        harness.wait_for(server.disk_is_waiting, "the write")
        server.hang_up()
        harness.wait_for(lambda: "stopping" in server.log(), "the stop to begin")
        server.process.send_signal(signal.SIGHUP)
        server.hold_sync()
        os.unlink(server.hold_file)
        self.assertEqual(200, harness.receive_reply(sock)[0])
        harness.wait_for(server.sync_is_waiting, "the last sync")
        server.process.send_signal(signal.SIGHUP)
        self.assertIsNone(self.exit_status_soon(server))
        server.release_disk()
        self.check_stopped(server)

    def exit_status_soon(self, server):
        try:
            return server.process.wait(0.2)
        except subprocess.TimeoutExpired:
            return None

    def test_a_server_that_was_told_to_outlive_its_terminal_does(self):
        server = self.start("0", "nohup")
        server.hang_up()
        server.process.send_signal(signal.SIGHUP)
        with server.client() as client:
            self.assertEqual(b"value", client.get("x", 0))
        self.assertEqual(0, server.stop())
        self.assertNotIn("Hangup", server.log())
        self.assertEqual(1, server.seen("fdatasync"))

    def test_a_terminal_that_is_not_the_servers_own_does_not_count(self):
        server = self.start("0", "not controlling")
        server.process.send_signal(signal.SIGHUP)
        with server.client() as client:
            self.assertEqual(b"value", client.get("x", 0))
        self.assertEqual(0, server.stop())
        self.assertNotIn("Hangup", server.log())


class NoTerminal(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(faults.Server(*FLAGS, hold=True))
        self.client = self.enterContext(self.server.client())
        self.assertEqual(0, self.client.append("x", b"value"))

    def test_it_is_ignored(self):
        for _ in range(5):
            self.server.process.send_signal(signal.SIGHUP)
            self.assertEqual(b"value", self.client.get("x", 0))
        self.assertEqual(0, self.server.stop())
        self.assertNotIn("Hangup", self.server.log())
        self.assertEqual(1, self.server.seen("fdatasync"))

    def test_it_does_not_end_the_last_syncs(self):
        self.client.hang_up()
        self.server.hold_sync()
        self.server.process.send_signal(signal.SIGTERM)
        harness.wait_for(self.server.sync_is_waiting, "the last sync")
        for _ in range(3):
            self.server.process.send_signal(signal.SIGHUP)
            with self.assertRaises(subprocess.TimeoutExpired):
                self.server.process.wait(0.1)
        self.server.release_disk()
        self.assertEqual(0, self.server.process.wait(harness.TIMEOUT_SECONDS))
        self.assertEqual(1, self.server.seen("fdatasync"))


if __name__ == "__main__":
    unittest.main()
