"""A standby (-lock-wait) takes the root over when the first server has ended, whatever ended it, and
not before; all that the first has answered is there.
"""
import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import struct
import threading
import unittest
import uuid

import harness
import process
import protocol
import records
from standby import TAKES_OVER, WAITS, Standby

ROOT_LOST = 4
# So many of each kind before the first server is killed.
ANSWERS = 20


class Load(threading.Thread):
    """Appends until the server is gone. stored: [(offset, value)] of what was answered."""

    def __init__(self, server, name, sync=None, batch=0):
        super().__init__()
        self.server, self.name, self.sync, self.batch = server, name, sync, batch
        self.stored, self.status, self.answers = [], 200, 0

    def run(self):
        with contextlib.suppress(OSError, http.client.HTTPException), self.server.client() as client:
            while self.status == 200:
                self.append(client)
                self.answers += 1

    def append(self, client):
        values = [b"%s %d %d" % (self.name.encode(), self.answers, i)
                  for i in range(self.batch or 1)]
        path, body = (("/appendMulti", protocol.join_multi(values)) if self.batch
                      else ("/append", values[0]))
        self.status, _, body = client.request("POST", path, body, id=self.name, storagePrefix="p",
                                              sync=self.sync)
        if self.status != 200:
            return
        offsets = (struct.unpack("<%dQ" % len(values), body) if self.batch
                   else [json.loads(body)["offset"]])
        self.stored += zip(offsets, values)


def begin_load(server):
    loads = [Load(server, "plain"), Load(server, "synced", sync=1), Load(server, "batch", batch=20)]
    for load in loads:
        load.start()
    harness.wait_for(lambda: all(load.answers >= ANSWERS for load in loads), "answers")
    return loads


class TestCase(unittest.TestCase):
    def first(self, **options):
        return self.enterContext(harness.Server("-buckets", "2", **options))

    def standby(self, server, **options):
        return self.enterContext(Standby(server.root, server.directory, **options))

    def check_stored(self, loads, client):
        """All that was answered reads back; as the values differ, no offset was answered twice."""
        for load in loads:
            load.join(harness.TIMEOUT_SECONDS)
            self.assertGreaterEqual(len(load.stored), ANSWERS)
            body = client.get_multi(load.name, [offset for offset, _ in load.stored], "p")
            self.assertEqual(([value for _, value in load.stored], None), harness.split_multi(body))

    def append_of_its_own(self, loads, client):
        """The first append to a file finds its end, and cuts off what a kill may have left."""
        for load in loads:
            load.join(harness.TIMEOUT_SECONDS)
            value = b"behind " + load.name.encode()
            load.stored.append((client.append(load.name, value, "p"), value))


class TakeOver(TestCase):
    def take_over(self, end):
        first = self.first()
        standby = self.standby(first)
        standby.wait_until_it_waits()
        loads = begin_load(first)
        end(first)
        standby.wait_until_it_serves()
        self.assertRegex(standby.process.log(), TAKES_OVER)
        with standby.client() as client:
            self.append_of_its_own(loads, client)
            self.check_stored(loads, client)
        self.assertEqual(0, standby.end())
        count = sum(len(file) for file in records.decode_prefix(first.root, "p").values())
        self.assertGreaterEqual(count, sum(len(load.stored) for load in loads))

    def test_of_a_server_that_is_killed_under_load(self):
        for _ in range(2):
            with self.subTest():
                self.take_over(harness.Server.kill)

    def test_of_a_server_that_stops_under_load(self):
        def stop(server):
            self.assertEqual(0, server.stop())
        self.take_over(stop)

    def test_of_a_server_that_is_killed_while_it_waits_for_the_disk(self):
        first = self.first(hold=True)
        with first.client() as client:
            offset = client.append("x", b"value", "p")
        standby = self.standby(first)
        standby.wait_until_it_waits()
        first.hold_disk()
        sock = self.enterContext(first.send("POST", "/append?id=x&storagePrefix=p", b"lost"))
        harness.wait_for(first.disk_is_waiting, "the write")
        first.kill()
        standby.wait_until_it_serves()
        with standby.client() as client:
            self.assertEqual(b"value", client.get("x", offset, "p"))
            self.assertEqual(200, client.request("POST", "/append", b"next", id="x",
                                                 storagePrefix="p")[0])
        sock.close()
        self.assertEqual(0, standby.end())

    def lose_lock_file(self, lose):
        """The first finds it out at its next write, and ends; what it has answered is there."""
        first = self.first(expect_exit=ROOT_LOST)
        standby = self.standby(first)
        standby.wait_until_it_waits()
        loads = begin_load(first)
        lose(os.path.join(first.root, ".rochefort.lock"))
        standby.wait_until_it_serves()
        self.assertEqual(ROOT_LOST, first.process.wait(harness.TIMEOUT_SECONDS))
        for load in loads:
            load.join(harness.TIMEOUT_SECONDS)
            # 503: by then it stops; 200: its connection was closed before
            self.assertIn(load.status, (200, 500, 503))
        with standby.client() as client:
            self.append_of_its_own(loads, client)
            self.check_stored(loads, client)
        self.assertEqual(0, standby.end())

    def test_after_the_lock_file_was_removed(self):
        self.lose_lock_file(os.unlink)

    def test_after_the_lock_file_was_replaced(self):
        def replace(path):
            with open(path + ".other", "w"):
                pass
            os.rename(path + ".other", path)
        self.lose_lock_file(replace)

    def test_one_of_three_that_wait_serves_and_the_others_wait_on(self):
        first = self.first()
        standbys = [self.standby(first) for _ in range(3)]
        for standby in standbys:
            standby.wait_until_it_waits()
        first.kill()
        while standbys:
            serving = harness.wait_for(
                lambda: [one for one in standbys
                         if re.search(process.START_LINE, one.process.log())], "one to serve")
            self.assertEqual(1, len(serving))
            serving[0].wait_until_it_serves()
            with serving[0].client() as client:
                offset = client.append("x", b"%d" % len(standbys), "p")
                self.assertEqual(b"%d" % len(standbys), client.get("x", offset, "p"))
            for one in standbys:
                if one is not serving[0]:
                    self.assertNotRegex(one.process.log(), TAKES_OVER)
                    self.assertIsNone(one.process.popen.poll())
            standbys.remove(serving[0])
            self.assertEqual(0, serving[0].end())
        values = sorted(value for file in records.decode_prefix(first.root, "p").values()
                        for _, value in file.values())
        self.assertEqual([b"1", b"2", b"3"], values)


class Waiting(TestCase):
    def test_a_signal_ends_it(self):
        first = self.first()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal_number):
                standby = self.standby(first)
                standby.wait_until_it_waits()
                self.assertEqual(0, standby.end(signal_number))
                self.assertIn("%s, stopping; the lock was not waited for any longer\n"
                              % signal.strsignal(signal_number), standby.process.log())
        with first.client() as client:
            client.append("x", b"value")

    def test_hangup_without_a_terminal_does_not(self):
        first = self.first()
        standby = self.standby(first)
        standby.wait_until_it_waits()
        standby.process.signal(signal.SIGHUP)
        first.kill()
        standby.wait_until_it_serves()
        self.assertEqual(0, standby.end())

    def test_it_has_no_socket(self):
        first = self.first()
        path = os.path.join(first.directory, "socket")
        standby = self.standby(first, bind="unix:" + path)
        standby.wait_until_it_waits()
        self.assertEqual(0, standby.process.sockets())
        self.assertFalse(os.path.exists(path))
        first.kill()
        harness.wait_for(lambda: os.path.exists(path), "the socket")
        self.assertEqual(0, standby.end())

    def test_it_ends_when_the_time_is_over(self):
        first = self.first()
        standby = self.standby(first, seconds="1")
        self.assertEqual(1, standby.status())
        self.assertRegex(standby.process.log(), WAITS % "1")
        self.assertRegex(standby.process.log(),
                         r"cannot use root \S+: another rochefort is using it\n\Z")
        self.assertNotRegex(standby.process.log(), TAKES_OVER)

    def test_without_seconds_it_ends_at_once(self):
        first = self.first()
        standby = self.standby(first, seconds="0")
        self.assertEqual(1, standby.status())
        self.assertRegex(standby.process.log(),
                         r"\A\S+ \S+ cannot use root \S+: another rochefort is using it\n\Z")

    def test_nobody_is_waited_for_if_the_root_is_free(self):
        first = self.first()
        first.kill()
        standby = self.standby(first)
        standby.wait_until_it_serves()
        self.assertNotIn("lock", standby.process.log())
        self.assertEqual(0, standby.end())

    def test_a_root_that_becomes_unusable_ends_it(self):
        first = self.first()
        standby = self.standby(first)
        standby.wait_until_it_waits()
        os.rename(first.root, first.root + ".moved")
        with open(first.root, "w"):
            pass
        self.assertEqual(1, standby.status())
        self.assertRegex(standby.process.log(), r"cannot use root \S+: Not a directory\n\Z")
        os.unlink(first.root)
        os.rename(first.root + ".moved", first.root)


class ServiceManager(TestCase):
    def setUp(self):
        name = "@rochefort-test-" + uuid.uuid4().hex
        self.manager = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.manager.bind("\0" + name[1:])
        self.manager.settimeout(harness.TIMEOUT_SECONDS)
        self.env = {"NOTIFY_SOCKET": name}

    def hear(self, *messages):
        for message in messages:
            self.assertEqual(message, self.manager.recv(1024).decode())

    def test_hears_that_it_waits_and_is_ready_only_when_it_serves(self):
        first = self.first()
        standby = self.standby(first, env=self.env)
        self.hear("STATUS=waiting for the lock of the root", "EXTEND_TIMEOUT_USEC=30000000")
        self.assertEqual([], select.select([self.manager], [], [], 0)[0])
        first.kill()
        self.hear("STATUS=has taken the root over", "READY=1")
        self.assertEqual(0, standby.end())
        self.hear("STOPPING=1")

    def test_hears_that_it_stops(self):
        first = self.first()
        standby = self.standby(first, env=self.env)
        standby.wait_until_it_waits()
        self.assertEqual(0, standby.end())
        self.hear("STATUS=waiting for the lock of the root", "EXTEND_TIMEOUT_USEC=30000000",
                  "STOPPING=1")
        self.assertEqual([], select.select([self.manager], [], [], 0)[0])


if __name__ == "__main__":
    unittest.main()
