"""scan: the records of a bucket in order, byte for byte; ends and prefixes: what there is to scan."""
import errno
import json
import os
import unittest

import faults
import harness
import records

MIB = 1 << 20
VALUES = [b"first", b"s" * 3000, b"x", b"%d" % 4, b"last of all"]
SCANNED = "application/octet-stream"


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def last(file, offset):
    """The parameter, for a record of that file."""
    return "%d:%s" % (offset, file[offset:offset + records.HEADER_BYTES].hex())


class Case(unittest.TestCase):
    flags = ("-buckets", "1")

    def setUp(self):
        self.server = self.enterContext(faults.Server(*self.flags))
        self.client = self.enterContext(self.server.client())

    def scan(self, offset, method="GET", bucket=0, **parameters):
        """(status, next offset or None, tail or None, body)"""
        status, headers, body = self.client.request(
            method, "/scan", offset=offset, bucket=None if "id" in parameters else bucket,
            **parameters)
        self.assertEqual("no-store", headers["Cache-Control"])
        if status == 200:
            self.assertEqual(SCANNED, headers["Content-Type"])
        elif status != 204:
            self.assertEqual("text/plain", headers["Content-Type"])
        numbers = [headers["Rochefort-" + name] for name in ("Next-Offset", "Tail")]
        return status, *(int(n) if n is not None else None for n in numbers), body

    def scan_all(self, limit, **parameters):
        """What a reader gets who goes on until there is nothing, as pieces."""
        offset, pieces = 0, []
        while True:
            status, following, tail, body = self.scan(offset, limit=limit, **parameters)
            if status == 204:
                self.assertEqual((offset, offset), (following, tail))
                return pieces
            self.assertEqual((200, offset + len(body)), (status, following))
            self.assertEqual(os.path.getsize(self.server.bucket()), tail)
            pieces.append(body)
            offset = following

    def prepare(self, content, buckets=1):
        """A prefix "p" with this file, while nothing of it is open."""
        records.write_bucket(self.server.root, "p", [], buckets=buckets)
        with open(self.server.bucket("p"), "wb") as file:
            file.write(content)


class Records(Case):
    def test_pieces_are_the_file(self):
        offsets = [self.client.append("id %d" % n, value) for n, value in enumerate(VALUES)]
        file = read_file(self.server.bucket())
        sizes = [records.HEADER_BYTES + len(value) for value in VALUES]
        for limit in (1, 20, 21, 22, 3000, 3037, 10000, 64 * MIB):
            pieces = self.scan_all(limit)
            self.assertEqual(file, b"".join(pieces))
            expected, left = [], list(sizes)
            while left:  # records are added until there are `limit` bytes
                piece = 0
                while left and piece < limit:
                    piece += left.pop(0)
                expected.append(piece)
            self.assertEqual(expected, [len(piece) for piece in pieces])
        for n, offset in enumerate(offsets):
            status, following, _, body = self.scan(offset, limit=1)
            self.assertEqual((200, offset + sizes[n], file[offset:offset + sizes[n]]),
                             (status, following, body))

    def test_without_a_limit_it_is_a_mib(self):
        for _ in range(40):
            self.client.append("a", bytes(100_000))
        pieces = self.scan_all(None)
        record = 100_000 + records.HEADER_BYTES
        whole = -(-MIB // record) * record
        self.assertEqual([whole] * 3 + [40 * record - 3 * whole], [len(p) for p in pieces])
        self.assertEqual(read_file(self.server.bucket()), b"".join(pieces))

    def test_large_records_come_in_pieces(self):
        values = [os.urandom(5 * MIB + 7), b"between", os.urandom(300_000)]
        for value in values:
            self.client.append("a", value)
        for limit in (1, 64 * MIB):
            self.assertEqual(read_file(self.server.bucket()), b"".join(self.scan_all(limit)))

    def test_head_is_told_the_same(self):
        for value in VALUES:
            self.client.append("a", value)
        for offset, parameters in ((0, {}), (0, {"limit": 1}), (21, {"limit": 1}), (3102, {})):
            found = self.scan(offset, **parameters)
            self.assertEqual((*found[:3], b""), self.scan(offset, "HEAD", **parameters))

    def test_by_id(self):
        self.server.stop()
        self.server.flags[1] = "7"
        self.server.start()
        client = self.enterContext(self.server.client())
        for n in range(50):
            client.append("id %d" % n, b"value of %d" % n, "many")
        found = set()
        for n in range(50):
            _, _, whole = client.request("GET", "/scan", id="id %d" % n, offset=0,
                                         storagePrefix="many")
            self.assertIn(b"value of %d" % n, whole)
            found.add(whole)
        files = {read_file(self.server.bucket("many", bucket)) for bucket in range(7)}
        self.assertEqual(files - {b""}, found)

    def test_empty_records_are_records(self):
        content = records.encode(b"") + records.encode(b"a") + records.encode(b"")
        self.prepare(content)
        status, following, tail, body = self.scan(0, storagePrefix="p")
        self.assertEqual((200, len(content), len(content), content),
                         (status, following, tail, body))


class Refused(Case):
    def test_offsets_are_judged_in_order(self):
        """416, then 409, then 404."""
        for value in VALUES:
            self.client.append("a", value)
        file = read_file(self.server.bucket())
        end, second = len(file), 21
        good, bad = last(file, 0), "0:" + "00" * 16
        for offset, parameter, status in (
                (end + 1, None, 416), (end + 1, bad, 416), (2**63 - 1, good, 416),
                (second, bad, 409), (second + 1, good, 409), (second + 1, bad, 409),
                (0, good, 409), (second, last(file, second), 409),
                (second, "%d:%s" % (2**63 - 1, "00" * 16), 409),
                (second + 1, None, 404), (1, None, 404), (end - 1, None, 404), (end - 20, None, 404),
                (second, good, 200), (second, None, 200), (end, None, 204)):
            with self.subTest((offset, parameter)):
                found, following, tail, body = self.scan(offset, last=parameter)
                self.assertEqual((status, end), (found, tail), body)
                self.assertEqual(status in (200, 204), following is not None)
                if status > 204:
                    self.assertIn(("offset %d of %s" % (offset, self.server.bucket())).encode(),
                                  body)

    def test_the_last_record_is_known_up_to_the_end(self):
        self.client.append("a", b"one")
        self.client.append("a", b"two")
        file = read_file(self.server.bucket())
        self.assertEqual(204, self.scan(38, last=last(file, 19))[0])
        self.assertEqual(409, self.scan(38, last=last(file, 0))[0])

    def test_parameters(self):
        for parameters, text in (
                ({"id": "a", "bucket": 0, "offset": 0}, b"give bucket or id"),
                ({"offset": 0}, b"give bucket or id"), ({"bucket": 0}, b"offset missing"),
                ({"bucket": 0, "offset": -1}, b"offset must be"),
                ({"bucket": 65536, "offset": 0}, b"bucket must be"),
                ({"bucket": "x", "offset": 0}, b"bucket must be"),
                ({"bucket": 0, "offset": 0, "limit": 0}, b"limit must be"),
                ({"bucket": 0, "offset": 0, "limit": 64 * MIB + 1}, b"limit must be"),
                ({"bucket": 0, "offset": 0, "wait": 61}, b"wait must be"),
                ({"bucket": 0, "offset": 0, "wait": "1s"}, b"wait must be"),
                ({"bucket": 0, "offset": 0, "synced": 2}, b"synced must be"),
                ({"bucket": 0, "offset": 0, "last": "0"}, b"last must be"),
                ({"bucket": 0, "offset": 0, "last": "0:" + "0" * 31}, b"last must be"),
                ({"bucket": 0, "offset": 0, "last": "x:" + "0" * 32}, b"last must be"),
                ({"bucket": 0, "offset": 0, "last": "0:" + "g" * 32}, b"last must be"),
                ({"bucket": 0, "offset": 0, "Wait": 1}, b"spelled wait")):
            status, _, body = self.client.request("GET", "/scan", **parameters)
            self.assertEqual((400, True), (status, text in body), (parameters, body))
        self.assertEqual(405, self.client.request("POST", "/scan", b"x", bucket=0, offset=0)[0])

    def test_nothing_there(self):
        self.assertEqual(404, self.scan(0)[0])  # no prefix
        self.client.append("a", b"value")
        self.assertEqual(404, self.scan(0, bucket=1)[0])
        self.assertEqual([], os.listdir(self.server.root) and
                         [name for name in os.listdir(self.server.root)
                          if name not in ("default", ".rochefort.lock")])

    def test_a_disk_that_fails(self):
        self.client.append("a", b"value")
        self.server.fail("pread", errno.EIO, times=faults.EVER)
        self.server.fail("preadv2", errno.EIO, times=faults.EVER)
        status, _, _, body = self.scan(0)
        self.assertEqual((500, True), (status, b"Input/output error" in body), body)
        self.server.heal()
        self.assertEqual(200, self.scan(0)[0])

    def test_a_failure_in_the_middle_breaks_the_reply_off(self):
        self.client.append("a", bytes(3 * MIB))
        sock = self.enterContext(
            self.server.send("GET", "/scan?bucket=0&offset=0", receive_buffer=4096))
        status, headers = harness.receive_head(sock)
        self.server.fail("pread", errno.EIO, times=faults.EVER)
        self.server.fail("preadv2", errno.EIO, times=faults.EVER)
        self.assertEqual((200, 3 * MIB + 16), (status, int(headers["content-length"])))
        received = 0
        try:
            received = len(harness.receive_all(sock))
        except ConnectionResetError:
            pass
        self.assertLess(received, 3 * MIB)


class Damage(Case):
    """It is stepped over, and the next offset says so."""

    def check(self, before, damage, behind):
        self.prepare(before + damage + behind)
        begin, end = len(before), len(before) + len(damage)
        status, following, tail, body = self.scan(0, storagePrefix="p")
        self.assertEqual((200, end, before), (status, following, body))
        self.assertEqual(end + len(behind), tail)
        status, following, _, body = self.scan(end, storagePrefix="p")
        self.assertEqual((200, behind), (status, body))
        # a reader that knows the record before is led over it, another one is not
        file = before + damage + behind
        status, following, _, body = self.scan(begin, storagePrefix="p", last=last(file, 0))
        self.assertEqual((204, end, b""), (status, following, body))
        self.assertEqual(200, self.scan(end, storagePrefix="p", last=last(file, 0))[0])
        self.assertEqual(404, self.scan(begin + 1, storagePrefix="p")[0])
        self.client.close("p")

    def test_kinds(self):
        before, behind = records.encode(b"before"), records.encode(b"behind") * 3
        broken = bytearray(records.encode(b"broken value"))
        broken[2] ^= 1
        for damage in (bytes(broken), bytes(4096), b"\xff" * 777):
            self.check(before, damage, behind)
        self.check(before, b"\xff" * (300 * 1024 + 5), behind)

    def test_at_the_beginning_and_up_to_the_end(self):
        behind = records.encode(b"behind") * 2
        self.prepare(b"\xff" * 100 + behind)
        self.assertEqual((204, 100), self.scan(0, storagePrefix="p")[:2])
        self.assertEqual((200, 144, 144, behind), self.scan(100, storagePrefix="p"))
        self.client.close("p")


class Synced(Case):
    flags = ("-buckets", "1", "-sync", "never")

    def test_only_what_is_on_the_disk(self):
        self.client.append("a", b"one")
        self.assertEqual((200, 19, 19), self.scan(0, synced=1)[:3])  # the first one syncs
        self.assertEqual(1, self.server.seen("fdatasync"))
        self.client.append("a", b"two")
        self.assertEqual((204, 19, 19), self.scan(19, synced=1)[:3])
        self.assertEqual((200, 38, 38), self.scan(19)[:3])
        self.assertEqual((204, 38, 19), self.scan(38, synced=1)[:3])  # not behind the end
        self.assertEqual(416, self.scan(39, synced=1)[0])
        self.client.request("POST", "/append", b"three", id="a", sync=1)
        self.assertEqual((200, 59, 59), self.scan(19, synced=1)[:3])
        self.assertEqual(2, self.server.seen("fdatasync"))

    def test_a_sync_that_fails(self):
        self.client.append("a", b"one")
        self.server.fail("fdatasync", errno.EIO)
        status, _, _, body = self.scan(0, synced=1)
        self.assertEqual(500, status, body)
        self.assertEqual(200, self.scan(0)[0])


class Ends(Case):
    flags = ("-buckets", "5")

    def test_ends_of_all_buckets(self):
        self.assertEqual(404, self.client.request("GET", "/ends")[0])
        for n in range(100):
            self.client.append("id %d" % n, bytes(n + 1))
        status, headers, body = self.client.request("GET", "/ends")
        self.assertEqual((200, "application/json"), (status, headers["Content-Type"]))
        sizes = [os.path.getsize(self.server.bucket(number=n)) for n in range(5)]
        self.assertEqual({"buckets": 5, "hash": "xxh3", "ends": sizes}, json.loads(body))
        status, _, head = self.client.request("HEAD", "/ends")
        self.assertEqual((200, b""), (status, head))

    def test_a_torn_append_is_behind_the_end(self):
        self.prepare(records.encode(b"whole") + records.encode(b"torn")[:-1])
        _, _, body = self.client.request("GET", "/ends", storagePrefix="p")
        self.assertEqual([21], json.loads(body)["ends"])
        self.assertEqual((200, 21, 21), self.scan(0, storagePrefix="p")[:3])
        self.assertEqual((204, 21, 21), self.scan(21, storagePrefix="p")[:3])


class Prefixes(Case):
    def pages(self, limit):
        after, found = None, []
        while True:
            status, headers, body = self.client.request("GET", "/prefixes", limit=limit,
                                                        after=after)
            self.assertEqual((200, "application/json"), (status, headers["Content-Type"]))
            page = json.loads(body)
            found.append(page["prefixes"])
            if not page["more"]:
                return found
            self.assertEqual(limit, len(page["prefixes"]))
            after = harness.urllib.parse.unquote_to_bytes(page["prefixes"][-1])

    def test_pages_have_every_name_once(self):
        names = sorted(["p%d" % n for n in range(20)] + ["b c", "umläut", "a%20b", "Z.z~-_"],
                       key=str.encode)
        for name in names:
            self.client.append("a", b"value", name)
        os.mkdir(os.path.join(self.server.root, "not a prefix"))
        quoted = [harness.urllib.parse.quote(name) for name in names]
        for limit in (1, 5, 23, 24, 1000):
            pages = self.pages(limit)
            self.assertEqual(quoted, sum(pages, []))
            self.assertEqual(max(1, -(-len(names) // limit)), len(pages))
        for name, shown in zip(names, quoted):  # it can be put behind storagePrefix= as it is
            self.client.http.request("GET", "/get?id=a&offset=0&storagePrefix=" + shown)
            reply = self.client.http.getresponse()
            self.assertEqual((200, b"value"), (reply.status, reply.read()), name)

    def test_an_empty_root_and_bad_parameters(self):
        self.assertEqual([[]], self.pages(10))
        for parameters in ({"limit": 0}, {"limit": 1001}, {"after": ".x"}, {"after": "a/b"}):
            self.assertEqual(400, self.client.request("GET", "/prefixes", **parameters)[0])

    def test_a_root_that_cannot_be_listed(self):
        self.server.fail("openat", errno.EIO, times=faults.EVER)
        status, _, body = self.client.request("GET", "/prefixes")
        self.assertEqual((500, True), (status, b"Input/output error" in body), body)


if __name__ == "__main__":
    unittest.main()
