"""-admin-bind: which endpoint is on which address."""
import os
import re
import unittest

import curl
import harness

ADMIN = ("/metrics", "/stats", "/")
BOTH = ("/healthz", "/readyz")
MAIN = ("/get?id=x&offset=0", "/scan?id=x&offset=0", "/ends", "/prefixes", "/close")


class Places(curl.TestCase):
    FLAGS = ("-admin-bind", "127.0.0.1:0")

    def start(self):
        server = super().start()
        line = r"figures and page are on (127\.0\.0\.1:\d+)\n"
        self.admin = "http://" + harness.wait_for(
            lambda: re.search(line, server.log()), "the second address").group(1)
        self.curl("http://127.0.0.1:%d/append?id=x" % server.port, "-d", "v")
        return server

    def status(self, base, target, *arguments):
        return int(self.curl(base + target, "-o", os.devnull, "-w", "%{http_code}", *arguments))

    def statuses(self, targets, *arguments):
        """{target: (on the main address, on the other)}"""
        return {target: (self.status(self.url(""), target, *arguments),
                         self.status(self.admin, target, *arguments)) for target in targets}

    def test_figures_are_on_the_admin_address_alone(self):
        for arguments in ((), ("-I",)):
            self.assertEqual(dict.fromkeys(ADMIN, (404, 200)), self.statuses(ADMIN, *arguments))
        self.assertEqual(dict.fromkeys(ADMIN, (404, 204)), self.statuses(ADMIN, "-X", "OPTIONS"))

    def test_health_is_on_both(self):
        self.assertEqual(dict.fromkeys(BOTH, (200, 200)), self.statuses(BOTH))

    def test_data_is_on_the_main_address_alone(self):
        self.assertEqual(dict.fromkeys(MAIN, (200, 404)), self.statuses(MAIN))
        posts = ("/append?id=x", "/appendMulti?id=x", "/getMulti?id=x")
        body = self.write("body", b"\x01\0\0\0v")
        self.assertEqual([404] * len(posts), [
            self.status(self.admin, path, "--data-binary", "@" + body) for path in posts])
        self.assertEqual([200, 200], [
            self.status(self.url(""), path, "--data-binary", "@" + body) for path in posts[:2]])

    def test_unknown_paths_are_told_which_there_are(self):
        self.assertIn(b"/close, /healthz and /readyz", self.curl("/none"))
        self.assertIn(b"there are /, /healthz, /readyz, /metrics and /stats",
                      self.curl(self.admin + "/none"))
        for similar in ("/METRICS", "/stats/", "//"):
            self.assertIn(b"; use /", self.curl(self.admin + similar))
            self.assertNotIn(b"; use /", self.curl(similar))

    def test_requests_of_both_are_counted(self):
        figures = self.curl(self.admin + "/metrics").decode()
        self.assertIn('rochefort_http_requests_total{endpoint="append",code="200"} 1\n', figures)
        self.assertIn('endpoint="metrics",code="200"} 1\n',
                      self.curl(self.admin + "/metrics").decode())

    def test_that_others_can_reach_the_figures_is_said(self):
        with harness.Server("-admin-bind", "0.0.0.0:0") as server:
            server.stop()
            self.assertRegex(server.log(), r"without -tokens everybody who reaches 0\.0\.0\.0:\d+ "
                             "may see the figures\n")
            self.assertNotIn("read and write", server.log())

    def test_over_a_unix_domain_socket_too(self):
        path = os.path.join(self.server.directory, "admin")
        with harness.Server("-admin-bind", "unix:" + path):
            target = "http://localhost%s"
            self.assertIn(b"rochefort_build_info", self.curl(target % "/metrics",
                                                             "--unix-socket", path))
            self.assertIn(b"no such path", self.curl(target % "/ends", "--unix-socket", path))


class Without(curl.TestCase):
    def test_all_is_on_one_address(self):
        for target in (*ADMIN, *BOTH, "/prefixes"):
            self.curl(target, "-f", "-o", os.devnull)


if __name__ == "__main__":
    unittest.main()
