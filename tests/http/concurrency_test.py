"""Many clients at once: nothing is lost, close waits for the right requests, limits hold."""
import concurrent.futures
import json
import os
import random
import shutil
import struct
import threading
import unittest

import harness
import records


def run_all(functions):
    """Runs each in a thread of its own; the first failure is raised here."""
    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        for future in [pool.submit(function) for function in functions]:
            future.result()


class Mixed(unittest.TestCase):
    def check_files(self, server, prefix, appended):
        """The files hold these values and nothing else, without gaps."""
        found = [value for file in records.decode_prefix(server.root, prefix).values()
                 for _, value in file.values()]
        self.assertEqual(sorted(found), sorted(appended))

    def test_append_get_and_get_multi_at_once(self):
        prefixes, ids = (None, "p", "q r"), ["id %d" % n for n in range(7)]
        with harness.Server("-buckets", "3", "-workers", "2") as server:
            acknowledged = []

            def work(number):
                rng = random.Random(number)
                mine = {}
                with server.client() as client:
                    for round_number in range(250):
                        prefix, id = key = rng.choice(prefixes), rng.choice(ids)
                        value = b"%d %d " % (number, round_number)
                        value += rng.randbytes(rng.choice((0, 10, 2000, 40000)))
                        offset = client.append(id, value, prefix)
                        mine.setdefault(key, []).append((offset, value))
                        offset, value = rng.choice(mine[key])
                        self.assertEqual(value, client.get(id, offset, prefix))
                        some = rng.choices(mine[key], k=rng.randrange(20))
                        reply = client.get_multi(id, [offset for offset, _ in some], prefix)
                        self.assertEqual(([value for _, value in some], None),
                                         harness.split_multi(reply))
                acknowledged.extend((prefix, id, offset, value)
                                    for (prefix, id), pairs in mine.items()
                                    for offset, value in pairs)

            run_all([lambda number=number: work(number) for number in range(8)])
            self.assertEqual(8 * 250, len(acknowledged))
            with server.client() as client:
                for prefix, id, offset, value in acknowledged:
                    self.assertEqual(value, client.get(id, offset, prefix))
            for prefix in prefixes:
                self.check_files(server, prefix or "default",
                                 [value for p, _, _, value in acknowledged if p == prefix])

    def test_append_close_append(self):
        """A close between appends makes none of them fail, get lost or overlap."""
        rounds = 100
        with harness.Server("-buckets", "2", "-workers", "2") as server:
            acknowledged = []
            together = threading.Barrier(5)

            def append(name):
                with server.client() as client:
                    for number in range(rounds):
                        together.wait(harness.TIMEOUT_SECONDS)
                        for id in ("a", "b"):
                            value = b"%s %d %s" % (name, number, id.encode() * 50)
                            acknowledged.append((id, client.append(id, value, "p"), value))

            def close():
                with server.client() as client:
                    for _ in range(rounds):
                        together.wait(harness.TIMEOUT_SECONDS)
                        client.close("p")

            run_all([lambda: append(b"one"), close, lambda: append(b"two"), close,
                     lambda: append(b"three")])
            self.assertEqual(3 * 2 * rounds, len(acknowledged))
            with server.client() as client:
                for id, offset, value in acknowledged:
                    self.assertEqual(value, client.get(id, offset, "p"))
                client.close("p")
            self.assertEqual([], server.open_files())
            self.check_files(server, "p", [value for _, _, value in acknowledged])


class Close(unittest.TestCase):
    def send(self, server, method, target, body=None, **options):
        return self.enterContext(server.send(method, target, body, **options))

    def check_closed(self, sock):
        self.assertEqual((200, b'{"success":true}'), harness.receive_reply(sock)[::2])

    def test_waits_for_requests_in_flight(self):
        """Requests behind the close wait for it, and the replies come in that order."""
        with harness.Server("-buckets", "1", hold=True) as server:
            with server.client() as client:
                client.append("a", b"before", "p")
            server.hold_disk()
            append = self.send(server, "POST", "/append?id=a&storagePrefix=p", b"in flight")
            harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
            close = self.send(server, "POST", "/close?storagePrefix=p")
            self.assertFalse(harness.is_readable(close))
            behind = self.send(server, "POST", "/append?id=a&storagePrefix=p", b"behind")
            self.assertFalse(harness.is_readable(behind))
            self.assertFalse(harness.is_readable(close, 0))
            # a prefix that is not open has nothing to wait for
            with server.client() as client:
                client.close("q")
            server.release_disk()
            status, _, body = harness.receive_reply(append)
            self.assertEqual((200, 16 + 6), (status, json.loads(body)["offset"]))
            self.check_closed(close)
            status, _, body = harness.receive_reply(behind)
            self.assertEqual((200, 22 + 16 + 9), (status, json.loads(body)["offset"]))

    def test_no_file_stays_open(self):
        """The directory can be deleted, and the next append creates it anew."""
        with harness.Server("-buckets", "8", "-workers", "3") as server:
            with server.client() as client:
                for prefix in ("p", "p2"):
                    for number in range(50):
                        client.append("id %d" % number, b"x", prefix)
                self.assertEqual(8, len(server.open_files("p")))
                client.close("p")
                self.assertEqual([], server.open_files("p"))
                self.assertEqual(8, len(server.open_files("p2")))
                shutil.rmtree(os.path.join(server.root, "p"))
                status, _, _ = client.request("GET", "/get", id="id 1", offset=0,
                                              storagePrefix="p")
                self.assertEqual(404, status)
                self.assertFalse(os.path.exists(os.path.join(server.root, "p")))
                self.assertEqual(0, client.append("id 1", b"fresh", "p"))
                self.assertEqual(b"fresh", client.get("id 1", 0, "p"))
                self.assertEqual(8, len(records.bucket_files(os.path.join(server.root, "p"))))
                client.close("p")
                self.assertEqual(b"fresh", client.get("id 1", 0, "p"))
                client.close("p")
                self.assertEqual([], server.open_files("p"))

    def check_stalled_reader(self, go_on):
        """A close waits for a getMulti whose reply is being sent; requests after it do not."""
        value = b"v" * (1 << 20)
        with harness.Server("-buckets", "1", "-workers", "1") as server:
            with server.client() as client:
                client.append("a", value, "p")
            # far more than the kernel's buffers on both sides take
            first, reader = (self.send(server, "POST", "/getMulti?id=a&storagePrefix=p",
                                       bytes(8) * 64, receive_buffer=4096) for _ in range(2))
            for sock in (first, reader):
                self.assertEqual(200, harness.receive_head(sock)[0])
            close = self.send(server, "POST", "/close?storagePrefix=p")
            behind = self.send(server, "POST", "/append?id=a&storagePrefix=p", b"behind")
            status, _, body = harness.receive_reply(behind)
            self.assertEqual((200, 16 + len(value)), (status, json.loads(body)["offset"]))
            self.assertFalse(harness.is_readable(close))
            self.assertEqual(2, len(server.open_files("p")))  # of the readers, and of the append
            with server.client() as client:
                client.append("a", b"elsewhere", "q")
                client.close("q")
            first.close()  # one of two; the other is still connected
            self.assertFalse(harness.is_readable(close))
            go_on(reader, (struct.pack("<I", len(value)) + value) * 64)
            self.check_closed(close)
            self.assertEqual(1, len(server.open_files("p")))

    def test_waits_for_a_stalled_reader_that_goes_on(self):
        def go_on(sock, expected):
            body = bytearray()
            buffered = sock.makefile("rb")
            while (length := int(buffered.readline(), 16)) > 0:
                body += buffered.read(length)
                buffered.readline()
            self.assertTrue(body == expected)
        self.check_stalled_reader(go_on)

    def test_waits_for_a_stalled_reader_that_disconnects(self):
        self.check_stalled_reader(lambda sock, _: sock.close())

    def test_waits_for_a_stalled_reader_that_resets(self):
        self.check_stalled_reader(lambda sock, _: harness.reset(sock))

    def test_many_close_at_once(self):
        with harness.Server("-buckets", "4", hold=True) as server:
            with server.client() as client:
                client.append("a", b"before", "p")
                server.hold_disk()
                append = self.send(server, "POST", "/append?id=a&storagePrefix=p", b"in flight")
                harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
                closes = [self.send(server, "POST", "/close?storagePrefix=p") for _ in range(100)]
                self.assertFalse(any(harness.is_readable(close, 0.002) for close in closes))
                server.release_disk()
                self.assertEqual(200, harness.receive_reply(append)[0])
                for close in closes:
                    self.check_closed(close)
                self.assertEqual([], server.open_files())
                self.assertEqual(b"in flight", client.get("a", 16 + 6, "p"))


class Limits(unittest.TestCase):
    def check_overload(self, prefix_is_open):
        """8 of 20 requests are admitted, the others get 503 with Retry-After."""
        with harness.Server("-buckets", "4", "-workers", "1", "-max-in-flight", "8",
                            hold=True) as server:
            with server.client() as client:
                client.append("warm", b"up", "p" if prefix_is_open else "q")
                server.hold_disk()
                socks = [self.enterContext(server.connect()) for _ in range(20)]
                for number, sock in enumerate(socks):
                    sock.sendall(harness.request_bytes(
                        "POST", "/append?id=a&storagePrefix=p", b"value %02d" % number))

                def answered():
                    return [sock for sock in socks if harness.is_readable(sock, 0)]
                harness.wait_for(lambda: len(answered()) >= 12, "12 refusals")
                refused = answered()
                self.assertEqual(12, len(refused))
                for sock in refused:
                    status, headers, body = harness.receive_reply(sock)
                    self.assertEqual((503, "text/plain"), (status, headers["content-type"]))
                    self.assertRegex(headers["retry-after"], r"\A[0-9]+\Z")
                    self.assertRegex(body, rb"\A[ -~]+\n\Z")
                harness.wait_for(server.disk_is_waiting, "an append to reach the disk")
                server.release_disk()
                admitted = {number: sock for number, sock in enumerate(socks)
                            if sock not in refused}
                for number, sock in admitted.items():
                    status, _, body = harness.receive_reply(sock)
                    self.assertEqual(200, status)
                    self.assertEqual(b"value %02d" % number,
                                     client.get("a", json.loads(body)["offset"], "p"))
                # a refused request can be repeated on the same connection
                for sock in refused:
                    sock.sendall(harness.request_bytes("POST", "/append?id=a&storagePrefix=p",
                                                       b"again"))
                    self.assertEqual(200, harness.receive_reply(sock)[0])
                files = records.decode_prefix(server.root, "p").values()
                self.assertEqual(sorted([b"value %02d" % number for number in admitted]
                                        + [b"again"] * 12 + [b"up"] * prefix_is_open),
                                 sorted(value for file in files for _, value in file.values()))

    def test_too_much_in_flight(self):
        self.check_overload(prefix_is_open=True)

    def test_too_much_in_flight_on_a_new_prefix(self):
        self.check_overload(prefix_is_open=False)

    def test_too_many_connections(self):
        """The fifth waits in the backlog until one is closed."""
        with harness.Server("-buckets", "1", "-max-connections", "4") as server:
            request = harness.request_bytes("POST", "/append?id=a", b"x")
            socks = [self.enterContext(server.connect()) for _ in range(5)]
            for offset, sock in enumerate(socks[:4]):
                sock.sendall(request)
                self.assertEqual(200, harness.receive_reply(sock)[0])
            for sock in socks[4:]:
                sock.sendall(request)
                self.assertFalse(harness.is_readable(sock))
            for sock in socks[:3]:  # the accepted ones are served meanwhile
                sock.sendall(request)
                self.assertEqual(200, harness.receive_reply(sock)[0])
            socks[3].close()
            self.assertEqual(200, harness.receive_reply(socks[4])[0])
            # and so on, one for one
            for sock in socks[:3]:
                extra = self.enterContext(server.connect())
                extra.sendall(request)
                self.assertFalse(harness.is_readable(extra, 0.1))
                harness.reset(sock)
                self.assertEqual(200, harness.receive_reply(extra)[0])


if __name__ == "__main__":
    unittest.main()
