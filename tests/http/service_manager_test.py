"""What a service manager hears, over a datagram socket of the test's own."""
import os
import select
import signal
import socket
import subprocess
import unittest
import uuid

import harness

WATCHDOG_US = 100_000
BEATS = 5


class TestCase(unittest.TestCase):
    def listen(self, name):
        manager = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(name)
        manager.settimeout(harness.TIMEOUT_SECONDS)
        return manager

    def setUp(self):
        self.name = "@rochefort-test-" + uuid.uuid4().hex
        self.manager = self.listen("\0" + self.name[1:])

    def start(self, *flags, **options):
        env = {"NOTIFY_SOCKET": self.name, **options.pop("env", {})}
        return self.enterContext(harness.Server("-buckets", "4", "-workers", "1", *flags, env=env,
                                                **options))

    def hear(self):
        return self.manager.recv(1024).decode()

    def hear_no_more(self):
        """Of a server that has ended: nothing is under way."""
        self.assertEqual([], select.select([self.manager], [], [], 0)[0])


class Messages(TestCase):
    def test_ready_and_stopping_are_said_once(self):
        server = self.start()
        self.assertEqual("READY=1", self.hear())
        self.assertEqual(0, server.stop())
        self.assertEqual("STOPPING=1", self.hear())
        self.hear_no_more()

    def test_ready_is_said_when_clients_can_connect(self):
        server = self.start()
        self.assertEqual("READY=1", self.hear())
        with server.client() as client:
            client.append("x", b"value")

    def test_a_socket_with_a_path(self):
        directory = self.start().directory
        path = os.path.join(directory, "manager")
        self.manager = self.listen(path)
        server = self.start(env={"NOTIFY_SOCKET": path})
        self.assertEqual("READY=1", self.hear())
        self.assertEqual(0, server.stop())
        self.assertEqual("STOPPING=1", self.hear())

    def test_a_server_that_cannot_start_is_not_ready(self):
        server = self.start()
        self.assertEqual("READY=1", self.hear())
        env = dict(os.environ, NOTIFY_SOCKET=self.name)
        done = subprocess.run(
            [harness.BINARY, "-root", server.root + "2", "-bind", "127.0.0.1:%d" % server.port],
            env=env, capture_output=True, timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual(1, done.returncode)
        self.hear_no_more()

    def test_a_manager_that_is_gone_is_logged_once_and_the_server_serves(self):
        self.manager.close()
        server = self.start()
        with server.client() as client:
            client.append("x", b"value")
        self.assertEqual(0, server.stop())
        self.assertEqual(1, server.log().count("cannot tell the service manager"), server.log())

    def test_wrong_variables_end_the_start(self):
        for env in ({"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "@"},
                    {"NOTIFY_SOCKET": "/" + 108 * "x"}, {"WATCHDOG_USEC": "1s"},
                    {"WATCHDOG_USEC": "-1"}, {"WATCHDOG_PID": "x"}):
            with self.subTest(env):
                done = subprocess.run(
                    [harness.BINARY, "-bind", "127.0.0.1:0", "-root", "/nonexistent/root"],
                    env={**os.environ, "NOTIFY_SOCKET": self.name, **env}, text=True,
                    capture_output=True, timeout=harness.TIMEOUT_SECONDS)
                self.assertEqual(1, done.returncode)
                self.assertIn("NOTIFY_SOCKET", done.stderr)
        self.hear_no_more()


class Syncs(TestCase):
    def test_the_stop_is_extended_at_first_and_after_each_sync_that_ends(self):
        server = self.start("-sync", "interval:3600000", "-sync-threads", "1", hold=True)
        self.assertEqual("READY=1", self.hear())
        with server.client() as client:
            for i in range(20):
                client.append("id%d" % i, b"value")
        files = sum(os.path.getsize(server.bucket(number=n)) > 0 for n in range(4))
        self.assertGreater(files, 1)
        server.hold_sync()
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual("STOPPING=1", self.hear())
        self.assertEqual("EXTEND_TIMEOUT_USEC=31000000", self.hear())
        harness.wait_for(server.sync_is_waiting, "a sync that hangs")
        server.release_sync()
        self.assertEqual(0, server.process.wait(harness.TIMEOUT_SECONDS))
        heard = 0
        while select.select([self.manager], [], [], 0)[0]:
            self.assertEqual("EXTEND_TIMEOUT_USEC=31000000", self.hear())
            heard += 1
        self.assertLess(heard, files)


class Watchdog(TestCase):
    def beat(self, count=BEATS):
        for _ in range(count):
            self.assertEqual("WATCHDOG=1", self.hear())

    def watched(self, **options):
        server = self.start(env={"WATCHDOG_USEC": str(WATCHDOG_US)}, **options)
        self.assertEqual("READY=1", self.hear())
        return server

    def test_the_loop_feeds_it_with_nothing_to_do(self):
        self.watched()
        self.beat()

    def test_a_disk_that_hangs_does_not_stop_it(self):
        server = self.watched(hold=True)
        server.hold_disk()
        sock = self.enterContext(server.send("POST", "/append?id=x", b"value"))
        harness.wait_for(server.disk_is_waiting, "the disk to wait")
        self.drain()
        self.beat()
        server.release_disk()
        self.assertEqual(200, harness.receive_reply(sock)[0])

    def drain(self):
        while select.select([self.manager], [], [], 0)[0]:
            self.hear()

    def test_a_loop_that_is_stuck_does(self):
        server = self.watched()
        self.beat()
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            os.waitid(os.P_PID, server.process.pid, os.WSTOPPED | os.WNOWAIT)
            self.drain()
            self.assertEqual([], select.select([self.manager], [], [], 5 * WATCHDOG_US / 1e6)[0])
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        self.beat()

    def test_that_of_another_process_is_not_fed(self):
        server = self.start(env={"WATCHDOG_USEC": str(WATCHDOG_US),
                                 "WATCHDOG_PID": str(os.getpid())})
        self.assertEqual("READY=1", self.hear())
        self.assertEqual([], select.select([self.manager], [], [], 3 * WATCHDOG_US / 1e6)[0])
        self.assertEqual(0, server.stop())
        self.assertEqual("STOPPING=1", self.hear())


if __name__ == "__main__":
    unittest.main()
