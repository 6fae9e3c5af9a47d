"""The server behind nginx, HAProxy and Varnish: requests of all kinds pass, no request reaches the
server that the proxy did not see, and no cache keeps a reply that becomes wrong.

A proxy sends the requests of many clients over few connections. If it and the server disagree on
where one ends, a client can smuggle a request of its own between those of others. Each proxy here
refuses requests for the prefix "smuggled": if that prefix exists, the server has seen a request
that the proxy has not.
"""
import json
import os
import re
import selectors
import subprocess
import threading
import time
import unittest

import curl
import harness
import http2
import proxies
import suite
from hostile import hidden, table
from hostile.row import STORED, get

SMUGGLED = harness.request_bytes("POST", "/append?id=s&storagePrefix=smuggled", b"gotcha")
ROW_BYTES_MAX = 20000
CROWD = 50  # connections at a time
# A proxy that has taken the last request for a body waits for more of it: no longer than this.
WAIT_SECONDS = 1
KIB = 1 << 10
VALUES = [b"v", b"\0\r\n\r\n" * 1000, b"GET /close HTTP/1.1\r\n\r\n", bytes(range(256)) * KIB,
          b"large" * (600 * KIB)]


class Behind:
    """A server and a proxy in front of it."""

    PROXY = None
    FLAGS = ("-buckets", "1")

    def setUp(self):
        self.server = self.enterContext(harness.Server(*self.FLAGS))
        self.proxy = self.enterContext(self.PROXY(self.server.port))

    def client(self):
        """Through the proxy."""
        return harness.Client(self.proxy.port)

    def curl(self, target, *arguments, http2=False, body=None):
        """(status, body)"""
        if http2:
            arguments = ("--http2-prior-knowledge", *arguments)
        port = self.proxy.http2_port if http2 else self.proxy.port
        url = "http://127.0.0.1:%d%s" % (port, target)
        done = subprocess.run([*curl.COMMAND, "-w", "%{stderr}%{http_code}", *arguments, url],
                              input=body, capture_output=True, check=True)
        return int(done.stderr), done.stdout


class Mix(Behind):
    def use(self, number):
        """All that one client does; each has an id and a prefix of its own."""
        id, prefix = "id%d" % number, "p%d" % number
        with self.client() as client:
            offsets = []
            for value in VALUES:
                value += b"%d" % number
                for body in (value, iter([value[:100], value[100:]])):  # as one, and in chunks
                    status, _, reply = client.request("POST", "/append", body, id=id,
                                                      storagePrefix=prefix)
                    self.assertEqual(200, status, reply)
                    reply = json.loads(reply)
                    self.assertEqual(self.server.bucket(prefix), reply["file"])
                    offsets.append((reply["offset"], value))
                self.assertEqual(value, client.get(id, reply["offset"], prefix))
            for offset, value in offsets:
                status, headers, body = client.request("HEAD", "/get", id=id, offset=offset,
                                                       storagePrefix=prefix)
                self.assertEqual((200, str(len(value)), b""),
                                 (status, headers["content-length"], body))
            values, error = harness.split_multi(
                client.get_multi(id, [offset for offset, _ in offsets], prefix))
            self.assertEqual(([value for _, value in offsets], None), (values, error))
            client.close(prefix)
            self.assertEqual(404, client.request("GET", "/get", id=id, offset=1,
                                                 storagePrefix=prefix)[0])
            self.assertEqual(400, client.request("POST", "/append", b"", id=id)[0])
            status, headers, _ = client.request("PUT", "/append", b"x" * 10000, id=id)
            self.assertEqual((405, "POST"), (status, headers["allow"]))

    def test_many_clients_at_once_get_their_own_values(self):
        failures = []

        def run(number):
            try:
                self.use(number)
            except BaseException as failure:
                failures.append((number, repr(failure)[:2000]))
        threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], failures)

    def test_curl(self):
        for version in ((), ("--http1.0",)):
            for more in ((), ("-H", "Expect: 100-continue")):
                status, reply = self.curl("/append?id=a", *version, *more, "--data-binary", "@-",
                                          body=VALUES[3])
                self.assertEqual(200, status)
                target = "/get?id=a&offset=%d" % json.loads(reply)["offset"]
                self.assertEqual((200, VALUES[3]), self.curl(target, *version))
        status, reply = self.curl("/append?id=a", "-X", "POST", "-T", "-", body=VALUES[2])
        target = "/get?id=a&offset=%d" % json.loads(reply)["offset"]
        self.assertEqual((200, VALUES[2]), self.curl(target))

    def test_http2(self):
        for value in VALUES:
            # with its length, and as it comes
            for how in (("--data-binary", "@-"), ("-X", "POST", "-T", "-")):
                status, reply = self.curl("/append?id=a", *how, http2=True, body=value)
                self.assertEqual(200, status, reply)
                offset = json.loads(reply)["offset"]
                target = "/get?id=a&offset=%d" % offset
                self.assertEqual((200, value), self.curl(target, http2=True))
                status, reply = self.curl("/getMulti?id=a", "--data-binary", "@-", http2=True,
                                          body=offset.to_bytes(8, "little") * 2)
                self.assertEqual((200, ([value] * 2, None)),
                                 (status, harness.split_multi(reply)))
                self.assertEqual((200, b""), self.curl(target, "-I", "-o", "/dev/null", http2=True))
        self.assertEqual((200, b'{"success":true}'), self.curl("/close", http2=True))
        self.assertEqual(404, self.curl("/nowhere", http2=True)[0])

    def test_get_of_http2_whose_end_comes_in_an_empty_frame(self):
        """Proxies forward it as a chunked body without a chunk."""
        with self.server.client() as client:
            client.append("a", b"a value")
        connection = http2.Connection(self.enterContext(self.proxy.connect(http2=True)))
        for data in ((), (b"",), (b"", b"")):
            for path, reply in ((b"/get?id=a&offset=0", b"a value"),
                                (b"/close", b'{"success":true}')):
                connection.send(http2.head(b"GET", path), *data)
                self.assertEqual((reply, True), connection.receive(), (path, data))


class Client:
    """Sends a hostile request, and then a plain one that ends the connection."""

    def __init__(self, case, number, raw):
        self.number, self.received, self.ended = number, b"", False
        self.sock = case.proxy.connect()
        self.sock.setblocking(False)
        last = get(b"Connection: close")
        self.left = memoryview(table.numbered(raw + last, number))

    def go_on(self):
        """Sends and receives what can be now. False when the connection has ended."""
        try:
            while self.left:
                self.left = self.left[self.sock.send(self.left):]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self.left = b""
        try:
            while not self.ended:
                part = self.sock.recv(1 << 16)
                self.received += part
                self.ended = not part
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.ended = True
        return not self.ended


class Smuggling(Behind):
    def setUp(self):
        super().setUp()
        self.number = 0
        self.direct = self.enterContext(self.server.client())
        self.direct.append("victim", b"what the victim asks for", "victim")

    def check_victims(self, what):
        """Other clients get the right replies, over the proxy's connections of just now."""
        for _ in range(4):
            with self.client() as client:
                for _ in range(2):
                    self.assertEqual((404, b"what the victim asks for"), (
                        client.request("GET", "/nowhere")[0],
                        client.get("victim", 0, "victim")), what)
        self.assertFalse(os.path.exists(os.path.join(self.server.root, "smuggled")), what)

    def check_replies(self, client, what):
        self.assertNotIn(b"/smuggled/", client.received, what)
        self.assertNotIn(b"victim", client.received, what)
        for number in re.findall(rb"[RS](\d{4})", client.received):
            self.assertEqual(client.number, int(number), what)

    def play(self, crowd):
        """Plays all of them at once. Returns how many connections the proxy has ended."""
        selector = selectors.DefaultSelector()
        clients = []
        for name, raw in crowd:
            self.number += 1
            self.direct.append("a", table.numbered(STORED, self.number), "S%04d" % self.number)
            client = Client(self, self.number, raw)
            clients.append((name, client))
            selector.register(client.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, client)
        limit = time.monotonic() + WAIT_SECONDS
        while selector.get_map() and time.monotonic() < limit:
            for key, _ in selector.select(limit - time.monotonic()):
                if not key.data.go_on():
                    selector.unregister(key.fileobj)
                elif not key.data.left:
                    selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
        self.check_victims([name for name, _ in clients])
        for name, client in clients:
            client.sock.close()
            self.check_replies(client, name)
            for prefix in ("R%04d" % client.number, "S%04d" % client.number):
                self.direct.close(prefix)
        self.check_victims([name for name, _ in clients])
        return sum(client.ended for _, client in clients)

    def test_no_request_is_smuggled(self):
        cases = [((row.name, name), raw) for row in table.ROWS if len(row.raw) <= ROW_BYTES_MAX
                 for name, raw in hidden.variants(row.raw, SMUGGLED)]
        self.assertGreater(len(cases), 700)
        ended = 0
        for begin in range(0, len(cases), CROWD):
            ended += self.play(cases[begin:begin + CROWD])
        print("%d hostile requests through %s; it ended %d of the connections"
              % (len(cases), self.proxy.program, ended))
        self.assertGreater(ended, len(cases) // 2)

    def test_no_request_is_smuggled_in_http2(self):
        """Its header fields may hold any bytes; a proxy makes lines of HTTP/1 of them."""
        target, behind = b"/append?id=R0000&storagePrefix=R0000", b"0\r\n\r\n" + SMUGGLED
        line = b" HTTP/1.1\r\nHost: x\r\n\r\n"

        def post(*more, path=target, method=b"POST", **options):
            return http2.head(method, path, *more, **options)
        cases = (
            ("a length of 0", post((b"content-length", b"0")), SMUGGLED),
            ("a length too short", post((b"content-length", b"5")), b"R0000" + SMUGGLED),
            ("a length too long", post((b"content-length", b"500")), SMUGGLED),
            ("two lengths", post((b"content-length", b"0"), (b"content-length",
                                                             b"%d" % len(SMUGGLED))), SMUGGLED),
            ("a length with a sign", post((b"content-length", b"+0")), SMUGGLED),
            ("chunked", post((b"transfer-encoding", b"chunked")), behind),
            ("chunked, and a length", post((b"transfer-encoding", b"chunked"),
                                           (b"content-length", b"%d" % len(behind))), behind),
            ("chunked in capitals", post((b"Transfer-Encoding", b"chunked")), behind),
            ("chunked with a space", post((b"transfer-encoding ", b"chunked")), behind),
            ("chunked in a value", post((b"x", b"y\r\nTransfer-Encoding: chunked")), behind),
            ("chunked behind a line feed", post((b"x", b"y\nTransfer-Encoding: chunked")), behind),
            ("chunked in a name", post((b"x: y\r\ntransfer-encoding", b"chunked")), behind),
            ("chunked in a name with a colon", post((b"transfer-encoding: chunked\r\nx", b"y")),
             behind),
            ("a request in a value", post((b"x", b"y\r\n\r\n" + SMUGGLED)), b"R0000"),
            ("a request in a name", post((b"x: y\r\n\r\n" + SMUGGLED, b"z")), b"R0000"),
            ("a request in the path", post(path=target + line + SMUGGLED), b"R0000"),
            ("a request in the method", post(method=b"GET /" + line + SMUGGLED + b"POST"),
             b"R0000"),
            ("a request in the authority", post(authority=b"x\r\n\r\n" + SMUGGLED), b"R0000"),
            ("a space in the path", post(path=target + b" HTTP/1.1"), b"R0000"),
            ("a NUL in a value", post((b"x", b"y\0z")), b"R0000"),
            ("a body on GET", post(method=b"GET"), SMUGGLED),
            ("a body on GET with a length", post((b"content-length", b"%d" % len(SMUGGLED)),
                                                 method=b"GET"), SMUGGLED),
            ("a body on HEAD", post(method=b"HEAD"), SMUGGLED),
            ("a body on OPTIONS", post(method=b"OPTIONS"), SMUGGLED),
            ("an absolute path", post(path=b"http://y" + target), b"R0000"),
            ("a path that could be a host", post(path=b"//y:z" + target), SMUGGLED),
            ("the path *", post(path=b"*", method=b"OPTIONS"), SMUGGLED),
            ("connection-specific", post((b"connection", b"content-length"),
                                         (b"content-length", b"%d" % len(SMUGGLED))), SMUGGLED),
            ("an upgrade", post((b"upgrade", b"h2c"), (b"connection", b"upgrade")), SMUGGLED),
            ("trailers", post((b"te", b"trailers")), SMUGGLED),
        )
        for name, pairs, data in cases:
            with self.subTest(name):
                with self.proxy.connect(http2=True) as sock:
                    sock.settimeout(WAIT_SECONDS)
                    connection = http2.Connection(sock)
                    connection.send(pairs, data)
                    try:
                        body, _ = connection.receive()
                    except TimeoutError:
                        body = None
                    self.assertNotIn(b"victim", body or b"")
                    self.assertNotIn(b"/smuggled/", body or b"")
                    self.check_victims(name)


class Cache(Behind):
    """The proxy caches what it may."""

    def test_404_is_gone_when_the_append_is_answered(self):
        with self.client() as client:
            for number in range(3):
                prefix = "p%d" % number
                for _ in range(2):
                    self.assertEqual(404, client.request("GET", "/get", id="a", offset=0,
                                                         storagePrefix=prefix)[0])
                self.assertEqual(0, client.append("a", b"value", prefix))
                self.assertEqual(b"value", client.get("a", 0, prefix))

    def test_each_close_reaches_the_server(self):
        with self.client() as client:
            for _ in range(3):
                client.append("a", b"value", "p")
                self.assertNotEqual([], self.server.open_files("p"))
                self.assertEqual((200, b'{"success":true}'), client.request(
                    "GET", "/close", storagePrefix="p")[::2])
                self.assertEqual([], self.server.open_files("p"))

    def test_values_of_a_prefix_made_anew_are_the_new_ones(self):
        with self.client() as client:
            for value in (b"first", b"other"):
                self.assertEqual(0, client.append("a", value, "p"))
                for _ in range(2):
                    self.assertEqual(value, client.get("a", 0, "p"))
                client.request("GET", "/close", storagePrefix="p")
                directory = os.path.join(self.server.root, "p")
                for name in os.listdir(directory):
                    os.unlink(os.path.join(directory, name))
                os.rmdir(directory)

    def test_refusals_are_not_kept(self):
        for target, status in (("/append?id=a", 405), ("/get?id=a", 400), ("/nowhere", 404)):
            for _ in range(2):
                with self.client() as client:
                    got, headers, _ = client.request("GET", target)
                    self.assertEqual((status, "no-store"), (got, headers["cache-control"]))


@proxies.needs(proxies.Nginx)
class NginxMix(Mix, unittest.TestCase):
    PROXY = proxies.Nginx


@proxies.needs(proxies.Nginx)
class NginxStreamingMix(Mix, unittest.TestCase):
    PROXY = proxies.NginxStreaming


@proxies.needs(proxies.Nginx)
class NginxSmuggling(Smuggling, unittest.TestCase):
    PROXY = proxies.NginxStreaming


@proxies.needs(proxies.Nginx)
class NginxCache(Cache, unittest.TestCase):
    PROXY = proxies.NginxCache


@proxies.needs(proxies.HAProxy)
class HAProxyMix(Mix, unittest.TestCase):
    PROXY = proxies.HAProxy


@proxies.needs(proxies.HAProxy)
class HAProxySmuggling(Smuggling, unittest.TestCase):
    PROXY = proxies.HAProxy


@proxies.needs(proxies.Varnish)
class VarnishMix(Mix, unittest.TestCase):
    PROXY = proxies.Varnish


@proxies.needs(proxies.Varnish)
class VarnishSmuggling(Smuggling, unittest.TestCase):
    PROXY = proxies.Varnish


@proxies.needs(proxies.Varnish)
class VarnishCache(Cache, unittest.TestCase):
    PROXY = proxies.VarnishAlone


if __name__ == "__main__":
    suite.main()
