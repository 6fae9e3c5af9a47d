"""/metrics and /stats: a known mix of requests is found there, number by number."""
import errno
import json
import os
import re
import shutil
import subprocess
import unittest

import faults
import harness

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)\Z")
LABEL = re.compile(r'(\w+)="([^"]*)"')
PROMTOOL = shutil.which("promtool")


def parse(text):
    """{(name, labels): value} of Prometheus's text."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        key = name, frozenset(LABEL.findall(labels or ""))
        assert key not in found, line
        found[key] = float(value)
    return found


def parse_stats(text):
    """The same of the JSON object; a key that is given twice is an error."""
    def once(pairs):
        assert len(dict(pairs)) == len(pairs), pairs
        return dict(pairs)
    found = {}
    for name, value in json.loads(text, object_pairs_hook=once).items():
        if not isinstance(value, list):
            value = [{"labels": {}, "value": value}]
        for sample in value:
            assert set(sample) == {"labels", "value"}, sample
            found[name, frozenset(sample["labels"].items())] = float(sample["value"])
    return found


def read(client, target="/metrics"):
    status, headers, body = client.request("GET", target)
    assert status == 200, body
    assert headers["Cache-Control"] == "no-store"
    return body.decode()


def values(found, name):
    """{labels: value} of one name."""
    return {labels: value for (other, labels), value in found.items() if other == name}


def by(**labels):
    return frozenset(labels.items())


class Mix(unittest.TestCase):
    def use(self, server):
        """A known mix, over two connections; {(endpoint, code): requests}"""
        with server.client() as client:
            first, second = client.append("a", b"x" * 100), client.append("b", b"y" * 5000)
            client.append_multi("a", [b"1", b"22", b"333"])
            self.assertEqual(b"x" * 100, client.get("a", first))
            self.assertEqual(b"x" * 100, client.get("a", first))
            self.assertEqual(b"y" * 5000, client.get("b", second))
            client.get_multi("a", [first])
            for target, expected in (("/get?id=a&offset=1", 404), ("/get?offset=1", 400),
                                     ("/nowhere", 404), ("/close", 200), ("/healthz", 200)):
                self.assertEqual(expected, client.request("GET", target)[0])
            self.assertEqual(405, client.request("PUT", "/append?id=a", b"x")[0])
            self.assertEqual(200, client.request("HEAD", "/get", id="a", offset=first)[0])
        with server.connect() as sock:
            sock.sendall(b"no request\r\n\r\n")
            self.assertEqual(400, harness.receive_reply(sock)[0])
        return {("append", 200): 2, ("append", 405): 1, ("appendMulti", 200): 1, ("get", 200): 4,
                ("get", 404): 1, ("get", 400): 1, ("getMulti", 200): 1, ("close", 200): 1,
                ("healthz", 200): 1, ("other", 404): 1, ("other", 400): 1}

    def check(self, found, expected, server):
        requests = {by(endpoint=endpoint, code=str(code)): count
                    for (endpoint, code), count in expected.items()}
        self.assertEqual(requests, values(found, "rochefort_http_requests_total"))
        duration = "rochefort_http_request_duration_seconds"
        for endpoint in {endpoint for endpoint, _ in expected}:
            count = sum(n for (other, _), n in expected.items() if other == endpoint)
            self.assertEqual(count, found[duration + "_count", by(endpoint=endpoint)])
            self.assertEqual(count, found[duration + "_bucket", by(endpoint=endpoint, le="+Inf")])
            counts = [value for labels, value in sorted(
                values(found, duration + "_bucket").items(),
                key=lambda item: float(dict(item[0])["le"]))
                if dict(labels)["endpoint"] == endpoint]
            self.assertEqual((16, sorted(counts)), (len(counts), counts))
            self.assertLess(0, found[duration + "_sum", by(endpoint=endpoint)] + count)
        plain = {"rochefort_appended_records_total": 5, "rochefort_append_bytes_total": 5106,
                 "rochefort_read_bytes_total": 100 + 100 + 5000 + 104,
                 "rochefort_sync_failures_total": 0, "rochefort_sync_duration_seconds_count": 0,
                 "rochefort_connections": 1, "rochefort_connections_accepted_total": 3,
                 "rochefort_scans_waiting": 0,
                 "rochefort_access_log_lines_dropped_total": 0,
                 "rochefort_log_lines_dropped_total": 0, "rochefort_open_prefixes": 1,
                 "rochefort_buffered_limit_bytes": 64 << 20}
        for name, value in plain.items():
            self.assertEqual(value, found[name, by()], name)
        self.assertEqual({by(worker="0"): 3}, values(found, "rochefort_writes_total"))
        room = os.statvfs(server.root)
        self.assertEqual(room.f_blocks * room.f_frsize, found["rochefort_root_size_bytes", by()])
        self.assertLessEqual(found["rochefort_root_free_bytes", by()],
                             found["rochefort_root_size_bytes", by()])

    def test_exactly_what_was_asked(self):
        with harness.Server("-workers", "1", "-buckets", "2", "-max-buffered",
                            str(64 << 20)) as server:
            expected = self.use(server)
            with server.client() as client:
                client.get("a", 0)  # the prefix is open again
                expected["get", 200] += 1
                text = read(client)
                found = parse(text)
                # this get has read 100 bytes more
                found["rochefort_read_bytes_total", by()] -= 100
                self.check(found, expected, server)
                expected["metrics", 200] = 1
                found = parse_stats(read(client, "/stats"))
                found["rochefort_read_bytes_total", by()] -= 100
                self.check(found, expected, server)
                self.assertEqual({name for name, _ in parse(read(client))},
                                 {name for name, _ in parse_stats(read(client, "/stats"))})

    def test_syncs(self):
        with faults.Server("-buckets", "1", "-workers", "1") as server:
            with server.client() as client:
                for number in range(3):
                    if number == 2:
                        server.fail("fdatasync", errno.EIO)
                    self.assertEqual(500 if number == 2 else 200, client.request(
                        "POST", "/append", b"x", id="a", sync="1")[0])
                found = parse(read(client))
            self.assertEqual(3, found["rochefort_sync_duration_seconds_count", by()])
            self.assertEqual(3, found["rochefort_sync_duration_seconds_bucket", by(le="+Inf")])
            self.assertEqual(1, found["rochefort_sync_failures_total", by()])

    def test_appends_that_wait_are_one_write(self):
        with harness.Server("-buckets", "1", "-workers", "1", hold=True) as server:
            server.hold_disk()
            socks = [self.enterContext(server.send("POST", "/append?id=a", b"x"))]
            harness.wait_for(server.disk_is_waiting, "the first append")
            socks += [self.enterContext(server.send("POST", "/append?id=a", b"x"))
                      for _ in range(9)]
            with server.client() as client:
                client.request("GET", "/nowhere")  # by its reply they have been read
            server.release_disk()
            for sock in socks:
                self.assertEqual(200, harness.receive_reply(sock)[0])
            with server.client() as client:
                found = parse(read(client))
            self.assertEqual(10, found["rochefort_appended_records_total", by()])
            self.assertEqual(2, found["rochefort_writes_total", by(worker="0")])
            self.assertEqual(0, found["rochefort_worker_jobs_in_flight", by(worker="0")])

    def test_without_the_size_of_the_disk_the_rest_is_there(self):
        environment = {"REFUSE_CALLS": "fstatvfs", "REFUSE_ERRNO": str(errno.EIO)}
        with harness.Server(env=environment,
                            preload=[os.environ["REFUSE_CALLS_LIBRARY"]]) as server:
            with server.client() as client:
                for found in (parse(read(client)), parse_stats(read(client, "/stats"))):
                    self.assertNotIn(("rochefort_root_free_bytes", by()), found)
                    self.assertIn(("rochefort_connections", by()), found)


@unittest.skipUnless(PROMTOOL, "needs promtool")
class Promtool(unittest.TestCase):
    def test_it_has_no_complaint(self):
        with harness.Server() as server:
            with server.client() as client:
                for _ in range(2):
                    text = read(client)
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True,
                              text=True)
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))


if __name__ == "__main__":
    unittest.main()
