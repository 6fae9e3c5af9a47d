"""Memory goes back to the system after a burst, and stays while it is needed."""
import os
import select
import socket
import struct
import tempfile
import threading
import time
import unittest

import harness

MIB = 1 << 20
SLACK_BYTES = 32 * MIB
SECONDS = 20  # two are enough on a machine that has nothing else to do


@unittest.skipIf(harness.SANITIZE in ("address", "thread"), "sanitizers have a heap of their own")
class Bursts(unittest.TestCase):
    def check_falls_back(self, server, before, burst):
        """A second burst too must find it as it was."""
        for _ in range(2):
            burst(server)
            harness.wait_for(lambda: server.memory_bytes() < before + SLACK_BYTES,
                             "memory to fall back", SECONDS)

    def start(self):
        server = self.enterContext(harness.Server("-min-rate", "0"))
        with server.client() as client:
            client.append("a", b"the first")
        return server, server.memory_bytes()

    def test_large_values(self):
        server, before = self.start()
        value = bytes(32 * MIB)

        def move(number):
            with server.client() as client:
                offset = client.append("id %d" % number, value)
                self.assertEqual(len(value), len(client.get("id %d" % number, offset)))

        def burst(server):
            threads = [threading.Thread(target=move, args=(number,)) for number in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.check_falls_back(server, before, burst)
        self.assertGreater(server.memory_bytes("VmHWM"), before + 4 * SLACK_BYTES)

    def test_replies(self):
        """Workers have allocated these."""
        server, before = self.start()
        with server.client() as client:
            offset = client.append("x", bytes(MIB))

        def burst(server):
            left = {}
            poll = select.epoll()
            for _ in range(500):
                sock = server.connect(receive_buffer=4096)
                sock.sendall(harness.request_bytes("GET", "/get?id=x&offset=%d" % offset))
                left[sock.fileno()] = [sock, MIB]
            for sock, _ in left.values():
                self.assertEqual(200, harness.receive_head(sock)[0])
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)  # all have begun
                poll.register(sock, select.EPOLLIN)
            while left:
                for fd, _ in poll.poll(harness.TIMEOUT_SECONDS):
                    sock, bytes_left = left[fd]
                    part = sock.recv(MIB)
                    self.assertTrue(part)
                    left[fd][1] = bytes_left - len(part)
                    if left[fd][1] == 0:
                        del left[fd]
                        sock.close()
            poll.close()
        self.check_falls_back(server, before, burst)
        self.assertGreater(server.memory_bytes("VmHWM"), before + 3 * SLACK_BYTES)


@unittest.skipIf(harness.SANITIZE in ("address", "thread"), "sanitizers have a heap of their own")
class Steady(unittest.TestCase):
    SECONDS = 3  # several intervals of one second

    def setUp(self):
        file = self.enterContext(tempfile.NamedTemporaryFile(prefix="rochefort-trims-"))
        file.write(bytes(4))
        file.flush()
        self.trims = lambda: struct.unpack("<i", os.pread(file.fileno(), 4, 0))[0]
        self.server = self.enterContext(harness.Server(
            "-min-rate", "0", "-workers", "2", env={"TRIM_COUNT": file.name},
            preload=[os.environ["COUNT_TRIMS"]]))

    def move_values(self, value):
        """For some seconds."""
        end = time.monotonic() + self.SECONDS
        with self.server.client() as client:
            while time.monotonic() < end:
                offset = client.append("a", value)
                self.assertEqual(value, client.get("a", offset))

    def test_while_memory_is_needed_none_is_given_back(self):
        body = bytes(4 * MIB)
        append = harness.request_bytes("POST", "/append?id=x", body)
        uploads = [self.enterContext(self.server.connect()) for _ in range(16)]
        for sock in uploads:
            sock.sendall(append[:len(append) // 2])
        self.move_values(bytes(MIB))
        self.assertEqual(0, self.trims())
        for sock in uploads:
            sock.sendall(append[len(append) // 2:])
            self.assertEqual(200, harness.receive_reply(sock)[0])
        each = 2 + 1 + 2  # both workers, then the loop, and the workers again
        harness.wait_for(lambda: self.trims() >= each, "memory to be given back")
        self.move_values(b"small")  # it may be given back in two steps
        trims = self.trims()
        self.assertEqual(0, trims % each)
        self.move_values(b"small")
        self.assertEqual(trims, self.trims())

    def test_small_values_never_have_memory_given_back(self):
        self.move_values(bytes(100_000))
        self.assertEqual(0, self.trims())


if __name__ == "__main__":
    unittest.main()
