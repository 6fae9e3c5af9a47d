"""A root on GlusterFS, as src/deploy/GLUSTER.md sets it up: what is lost when a brick, the server, its
mount, its network or the whole machine fails, with a standby on another mount.

Prints what it counts and measures. ROCHEFORT_GLUSTER_FIGURES=1 measures appends and gets too, beside
a root on the local disk.
"""
import contextlib
import http.client
import json
import os
import re
import shutil
import struct
import tempfile
import threading
import time
import unittest

import gluster
import harness
import process
import protocol
import records
import suite
from capabilities import needs_gluster
from standby import Standby

ROOT_LOST = 4
CONNECTIONS = 16
# So many before something fails, and after it.
ANSWERS = int(os.environ.get("ROCHEFORT_GLUSTER_ANSWERS", "300"))
VALUE_BYTES = 100


class Load(threading.Thread):
    """Appends to one id until it is told to end, or is refused. stored: {offset: value}."""

    def __init__(self, port, name, answered):
        super().__init__(daemon=True)
        self.port, self.name, self.answered = port, name, answered
        self.stored, self.failure, self.ends = {}, None, False

    def run(self):
        try:
            with harness.Client(self.port) as client:
                while not self.ends:
                    value = (b"%s %d " % (self.name.encode(), len(self.stored))).ljust(VALUE_BYTES)
                    status, _, body = client.request("POST", "/append", value, id=self.name)
                    if status != 200:
                        self.failure = "%d %s" % (status, body.decode().strip())
                        return
                    self.stored[json.loads(body)["offset"]] = value
                    self.answered.append(time.monotonic())
        except (OSError, http.client.HTTPException) as error:
            self.failure = repr(error)


class Loads:
    def __init__(self, server, name):
        self.answered = []  # when
        self.all = [Load(server.port, "%s %d" % (name, number), self.answered)
                    for number in range(CONNECTIONS)]
        for load in self.all:
            load.start()

    def wait_for_answers(self):
        due = len(self.answered) + ANSWERS
        harness.wait_for(lambda: len(self.answered) >= due, "%d answers" % ANSWERS)

    def join(self):
        for load in self.all:
            load.ends = True
        for load in self.all:
            load.join(harness.TIMEOUT_SECONDS)
            assert not load.is_alive()

    def failures(self):
        return [load.failure for load in self.all if load.failure is not None]

    def longest_gap(self):
        times = sorted(self.answered)
        return max(after - before for before, after in zip(times, times[1:]))

    def count(self, client):
        """(all answered, those that are not found, those that are other values)"""
        total = lost = wrong = 0
        for load in self.all:
            offsets = sorted(load.stored)
            body = client.request("POST", "/getMulti", struct.pack("<%dQ" % len(offsets), *offsets),
                                  id=load.name, errors="each")[2]
            for offset, entry in zip(offsets, protocol.split_each(body), strict=True):
                total += 1
                lost += isinstance(entry, tuple)
                wrong += not isinstance(entry, tuple) and entry != load.stored[offset]
        return total, lost, wrong


@needs_gluster
class Scenes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="rochefort-gluster-"))
        begun = time.monotonic()
        cls.cluster = cls.enterClassContext(gluster.Cluster(os.path.join(directory, "cluster")))
        cls.logs = directory
        cls.report("three bricks and two mounts", "up after %.1f s" % (time.monotonic() - begun))

    @staticmethod
    def report(scene, text):
        print("%-40s %s" % (scene, text), flush=True)

    def start(self, mount, scene):
        """A server, which waits if another one has the root."""
        root = os.path.join(self.cluster.mounts[mount].path, scene)
        return self.enterContext(Standby(root, self.logs))

    def start_two(self, scene):
        first = self.start("a", scene)
        first.wait_until_it_serves()
        second = self.start("b", scene)
        second.wait_until_it_waits()
        loads = Loads(first, "first")
        loads.wait_for_answers()
        return first, second, loads

    def take_over(self, scene, first, second, loads, fail, expected, after_it=lambda: None):
        """`fail` happens at the first; the second takes over. Prints what became of it."""
        begun = time.monotonic()
        fail()
        second.wait_until_it_serves()
        after = Loads(second, "second")
        harness.wait_for(lambda: after.answered, "an answer of the second")
        seconds = after.answered[0] - begun
        after.wait_for_answers()
        after_it()
        self.assertEqual(expected, first.status(), first.process.log())
        after.wait_for_answers()
        after.join()
        loads.join()
        self.assertEqual([], after.failures())
        with second.client() as client:
            self.assertEqual((len(after.answered), 0, 0), after.count(client))
            total, lost, wrong = loads.count(client)
        self.report(scene, "first answer of the standby after %.1f s; of %d answers before, %d lost "
                    "and %d wrong" % (seconds, total, lost, wrong))
        self.assertEqual(0, second.end())
        self.check_order(second)
        return lost, wrong

    def check_order(self, second):
        """The first has written nothing behind a record of the second."""
        root = os.path.join(second.root, "default")
        for name in records.bucket_files(root):
            writers = [value.split()[0] for value in records.values(os.path.join(root, name)).values()]
            self.assertEqual(writers, sorted(writers))

    def test_1_a_brick_is_killed_and_healed_under_load(self):
        server = self.start("a", "brick")
        server.wait_until_it_serves()
        loads = Loads(server, "first")
        loads.wait_for_answers()
        self.cluster.bricks[2].kill_brick()
        loads.wait_for_answers()
        self.cluster.bricks[2].restart_brick()
        loads.wait_for_answers()
        loads.join()
        self.assertEqual([], loads.failures())
        with server.client() as client:
            total, lost, wrong = loads.count(client)
        self.assertEqual((0, 0), (lost, wrong))
        self.assertEqual(0, server.end())
        harness.wait_for(lambda: self.cluster.is_healed() and self.bricks_are_the_same(), "healing")
        written = sum(map(len, self.files(self.cluster.bricks[2], "brick").values()))
        self.assertGreater(written, total * VALUE_BYTES)
        self.report("a brick is killed and healed", "%d answers, none failed, none lost; longest gap "
                    "%.2f s; bricks are the same" % (total, loads.longest_gap()))

    def bricks_are_the_same(self):
        first, *others = [self.files(brick, "brick") for brick in self.cluster.bricks.values()]
        return all(other == first for other in others)

    def files(self, brick, scene):
        directory = os.path.join(brick.path, scene, "default")
        found = {}
        for name in records.bucket_files(directory):
            with open(os.path.join(directory, name), "rb") as file:
                found[name] = file.read()
        return found

    def test_2_the_server_is_killed(self):
        first, second, loads = self.start_two("server")
        self.assertEqual((0, 0), self.take_over("the server is killed", first, second, loads,
                                                first.process.popen.kill, -9))

    def test_3_its_mount_is_killed(self):
        first, second, loads = self.start_two("mount")
        mount = self.cluster.mounts["a"]
        self.assertEqual((0, 0), self.take_over("its mount is killed", first, second, loads,
                                                mount.kill, ROOT_LOST))
        mount.remount()

    def test_4_its_network_is_cut_and_restored(self):
        """It cannot know that its lock is another's by now, until it can look."""
        first, second, loads = self.start_two("cut")
        mount = self.cluster.mounts["a"]
        lost, wrong = self.take_over("its network is cut and restored", first, second, loads,
                                     mount.cut, ROOT_LOST, mount.restore)
        self.assertEqual((0, 0), (lost, wrong))
        mount.remount()

    def test_5_a_whole_machine_loses_its_power(self):
        first, second, loads = self.start_two("power")
        mount, brick = self.cluster.mounts["a"], self.cluster.bricks[1]

        def lose_power():
            for each in (mount, brick):  # nothing is told to anybody, as by a process that ends
                each.cut()
            first.process.popen.kill()
            mount.kill()
            brick.kill()
        self.assertEqual((0, 0), self.take_over("a machine with brick and server fails", first,
                                                second, loads, lose_power, -9))

    @unittest.skipUnless("ROCHEFORT_GLUSTER_FIGURES" in os.environ and shutil.which("wrk"),
                         "needs ROCHEFORT_GLUSTER_FIGURES=1, and wrk")
    def test_0_figures(self):
        """Beside a root on the disk that the bricks are on."""
        local = os.path.join(self.logs, "local")
        remote = os.path.join(self.cluster.mounts["a"].path, "figures")
        rates = [self.rates(root) for root in (local, remote)]
        self.report("a second, with %d connections" % CONNECTIONS, "local root   GlusterFS")
        for name, *pair in zip(rates[0], *(each.values() for each in rates)):
            self.report(name, "%10.0f  %10.0f" % tuple(pair))

    def rates(self, root):
        """{what: how many a second}"""
        with Standby(root, self.logs) as server:
            server.wait_until_it_serves()
            with server.client() as client:
                paths = ["/get?id=%d&offset=%d" % (n, client.append("%d" % n, bytes(VALUE_BYTES)))
                         for n in range(200)]
            rates = {}
            for sync in (0, 1):
                suffix = " with sync=1" if sync else ""
                paths_of = ["?id=%d&sync=%d" % (n, sync) for n in range(200)]
                rates["append of %d bytes%s" % (VALUE_BYTES, suffix)] = self.rate(
                    server, "POST", ["/append" + path for path in paths_of], "value")
                rates["values by appendMulti of 1000%s" % suffix] = 1000 * self.rate(
                    server, "POST", ["/appendMulti" + path for path in paths_of], "values")
            rates["get of %d bytes" % VALUE_BYTES] = self.rate(server, "GET", paths, "nil")
            self.assertEqual(0, server.end())
        return rates

    def rate(self, server, method, paths, body):
        """Requests a second, of wrk."""
        script = os.path.join(self.logs, "wrk.lua")
        with open(script, "w") as file:
            file.write("""
                local value = string.rep("v", %d)
                local values = string.rep(string.char(%d, 0, 0, 0) .. value, 1000)
                local paths, i = {%s}, 0
                request = function()
                    i = i %% #paths + 1
                    return wrk.format("%s", paths[i], nil, %s)
                end""" % (VALUE_BYTES, VALUE_BYTES, ", ".join('"%s"' % path for path in paths),
                          method, body))
        out = gluster.run("wrk", "-c%d" % CONNECTIONS, "-t1", "-d3s", "-s", script,
                          "http://127.0.0.1:%d" % server.port)
        self.assertNotIn("Non-2xx", out)
        return float(re.search(r"Requests/sec:\s+(\S+)", out).group(1))


if __name__ == "__main__":
    suite.main()
