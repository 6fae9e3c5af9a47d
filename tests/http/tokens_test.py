"""-tokens: every endpoint, right and spelling of a prefix; what is refused is not read; proxies.
The file is tested in token_files_test.py, and line by line in tokens_test.c."""
import os
import re
import unittest

import curl
import harness
import proxies
import records
import suite
from tokens import ADMIN, READ, TOKENS, WRITE, Server, bearer, token_of, write_file

ANY, OPEN = "any", "open"
ENDPOINTS = {"/append": (WRITE, ("POST",)), "/appendMulti": (WRITE, ("POST",)),
             "/close": (WRITE, ("GET", "POST")), "/get": (READ, ("GET", "HEAD")),
             "/getMulti": (READ, ("POST",)), "/scan": (READ, ("GET", "HEAD")),
             "/ends": (READ, ("GET", "HEAD")), "/prefixes": (ADMIN, ("GET", "HEAD")),
             "/metrics": (ADMIN, ("GET", "HEAD")), "/stats": (ADMIN, ("GET", "HEAD")),
             "/healthz": (OPEN, ("GET", "HEAD")), "/readyz": (OPEN, ("GET", "HEAD")),
             "/": (OPEN, ("GET", "HEAD"))}
OTHER_PATHS = ("/none", "//", "/get/", "/GET", "/%67et", "//get", "/get%3f", "/healthz/", "/.",
               "/*")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


# a query: the prefix that it is about, or None if it gets a 400
QUERIES = {"": "default", "storagePrefix=": "default", "storagePrefix": "default",
           "offset=1": "default", "x=storagePrefix=mine": "default",
           "storagePrefix=default": "default",
           "storagePrefix=mine": "mine", "storagePrefix=%6d%69%6E%65": "mine",
           "%73toragePrefix=mine": "mine", "x=mine&storagePrefix=mine&y": "mine",
           "&&storagePrefix=mine&": "mine", "storagePrefix=a+b%2b%C3%A4": "a b+ä",
           "storagePrefix=a%20b%2B\xc3\xa4": "a b+ä", "storagePrefix=mine;": "mine;",
           "storagePrefix=Mine": "Mine", "storagePrefix=mine+": "mine ",
           "storagePrefix=+mine": " mine", "storagePrefix=min": "min",
           "storagePrefix=mines": "mines",
           "storagePrefix=mine,default": "mine,default", "storagePrefix=mine%26x": "mine&x",
           "storagePrefix=other&x=mine": "other", "storagePrefix==mine": "=mine",
           "storagePrefix[]=mine": "default", "prefix=mine": "default",
           "x;storagePrefix=mine": "default",
           "?storagePrefix=mine": "default",
           "storagePrefix=mine&storagePrefix=mine": None,
           "storagePrefix=mine&storagePrefix=other": None,
           "storagePrefix=other&storagePrefix=mine": None,
           "storagePrefix=&storagePrefix=mine": None,
           "storageprefix=mine": None, "storagePrefix=other&storageprefix=mine": None,
           "storagePrefix=mine&STORAGEPREFIX=other": None, "storagePrefix=mine%00": None,
           "storagePrefix=mine%00other": None, "storagePrefix=mine/../other": None,
           "storagePrefix=mine%2f..%2fother": None, "storagePrefix=./mine": None,
           "storagePrefix=mine/": None, "storagePrefix=%6": None, "storagePrefix=mine%zz": None}
# what is no token, or not one of ours
ABSURD = ["", "Bearer", "Bearer ", "Bearer  ", "Bearer\t" + token_of("all"), token_of("all"),
          "bearer" + token_of("all"), "Bearer=" + token_of("all"), "Bearer:" + token_of("all"),
          "Bearer, " + token_of("all"), "Basic " + token_of("all"), "Token " + token_of("all"),
          "Bearer Bearer " + token_of("all"), "Bearers " + token_of("all"),
          "Basic x, Bearer " + token_of("all"), "Bearer " + token_of("all") + ", Basic x",
          "Bearer " + token_of("all") + " x", "Bearer x " + token_of("all"),
          "Bearer " + token_of("all")[:-1], "Bearer " + token_of("all") + "-",
          "Bearer " + token_of("all").upper(), "Bearer \"" + token_of("all") + "\"",
          "Bearer token=" + token_of("all"), "Bearer " + token_of("all") + "=",
          "Bearer #" + token_of("all"), "Bearer *", "Bearer " + "a" * 128, "Bearer " + "a" * 129,
          "Bearer " + "a" * 15000, "Bearer " + "=" * 64, "Bearer \xff\xfe\x80", "Bearer %00",
          "Bearer read", "Bearer " + token_of("all") + " read,write,admin", "\xa0Bearer x",
          "Digest username=\"a\", realm=\"rochefort\", nonce=\"\", uri=\"/\", response=\"\"",
          "Negotiate " + "A" * 8000, "Bearer " + token_of("all").replace("t", "\xd1\x82")]


def right_of(method, path):
    if method == "OPTIONS":
        return OPEN
    right, methods = ENDPOINTS.get(path, (ANY, ()))
    return right if right != OPEN or method in methods else ANY


def expected(method, path, name, query):
    """401, 403, 400, or 0 for what is not for the tokens to say."""
    right = right_of(method, path)
    if right == OPEN:
        return 0
    if name not in TOKENS:
        return 401
    rights, only = TOKENS[name]
    if right == ANY:
        return 0
    if right not in rights:
        return 403
    if only is not None and QUERIES[query] != only:
        return 403 if QUERIES[query] is not None else 400
    return 0


class Table(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server("-buckets", "1"))

    def ask_all(self, asked):
        """Sends (method, path, token's name, query) in a row on one connection: none has a body, so
        it stays open. The statuses."""
        with self.server.connect() as sock:
            statuses, size = [], 200
            for begin in range(0, len(asked), size):
                part = asked[begin:begin + size]
                sock.sendall(b"".join(
                    harness.request_bytes(method, "%s?%s" % (path, query) if query else path, None,
                                          bearer(name))
                    for method, path, name, query in part))
                for method, path, _, _ in part:
                    status, headers = harness.receive_head(sock)
                    if method != "HEAD":
                        harness.receive_body(sock, int(headers.get("content-length", 0)))
                    self.assertNotEqual("close", headers.get("connection"), (method, path))
                    self.assertEqual('Bearer realm="rochefort"' if status == 401 else None,
                                     headers.get("www-authenticate"))
                    statuses.append(status)
            return statuses

    def check_all(self, asked):
        for what, status in zip(asked, self.ask_all(asked), strict=True):
            wanted = expected(*what)
            if wanted:
                self.assertEqual(wanted, status, what)
            else:
                self.assertNotIn(status, (401, 403), what)

    def test_the_table_has_all_endpoints(self):
        with self.server.send("GET", "/none", None, bearer("all")) as sock:
            text = harness.receive_reply(sock)[2].decode()
        self.assertEqual(set(ENDPOINTS) - {"/"}, set(re.findall(r"/\w+", text)) - {"/none"})

    def test_every_endpoint_method_and_token(self):
        self.check_all([(method, path, name, "") for path in (*ENDPOINTS, *OTHER_PATHS)
                        for method in METHODS for name in (None, "wrong", *TOKENS)])

    def test_every_spelling_of_a_prefix(self):
        self.check_all([(method, path, name, query) for path in ENDPOINTS
                        for method in ENDPOINTS[path][1] for name in TOKENS if TOKENS[name][1]
                        for query in QUERIES])

    def test_it_is_the_prefix_that_is_used(self):
        """What a token of one prefix has appended is there, and nowhere else."""
        for name in ("both-mine", "writes-odd", "default"):
            wanted = TOKENS[name][1]
            for query, prefix in QUERIES.items():
                with self.server.send("POST", "/append?id=a&" + query, b"of " + name.encode(),
                                      bearer(name)) as sock:
                    status = harness.receive_reply(sock)[0]
                self.assertEqual(200 if prefix == wanted else 400 if prefix is None else 403,
                                 status, (name, query))
            stored = records.decode_file(self.server.bucket(wanted)).values()
            self.assertEqual({b"of " + name.encode()}, {value for _, value in stored})
            self.assertEqual(list(QUERIES.values()).count(wanted), len(stored))
        self.assertEqual({"mine", "a b+ä", "default"},
                         {entry.name for entry in os.scandir(self.server.root) if entry.is_dir()})

    def test_other_forms_of_the_target(self):
        for target, name, wanted in (
                ("http://x/get?id=a&offset=0&storagePrefix=mine", "reads-mine", 404),
                ("http://x/get?id=a&offset=0", "reads-mine", 403),
                ("http://mine/get?id=a&offset=0", None, 401),
                ("http://x?storagePrefix=mine", None, 200), ("http://x", None, 200),
                ("http://x/stats", "reader", 403), ("http://x/stats", None, 401),
                ("http://x//stats", None, 401), ("//x/stats", None, 401),
                ("//x/stats", "reader", 404),
                ("/stats?", "writer", 403), ("/stats?/healthz", None, 401), ("/?/stats", None, 200),
                ("/healthz?x=/stats", None, 200), ("/readyz?for=both", None, 400)):
            with self.subTest(target), self.server.send("GET", target, None, bearer(name)) as sock:
                self.assertEqual(wanted, harness.receive_reply(sock)[0])
        with self.server.send("OPTIONS", "*") as sock:
            self.assertEqual(204, harness.receive_reply(sock)[0])

    def test_absurd_headers(self):
        good = harness.request_bytes("GET", "/stats", None, bearer("all"))
        for value in ABSURD:
            with self.subTest(value), self.server.connect() as sock:
                for method in ("GET", "POST"):  # neither has a body
                    sock.sendall(harness.request_bytes(method, "/append?id=a", None,
                                                       ("Authorization: " + value,)) + good)
                    status, headers, body = harness.receive_reply(sock)
                    self.assertEqual(401, status, body)
                    self.assertNotIn(b"token-of", body)
                    self.assertEqual(200, harness.receive_reply(sock)[0])
        for value in ("bearer ", "BEARER  ", "\t Bearer     "):
            with self.server.send("GET", "/stats", None, ("authorization:" + value + token_of("all")
                                                          + " \t",)) as sock:
                self.assertEqual(200, harness.receive_reply(sock)[0])
        with self.server.send("GET", "/stats", None, bearer("all") * 2) as sock:
            self.assertEqual((400, b"Authorization given twice\n"),
                             harness.receive_reply(sock)[::2])
        for target in ("/stats?access_token=" + token_of("all"), "/stats?token=" + token_of("all")):
            with self.server.send("GET", target) as sock:
                self.assertEqual(401, harness.receive_reply(sock)[0])
        # a trailer comes too late
        with self.server.connect() as sock:
            sock.sendall(("GET /stats HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "0\r\n"
                          "Authorization: Bearer %s\r\n\r\n" % token_of("all")).encode())
            self.assertEqual(401, harness.receive_reply(sock)[0])


class Bodies(unittest.TestCase):
    SIZE = 64 << 20

    def heads(self):
        for name, query, wanted in ((None, "", 401), ("wrong", "", 401), ("reader", "", 403),
                                    ("both-mine", "&storagePrefix=other", 403),
                                    ("both-mine", "&storagePrefix=%zz", 400)):
            for path in ("/append", "/appendMulti"):
                yield path + "?id=a" + query, bearer(name), wanted
        yield "/healthz", (), 401
        yield "/none", (), 401

    def check_refused(self, sock, wanted):
        status, headers, body = harness.receive_reply(sock)
        self.assertEqual((wanted, "close"), (status, headers["connection"]), body)
        self.assertEqual(wanted == 401, "www-authenticate" in headers)

    def test_nothing_of_it_is_waited_for(self):
        with Server() as server:
            for target, headers, wanted in self.heads():
                for how in ("Content-Length: %d" % self.SIZE, "Content-Length: 999999999999999999",
                            "Transfer-Encoding: chunked"):
                    for more in ((), ("Expect: 100-continue",)):
                        with self.subTest(target, how=how, more=more), server.send(
                                "POST", target, None, (*headers, how, *more)) as sock:
                            self.check_refused(sock, wanted)
                            sock.shutdown(1)
                            self.assertEqual(b"", harness.receive_all(sock))

    def test_a_client_that_sends_all_of_it_first_gets_its_reply(self):
        block = bytes(1 << 20)
        with Server("-max-buffered", "1MiB") as server:
            before = server.memory_bytes("VmHWM")
            for target, headers, wanted in list(self.heads())[:3]:
                with server.send("POST", target, None,
                                 (*headers, "Content-Length: %d" % self.SIZE)) as sock:
                    for _ in range(self.SIZE // len(block)):
                        sock.sendall(block)
                    self.check_refused(sock, wanted)
            self.assertEqual([".rochefort.lock"], os.listdir(server.root))
            self.assertLess(server.memory_bytes("VmHWM") - before, self.SIZE // 4)

    def test_it_is_not_taken_for_a_request(self):
        hidden = harness.request_bytes("POST", "/append?id=a&storagePrefix=hidden", b"x",
                                       bearer("all"))
        with Server() as server:
            for target, headers, wanted in self.heads():
                with server.send("POST", target, hidden, headers) as sock:
                    sock.sendall(hidden)
                    self.check_refused(sock, wanted)
                    sock.shutdown(1)
                    self.assertEqual(b"", harness.receive_all(sock))
            self.assertEqual([".rochefort.lock"], os.listdir(server.root))

    def test_pipelined_requests_are_judged_one_by_one(self):
        with Server("-buckets", "1") as server, server.connect() as sock:
            asked = [("writer", b"1", 200), (None, None, 401), ("reader", None, 403),
                     ("writer", b"2", 200), ("writer", None, 400), (None, b"3", 401),
                     ("writer", b"never", None)]
            sock.sendall(b"".join(harness.request_bytes("POST", "/append?id=a", body, bearer(name))
                                  for name, body, _ in asked))
            for _, _, wanted in asked[:-1]:
                self.assertEqual(wanted, harness.receive_reply(sock)[0])
            self.assertEqual(b"", harness.receive_all(sock))
            self.assertEqual([b"1", b"2"], [value for _, value in records.decode_file(
                server.bucket()).values()])


class Around(curl.TestCase):
    """What else there is to see of tokens."""

    def start(self):
        return self.enterContext(Server("-buckets", "10", "-log-slower-than", "0", "-allow-origin",
                                        "https://app.example"))

    def test_curl(self):
        def oauth(name):
            return "--oauth2-bearer", token_of(name)
        self.expect(401, curl.TEXT, "/append?id=a", "-d", "value")
        self.expect(403, curl.TEXT, "/append?id=a", "-d", "value", *oauth("reader"))
        self.expect(200, curl.JSON, "/append?id=a", "-d", "value", *oauth("writer"))
        self.expect(403, curl.TEXT, "/get?id=a&offset=0", *oauth("writer"))
        self.assertEqual(b"value", self.expect(200, curl.BYTES, "/get?id=a&offset=0",
                                               *oauth("reader")))
        self.expect(403, curl.TEXT, "/prefixes", *oauth("reader"))
        self.expect(200, curl.JSON, "/prefixes", *oauth("admin"))
        large = self.write("large", bytes(20 << 20))
        for more in ((), ("-H", "Expect:")):
            self.expect(401, curl.TEXT, "/append?id=a", "--data-binary", "@" + large, *more)
        self.expect(200, curl.JSON, "/append?id=a", "--data-binary", "@" + large, *oauth("all"))
        harness.wait_for(lambda: " 401 /append?id=a\n" in self.server.log(), "the log")
        self.assertNotIn("token-of", self.server.log())

    def test_counted_by_endpoint(self):
        for name, _ in (("reader", 403), (None, 401), (None, 401)):
            with self.server.send("GET", "/metrics", None, bearer(name)) as sock:
                harness.receive_reply(sock)
        text = self.curl("/metrics", "--oauth2-bearer", token_of("admin")).decode()
        self.assertIn('rochefort_http_requests_total{endpoint="metrics",code="401"} 2\n', text)
        self.assertIn('rochefort_http_requests_total{endpoint="metrics",code="403"} 1\n', text)

    def test_a_page_of_an_allowed_origin_may_send_one_and_sees_why_not(self):
        origin = ("Origin: https://app.example",)
        with self.server.send("OPTIONS", "/append", None, origin + (
                "Access-Control-Request-Method: POST",
                "Access-Control-Request-Headers: authorization")) as sock:
            status, headers, _ = harness.receive_reply(sock)
        self.assertEqual(204, status)
        self.assertIn("Authorization", headers["access-control-allow-headers"].split(", "))
        for name, wanted in ((None, 401), ("reader", 403), ("writer", 200)):
            with self.server.send("POST", "/append?id=a", b"x", origin + bearer(name)) as sock:
                status, headers, _ = harness.receive_reply(sock)
            self.assertEqual((wanted, "https://app.example"),
                             (status, headers["access-control-allow-origin"]))
        with self.server.send("POST", "/append?id=a", b"x", ("Origin: http://evil.example",)
                              + bearer("all")) as sock:
            self.assertEqual(403, harness.receive_reply(sock)[0])

    def test_the_file_is_closed(self):
        for fd in os.listdir("/proc/%d/fd" % self.server.process.pid):
            path = "/proc/%d/fd/%s" % (self.server.process.pid, fd)
            try:
                self.assertNotEqual(self.server.tokens, os.readlink(path))
            except FileNotFoundError:
                continue


class Behind:
    """A proxy in front, which sends the tokens on."""

    PROXY = None

    def setUp(self):
        self.server = self.enterContext(Server("-buckets", "1"))
        self.proxy = self.enterContext(self.PROXY(self.server.port))

    def append(self, name, body=b"value"):
        with self.proxy.connect() as sock:
            sock.sendall(harness.request_bytes("POST", "/append?id=a", body, bearer(name)))
            return harness.receive_reply(sock)[0]

    def test_refusals_pass_and_so_do_good_requests(self):
        for body in (b"value", bytes(4 << 20)):
            for name, wanted in ((None, 401), ("wrong", 401), ("reader", 403), ("writer", 200)) * 2:
                self.assertEqual(wanted, self.append(name, body), (name, len(body)))


@proxies.needs(proxies.Nginx)
class Nginx(Behind, unittest.TestCase):
    PROXY = proxies.Nginx


@proxies.needs(proxies.NginxStreaming)
class NginxStreaming(Behind, unittest.TestCase):
    PROXY = proxies.NginxStreaming


@proxies.needs(proxies.HAProxy)
class HAProxy(Behind, unittest.TestCase):
    PROXY = proxies.CheckingHAProxy

    def checks(self):
        """How many have succeeded."""
        with self.server.send("GET", "/metrics", None, bearer("new")) as sock:
            text = harness.receive_reply(sock)[2].decode()
        return int(text.partition('endpoint="readyz",code="200"} ')[2].split("\n")[0] or 0)

    def test_checks_need_no_token(self):
        write_file(self.server.tokens, "%s admin\n" % token_of("new"))
        self.server.read_again(": 1\n")
        before = self.checks()
        harness.wait_for(lambda: self.checks() > before, "another check")
        self.assertEqual(401, self.append("writer"))  # so the server says; HAProxy's own is a 503


if __name__ == "__main__":
    suite.main()
