"""Clients that pipeline, half-close, disconnect or read slowly, over raw sockets."""
import json
import random
import select
import threading
import time
import unittest

import harness
import records

MIB = 1 << 20
GROWTH_BYTES_MAX = 8 * MIB


def value_of(seed, length):
    return random.Random(seed).randbytes(length)


def offsets_of(count, length):
    """Where appends of equal length to one fresh bucket go."""
    return [i * (records.HEADER_BYTES + length) for i in range(count)]


class Pipelining(unittest.TestCase):
    def test_replies_come_in_order(self):
        """A request that needs no disk must not overtake one that waits for the disk."""
        with harness.Server("-buckets", "1", hold=True) as server:
            sock = server.connect()
            server.hold_disk()
            sock.sendall(harness.request_bytes("POST", "/append?id=a", b"first")
                         + harness.request_bytes("GET", "/nowhere")
                         + harness.request_bytes("GET", "/get?id=a&offset=0")
                         + harness.request_bytes("POST", "/append?id=a", b"second")
                         + harness.request_bytes("GET", "/get?id=a"))
            harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
            self.assertFalse(harness.is_readable(sock))
            server.release_disk()
            status, _, body = harness.receive_reply(sock)
            self.assertEqual((200, 0), (status, json.loads(body)["offset"]))
            self.assertEqual(404, harness.receive_reply(sock)[0])
            self.assertEqual(b"first", harness.receive_reply(sock)[2])
            status, _, body = harness.receive_reply(sock)
            self.assertEqual((200, 16 + 5), (status, json.loads(body)["offset"]))
            self.assertEqual(400, harness.receive_reply(sock)[0])
            sock.close()

    def test_requests_that_arrive_while_earlier_ones_are_served(self):
        """One waits for the disk, one was read together with it, two more arrive meanwhile."""
        with harness.Server("-buckets", "1", hold=True) as server, server.client() as other:
            sock = server.connect()
            server.hold_disk()
            requests = [harness.request_bytes("POST", "/append?id=a", b"value %d" % n)
                        for n in range(4)]
            sock.sendall(requests[0] + requests[1])
            harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
            for request in requests[2:]:
                sock.sendall(request)
                # by this reply the server has seen that there is more
                self.assertEqual(404, other.request("GET", "/nowhere")[0])
            server.release_disk()
            for offset in offsets_of(4, len(b"value 0")):
                status, _, body = harness.receive_reply(sock)
                self.assertEqual((200, offset), (status, json.loads(body)["offset"]))
            sock.close()

    def test_many_in_one_packet(self):
        with harness.Server("-buckets", "1") as server:
            sock = server.connect()
            values = [b"value %04d" % i for i in range(500)]
            offsets = offsets_of(500, len(values[0]))
            for value in values:
                sock.sendall(harness.request_bytes("POST", "/append?id=a", value))
            got = [json.loads(harness.receive_reply(sock)[2])["offset"] for _ in values]
            self.assertEqual(offsets, got)
            sock.sendall(b"".join(harness.request_bytes("GET", "/get?id=a&offset=%d" % offset)
                                  for offset in offsets))
            self.assertEqual(values, [harness.receive_reply(sock)[2] for _ in values])
            sock.close()

    def test_pipelined_bytes_are_not_read_into_memory(self):
        """While a request waits for the disk, further bytes of its client stay in the kernel."""
        count, value = 1100, b"v" * 61000  # 64 MiB together
        requests = harness.request_bytes("POST", "/append?id=a", value) * count
        self.assertGreater(len(requests), 64 * MIB)
        with harness.Server("-buckets", "1", hold=True) as server:
            with server.client() as client:
                client.append("warm", b"up", prefix="other")
            sock = server.connect()
            server.hold_disk()
            before = server.memory_bytes()
            sock.setblocking(False)
            sent = 0
            while sent < len(requests) and select.select([], [sock], [], 0.5)[1]:
                sent += sock.send(requests[sent:sent + MIB])
            self.assertTrue(server.disk_is_waiting())
            if harness.SANITIZE == "none":
                self.assertLess(server.memory_bytes() - before, GROWTH_BYTES_MAX)
            server.release_disk()
            sock.settimeout(harness.TIMEOUT_SECONDS)
            rest = threading.Thread(target=sock.sendall, args=(requests[sent:],))
            rest.start()
            got = [json.loads(harness.receive_reply(sock)[2])["offset"] for _ in range(count)]
            rest.join()
            self.assertEqual(offsets_of(count, len(value)), got)
            if harness.SANITIZE == "none":
                self.assertLess(server.memory_bytes() - before, GROWTH_BYTES_MAX)
            sock.close()

    def test_one_byte_at_a_time(self):
        with harness.Server("-buckets", "1") as server:
            sock = server.connect()
            sock.setsockopt(harness.socket.IPPROTO_TCP, harness.socket.TCP_NODELAY, 1)
            chunked = (b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"A\r\n0123456789\r\n3\r\nabc\r\n0\r\n\r\n")
            for request in (harness.request_bytes("POST", "/append?id=a", b"drop by drop"),
                            chunked,
                            harness.request_bytes("GET", "/get?id=a&offset=0"),
                            harness.request_bytes("GET", "/get?id=a&offset=%d" % (16 + 12))):
                for byte in request:
                    sock.send(bytes([byte]))
            self.assertEqual(200, harness.receive_reply(sock)[0])
            self.assertEqual(200, harness.receive_reply(sock)[0])
            self.assertEqual(b"drop by drop", harness.receive_reply(sock)[2])
            self.assertEqual(b"0123456789abc", harness.receive_reply(sock)[2])
            sock.close()


class HalfClose(unittest.TestCase):
    def test_whole_reply_after_half_close(self):
        """The client has sent its last request and still reads; short and long replies."""
        values = [value_of(n, n) for n in (1, 16 * 1024, 16 * 1024 + 1, 300 * 1024, 5 * MIB)]
        with harness.Server("-buckets", "1") as server:
            client = server.client()
            for value in values:
                offset = client.append("a", value)
                sock = server.connect()
                sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=%d" % offset))
                sock.shutdown(harness.socket.SHUT_WR)
                self.assertEqual(value, harness.receive_reply(sock)[2])
                self.assertEqual(b"", sock.recv(1))
                sock.close()
            client.hang_up()

    def test_all_pipelined_requests_are_answered_after_half_close(self):
        with harness.Server("-buckets", "1", hold=True) as server:
            sock = server.connect()
            server.hold_disk()
            sock.sendall(harness.request_bytes("POST", "/append?id=a", b"x" * 70000)
                         + harness.request_bytes("GET", "/get?id=a&offset=0") * 3)
            harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
            sock.shutdown(harness.socket.SHUT_WR)
            self.assertFalse(harness.is_readable(sock))
            server.release_disk()
            self.assertEqual(200, harness.receive_reply(sock)[0])
            for _ in range(3):
                self.assertEqual(b"x" * 70000, harness.receive_reply(sock)[2])
            self.assertEqual(b"", sock.recv(1))
            sock.close()

    def test_half_a_request_then_a_half_close(self):
        """No reply, nothing stored, and the connection is closed."""
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"before")
                before = server.sockets()
            for part in (b"POST /app", harness.request_bytes("POST", "/append?id=a", b"cut")[:-1]):
                sock = server.connect()
                sock.sendall(part)
                sock.shutdown(harness.socket.SHUT_WR)
                self.assertEqual(b"", harness.receive_all(sock))
                sock.close()
            harness.wait_for(lambda: server.sockets() <= before, "the sockets to be closed")
            self.assertEqual({0}, set(records.decode_file(server.bucket())))


class Disconnected(unittest.TestCase):
    def leave_while_on_a_worker(self, leave):
        long_value = b"l" * 4 * MIB  # takes several writes: the second one hits a closed socket
        requests = [harness.request_bytes("POST", "/append?id=a", b"unanswered"),
                    harness.request_bytes("GET", "/get?id=a&offset=0"),
                    harness.request_bytes("POST", "/getMulti?id=a", bytes(8) * 2),
                    harness.request_bytes("GET", "/get?id=a&offset=%d" % (4 * MIB + 16)),
                    harness.request_bytes("GET", "/close")] * 5
        with harness.Server("-buckets", "1", hold=True) as server:
            client = server.client()
            client.append("a", long_value)
            client.append("a", b"short")
            before = server.sockets()
            server.hold_disk()
            socks = [server.connect() for _ in requests]
            for sock, request in zip(socks, requests):
                sock.sendall(request)
            harness.wait_for(server.disk_is_waiting, "a request to reach the disk")
            # needs no disk; by its reply the requests before it have been read
            self.assertEqual(404, client.request("GET", "/nowhere")[0])
            for sock in socks:
                leave(sock)
            self.assertEqual(404, client.request("GET", "/nowhere")[0])
            server.release_disk()
            harness.wait_for(lambda: server.sockets() <= before, "the sockets to be closed")
            client.close()
            self.assertEqual([], server.open_files())
            file = server.bucket()
            values = list(records.values(file).values())
            self.assertEqual([b"short"] + [b"unanswered"] * 5, values[1:])
            self.assertTrue(long_value == values[0] == client.get("a", 0))
            client.append("a", b"after")
            client.hang_up()

    def test_closed_while_on_a_worker(self):
        self.leave_while_on_a_worker(lambda sock: sock.close())

    def test_reset_while_on_a_worker(self):
        self.leave_while_on_a_worker(harness.reset)

    def leave_in_the_middle_of_a_reply(self, leave):
        """A write to a closed socket must end the reply, not the process."""
        with harness.Server("-buckets", "1") as server:
            client = server.client()
            offset = client.append("a", bytes(16 * MIB))
            before = server.sockets()
            packed = offset.to_bytes(8, "little") * 4
            for request in (harness.request_bytes("GET", "/get?id=a&offset=%d" % offset),
                            harness.request_bytes("POST", "/getMulti?id=a", packed)) * 3:
                sock = server.connect(receive_buffer=4096)
                sock.sendall(request)
                self.assertEqual(200, harness.receive_head(sock)[0])
                sock.recv(1000)
                leave(sock)
            harness.wait_for(lambda: server.sockets() <= before, "the sockets to be closed")
            client.close()  # would wait for a reply that has not ended
            self.assertEqual([], server.open_files())
            self.assertEqual(bytes(16 * MIB), client.get("a", offset))
            client.hang_up()

    def test_closed_in_the_middle_of_a_reply(self):
        self.leave_in_the_middle_of_a_reply(lambda sock: sock.close())

    def test_reset_in_the_middle_of_a_reply(self):
        self.leave_in_the_middle_of_a_reply(harness.reset)


class SlowReader(unittest.TestCase):
    def test_slow_but_steady_reader_gets_everything(self):
        """Small reads with pauses: the reply must be whole, and other clients must be served."""
        value = value_of(7, 12 * MIB)
        with harness.Server("-buckets", "1") as server:
            client = server.client()
            offset = client.append("a", value)
            sock = server.connect(receive_buffer=4096)
            sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=%d" % offset) * 2)
            status, headers = harness.receive_head(sock)
            self.assertEqual((200, str(len(value))), (status, headers["content-length"]))
            body = bytearray()
            for _ in range(300):
                body += sock.recv(4096)
                time.sleep(0.005)  # the pace of the reader is what is tested
                if len(body) % 7 == 0:
                    self.assertEqual(200, client.request("POST", "/append", b"x", id="b")[0])
            while len(body) < len(value):
                part = sock.recv(min(1 << 16, len(value) - len(body)))
                self.assertNotEqual(b"", part)
                body += part
            self.assertTrue(value == body)
            self.assertTrue(value == harness.receive_reply(sock)[2])
            sock.close()
            client.hang_up()


if __name__ == "__main__":
    unittest.main()
