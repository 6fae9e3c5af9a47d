"""The queries of src/deploy/README.md: Prometheus can parse them, and the server has what they ask for."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
import suite

DOCUMENT = os.path.join(os.environ["SOURCE_DIR"], "src/deploy/README.md")
QUERIES = 7


class Queries(unittest.TestCase):
    def setUp(self):
        with open(DOCUMENT, encoding="utf-8") as file:
            table = re.search(r"^\| ask \| PromQL \|\n\|---\|---\|\n((?:\|.*\n)+)", file.read(), re.M)
        self.queries = re.findall(r"^\| .* \| `(.*)` \|$", table.group(1), re.M)
        self.assertEqual(QUERIES, len(self.queries))
        self.assertEqual(QUERIES, len(table.group(1).splitlines()))

    @unittest.skipUnless(shutil.which("promtool"), "needs promtool")
    def test_prometheus_can_parse_them(self):
        rules = {"groups": [{"name": "g", "rules": [
            {"record": "r%d" % i, "expr": query} for i, query in enumerate(self.queries)]}]}
        with tempfile.TemporaryDirectory(prefix="rochefort-test-") as directory:
            path = os.path.join(directory, "rules.yml")
            with open(path, "w") as file:
                json.dump(rules, file)  # which is YAML too
            done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True,
                                  timeout=harness.TIMEOUT_SECONDS, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("%d rules found" % QUERIES, done.stdout)

    def test_the_server_has_these_figures(self):
        with harness.Server() as server, server.client() as client:
            client.append("x", b"value")
            text = client.request("GET", "/metrics")[2].decode()
        found = set(re.findall(r"^([a-z_]+)[ {]", text, re.M))
        wanted = {name for query in self.queries for name in re.findall(r"rochefort_\w+", query)}
        self.assertGreater(len(wanted), QUERIES)
        self.assertEqual(set(), wanted - found)


if __name__ == "__main__":
    suite.main()
