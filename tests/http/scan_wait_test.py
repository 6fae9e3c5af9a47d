"""Scans that wait at the end of a bucket for more, and readers that follow a bucket with them."""
import errno
import json
import os
import random
import shutil
import socket
import threading
import time
import unittest

import faults
import harness
import protocol
import records

WAITING = 1000
SECONDS = 60 if os.environ.get("ROCHEFORT_THOROUGH") else 3
CLIENTS = 8


def target(offset, wait=60, bucket=0, more=""):
    return "/scan?bucket=%d&offset=%d&wait=%d%s" % (bucket, offset, wait, more)


class Case(unittest.TestCase):
    def start(self, *flags):
        self.server = self.enterContext(faults.Server("-min-rate", "0", *flags))
        self.client = self.enterContext(self.server.client())
        return self.server

    def wait(self, offset, **parameters):
        """A connection whose scan waits."""
        return self.enterContext(self.server.send("GET", target(offset, **parameters)))

    def settle(self, expected, connections=None):
        """Until so many scans wait, one on each connection but ours, or on some of so many."""
        connections = expected if connections is None else connections

        def settled():
            _, _, body = self.client.request("GET", "/stats")
            figures = json.loads(body)
            return (figures["rochefort_connections"] == connections + 1 and
                    figures["rochefort_scans_waiting"] == expected)
        harness.wait_for(settled, "%d scans to wait" % expected)

    def assert_waits(self, *socks):
        for sock in socks:
            self.assertFalse(harness.is_readable(sock, 0.05))

    def assert_answer(self, sock, status, body=b""):
        found, headers, received = harness.receive_reply(sock)
        self.assertEqual((status, body), (found, received))
        return headers


class Woken(Case):
    def id_of(self, bucket):
        """An id that is in this bucket of two."""
        for n in range(100):
            name = "id %d" % n
            self.client.append(name, b"%d" % n)
            if b"%d" % n in records.values(self.server.bucket(number=bucket)).values():
                return name
        self.fail("no id is in bucket %d" % bucket)

    def test_an_append_wakes_those_of_its_bucket(self):
        self.start("-buckets", "2")
        ids = [self.id_of(bucket) for bucket in range(2)]
        ends = [os.path.getsize(self.server.bucket(number=bucket)) for bucket in range(2)]
        waiting = [[self.wait(ends[bucket], bucket=bucket) for _ in range(5)]
                   for bucket in range(2)]
        self.settle(10)
        for bucket in (0, 1):
            self.client.append(ids[bucket], b"more")
            path = self.server.bucket(number=bucket)
            with open(path, "rb") as file:
                record = file.read()[ends[bucket]:]
            self.assertEqual(20, len(record))
            for sock in waiting[bucket]:
                headers = self.assert_answer(sock, 200, record)
                self.assertEqual(str(ends[bucket] + 20), headers["rochefort-next-offset"])
            self.assert_waits(*waiting[1] if bucket == 0 else ())

    def test_whatever_appends(self):
        self.start("-buckets", "1")
        end = self.client.append("a", b"1") + 17
        for sync, append in (
                (False, lambda: self.client.append("other", b"2")),
                (False, lambda: self.client.append_multi("a", [b"3"])),
                (True, lambda: self.client.request("POST", "/append", b"4", id="a", sync=1))):
            sock, synced = self.wait(end), self.wait(end, more="&synced=1")
            self.settle(2)
            append()
            with open(self.server.bucket(), "rb") as file:
                record = file.read()[end:]
            self.assert_answer(sock, 200, record)
            if not sync:
                self.assert_waits(synced)
                self.client.request("POST", "/append", b"s", id="a", sync=1)
                with open(self.server.bucket(), "rb") as file:
                    record = file.read()[end:]
            self.assert_answer(synced, 200, record)
            sock.close()
            synced.close()
            end = os.path.getsize(self.server.bucket())

    def test_a_sync_that_no_request_waits_for(self):
        self.start("-buckets", "1", "-sync", "interval:50")
        end = self.client.append("a", b"1") + 17
        for _ in range(20):  # each lap begins at another moment of the interval
            sock = self.wait(end, more="&synced=1")
            self.client.append("a", b"2")
            self.client.append("a", b"3")
            while end < os.path.getsize(self.server.bucket()):
                status, headers, body = harness.receive_reply(sock)
                self.assertEqual(200, status)
                end += len(body)
                self.assertEqual(end, int(headers["rochefort-next-offset"]))
                if end < os.path.getsize(self.server.bucket()):
                    sock.sendall(harness.request_bytes("GET", target(end, more="&synced=1")))
            sock.close()

    def test_a_sync_that_fails(self):
        self.start("-buckets", "1", "-sync", "interval:50")
        end = self.client.append("a", b"1") + 17
        sock = self.wait(end, more="&synced=1")
        self.settle(1)
        self.server.fail("fdatasync", errno.EIO)
        self.client.append("a", b"2")
        status, _, body = harness.receive_reply(sock)
        self.assertEqual(500, status, body)

    def test_an_append_that_fails_wakes_nobody(self):
        self.start("-buckets", "1")
        end = self.client.append("a", b"1") + 17
        sock = self.wait(end)
        self.settle(1)
        self.server.fail("pwritev", errno.EIO)
        self.assertEqual(500, self.client.request("POST", "/append", b"2", id="a")[0])
        self.assert_waits(sock)
        self.settle(1)
        self.server.heal()
        self.client.append("a", b"3")
        self.assertEqual(200, harness.receive_reply(sock)[0])


class Ended(Case):
    def start_one(self, *flags):
        self.start("-buckets", "1", *flags)
        return self.client.append("a", b"value") + 21

    def test_when_the_time_is_over(self):
        end = self.start_one()
        began = time.monotonic()
        sock = self.wait(end, wait=1)
        head = self.enterContext(self.server.send("HEAD", target(end, wait=1)))
        headers = self.assert_answer(sock, 204)
        self.assertGreater(time.monotonic() - began, 0.9)  # up to a second
        self.assertEqual([str(end)] * 2,
                         [headers["rochefort-next-offset"], headers["rochefort-tail"]])
        self.assert_answer(head, 204)
        sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
        self.assert_answer(sock, 200, b"value")

    def test_at_once_if_there_is_something_or_nothing_to_wait_for(self):
        end = self.start_one()
        for offset, status in ((0, 200), (end + 1, 416), (1, 404)):
            self.assertEqual(status, self.client.request("GET", target(offset))[0])
        self.assertEqual(404, self.client.request("GET", target(0) + "&storagePrefix=none")[0])
        self.assertEqual(404, self.client.request("GET", target(0, bucket=1))[0])

    def test_when_its_prefix_is_closed(self):
        end = self.start_one()
        sock = self.wait(end)
        self.client.append("a", b"value", "other")
        other = self.wait(end, more="&storagePrefix=other")
        self.settle(2)
        self.client.close()
        self.assert_answer(sock, 204)
        self.assert_waits(other)

    def test_when_too_many_prefixes_are_open(self):
        end = self.start_one("-max-open-prefixes", "1")
        sock = self.wait(end)
        self.settle(1)
        self.client.append("a", b"value", "other")
        self.client.append("a", b"value", "third")
        self.assert_answer(sock, 204)

    def test_when_the_server_stops(self):
        end = self.start_one("-sync", "interval:60000")
        socks = [self.wait(end, more="&synced=%d" % (n % 2)) for n in range(20)]
        self.settle(20)
        self.server.process.terminate()
        for sock in socks:
            headers = self.assert_answer(sock, 204)
            self.assertEqual("close", headers["connection"])
            self.assertEqual(b"", harness.receive_all(sock))
            sock.close()
        self.assertEqual(0, self.server.process.wait(harness.TIMEOUT_SECONDS))

    def test_when_its_client_leaves(self):
        end = self.start_one()
        before = self.server.sockets()
        ways = (socket.socket.close, harness.reset, lambda s: s.shutdown(socket.SHUT_WR))
        socks = [self.wait(end) for _ in range(30)]
        self.settle(30)
        for n, sock in enumerate(socks):
            ways[n % 3](sock)
        for sock in socks[2::3]:  # it has only said that it sends no more
            self.assert_answer(sock, 204)
            self.assertEqual(b"", harness.receive_all(sock))
        harness.wait_for(lambda: self.server.sockets() <= before, "the sockets to be closed")
        self.settle(0)

    def test_a_client_that_has_left_before(self):
        end = self.start_one()
        before = self.server.sockets()
        for n in range(50):
            (socket.socket.close, harness.reset)[n % 2](self.server.send("GET", target(end)))
        harness.wait_for(lambda: self.server.sockets() <= before, "the sockets to be closed")

    def test_requests_behind_it_come_later(self):
        end = self.start_one()
        sock = self.enterContext(self.server.connect())
        sock.sendall(harness.request_bytes("GET", target(end)) +
                     harness.request_bytes("GET", "/get?id=a&offset=0"))
        self.settle(1)
        self.assert_waits(sock)
        self.client.append("a", b"more")
        self.assertEqual(200, harness.receive_reply(sock)[0])
        self.assert_answer(sock, 200, b"value")


class Many(Case):
    def switches(self):
        """Context switches of all threads so far: how often one of them was woken."""
        base, count = "/proc/%d/task" % self.server.process.pid, 0
        for task in os.listdir(base):
            with open(os.path.join(base, task, "status")) as status:
                count += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
        return count

    def test_they_take_nothing_that_others_need(self):
        """Neither slots of requests in flight, nor memory for bodies, nor time."""
        server = self.start("-buckets", "1", "-max-in-flight", "64", "-max-buffered", "8MiB",
                            "-max-value", "6MiB", "-max-batch", "6MiB")
        end = self.client.append("a", b"value") + 21
        socks = []
        while len(socks) < WAITING:  # not more at once than may be in flight
            socks += [self.wait(end) for _ in range(50)]
            self.settle(len(socks))
        before = self.switches()
        time.sleep(1)  # for so long nothing is asked for
        self.assertLess(self.switches() - before, 20)
        self.client.append("a", bytes(6 << 20), "other")
        self.assertEqual(bytes(6 << 20), self.client.get("a", 0, "other"))
        with server.client() as client:
            client.append("a", b"more")
        for sock in socks:  # all of them come back at once, and are answered in turn
            status, _, body = harness.receive_reply(sock)
            self.assertEqual((200, 20), (status, len(body)))


class InTurn(Case):
    """Three scans are woken, but two requests may be in flight: these two are not read."""
    VALUE = bytes(32 << 20)  # more than the kernel takes for a client that does not read

    def start_three(self, wait):
        """(end, those that are being answered, the one that waits for its turn)"""
        self.start("-buckets", "1", "-workers", "1", "-max-in-flight", "2")
        end = self.client.append("a", b"value") + 21
        socks = []
        for count in range(1, 4):  # not more at once than may be in flight
            socks.append(self.wait(end, wait=wait))
            self.settle(count)
        self.client.append("a", self.VALUE)
        self.settle(1, 3)
        harness.wait_for(lambda: sum(harness.is_readable(sock, 0) for sock in socks) == 2,
                         "the replies of two to begin")
        late, = (sock for sock in socks if not harness.is_readable(sock, 0))
        return end, [sock for sock in socks if sock != late], late

    def assert_value(self, sock):
        status, _, body = harness.receive_reply(sock)
        self.assertEqual((200, len(self.VALUE) + 16), (status, len(body)))

    def assert_nothing_at(self, end, headers):
        self.assertEqual([str(end)] * 2,
                         [headers["rochefort-next-offset"], headers["rochefort-tail"]])

    def test_when_one_is_read(self):
        end, first, late = self.start_three(60)
        self.assert_waits(late)
        self.assert_value(first[0])
        self.assert_value(late)
        self.assert_value(first[1])
        self.settle(0, 3)

    def test_when_one_has_left(self):
        end, first, late = self.start_three(60)
        harness.reset(first[0])
        self.assert_value(late)

    def test_when_the_time_is_over(self):
        end, first, late = self.start_three(5)
        self.assert_nothing_at(end, self.assert_answer(late, 204))
        self.assert_value(first[0])
        late.sendall(harness.request_bytes("GET", target(end)))
        self.assert_value(late)

    def test_when_its_client_ends(self):
        end, first, late = self.start_three(60)
        late.shutdown(socket.SHUT_WR)
        self.assert_nothing_at(end, self.assert_answer(late, 204))
        self.settle(0, 2)

    def test_when_the_server_stops(self):
        end, first, late = self.start_three(60)
        self.server.process.terminate()
        headers = self.assert_answer(late, 204)
        self.assert_nothing_at(end, headers)
        self.assertEqual("close", headers["connection"])
        for sock in first:
            self.assert_value(sock)
        self.assertEqual(0, self.server.process.wait(harness.TIMEOUT_SECONDS))


class Follower(threading.Thread):
    """Follows a bucket, over restarts of the server, until it has so many bytes; `read` is what it
    has then."""

    def __init__(self, server, bucket, synced):
        super().__init__()
        self.server, self.bucket, self.synced = server, bucket, synced
        self.read, self.bytes, self.failure = bytearray(), None, None
        self.last = ""

    def scan(self, client):
        offset = len(self.read)
        path = target(offset, 1, self.bucket, "&limit=65536&storagePrefix=f%s%s" % (
            self.last, "&synced=1" if self.synced else ""))
        status, headers, body = client.request("GET", path)
        if status == 404 and offset == 0:
            return  # nothing was appended yet
        if status not in (200, 204, 503):
            raise AssertionError((path, status, body))
        at = 0
        while at < len(body):
            self.last = "&last=%d:%s" % (offset + at, body[at:at + records.HEADER_BYTES].hex())
            at += records.HEADER_BYTES + int.from_bytes(body[at:at + 4], "little")
        assert at == len(body), "the last record is cut short"
        self.read += body
        if status != 503 and headers["Rochefort-Next-Offset"] != str(len(self.read)):
            raise AssertionError((path, status, headers.items(), len(body)))

    def run(self):
        try:
            while self.bytes is None or len(self.read) < self.bytes:
                try:
                    with self.server.client() as client:
                        while self.bytes is None or len(self.read) < self.bytes:
                            self.scan(client)
                except (OSError, harness.http.client.HTTPException):
                    time.sleep(0.01)  # the server is down
        except Exception as error:  # told by the main thread
            self.failure = error


class Follow(unittest.TestCase):
    BUCKETS = 2

    def append(self, server, number, stop):
        rng = random.Random(number)
        while not stop.is_set():
            try:
                with server.client() as client:
                    while not stop.is_set():
                        values = [rng.randbytes(rng.choice((1, 100, 5000))) for _ in range(5)]
                        path, body = rng.choice((("/append", values[0]),) * 4 + (
                            ("/appendMulti", protocol.join_multi(values)),))
                        status, _, text = client.request(
                            "POST", path, body, id="id %d" % number, storagePrefix="f",
                            sync=rng.choice((0, 0, 0, 1)))
                        assert status in (200, 503), text  # 503: it stops
            except (OSError, harness.http.client.HTTPException):
                time.sleep(0.01)

    def tear(self, server, rng):
        """What a crash may leave: the beginning of a record. One that is there is cut off first, as
        it is before an append."""
        path = server.bucket("f", rng.randrange(self.BUCKETS))
        end = 0
        try:
            for offset, _, value in records.walk(path):
                end = offset + records.HEADER_BYTES + len(value)
        except harness.process.Failure:
            pass
        with open(path, "r+b") as file:
            file.truncate(end)
            file.seek(end)
            file.write(records.encode(rng.randbytes(1000))[:rng.randrange(1, 1000)])

    def follow(self, flags, synced):
        rng, stop = random.Random(5), threading.Event()
        server = self.enterContext(harness.Server("-buckets", str(self.BUCKETS), *flags))
        followers = [Follower(server, bucket, synced) for bucket in range(self.BUCKETS)]
        appenders = [threading.Thread(target=self.append, args=(server, number, stop))
                     for number in range(CLIENTS)]
        for thread in followers + appenders:
            thread.start()
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                read = [len(follower.read) for follower in followers]
                harness.wait_for(
                    lambda: all(len(f.read) > bytes or f.failure
                                for f, bytes in zip(followers, read)), "all to be read on")
                if rng.random() < 0.5:
                    server.kill()
                    self.tear(server, rng)
                else:
                    server.stop()
                server.start()
        finally:
            stop.set()
            for thread in appenders:
                thread.join()
            with server.client() as client:  # syncs both, and cuts off what is torn
                for number in range(20):
                    client.request("POST", "/append", b"end", id="end %d" % number,
                                   storagePrefix="f", sync=1)
            for follower in followers:
                follower.bytes = os.path.getsize(server.bucket("f", follower.bucket))
            for follower in followers:
                follower.join()
        for follower in followers:
            self.assertIsNone(follower.failure)
            with open(server.bucket("f", follower.bucket), "rb") as file:
                self.assertEqual(file.read(), bytes(follower.read))

    def test_beside_appends_restarts_kills_and_torn_ends(self):
        self.follow((), synced=False)

    def test_only_what_is_synced(self):
        self.follow(("-sync", "interval:20"), synced=True)

    def test_other_records_at_old_offsets_are_told(self):
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                for n in range(10):
                    client.append("a", b"value %d" % n)
                with open(server.bucket(), "rb") as file:
                    content = file.read()
                known = "&last=%d:%s" % (len(content) - 23, content[-23:-7].hex())
                self.assertEqual(204, client.request("GET", target(230, 0, more=known))[0])
                # the prefix is made anew
                client.close()
                shutil.rmtree(os.path.dirname(server.bucket()))
                for status, count in ((416, 5), (409, 10)):
                    for n in range(count):
                        client.append("a", b"other %d" % n)
                    self.assertEqual(status, client.request("GET", target(230, 0, more=known))[0])
            # the bucket has lost its end, and others have come
            server.kill()
            with open(server.bucket(), "wb") as file:
                file.write(content[:-46])
            server.start()
            with server.client() as client:
                for status, count in ((416, 1), (409, 1), (409, 1)):
                    for _ in range(count):
                        client.append("a", b"again x")
                    self.assertEqual(status, client.request("GET", target(230, 0, more=known))[0])


if __name__ == "__main__":
    unittest.main()
