"""The page at /: what it is served with, and in a browser that it shows what the server does."""
import os
import re
import signal
import tempfile
import unittest

import browser
import harness

STATE = "document.getElementById('state')?.textContent"
# the label of a line, by the title of its chart and its place there
LABEL = ("[...document.querySelectorAll('section')].find(s => s.querySelector('h2').textContent"
         " === %r).querySelectorAll('.legend b')[%d].textContent")
POINTS = "document.querySelector('polyline').getAttribute('points').split(' ').length"


class Served(unittest.TestCase):
    def test_one_file_that_may_load_nothing_from_elsewhere(self):
        with harness.Server() as server, server.client() as client:
            status, headers, body = client.request("GET", "/")
            self.assertEqual((200, "text/html; charset=utf-8", "no-store"), (
                status, headers["Content-Type"], headers["Cache-Control"]))
            self.assertLess(len(body), 30 * 1024)
            policy = headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertEqual("nosniff", headers["X-Content-Type-Options"])
            urls = set(re.findall(rb"https?://[^\"' ]+", body))
            self.assertEqual({b"http://www.w3.org/2000/svg"}, urls)  # a name, nothing is loaded
            self.assertEqual((200, b""), client.request("HEAD", "/")[::2])
            self.assertEqual(405, client.request("POST", "/", b"")[0])
            self.assertNotIn("Content-Security-Policy", client.request("GET", "/healthz")[1])


@unittest.skipUnless(browser.CHROMIUM, "needs chromium")
class Shown(unittest.TestCase):
    def test_it_updates_and_survives_a_restart(self):
        with harness.Server("-buckets", "2") as server, browser.Browser() as page:
            page.open("http://127.0.0.1:%d/" % server.port)
            page.wait_until(STATE + " === 'ready'")
            page.wait_until(LABEL % ("Now", 0) + " > 0")  # the browser itself
            self.assertEqual(0, page.evaluate("document.querySelectorAll('[src],link[href^=http]')"
                                              ".length"))
            with server.client() as client:
                for _ in range(300):
                    client.append("a", b"x" * 1000)
                page.wait_until("document.body.textContent.includes('300 records written')")
                self.assertEqual([], page.errors)
            points = page.evaluate(POINTS)
            page.wait_until("%s > %d" % (POINTS, points))
            self.assertEqual([], page.errors)
            server.stop()
            page.wait_until(STATE + " === 'no answer from the server'")
            server.flags += ["-bind", "127.0.0.1:%d" % server.port]
            server.start()
            page.wait_until(STATE + " === 'ready'")
            page.wait_until("document.body.textContent.includes('0 records written')")
            # the browser itself logs each connection that is refused
            self.assertEqual([], [e for e in page.errors if "ERR_CONNECTION_REFUSED" not in e
                                  and "ERR_EMPTY_RESPONSE" not in e
                                  and "ERR_CONNECTION_RESET" not in e])

    def test_a_phone_needs_no_scrolling_sideways(self):
        with harness.Server() as server, browser.Browser(360, 740) as page:
            page.open("http://127.0.0.1:%d/" % server.port)
            page.wait_until(STATE + " === 'ready'")
            self.assertEqual(360, page.evaluate("document.documentElement.scrollWidth"))


@unittest.skipUnless(browser.CHROMIUM, "needs chromium")
class Token(unittest.TestCase):
    """Where one is asked for."""

    ASKED = "!document.getElementById('ask').hidden"
    NAME = "rochefort-of-the-page"

    def enter(self, page, token):
        page.wait_until(self.ASKED)
        page.evaluate("document.getElementById('token').value = %r" % token)
        page.evaluate("document.querySelector('#ask button').click()")

    def start(self):
        self.path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "tokens")
        self.write("admin", "may-only-read-here read\n")
        return self.enterContext(harness.Server("-buckets", "1", "-tokens", self.path))

    def write(self, right, more=""):
        with open(os.open(self.path + ".new", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write("%s %s\n%s" % (self.NAME, right, more))
        os.rename(self.path + ".new", self.path)

    def test_it_is_asked_for_and_kept_in_the_tab(self):
        server = self.start()
        with browser.Browser() as page:
            page.open("http://127.0.0.1:%d/" % server.port)
            page.wait_until(STATE + " === 'a token that may admin is needed to show figures'")
            self.enter(page, "too short")  # the browser says so, nothing is sent
            self.assertTrue(page.evaluate(self.ASKED))
            self.enter(page, "not-known-to-this-server")
            page.wait_until(STATE + " === 'the token is not known'")
            self.enter(page, "may-only-read-here")
            page.wait_until(STATE + " === 'this is for tokens that may admin'")
            self.enter(page, self.NAME)
            page.wait_until(STATE + " === 'ready'")
            page.wait_until(LABEL % ("Now", 0) + " > 0")
            self.assertFalse(page.evaluate(self.ASKED))
            page.open("http://127.0.0.1:%d/?again" % server.port)
            page.wait_until("location.search === '?again' && %s === 'ready'" % STATE)
            self.assertEqual("/", page.evaluate("location.pathname"))
            # the browser itself logs each reply of such a status
            self.assertEqual([], [error for error in page.errors if "status of 401" not in error
                                  and "status of 403" not in error])
            self.write("write")
            server.process.send_signal(signal.SIGHUP)
            page.wait_until(self.ASKED)
            page.wait_until(STATE + " === 'this is for tokens that may admin'")
        server.stop()  # its log is complete
        self.assertNotIn(self.NAME, server.log())


if __name__ == "__main__":
    unittest.main()
