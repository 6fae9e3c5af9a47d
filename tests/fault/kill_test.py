"""SIGKILL at random moments under 64 connections that append values of all sizes, some in batches.

After each restart every acknowledged offset gives the acknowledged bytes, every acknowledged batch
is there as a whole, and the next append
follows a whole record: the file holds records only, from its beginning to its end.

ROCHEFORT_KILL_ROUNDS says how many rounds (10), ROCHEFORT_KILL_SEED repeats a run.
"""
import json
import os
import random
import re
import selectors
import struct
import time
import unittest

import harness
import process
import protocol
import records

ROUNDS = int(os.environ.get("ROCHEFORT_KILL_ROUNDS", "10"))
SEED = int(os.environ.get("ROCHEFORT_KILL_SEED", str(time.time_ns() % 1000000)))
FRESH_ROOT_EVERY = 5
CONNECTIONS = 64
BUCKETS = 3
PREFIXES = ("default", "p")
# Small ones, and ones so large that a kill can interrupt their write.
SIZES = [1, 10, 100, 1000, 5000, 20000] * 6 + [300000, 3000000]
# One request of so many is a batch. The largest are more than one pwritev.
BATCH_EVERY = 5
BATCH_VALUES = (1, 3, 50, 600)
BATCH_SIZES = (10, 100, 1000)
NOISE = random.Random(1).randbytes(max(SIZES) + 1000)
MIB = 1 << 20


def value_of(number, size):
    begin, size = number % 997, max(size, 8)
    return (b"%d " % number + NOISE[begin:begin + size])[:size]


class Client:
    """A raw connection that has one append or appendMulti under way."""

    def __init__(self, server, draw):
        self.draw = draw
        self.sock = server.connect()
        self.sock.setblocking(False)
        self.out = self.answer = b""

    def send_next(self, number):
        """Values with numbers from that one on. Returns the last."""
        self.prefix, self.id = self.draw.choice(PREFIXES), "id %d" % self.draw.randrange(12)
        self.is_batch = self.draw.randrange(BATCH_EVERY) == 0
        if self.is_batch:
            sizes = self.draw.choices(BATCH_SIZES, k=self.draw.choice(BATCH_VALUES))
        else:
            sizes = [self.draw.choice(SIZES)]
        self.sent = [(number + i, size) for i, size in enumerate(sizes)]
        values = [value_of(*value) for value in self.sent]
        path, body = (("/appendMulti", protocol.join_multi(values)) if self.is_batch
                      else ("/append", values[0]))
        target = "%s?id=%s&storagePrefix=%s" % (path, self.id.replace(" ", "+"), self.prefix)
        self.out = memoryview(harness.request_bytes("POST", target, body))
        self.answer = b""
        return number + len(sizes) - 1

    def write(self):
        try:
            self.out = self.out[self.sock.send(self.out[:MIB]):]
        except BlockingIOError:
            pass

    def read(self):
        """The reply's body once it is whole, or None."""
        part = self.sock.recv(4096)
        if not part:
            raise ConnectionError
        self.answer += part
        head, found, body = self.answer.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if not found or len(body) < int(length.group(1)):
            return None
        assert head.startswith(b"HTTP/1.1 200 "), self.answer
        return body


class Round:
    """Appends until the server is killed. stored: {(prefix, file): {offset: (number, size)}};
    batches: [(prefix, id, offsets, [(number, size)])]"""

    def __init__(self, server, draw, stored, batches, first_number):
        self.server, self.stored, self.batches = server, stored, batches
        self.number = first_number
        self.answers = 0
        self.selector = selectors.DefaultSelector()
        for _ in range(CONNECTIONS):
            client = Client(server, draw)
            self.selector.register(client.sock, selectors.EVENT_READ, client)
            self.next(client)

    def next(self, client):
        self.number = client.send_next(self.number + 1)
        self.selector.modify(client.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, client)

    def serve(self, client, events):
        if events & selectors.EVENT_WRITE:
            client.write()
            if not client.out:
                self.selector.modify(client.sock, selectors.EVENT_READ, client)
        if events & selectors.EVENT_READ:
            body = client.read()
            if body is not None:
                if client.is_batch:
                    self.note_batch(client, body)
                else:
                    self.note(client, json.loads(body))
                self.next(client)

    def note(self, client, reply):
        file = os.path.basename(reply["file"])
        offsets = self.stored.setdefault((client.prefix, file), {})
        assert reply["offset"] not in offsets, "an offset was given twice"
        offsets[reply["offset"]] = client.sent[0]
        self.answers += 1

    def note_batch(self, client, body):
        offsets = struct.unpack("<%dQ" % len(client.sent), body)
        self.batches.append((client.prefix, client.id, offsets, client.sent))
        self.answers += 1

    def run(self, kill_after_answers, kill_after_seconds):
        """Then reads the replies that were sent before the kill."""
        killed = False
        limit = time.monotonic() + kill_after_seconds
        while self.selector.get_map():
            for key, events in self.selector.select(0.001):
                try:
                    self.serve(key.data, events)
                except OSError:
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
            if not killed and (self.answers >= kill_after_answers or time.monotonic() > limit):
                killed = True
                self.server.kill()
        self.selector.close()
        return self.number


def made_files(directory):
    """The bucket files; none if the kill came before MANIFEST: then nothing is in them either."""
    if not os.path.exists(directory):
        return []
    if os.path.exists(os.path.join(directory, "MANIFEST")):
        return records.bucket_files(directory)
    for name in os.listdir(directory):
        if name.startswith("append."):
            assert os.path.getsize(os.path.join(directory, name)) == 0, name
    return []


def torn_tails(root):
    """How many files end in the middle of a record."""
    count = 0
    for prefix in PREFIXES:
        directory = os.path.join(root, prefix)
        for name in made_files(directory):
            try:
                for _ in records.walk(os.path.join(directory, name)):
                    pass
            except process.Failure as failure:
                if "cut short" not in str(failure):
                    raise
                count += 1
    return count


class Killed(unittest.TestCase):
    def check(self, server, stored, everything):
        """Appends to every bucket, then checks every acknowledged record."""
        with server.client() as client:
            for prefix in PREFIXES:
                seen = set()
                for number in range(1000):
                    status, _, body = client.request("POST", "/append", b"after the kill",
                                                     id="after %d" % number, storagePrefix=prefix)
                    self.assertEqual(200, status, body)
                    reply = json.loads(body)
                    key = (prefix, os.path.basename(reply["file"]))
                    seen.add(key[1])
                    self.assertNotIn(reply["offset"], stored.get(key, {}))
                    if key in everything:
                        id_of = everything[key]
                        id_of.setdefault("id", "after %d" % number)
                    else:
                        everything[key] = {"id": "after %d" % number}
                    if len(seen) == BUCKETS:
                        break
                self.assertEqual(BUCKETS, len(seen))
            for (prefix, file), offsets in stored.items():
                found = records.decode_file(os.path.join(server.root, prefix, file))
                for offset, (number, size) in offsets.items():
                    self.assertEqual(value_of(number, size), found[offset][1], (file, offset))
                # and the last ones through the server
                some = sorted(offsets)[-200:]
                values, error = harness.split_multi(
                    client.get_multi(everything[(prefix, file)]["id"], some, prefix))
                self.assertIsNone(error)
                for offset, value in zip(some, values):
                    number, size = offsets[offset]
                    self.assertEqual(value_of(number, size), value)
                self.assertEqual(len(some), len(values))

    def check_batches(self, server, batches):
        """Every value of every acknowledged batch, at the offset that was answered for it."""
        with server.client() as client:
            for prefix, id, offsets, sent in batches:
                want = protocol.join_multi([value_of(*value) for value in sent])
                self.assertTrue(want == client.get_multi(id, offsets, prefix), (prefix, id))

    def kill(self, rounds, seconds, *flags):
        """Kills after a random time between the two of `seconds`, or after up to 400 replies if
        these come first. Returns how many appends were acknowledged, and how many of
        them were batches."""
        print("ROCHEFORT_KILL_SEED=%d" % SEED)
        draw = random.Random(SEED)
        done = torn = answers = batched = 0
        while done < rounds:
            stored, batches, ids, number = {}, [], {}, 0
            with harness.Server("-buckets", str(BUCKETS), *flags) as server:
                torn_here = 0
                for _ in range(min(FRESH_ROOT_EVERY, rounds - done)):
                    run = Round(server, draw, stored, batches, number)
                    number = run.run(draw.randrange(1, 400), draw.uniform(*seconds))
                    answers += run.answers
                    torn_here += torn_tails(server.root)
                    server.start()
                    self.check(server, stored, ids)
                    self.check_batches(server, batches)
                    done += 1
                server.stop()
                log = server.log()  # which is complete
                self.assertEqual(torn_here, log.count("an unfinished append was cut off"))
                torn += torn_here
                batched += len(batches)
                self.assertNotIn("no record", log)
        print("%d rounds, %d appends acknowledged, %d of them batches, %d torn tails cut off" % (
            done, answers, batched, torn))
        return answers, batched

    def test_killed_at_random_moments(self):
        answers, batches = self.kill(ROUNDS, (0.05, 0.4))
        self.assertGreater(answers, 10 * ROUNDS)
        self.assertGreater(batches, 0)

    def test_killed_while_it_syncs(self):
        """With -sync always, for as long as it takes until some appends are answered."""
        limit = harness.TIMEOUT_SECONDS
        answers, _ = self.kill(2, (limit, limit), "-sync", "always")
        self.assertGreater(answers, 0)


if __name__ == "__main__":
    unittest.main()
