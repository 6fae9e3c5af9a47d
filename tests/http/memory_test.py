"""The memory of all requests and replies stays within -max-buffered.

ROCHEFORT_FULL_SCALE=1 moves 64 MiB values under a budget of 256 MiB, 200 at a
time, instead of 4 MiB values under 16 and 64 MiB.
"""
import hashlib
import os
import select
import selectors
import signal
import socket
import threading
import unittest

import harness

MIB = 1 << 20
FULL = bool(os.environ.get("ROCHEFORT_FULL_SCALE"))
VALUE_BYTES = 64 * MIB if FULL else 4 * MIB
CLIENTS = 200 if harness.SANITIZE == "none" else 40
# Stacks, the allocator's slack, and what each connection needs for itself.
OVERHEAD_BYTES = 24 * MIB


def value_of(client):
    """A value that no other client sends."""
    block = hashlib.sha256(b"%d" % client).digest() * (MIB // 32)
    return block * (VALUE_BYTES // MIB)


class Upload:
    """One append, sent as fast as the server takes it. Half of them in chunks."""

    def __init__(self, server, number):
        self.number = number
        self.sock = server.connect()
        self.sock.setblocking(False)
        head = b"POST /append?id=%d HTTP/1.1\r\nHost: x\r\n" % number
        self.chunked = number % 2 == 1
        head += b"Transfer-Encoding: chunked\r\n" if self.chunked else (
            b"Content-Length: %d\r\n" % VALUE_BYTES)
        self.block = hashlib.sha256(b"%d" % number).digest() * (MIB // 32)
        self.queue, self.blocks = memoryview(head + b"\r\n"), VALUE_BYTES // MIB

    def refill(self):
        if self.blocks == 0:
            return False
        self.blocks -= 1
        data = self.block
        if self.chunked:
            data = b"%x\r\n" % MIB + data + b"\r\n" + (b"0\r\n\r\n" if self.blocks == 0 else b"")
        self.queue = memoryview(data)
        return True

    def send(self):
        """False once all is sent."""
        try:
            while self.queue or self.refill():
                self.queue = self.queue[self.sock.send(self.queue):]
        except BlockingIOError:
            return True
        return False


class Budget(unittest.TestCase):
    def peak(self, server, limit, clients=CLIENTS):
        if harness.SANITIZE == "none":
            peak = server.memory_bytes("VmHWM")
            print("%d clients, values of %d MiB, budget %d MiB: peak of %.1f MiB" %
                  (clients, VALUE_BYTES // MIB, limit // MIB, peak / MIB))
            self.assertLess(peak, limit + OVERHEAD_BYTES)

    def test_many_large_uploads_at_once_all_succeed(self):
        limit = 4 * VALUE_BYTES
        with harness.Server("-max-buffered", str(limit), "-max-value", str(VALUE_BYTES),
                            "-min-rate", "0") as server:
            selector = selectors.DefaultSelector()
            for number in range(CLIENTS):
                upload = Upload(server, number)
                selector.register(upload.sock, selectors.EVENT_WRITE, upload)
            answers = 0
            with server.client() as client:
                client.append("small", b"x")  # is served while large ones wait
                while answers < CLIENTS:
                    ready = selector.select(harness.TIMEOUT_SECONDS)
                    self.assertTrue(ready, "%d answered, and no progress" % answers)
                    for key, events in ready:
                        if events & selectors.EVENT_WRITE and not key.data.send():
                            selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                        elif events & selectors.EVENT_READ:
                            key.fileobj.setblocking(True)
                            status, _, body = harness.receive_reply(key.fileobj)
                            self.assertEqual(200, status, body)
                            answers += 1
                            selector.unregister(key.fileobj)
                            key.fileobj.close()
                            offset = int(body.split(b",")[0].split(b":")[1])
                            number = str(key.data.number)
                            if key.data.number % 10 == 0 or not FULL:
                                self.assertEqual(value_of(key.data.number),
                                                 client.get(number, offset))
            self.peak(server, limit)

    def test_replies_of_many_offsets_are_reserved_for(self):
        """A body of 5 MiB that has a reply of 8; nobody reads one before it is its turn."""
        limit, clients, values = 64 * MIB, 12, MIB
        with harness.Server("-max-buffered", str(limit), "-min-rate", "0") as server:
            request = harness.request_bytes("POST", "/appendMulti?id=x", b"\1\0\0\0v" * values)
            sockets = [server.connect(receive_buffer=16384) for _ in range(clients)]
            senders = [threading.Thread(target=sock.sendall, args=(request,)) for sock in sockets]
            for sender in senders:
                sender.start()
            left, first = list(sockets), set()
            while left:
                ready = select.select(left, [], [], harness.TIMEOUT_SECONDS)[0]
                self.assertTrue(ready, "no reply, and %d are missing" % len(left))
                status, _, body = harness.receive_reply(ready[0])
                self.assertEqual((200, 8 * values), (status, len(body)))
                first.add(body[:8])
                left.remove(ready[0])
                ready[0].close()
            for sender in senders:
                sender.join()
            self.assertEqual(clients, len(first))
            self.peak(server, limit, clients)

    def test_many_slow_readers_of_a_large_value_all_get_it(self):
        limit = 256 * MIB if FULL else 64 * MIB
        with harness.Server("-max-buffered", str(limit), "-min-rate", "0") as server:
            value = value_of(0)
            with server.client() as client:
                client.append("a", value)
            socks = []
            for _ in range(CLIENTS):
                sock = server.connect(receive_buffer=16384)
                sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
                socks.append((sock, hashlib.sha256()))
            with server.client() as client:
                self.assertEqual(len(value), len(client.get("a", 0)))
            selector = selectors.DefaultSelector()
            for sock, digest in socks:
                self.assertEqual(200, harness.receive_head(sock)[0])
                sock.setblocking(False)
                selector.register(sock, selectors.EVENT_READ, [digest, 0])
            done = 0
            while done < CLIENTS:
                ready = selector.select(harness.TIMEOUT_SECONDS)
                self.assertTrue(ready, "%d have all, and no progress" % done)
                for key, _ in ready:
                    part = key.fileobj.recv(1 << 16)
                    self.assertTrue(part)
                    key.data[0].update(part)
                    key.data[1] += len(part)
                    if key.data[1] == len(value):
                        self.assertEqual(hashlib.sha256(value).digest(), key.data[0].digest())
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
                        done += 1
            self.peak(server, limit)

    def test_others_wait_for_memory_until_stalled_readers_are_disconnected(self):
        """1 MiB is the reservation of four replies, all held by clients that read nothing."""
        with harness.Server("-max-buffered", "1MiB", "-min-rate", "1000",
                            "-min-rate-window", "1") as server:
            with server.client() as client:
                client.append("a", value_of(1))
                client.append("b", b"small")
            stalled = []
            for _ in range(4):
                sock = server.connect(receive_buffer=4096)
                sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
                self.assertEqual(200, harness.receive_head(sock)[0])
                stalled.append(sock)
            gone = server.connect()
            gone.sendall(harness.request_bytes("GET", "/get?id=b&offset=0"))
            harness.reset(gone)
            with server.client() as client:
                self.assertEqual(b"small", client.get("b", 0))
            for sock in stalled:
                sock.close()
            harness.wait_for(lambda: server.sockets() == 1, "all connections to end")

    def refuse_many(self, head, body, bad):
        """Each sends a body, of half the budget, whose request is refused in the end, and goes on
        sending a little, so that the server lingers."""
        limit = 2 * VALUE_BYTES
        with harness.Server("-max-buffered", str(limit), "-max-value", str(VALUE_BYTES),
                            "-min-rate", "0") as server:
            refused = []
            for _ in range(20):
                for other in refused:
                    other.sendall(b"x")
                sock = self.enterContext(server.connect())
                sock.sendall(head)
                for _ in range(VALUE_BYTES // MIB):
                    sock.sendall(body)
                sock.sendall(bad)
                self.assertEqual(400, harness.receive_reply(sock)[0])
                refused.append(sock)
            self.assertGreater(server.sockets() - 1, len(refused) // 2)
            self.peak(server, limit, len(refused))

    def test_bodies_of_refused_requests_are_not_kept_while_the_connections_linger(self):
        block = value_of(1)[:MIB]
        with self.subTest("chunks"):
            self.refuse_many(b"POST /append?id=a HTTP/1.1\r\nHost: x\r\n"
                             b"Transfer-Encoding: chunked\r\n\r\n",
                             b"%x\r\n%s\r\n" % (MIB, block), b"x\r\n")
        with self.subTest("a target that evhttp does not understand"):
            self.refuse_many(b"POST //x:y/append?id=a HTTP/1.1\r\nHost: x\r\n"
                             b"Content-Length: %d\r\n\r\n" % VALUE_BYTES, block, b"")

    def test_a_value_larger_than_the_budget_is_taken_one_at_a_time(self):
        with harness.Server("-max-buffered", "1MiB", "-max-value", "4MiB",
                            "-min-rate", "0") as server:
            value = value_of(1)[:4 * MIB]
            first, second = server.connect(), server.connect()
            request = harness.request_bytes("POST", "/append?id=a", value)
            first.sendall(request[:2 * MIB])  # admitted: more than the kernel buffers
            second.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                second.sendall(request * 4)
            second.close()
            first.sendall(request[2 * MIB:])
            self.assertEqual(200, harness.receive_reply(first)[0])
            first.close()
            with server.client() as client:
                self.assertEqual(value, client.get("a", 0))

    def test_small_requests_do_not_wait_for_a_slow_value_larger_than_the_budget(self):
        for framing in ("Content-Length: %d" % (4 * MIB), "Transfer-Encoding: chunked"):
            with self.subTest(framing), harness.Server("-max-buffered", "1MiB", "-max-value",
                                                       "4MiB") as server:
                slow = self.enterContext(server.connect())
                slow.sendall(harness.request_bytes("POST", "/append?id=slow", headers=(
                    framing, "Expect: 100-continue")))
                self.assertEqual(100, harness.receive_head(slow)[0])  # admitted
                with server.client() as client:
                    offset = client.append("a", b"small")
                    self.assertEqual(b"small", client.get("a", offset))
                    self.assertEqual(404, client.request("GET", "/nowhere")[0])
                value = value_of(1)[:4 * MIB]
                slow.sendall(value if "Length" in framing else
                             b"%x\r\n%s\r\n0\r\n\r\n" % (len(value), value))
                self.assertEqual(200, harness.receive_reply(slow)[0])

    def reserve_all(self, server):
        """A client that has reserved all memory for values of its size, and sends nothing."""
        slow = self.enterContext(server.connect())
        slow.sendall(harness.request_bytes("POST", "/append?id=slow", headers=(
            "Content-Length: %d" % MIB, "Expect: 100-continue")))
        self.assertEqual(100, harness.receive_head(slow)[0])
        return slow

    def test_a_waiting_client_that_disconnects_is_freed_and_one_that_half_closes_is_served(self):
        waiting = 10
        append = harness.request_bytes("POST", "/append?id=a", b"v" * 100_000)
        with harness.Server("-max-buffered", "1MiB", "-max-value", "4MiB", "-min-rate", "0",
                            "-max-connections", str(waiting + 3)) as server, (
                                server.client()) as client:
            client.append("a", b"small")
            slow = self.reserve_all(server)
            half = self.enterContext(server.connect())
            half.sendall(append)
            gone = [server.connect() for _ in range(waiting)]
            for number, sock in enumerate(gone):
                # with its body, with a part of it, and with a second request
                sock.sendall((append, append[:200], append + append[:200])[number % 3])
            all_in = 1 + waiting + 3
            harness.wait_for(lambda: server.sockets() == all_in, "all connections to be accepted")
            self.assertEqual(b"small", client.get("a", 0))  # so the heads have been read, too
            new = self.enterContext(server.connect())
            new.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
            self.assertFalse(harness.is_readable(new))
            half.shutdown(socket.SHUT_WR)
            for number, sock in enumerate(gone):
                if number % 2:
                    sock.shutdown(socket.SHUT_WR)
                harness.reset(sock)
            self.assertEqual(b"small", harness.receive_reply(new)[2])
            harness.wait_for(lambda: server.sockets() == 1 + 4, "the closed connections to end")
            self.assertFalse(harness.is_readable(half, 0))
            slow.sendall(b"v" * MIB)
            self.assertEqual(200, harness.receive_reply(slow)[0])
            self.assertEqual(200, harness.receive_reply(half)[0])

    def test_a_client_that_disconnects_before_its_request_is_read_is_freed(self):
        with harness.Server("-max-buffered", "1MiB", "-max-value", "4MiB",
                            "-min-rate", "0") as server, server.client() as client:
            client.append("a", b"small")
            self.reserve_all(server)
            server.process.send_signal(signal.SIGSTOP)
            with open("/proc/%d/stat" % server.process.pid) as stat:
                harness.wait_for(lambda: stat.seek(0) == 0 and ") T " in stat.read(),
                                 "the server to be stopped")
            gone = server.connect()
            gone.sendall(harness.request_bytes("POST", "/append?id=a", b"v" * 100_000))
            harness.reset(gone)
            server.process.send_signal(signal.SIGCONT)
            with server.client() as new:  # the server sees it after the other
                self.assertEqual(b"small", new.get("a", 0))
                harness.wait_for(lambda: server.sockets() == 1 + 3, "it to be freed")


if __name__ == "__main__":
    unittest.main()
