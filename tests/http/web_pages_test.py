"""Web pages of others can make a browser send requests; they must not get through."""
import os
import unittest

import harness

FOREIGN = "http://evil.example"
FRIEND = "https://app.example"


class WebPages(unittest.TestCase):
    def ask(self, server, method, target, body=None, headers=()):
        with server.connect() as sock:
            sock.sendall(harness.request_bytes(method, target, body, headers))
            return harness.receive_reply(sock)

    def test_a_form_of_another_page_appends_nothing(self):
        with harness.Server() as server:
            for headers in (("Origin: " + FOREIGN, "Content-Type: text/plain"),
                            ("Origin: null",), ("Sec-Fetch-Site: cross-site",),
                            ("Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: navigate")):
                with self.subTest(headers):
                    status, _, body = self.ask(server, "POST", "/append?id=a&storagePrefix=p",
                                               b"planted", headers)
                    self.assertEqual(403, status)
                    self.assertRegex(body, rb"-allow-origin")
            self.assertEqual([], [entry.name for entry in os.scandir(server.root)
                                  if entry.is_dir()])

    def test_an_image_of_another_page_closes_nothing(self):
        with harness.Server() as server:
            with server.client() as client:
                client.append("a", b"value", prefix="p")
                self.assertEqual(1, len(server.open_files("p")))
                status, headers, _ = self.ask(server, "GET", "/close?storagePrefix=p", headers=(
                    "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"))
                self.assertEqual(403, status)
                self.assertNotIn("access-control-allow-origin", headers)
                self.assertEqual(1, len(server.open_files("p")))

    def test_our_own_pages_and_programs_are_served(self):
        with harness.Server() as server:
            host = "127.0.0.1:%d" % server.port
            request = ("POST /append?id=a HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\n"
                       "Sec-Fetch-Site: same-origin\r\nContent-Length: 1\r\n\r\nx" % (host, host))
            with server.connect() as sock:
                sock.sendall(request.encode())
                status, headers, _ = harness.receive_reply(sock)
            self.assertEqual(200, status)
            self.assertNotIn("access-control-allow-origin", headers)
            self.assertEqual(200, self.ask(server, "POST", "/append?id=a", b"x")[0])

    def test_a_page_that_is_allowed_is_served_and_its_browser_told(self):
        with harness.Server("-allow-origin", "http://other.example," + FRIEND) as server:
            origin = ("Origin: " + FRIEND, "Sec-Fetch-Site: cross-site")
            status, headers, _ = self.ask(server, "POST", "/append?id=a", b"x", origin)
            self.assertEqual((200, FRIEND, "Origin"),
                             (status, headers["access-control-allow-origin"], headers["vary"]))
            _, headers, _ = self.ask(server, "GET", "/get?id=a&offset=0")
            self.assertEqual("Origin", headers["vary"])  # a cache keeps them apart
            self.assertNotIn("access-control-allow-origin", headers)
            status, headers, _ = self.ask(server, "GET", "/get?id=a&offset=5", None, origin)
            self.assertEqual((404, FRIEND), (status, headers["access-control-allow-origin"]))
            status, headers, body = self.ask(server, "OPTIONS", "/append", None, origin + (
                "Access-Control-Request-Method: POST",))
            self.assertEqual((204, FRIEND, "POST, OPTIONS", b""),
                             (status, headers["access-control-allow-origin"],
                              headers["access-control-allow-methods"], body))
            self.assertEqual(403, self.ask(server, "OPTIONS", "/append", None,
                                           ("Origin: " + FOREIGN,))[0])
            self.assertEqual(403, self.ask(server, "POST", "/append?id=a", b"x",
                                           ("Origin: " + FRIEND + "0",))[0])
            long = "http://" + "a" * 300
            self.assertEqual(403, self.ask(server, "POST", "/append?id=a", b"x",
                                           ("Origin: " + long,))[0])

    def test_only_names_that_are_ours(self):
        with harness.Server("-allow-host", "data.example,localhost") as server:
            for host, wanted in (("data.example", 200), ("LOCALHOST:8000", 200),
                                 ("evil.example", 403), ("127.0.0.1", 403), ("", 403)):
                with self.subTest(host), server.connect() as sock:
                    sock.sendall(b"POST /append?id=a HTTP/1.1\r\nHost: %s\r\n"
                                 b"Content-Length: 1\r\n\r\nx" % host.encode())
                    self.assertEqual(wanted, harness.receive_reply(sock)[0])


if __name__ == "__main__":
    unittest.main()
