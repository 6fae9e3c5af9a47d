"""src/deploy/haproxy and src/deploy/nginx: whatever a client writes, the request goes to the node that
the server itself takes for that of the id, or is refused with 400.

Each request appends a value of its own, so the roots show where each one went. ROCHEFORT_THOROUGH=1 sends
ten times as many.
"""
import os
import random
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.parse

import cluster
import harness
import process
import suite

TIMES = 10 if os.environ.get("ROCHEFORT_THOROUGH") == "1" else 1
IDS = {"haproxy": 10000, "nginx": 2000}
HOSTILE = 500
SEED = random.randrange(1 << 32)
BATCH = 100
ALPHABETS = ("abcXYZ019-_.~", "äöüßÉñ", "漢字かな", "😀🎉👍🏽", " +%&=;?#/:,'\"<>\\", "\x01\x7f\t\r\n")


def random_id(numbers):
    kind = numbers.random()
    if kind < 0.1:
        return "%d" % numbers.randrange(1 << 40)
    if kind < 0.2:
        return "%08x-%04x" % (numbers.randrange(1 << 32), numbers.randrange(1 << 16))
    if kind < 0.22:
        return "".join(numbers.choices(ALPHABETS[0], k=numbers.randrange(300, 2500)))
    alphabet = "".join(numbers.sample(ALPHABETS, numbers.randrange(1, 4)))
    return "".join(numbers.choices(alphabet, k=numbers.randrange(1, 40)))


def spell(id, numbers):
    """One of the many ways to write an id in a query."""
    style, text = numbers.randrange(4), ""
    for byte in id.encode():
        plain = chr(byte) in ALPHABETS[0] or chr(byte) in "/:,'@!$*()"
        if byte == 0x20 and style != 3:
            text += "+"
        elif plain and (style == 0 or numbers.random() < 0.8):
            text += chr(byte)
        else:
            escape = "%%%02x" % byte
            text += escape.upper() if style == 1 or (style == 2 and numbers.random() < 0.5) else escape
    return text


def query_of(id, numbers):
    """Beside other parameters, before or after it."""
    parts = ["id=" + spell(id, numbers)]
    for other in numbers.sample(["sync=0", "storagePrefix=default", "x=1", "xid=7", "Xid=8", "i=d", "=",
                                 "x=id%3D5", "x=%26id%3D6", "", "id2=9"], numbers.randrange(3)):
        parts.insert(numbers.randrange(len(parts) + 1), other)
    return "&".join(parts)


# With %s for an id and another one.
HOSTILE_QUERIES = (
    "id=%s&id=%s", "id=%s;id=%s", "x=1;id=%s&id=%s", "x=;id=%s&id=%s", "?id=%s&id=%s", "x?id=%s&id=%s",
    "id=%s?id=%s", "id=%s?&x=%s", "%%69d=%s&x=%s", "%%69d=%s&id=%s", "id=%s&%%69d=%s", "%%69%%64=%s&id=%s",
    "i%%64=%s&x=id=%s", "ID=%s&id=%s", "id=%s&Id=%s", "id&id=%s&x=%s", "id=%s&id&x=%s", "id=&x=%s&y=%s",
    "id=%s%%&x=%s", "id=%s%%4&x=%s", "id=%s%%zz&x=%s", "id=%s%%00&x=%s", "id=%%00%s&x=%s", "id+=%s&x=%s",
    "+id=%s&id=%s", "x=%s&y=%s", "id[]=%s&x=%s", "id%%3d%s&x=%s", "x=%%26id=%s&id=%s", "x=a#id=%s&id=%s",
    "id=%s#&x=%s", "&&id=%s&&x=%s&", "x=id=%s&id=%s", "id==%s&x=%s", "id=id=%s&x=%s", "x=/?id=%s&id=%s",
    "storagePrefix=a;id=%s&id=%s", "storagePrefix=%%3Bid=%s&id=%s")


def receive_status(file):
    """One reply, its body read: (status, whether the connection is over)."""
    line = file.readline()
    if not line:
        return None, True
    headers = {}
    while (header := file.readline().strip()) != b"":
        name, _, value = header.partition(b":")
        headers[name.lower()] = value.strip()
    if headers.get(b"transfer-encoding") == b"chunked":
        while (bytes_left := int(file.readline(), 16)) > 0:
            file.read(bytes_left + 2)
        file.readline()
    else:
        file.read(int(headers.get(b"content-length", 0)))
    return int(line.split()[1]), headers.get(b"connection") == b"close"


class Table:
    """For one kind of proxy."""

    kind = None

    def setUp(self):
        reason = cluster.reason_to_skip(self.kind)
        if reason:
            self.skipTest(reason)

    def send(self, targets):
        """The status of each; the value of the request with number N is N."""
        statuses = [None] * len(targets)
        at = 0
        while at < len(targets):
            with self.cluster_connection() as sock, sock.makefile("rb") as file:
                before, over = at, False
                while at < len(targets) and not over:
                    batch = targets[at:at + BATCH]
                    sock.sendall(b"".join(
                        harness.request_bytes("POST", target, b"%d" % (at + number))
                        for number, target in enumerate(batch)))
                    for _ in batch:
                        status, over = receive_status(file)
                        if status is None:
                            break
                        statuses[at] = status
                        at += 1
                        if over:
                            break
                self.assertLess(before, at, "no reply at all")
        return statuses

    def cluster_connection(self):
        return socket.create_connection(("127.0.0.1", self.cluster.proxy.port),
                                        harness.TIMEOUT_SECONDS)

    def send_alone(self, targets):
        """The same on a connection for each: a proxy may close it without a reply, which is 400."""
        statuses = []
        for number, target in enumerate(targets):
            with self.cluster_connection() as sock, sock.makefile("rb") as file:
                sock.sendall(harness.request_bytes("POST", target, b"%d" % number,
                                                   ["Connection: close"]))
                statuses.append(receive_status(file)[0] or 400)
        return statuses

    def check_places(self, statuses):
        """What was answered with 200 is there, once, and nothing else is. Returns the node of each."""
        places = {}
        for number, values in enumerate(self.cluster.values()):
            for value in values:
                self.assertNotIn(int(value), places)
                places[int(value)] = number
        self.assertEqual([n for n, status in enumerate(statuses) if status == 200], sorted(places))
        return places

    def test_every_spelling_of_an_id(self):
        self.cluster = self.enterContext(cluster.Cluster(self.kind))
        numbers = random.Random(SEED)
        ids = [random_id(numbers) for _ in range(TIMES * IDS[self.kind.program])]
        targets = ["/append?" + query_of(id, numbers) for id in ids]
        statuses = self.send(targets)
        for id, target, status in zip(ids, targets, statuses):
            self.assertEqual(200, status, (SEED, id, target))
        for n, node in self.check_places(statuses).items():
            self.assertEqual(self.cluster.owner(ids[n]), node, (SEED, targets[n]))

    def hostile(self):
        numbers = random.Random(SEED)
        return ["/append?" + numbers.choice(HOSTILE_QUERIES) % tuple(
            spell(random_id(numbers)[:60], numbers) for _ in range(2)) for _ in range(TIMES * HOSTILE)]

    def test_queries_that_can_be_read_in_two_ways(self):
        self.cluster = self.enterContext(cluster.Cluster(self.kind))
        targets = self.hostile()
        statuses = self.send_alone(targets)
        for target, status in zip(targets, statuses):
            self.assertIn(status, (200, 400), (SEED, target))
        self.assertIn(200, statuses)
        for n, node in self.check_places(statuses).items():
            id = [value for name, value in urllib.parse.parse_qsl(targets[n].partition("?")[2])
                  if name == "id"]
            self.assertEqual([self.cluster.owner(one) for one in id], [node], (SEED, targets[n]))

    def test_what_has_no_id_needs_the_name_of_a_node(self):
        self.cluster = self.enterContext(cluster.Cluster(self.kind))
        with self.cluster.client() as client:
            for method, path, parameters in (
                    ("GET", "/ends", {}), ("GET", "/close", {"id": "x"}), ("GET", "/metrics", {}),
                    ("GET", "/scan", {"bucket": 0, "offset": 0}), ("GET", "/prefixes", {"id": "x"}),
                    ("POST", "/append", {}), ("GET", "/get", {"offset": 0}), ("GET", "/", {}),
                    ("POST", "/append/", {"id": "x"}), ("GET", "/node/ends", {})):
                status, _, body = client.request(method, path, b"x" if method == "POST" else None,
                                                 **parameters)
                self.assertEqual(400, status, (path, body))
                self.assertIn(b"name a node: /node1/...", body)
            for number, node in enumerate(self.cluster.nodes):
                name = "/node%d" % (number + 1)
                id = next("id %d" % n for n in range(1000) if self.cluster.owner("id %d" % n) == number)
                self.assertEqual(200, client.request("POST", name + "/append", b"a", id=id)[0])
                self.assertEqual(200, client.request("GET", name + "/ends")[0])
                self.assertEqual(200, client.request("GET", name + "/close")[0])
                self.assertIn(b'endpoint="close",code="200"} 1\n',
                              client.request("GET", name + "/metrics")[2])
                other = "/node%d" % ((number + 1) % len(self.cluster.nodes) + 1)
                self.assertEqual(421, client.request("POST", other + "/append", b"a", id=id)[0])
            self.assertEqual(200, client.request("GET", "/healthz")[0])

    def test_nodes_log_who_the_client_is(self):
        """Whatever the client says of itself."""
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-log-"))
        path = os.path.join(directory, "access")
        self.cluster = self.enterContext(cluster.Cluster(self.kind, [
            ("-slots", "0-4095/4096", "-access-log", path, "-trusted-proxy", "127.0.0.1")] + [()] * 2))
        with socket.create_connection(("127.0.0.1", self.cluster.proxy.port), harness.TIMEOUT_SECONDS,
                                      source_address=("127.0.0.2", 0)) as sock:
            sock.sendall(harness.request_bytes("GET", "/node1/ends?storagePrefix=none", headers=[
                "X-Forwarded-For: 203.0.113.9", "Connection: close"]))
            self.assertIn(b" 404 ", harness.receive_all(sock).split(b"\r\n")[0])
        lines = harness.wait_for(lambda: [line for line in process.read_log(path).splitlines()
                                          if "/ends" in line], "a line in the log")
        self.assertEqual(["127.0.0.2"], [line.split()[0] for line in lines])

    @unittest.skipUnless(shutil.which("curl"), "needs curl")
    def test_close_all_says_which_node_failed(self):
        self.cluster = self.enterContext(cluster.Cluster(self.kind))
        script = os.path.join(cluster.DEPLOY, "close-all.sh")
        urls = ["http://127.0.0.1:%d/node%d" % (self.cluster.proxy.port, n) for n in (1, 2, 3)]

        def close():
            done = subprocess.run(["sh", script, "a b", *urls], capture_output=True, text=True,
                                  timeout=harness.TIMEOUT_SECONDS, check=False)
            return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()
        self.assertEqual((0, [url + ": closed" for url in urls], []), close())
        for node in self.cluster.nodes:
            with node.client() as client:
                self.assertIn(b'endpoint="close",code="200"} 1\n', client.request("GET", "/metrics")[2])
        self.cluster.nodes[1].kill()
        status, closed, failed = close()
        self.assertEqual((1, [urls[0] + ": closed", urls[2] + ": closed"]), (status, closed))
        self.assertRegex("\n".join(failed), r"\A%s: not closed: 50[23]: .*\Z" % urls[1])


class HAProxy(Table, unittest.TestCase):
    kind = cluster.HAProxy

    def test_without_the_refusals_of_the_configuration_it_is_421(self):
        """So the queries above are such that a proxy takes for others, and the server finds that out."""
        def edit(text):
            lines = text.splitlines(keepends=True)
            kept = [line for line in lines if "ambiguous" not in line]
            self.assertEqual(len(lines) - 3, len(kept))
            return "".join(kept)
        self.cluster = self.enterContext(cluster.Cluster(self.kind, edit=edit))
        statuses = self.send_alone(self.hostile())
        self.assertLessEqual(set(statuses), {200, 400, 421})
        self.assertIn(421, statuses)
        self.check_places(statuses)


class Nginx(Table, unittest.TestCase):
    kind = cluster.Nginx


if __name__ == "__main__":
    print("seed %d" % SEED)
    suite.main()
