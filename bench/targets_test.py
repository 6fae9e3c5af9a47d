"""Every target has its figure in a full run, is compared the right way round; figures that are no
numbers are found."""
import os
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

import bench
import cold
import plan
import speed
import targets
from plan import SMALL
from process import Failure


def spread(value):
    return {"median": value, "min": value, "max": value}


def full_run(figure):
    """The rows of a full plan, as far as targets look at them; all figures are the same."""
    chosen, chapters = plan.Plan(), {}
    chapters["speed"] = [
        {"workload": kind, "size": size, "connections": n, "server": server,
         "ratio": spread(figure), "ratio_p50": spread(figure)}
        for kind, size in speed.cells(chosen, speed.KINDS) for n in chosen.connections
        for server in ("rochefort", targets.OWN, targets.NGINX)]
    chapters["calls"] = [
        {"server": "rochefort", "workload": kind, "size": SMALL, "connections": n,
         "thread": "loop", "per_request": figure}
        for kind in ("append", "get") for n in chosen.calls_small]
    chapters["memory"] = {
        "idle": [{"server": "rochefort", "bytes_per_connection": spread(figure)}],
        "busy": [{"workload": "mixed", "size": SMALL, "connections": 256,
                  "peak_rss_bytes": spread(figure * plan.MIB)}]}
    chapters["read"] = {"rows": [
        {"server": who, "workload": kind, "size": size, "connections": n, "ratio": spread(figure)}
        for who in cold.WHO for size in chosen.read_sizes
        for kind, n in [("get", n) for n in chosen.read_connections] + [("getMulti", 1)]]}
    return chapters


class Targets(unittest.TestCase):
    def test_a_full_run_has_the_figure_of_each(self):
        rows = targets.table(full_run(1))
        self.assertEqual(22, len(rows))
        self.assertEqual([], [row["name"] for row in rows if "median" not in row])
        self.assertEqual(22, len({row["name"] for row in rows}))

    def test_more_is_better_or_worse(self):
        for figure, comparison in ((0, targets.AT_MOST), (1e9, targets.AT_LEAST)):
            for row in targets.table(full_run(figure)):
                self.assertEqual(row["comparison"] == comparison, row["met"], row)

    def test_what_was_not_measured_is_neither_met_nor_missed(self):
        for row in targets.table({}):
            self.assertNotIn("met", row)

    def test_a_figure_that_is_not_there(self):
        good = {"chapters": {"calls": [{"per_request": 2.5}]}}
        bench.check(good, ["calls"])
        for bad, only, where in ((good, ["calls", "read"], "missing: read"),
                                 (good, ["get"], "missing: get"),
                                 ({"chapters": {"calls": []}}, ["calls"], "missing: calls"),
                                 ({"chapters": {"calls": [{"per_request": None}]}}, ["calls"],
                                  r"chapters.calls\[0\].per_request"),
                                 ({"chapters": {"calls": [{"per_request": float("nan")}]}},
                                  ["calls"], r"chapters.calls\[0\].per_request")):
            with self.assertRaisesRegex(Failure, where):
                bench.check(bad, only)


if __name__ == "__main__":
    unittest.main()
