"""src/deploy/alerts.yml: each alert fires for the server that it is meant for and for no other, and
asks for figures that there are."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
import suite

PATH = os.path.join(os.environ["SOURCE_DIR"], "src/deploy/alerts.yml")
PROMTOOL = shutil.which("promtool")
MIB = 1 << 20
REQUESTS = 'rochefort_http_requests_total{endpoint="append",code="%d"}'
READYZ = 'rochefort_http_requests_total{endpoint="readyz",code="503"}'
SECOND = 'rochefort_http_request_duration_seconds_bucket{endpoint="get",le="%s"}'
SYNC = 'rochefort_sync_duration_seconds_bucket{le="%s"}'
FREE, SIZE = "rochefort_root_free_bytes", "rochefort_root_size_bytes"

# alert: its severity, what a server must show for it, and what another one may; a value a minute
ALERTS = {
    "RochefortDown": ("critical", {"up": "0x60"}, {"up": "1x60"}),
    "RochefortRestarts": ("warning", {"process_start_time_seconds": "0x40 1+300x20"},
                          {"process_start_time_seconds": "0x50 1x10"}),
    "RochefortDiskFull": ("critical", {FREE: "%dx60" % (16 * MIB - 1)},
                          {FREE: "%dx60" % (16 * MIB)}),
    "RochefortDiskFillsUp": ("warning", {FREE: "40000000000-50000000x60", SIZE: "100000000000x60"},
                             {FREE: "40000000000-10000000x60", SIZE: "100000000000x60"}),
    "RochefortDiskAlmostFull": ("warning",
                                {FREE: "%dx60" % (99 * MIB), SIZE: "%dx60" % (1000 * MIB)},
                                {FREE: "%dx60" % (101 * MIB), SIZE: "%dx60" % (1000 * MIB)}),
    "RochefortSyncFailed": ("critical", {"rochefort_sync_failures_total": "0x55 1x5"},
                            {"rochefort_sync_failures_total": "0x20 1x40"}),
    "RochefortFails": ("critical", {REQUESTS % 200: "0+970x60", REQUESTS % 500: "0+10x60",
                                    REQUESTS % 507: "0+10x60"},
                       {REQUESTS % 200: "0+990x60", REQUESTS % 500: "0+9x60",
                        REQUESTS % 503: "0+5x60"}),
    "RochefortRefuses": ("warning", {REQUESTS % 200: "0+900x60", REQUESTS % 503: "0+20x60"},
                         {REQUESTS % 200: "0+900x60", READYZ: "0+50x60"}),
    "RochefortIsAskedForOthersIds": ("critical", {REQUESTS % 421: "0x55 1x5"},
                                     {REQUESTS % 421: "0x20 1x40"}),
    "RochefortMemoryIsTaken": ("warning", {"rochefort_buffered_bytes": "91x60",
                                           "rochefort_buffered_limit_bytes": "100x60"},
                               {"rochefort_buffered_bytes": "89x60",
                                "rochefort_buffered_limit_bytes": "100x60"}),
    "RochefortRepliesAreSlow": ("warning", {SECOND % 1: "0+98x60", SECOND % "+Inf": "0+100x60",
                                            SECOND % 3: "0+100x60"},
                                {SECOND % 1: "0+100x60", SECOND % "+Inf": "0+100x60"}),
    "RochefortSyncsAreSlow": ("warning", {SYNC % 1: "0+98x60", SYNC % 3: "0+100x60",
                                          SYNC % "+Inf": "0+100x60"},
                              {SYNC % 1: "0+100x60", SYNC % "+Inf": "0+100x60"}),
    "RochefortLogIsNotRead": ("warning", {"rochefort_log_lines_dropped_total": "0x55 7x5"},
                              {"rochefort_log_lines_dropped_total": "7x60"}),
    "RochefortTokensAreTried": ("warning", {REQUESTS % 401: "0+70x60"},
                                {REQUESTS % 401: "0+50x60"}),
}


def series_of(instance, figures):
    for name, values in figures.items():
        labels = 'job="rochefort",instance="%s"' % instance
        name, _, others = name.partition("{")
        if others:
            labels = "%s,%s" % (labels, others.rstrip("}"))
        yield {"series": "%s{%s}" % (name, labels), "values": values}


def test_of(alert, severity, loud, quiet):
    """What promtool is to do: after an hour this alert fires for "loud", and nothing else."""
    return {"interval": "1m",
            "input_series": [*series_of("loud", loud), *series_of("quiet", quiet)],
            "promql_expr_test": [{
                "expr": 'count by (alertname, instance, severity) (ALERTS{alertstate="firing"})',
                "eval_time": "60m",
                "exp_samples": [{"labels": '{alertname="%s",instance="loud",severity="%s"}'
                                           % (alert, severity), "value": 1}]}]}


class Alerts(unittest.TestCase):
    def setUp(self):
        with open(PATH, encoding="utf-8") as file:
            self.text = file.read()

    def test_what_they_ask_for_is_there(self):
        with harness.Server() as server, server.client() as client:
            client.request("GET", "/nowhere")
            there = set(re.findall(r"^(\w+)", client.request("GET", "/metrics")[2].decode(), re.M))
        asked = set(re.findall(r"\b(?:rochefort|process)_\w+", self.text))
        self.assertGreater(len(asked), 8)
        self.assertEqual(set(), asked - there)

    @unittest.skipUnless(PROMTOOL, "needs promtool")
    def test_each_fires_when_it_should(self):
        self.assertEqual(sorted(ALERTS), sorted(re.findall(r"- alert: (\w+)", self.text)))
        tests = {"rule_files": [PATH], "evaluation_interval": "1m",
                 "tests": [test_of(alert, *how) for alert, how in ALERTS.items()]}
        with tempfile.TemporaryDirectory(prefix="rochefort-test-") as directory:
            path = os.path.join(directory, "tests.yml")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(tests, file)  # which is YAML too
            for command in (["check", "rules", PATH], ["test", "rules", path]):
                done = subprocess.run([PROMTOOL, *command], capture_output=True, text=True)
                self.assertEqual(0, done.returncode, done.stdout + done.stderr)


if __name__ == "__main__":
    suite.main()
