"""The checks of the timed runs fail where they must, and no target lacks its figure."""
import os
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

import batches
import bench
import cost
import growth
import load
import own
import peers
import plan
import protocol
import servers
import speed
import table
import tails
from conversation import converse
from plan import SMALL
from process import Failure

BINARY, CEILING = os.environ["ROCHEFORT"], os.environ["CEILING"]
BENCH = [sys.executable, "-B", bench.__file__]


def full_run(run, figure):
    """The rows of a full plan, as far as the targets need them, with the same figure in all."""
    chosen, one = plan.Plan(), table.spread([figure])
    if run == "growth":
        return {name: {"rows": [], "growth": {"get": one, "append": one}} for name in bench.RUNS[run]}
    if run == "tails":
        return {"tails": {"rows": [{"what": name, "ratio": one} for name in tails.SERIES]}}
    if run == "cold":
        return {"cold": {"rows": [{"server": "fio", "workload": "get", "size": size,
                                   "connections": n, "ratio": one, "ratio_p99": one}
                                  for size in chosen.cold_sizes for n in chosen.cold_connections]}}
    rows = {"speed": [{"workload": kind, "size": size, "connections": n, "server": table.NGINX,
                       "ratio": one, "ratio_p50": one, "values_per_second": one}
                      for kind, size, numbers in speed.cells(chosen, speed.KINDS)
                      for n in numbers]}
    rows["speed"] += [{"workload": "getMulti", "size": 10000, "connections": 8,
                       "values_per_second": one}]
    rows["calls"] = [{"workload": kind, "size": SMALL, "connections": n, "thread": "loop",
                      "per_request": figure}
                     for kind in ("append", "get") for n in chosen.calls_connections]
    rows["batches"] = [{"size": size, "count": count, "connections": n, "synced": synced,
                        "values_per_second": one, "ratio": one}
                       for count, size, n, synced in batches.cases_of(chosen)]
    rows["writes"] = [{"server": "rochefort", "place": place, "size": size, "connections": n,
                       "ratio": one} for place in ("tmpfs", "disk") for size in chosen.write_sizes
                      for n in chosen.write_connections]
    rows["memory"] = [{"server": "rochefort", "workload": kind, "size": size,
                       "bytes_per_connection": one, "peak_rss_bytes": one, "beyond_bytes": one}
                      for kind, size in [("idle", 0)] + [case[:2] for case in cost.BUSY]]
    return {name: {"rows": found} for name, found in rows.items()}


class Figures(unittest.TestCase):
    def test_a_full_run_has_the_figure_of_each_target(self):
        for run in bench.RUNS:
            rows = table.targets(run, full_run(run, 1))
            self.assertEqual(len(rows), len({row["name"] for row in rows}))
            self.assertNotEqual([], rows)
            self.assertEqual([], [row["name"] for row in rows if "figure" not in row])

    def test_more_is_better_or_worse(self):
        for figure, good in ((0, table.AT_MOST), (1e12, table.AT_LEAST)):
            for run in bench.RUNS:
                for row in table.targets(run, full_run(run, figure)):
                    self.assertEqual("yes" if row["wanted"].startswith(good) else "no", row["met"],
                                     row)

    def test_what_was_not_measured_is_neither_met_nor_missed(self):
        self.assertEqual([], [row for run in bench.RUNS for row in table.targets(run, {})
                              if "met" in row])

    def test_a_missing_figure(self):
        good = {"chapters": {"calls": {"rows": [{"per_request": 2.5}]}}}
        bench.check(good, ["calls"])
        for found, only, where in (
                (good["chapters"]["calls"]["rows"], ["calls", "cold"], "missing: cold"),
                ([], ["calls"], "missing: calls"),
                ([{"per_request": None}], ["calls"], r"calls.rows\[0\].per_request"),
                ([{"per_request": float("nan")}], ["calls"], r"calls.rows\[0\].per_request")):
            with self.subTest(where), self.assertRaisesRegex(Failure, where):
                bench.check({"chapters": {"calls": {"rows": found}}}, only)

    def test_the_largest_cost_over_the_smallest(self):
        rows = [{"workload": kind, "cost": table.spread([cost])} for kind, cost in (
            ("get", 2), ("get", 3), ("append", 5), ("get", 4), ("append", 5))]
        self.assertEqual({"get": 2, "append": 1}, {
            kind: figure["median"] for kind, figure in growth.growth(rows, "cost").items()})

    def test_lanes_take_turns(self):
        options = types.SimpleNamespace(rochefort="", ceiling="", peer=[])
        seen = []
        plan.Context(plan.Plan(rounds=2), options, "", 0).rounds("", {"a": 1, "b": 2}, seen.append)
        self.assertEqual([1, 2, 1, 2], seen)


class Own(unittest.TestCase):
    def test_a_mix_is_sent_evenly(self):
        order = own.spread_evenly(own.parse_mix("get=9,append=1"))
        self.assertEqual((10, 9), (len(order), order.count("get")))
        order = own.spread_evenly({"get": 2, "append": 2, "getMulti": 1})
        self.assertEqual({"get": 2, "append": 2, "getMulti": 1}, {
            kind: order.count(kind) for kind in set(order)})
        self.assertNotIn(("get", "get"), zip(order, order[1:]))

    def test_wrong_arguments_fail_at_once(self):
        for arguments in (["--mix", "get"], ["--mix", "get=0"], ["--mix", "get=1,get=2"],
                          ["--mix", "put=1"], ["--value", "0"], ["--connections", "8,x"], ["none"],
                          ["cold", "--only", "speed"], ["--publish", "--quick"],
                          ["--publish", "--only", "speed"]):
            with self.subTest(arguments):
                done = subprocess.run([*BENCH, *arguments], capture_output=True, text=True,
                                      timeout=120, check=False)
                self.assertEqual(2, done.returncode, done.stderr)


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

    def test_a_server_that_is_up(self):
        done = subprocess.run(
            [*BENCH, "--url", "http://%s:%d" % self.server.address, "--value", "1KiB",
             "--connections", "1,8", "--mix", "get=9,append=1", "--rounds", "1", "--directory",
             self.directory], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        rows = [line for line in done.stdout.splitlines() if "9 get and 1 append of 1 KiB" in line]
        self.assertEqual(2, len(rows), done.stdout)

    def test_what_is_up_there_must_speak_the_protocol(self):
        nginx = peers.NginxFile(os.path.join(self.directory, "nginx"))
        self.addCleanup(nginx.stop)
        os.rename(os.path.join(nginx.www, "get"), os.path.join(nginx.www, "other"))
        done = subprocess.run([*BENCH, "--url", "http://%s:%d" % nginx.address, "--directory",
                               self.directory], capture_output=True, text=True, timeout=120,
                              check=False)
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertIn("bench: wrong reply", done.stderr)

    def test_no_results_after_a_failure(self):
        """A peer that does not speak the protocol: exit 1, and not one file."""
        out = os.path.join(self.directory, "out")
        nginx = peers.NginxFile(os.path.join(self.directory, "nginx"))
        self.addCleanup(nginx.stop)
        done = subprocess.run(
            [*BENCH, "--quick", "--only", "speed", "--rochefort", BINARY, "--ceiling", CEILING,
             "--directory", self.directory, "--out", out, "--peer", "other=http://%s:%d"
             % nginx.address], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertIn("bench: wrong reply: expected 200\n  request: POST /append?id=", done.stderr)
        self.assertEqual([], os.listdir(out))


if __name__ == "__main__":
    unittest.main()
