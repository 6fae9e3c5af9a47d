"""The checks of the timed runs fail where they must, and no target lacks its figure."""
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

import batches
import bench
import cost
import load
import machine
import peers
import plan
import protocol
import servers
import speed
import table
from conversation import converse
from plan import SMALL
from process import Failure

BINARY, CEILING = os.environ["ROCHEFORT"], os.environ["CEILING"]


def full_run(figure):
    """The rows of a full plan, as far as the targets need them, with the same figure in all."""
    chosen, rows = plan.Plan(), {"speed": [], "calls": [], "read": []}
    one = table.spread([figure])
    for kind, size in speed.cells(chosen, speed.KINDS):
        rows["speed"] += [{"workload": kind, "size": size, "connections": n, "server": server,
                           "ratio": one, "ratio_p50": one}
                          for n in chosen.connections for server in (table.OWN, table.NGINX)]
    for kind in ("append", "get"):
        rows["calls"] += [{"server": "rochefort", "workload": kind, "size": SMALL,
                           "connections": n, "thread": "loop", "per_request": figure}
                          for n in chosen.calls_connections]
    for size in chosen.read_sizes:
        rows["read"] += [{"server": "fio", "workload": kind, "size": size, "connections": n,
                          "ratio": one} for n in chosen.read_connections
                         for kind in ("get", "getMulti")]
    rows["batches"] = [{"size": size, "count": count, "connections": n, "synced": synced,
                        "values_per_second": one, "ratio": one}
                       for count, size, n, synced in batches.cases_of(chosen)]
    rows["memory"] = [{"server": "rochefort", "workload": "idle", "bytes_per_connection": one},
                      {"workload": "mixed", "size": SMALL, "peak_rss_bytes": one}]
    return {name: {"rows": found} for name, found in rows.items()}


class Figures(unittest.TestCase):
    def test_a_full_run_has_the_figure_of_each_target(self):
        rows = table.targets(full_run(1))
        self.assertEqual(26, len({row["name"] for row in rows}))
        self.assertEqual([], [row["name"] for row in rows if "figure" not in row])

    def test_more_is_better_or_worse(self):
        for figure, good in ((0, table.AT_MOST), (1e12, table.AT_LEAST)):
            for row in table.targets(full_run(figure)):
                self.assertEqual("yes" if row["wanted"].startswith(good) else "no", row["met"], row)

    def test_what_was_not_measured_is_neither_met_nor_missed(self):
        self.assertEqual([], [row for row in table.targets({}) if "met" in row])

    def test_a_missing_figure(self):
        good = {"chapters": {"calls": {"rows": [{"per_request": 2.5}]}}}
        bench.check(good, ["calls"])
        for found, only, where in (
                (good["chapters"]["calls"]["rows"], ["calls", "read"], "missing: read"),
                ([{"per_request": 1}], ["get"], "missing: get"), ([], ["calls"], "missing: calls"),
                ([{"per_request": None}], ["calls"], r"calls.rows\[0\].per_request"),
                ([{"per_request": float("nan")}], ["calls"], r"calls.rows\[0\].per_request")):
            with self.assertRaisesRegex(Failure, where):
                bench.check({"chapters": {"calls": {"rows": found}}}, only)

    def test_lanes_take_turns(self):
        options = types.SimpleNamespace(rochefort="", ceiling="", peer=[])
        seen = []
        plan.Context(plan.Plan(rounds=2), options, "", 0).rounds("", {"a": 1, "b": 2}, seen.append)
        self.assertEqual([1, 2, 1, 2], seen)


class Settle(unittest.TestCase):
    def settle(self, unwritten, seconds):
        with mock.patch.object(machine, "unwritten_bytes", side_effect=unwritten) as asked, \
                mock.patch.object(os, "sync"):
            machine.settle(seconds)
            return asked.call_count

    def test_waits_until_little_is_left(self):
        self.assertEqual(3, self.settle([1 << 30, machine.SETTLED_BYTES + 1,
                                         machine.SETTLED_BYTES], 60))

    def test_goes_on_where_others_write_all_the_while(self):
        self.assertLess(self.settle(itertools.repeat(1 << 30), 0.1), 60)


class Runs(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="rochefort-bench-test-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.server = servers.Rochefort(BINARY, self.directory)
        self.addCleanup(self.server.stop)
        options = types.SimpleNamespace(rochefort="", ceiling="", peer=[])
        self.context = plan.Context(plan.Plan(), options, self.directory, 0)

    def test_bytes(self):
        result = {"requests": 10, "bytes": 2000}
        load.check_bytes(result, 200, 2, "GET /get")
        for wrong in (1999, 2401):
            with self.assertRaises(Failure):
                load.check_bytes(dict(result, bytes=wrong), 200, 2, "GET /get")

    def test_errors(self):
        path = os.path.join(self.directory, "requests")
        load.write_requests(path, [protocol.get("id", 1)], "127.0.0.1")
        with self.assertRaisesRegex(Failure, "status [1-9][^\n]*\n  request: GET /get\\?id=id"):
            load.wrk(self.server.address, path, 2, 1)

    def test_a_wrong_byte(self):
        workload = self.server.workload("get", SMALL, None)
        request, value = workload.requests[3]
        workload.requests[3] = request, bytes([value[0] ^ 1]) + value[1:]
        with self.assertRaisesRegex(Failure, "not what was stored\n  request: GET /get"):
            speed.Case(self.server, self.context, workload)

    def finish(self, kind, requests, known=None):
        """After two appends; `requests` were answered on 4 connections."""
        workload = self.server.workload(kind, SMALL, None)
        values = workload.known[:2]
        workload.known = known or workload.known
        converse(self.server.address, [servers.appending_user([], "id", values, "timed")])
        self.server.finish(workload, {"requests": requests, "before": 0}, 4)

    def test_the_records_of_a_run(self):
        self.finish("append", 2)
        self.assertFalse(os.path.exists(os.path.join(self.server.root, "timed")))

    def test_the_records_of_lists(self):
        """Each request is as many as it has values."""
        workload = batches.workload_of(2, SMALL, False)
        converse(self.server.address, [servers.appending_user([], "id", workload.known[:2],
                                                              "timed")])
        with self.assertRaisesRegex(Failure, "6 to 8 records must have been stored, but 2 were"):
            self.server.finish(workload, {"requests": 3, "before": 0}, 1)
        self.server.finish(workload, {"requests": 1, "before": 0}, 1)

    def test_a_value_that_was_never_sent(self):
        with self.assertRaisesRegex(Failure, "was never sent"):
            self.finish("append", 2, [b"another"])

    def test_a_record_too_few(self):
        with self.assertRaisesRegex(Failure, "3 to 7 records must have been stored, but 2 were"):
            self.finish("append", 3)

    def test_a_record_too_many(self):
        with self.assertRaisesRegex(Failure, "-3 to 1 records must have been stored"):
            self.finish("append", -3)

    def test_instructions_and_allocations(self):
        """More for an append than for nothing, and about the same twice."""
        once, again = (cost.callgrind(self.context, BINARY, "a", "append", SMALL, 4, requests)
                       for requests in (200, 400))
        for field, least in (("instructions", 1000), ("allocations", 1)):
            self.assertGreater(once[field], least)
            self.assertLess(abs(once[field] / again[field] - 1), 0.3)

    def test_no_results_after_a_failure(self):
        """A peer that does not speak the protocol: exit 1, and not one file."""
        out = os.path.join(self.directory, "out")
        nginx = peers.NginxFile(os.path.join(self.directory, "nginx"))
        self.addCleanup(nginx.stop)
        done = subprocess.run(
            [sys.executable, "-B", os.path.join(os.path.dirname(bench.__file__), "bench.py"),
             "--quick", "--only", "append", "--rochefort", BINARY, "--ceiling", CEILING,
             "--directory", self.directory, "--out", out, "--peer", "other=http://%s:%d"
             % nginx.address], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertIn("bench: wrong reply: expected 200\n  request: POST /append?id=", done.stderr)
        self.assertEqual([], os.listdir(out))


if __name__ == "__main__":
    unittest.main()
