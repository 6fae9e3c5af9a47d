"""Mixed load with hostile clients: nothing fails, and the memory does not grow.

Ten seconds, or ROCHEFORT_SOAK_MINUTES. Good clients append values of 1 byte to
1 MiB, one and many, read them back, one and many, and close prefixes. About one connection
in ten is hostile: a row of the table, a request cut short, a reset, a client
that is slow. In the end every acknowledged value is read back. The memory of
the server is checked by whole minutes: the median of the last must not exceed
that of the second by more than GROWTH_BYTES_MAX.
"""
import hashlib
import os
import random
import socket
import statistics
import threading
import time
import unittest

import harness
from hostile import table

MIB = 1 << 20
MINUTES = float(os.environ.get("ROCHEFORT_SOAK_MINUTES", "0"))
SECONDS = MINUTES * 60 or 10
CLIENTS = 4
PREFIXES = 40
HOSTILE_SHARE = 0.1
REQUESTS_A_CONNECTION = 20
# Above this nothing more is appended.
STORED_BYTES_MAX = 4 << 30
# Fragmentation, and the sanitizer's shadow memory and quarantine.
GROWTH_BYTES_MAX = 8 * MIB if harness.SANITIZE == "none" else 32 * MIB


class Client(threading.Thread):
    """A thread whose connections are well-behaved, but for HOSTILE_SHARE of them."""

    def __init__(self, server, seed, until):
        super().__init__()
        self.server = server
        self.random = random.Random(seed)
        self.until = until
        self.stored = []  # (prefix, id, offset, length, digest)
        self.stored_bytes = self.requests = self.hostile = 0
        self.error = None

    def run(self):
        try:
            while time.monotonic() < self.until:
                if self.random.random() < HOSTILE_SHARE:
                    self.hostile += 1
                    self.be_hostile()
                else:
                    self.be_good()
        except Exception as error:  # reported by the main thread
            self.error = error

    def value(self):
        """Most are short; the long ones make up most of the bytes."""
        length = int(2 ** self.random.uniform(0, 20))
        return self.random.randbytes(length)

    def append(self, client):
        """One value; or, one time in four, up to eight in one request."""
        prefix = "p%d" % self.random.randrange(PREFIXES)
        id = "id%d" % self.random.randrange(1000)
        values = [self.value()]
        if self.random.random() < 0.25:
            values += [self.value() for _ in range(self.random.randrange(8))]
            offsets = client.append_multi(id, values, prefix)
        else:
            offsets = [client.append(id, values[0], prefix)]
        for offset, value in zip(offsets, values):
            self.stored_bytes += len(value)
            self.stored.append((prefix, id, offset, len(value), hashlib.sha1(value).digest()))

    def read(self, client):
        prefix, id, offset, _, digest = self.random.choice(self.stored)
        value = client.get(id, offset, prefix)
        assert hashlib.sha1(value).digest() == digest, (prefix, id, offset)

    def read_many(self, client):
        prefix, id, offset, length, digest = self.random.choice(self.stored)
        times = self.random.randint(1, max(1, min(20, 4 * MIB // length)))
        values, error = harness.split_multi(client.get_multi(id, [offset] * times, prefix))
        assert error is None and len(values) == times, (prefix, id, offset, error)
        assert all(hashlib.sha1(value).digest() == digest for value in values)

    def be_good(self):
        with self.server.client() as client:
            for _ in range(REQUESTS_A_CONNECTION):
                self.requests += 1
                kind = self.random.random()
                room = self.stored_bytes < STORED_BYTES_MAX // CLIENTS
                if not self.stored or (kind < 0.4 and room):
                    self.append(client)
                elif kind < 0.85:
                    self.read(client)
                elif kind < 0.97:
                    self.read_many(client)
                else:
                    client.close("p%d" % self.random.randrange(PREFIXES))

    def be_hostile(self):
        row = self.random.choice(table.ROWS)
        raw = table.numbered(row.raw, self.random.randrange(50))
        sock = self.server.connect()
        try:
            how = self.random.randrange(6)
            if how == 0:
                raw = raw[:self.random.randint(1, len(raw))]
            elif how == 1:  # asks for much and reads little of it
                prefix, id, offset, _, _ = (self.random.choice(self.stored) if self.stored
                                            else ("p0", "id0", 0, 0, b""))
                raw = harness.request_bytes(
                    "GET", "/get?id=%s&offset=%d&storagePrefix=%s" % (id, offset, prefix)) * 20
            if how == 2:
                for byte in raw[:200]:
                    sock.send(bytes([byte]))
                    time.sleep(0.001)  # a slow client
            else:
                sock.sendall(raw)
            if how in (0, 3):
                sock.shutdown(socket.SHUT_WR)
                harness.receive_all(sock)
            elif how == 4:
                harness.reset(sock)
            elif how == 5 and row.refused and row.decisive:
                harness.receive_all(sock)
        except OSError as error:  # the server may close the connection, but must not hang
            assert not isinstance(error, TimeoutError), row.name
        finally:
            sock.close()


class Soak(unittest.TestCase):
    def watch(self, server, clients):
        """Memory by the second, until all clients are done."""
        sizes = []
        begun = time.monotonic()
        while any(client.is_alive() for client in clients):
            self.assertIsNone(server.process.poll(), "the server has ended")
            sizes.append((time.monotonic() - begun, server.memory_bytes()))
            clients[0].join(1)  # so a sample a second
        return sizes

    def check_memory(self, sizes):
        def median(minute):
            return statistics.median(size for at, size in sizes
                                     if 60 * minute <= at < 60 * (minute + 1))
        second, last = median(1), median(int(MINUTES) - 1)
        print("memory: second minute %.1f MiB, last minute %.1f MiB" % (second / MIB, last / MIB))
        self.assertLess(last - second, GROWTH_BYTES_MAX)

    def check_stored(self, server, clients):
        with server.client() as reader:
            for client in clients:
                for prefix, id, offset, length, digest in client.stored:
                    value = reader.get(id, offset, prefix)
                    self.assertEqual((length, digest), (len(value), hashlib.sha1(value).digest()),
                                     (prefix, id, offset))

    def test_soak(self):
        seed = random.randrange(1 << 32)
        print("seed", seed)
        options = {"ASAN_OPTIONS": "quarantine_size_mb=8:malloc_context_size=5"}
        with harness.Server("-buckets", "4", env=options) as server:
            before = server.sockets()
            until = time.monotonic() + SECONDS
            clients = [Client(server, seed + i, until) for i in range(CLIENTS)]
            for client in clients:
                client.start()
            sizes = self.watch(server, clients)
            for client in clients:
                client.join()
                self.assertIsNone(client.error, repr(client.error))
            print("requests %d, hostile connections %d, values %d of %.0f MiB" % (
                sum(client.requests for client in clients),
                sum(client.hostile for client in clients),
                sum(len(client.stored) for client in clients),
                sum(client.stored_bytes for client in clients) / MIB))
            if MINUTES >= 3:
                self.check_memory(sizes)
            self.check_stored(server, clients)
            harness.wait_for(lambda: server.sockets() <= before, "the connections to end")


if __name__ == "__main__":
    unittest.main()
