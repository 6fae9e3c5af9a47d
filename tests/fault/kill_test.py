"""SIGKILL at random moments under 64 connections that append values of all sizes.

After each restart every acknowledged offset gives the acknowledged bytes, and the next append
follows a whole record: the file holds records only, from its beginning to its end.

ROCHEFORT_KILL_ROUNDS says how many rounds (10), ROCHEFORT_KILL_SEED repeats a run.
"""
import json
import os
import random
import re
import selectors
import time
import unittest

import harness
import process
import records

ROUNDS = int(os.environ.get("ROCHEFORT_KILL_ROUNDS", "10"))
SEED = int(os.environ.get("ROCHEFORT_KILL_SEED", str(time.time_ns() % 1000000)))
FRESH_ROOT_EVERY = 5
CONNECTIONS = 64
BUCKETS = 3
PREFIXES = ("default", "p")
# Small ones, and ones so large that a kill can interrupt their write.
SIZES = [1, 10, 100, 1000, 5000, 20000] * 6 + [300000, 3000000]
NOISE = random.Random(1).randbytes(max(SIZES) + 1000)
MIB = 1 << 20


def value_of(number, size):
    return (b"%d " % number + NOISE[number % 997:])[:max(size, 8)]


class Client:
    """A raw connection that has one append under way."""

    def __init__(self, server, draw):
        self.draw = draw
        self.sock = server.connect()
        self.sock.setblocking(False)
        self.out = self.answer = b""

    def send_next(self, number):
        prefix, id = self.draw.choice(PREFIXES), "id %d" % self.draw.randrange(12)
        self.number, self.prefix, self.size = number, prefix, self.draw.choice(SIZES)
        target = "/append?id=%s&storagePrefix=%s" % (id.replace(" ", "+"), prefix)
        self.out = memoryview(harness.request_bytes("POST", target,
                                                    value_of(number, self.size)))
        self.answer = b""

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
    """Appends until the server is killed. stored: {(prefix, file): {offset: (number, size)}}"""

    def __init__(self, server, draw, stored, first_number):
        self.server, self.stored, self.number = server, stored, first_number
        self.answers = 0
        self.selector = selectors.DefaultSelector()
        for _ in range(CONNECTIONS):
            client = Client(server, draw)
            self.selector.register(client.sock, selectors.EVENT_READ, client)
            self.next(client)

    def next(self, client):
        self.number += 1
        client.send_next(self.number)
        self.selector.modify(client.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, client)

    def serve(self, client, events):
        if events & selectors.EVENT_WRITE:
            client.write()
            if not client.out:
                self.selector.modify(client.sock, selectors.EVENT_READ, client)
        if events & selectors.EVENT_READ:
            body = client.read()
            if body is not None:
                self.note(client, json.loads(body))
                self.next(client)

    def note(self, client, reply):
        file = os.path.basename(reply["file"])
        offsets = self.stored.setdefault((client.prefix, file), {})
        assert reply["offset"] not in offsets, "an offset was given twice"
        offsets[reply["offset"]] = (client.number, client.size)
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


def torn_tails(root):
    """How many files end in the middle of a record."""
    count = 0
    for prefix in PREFIXES:
        directory = os.path.join(root, prefix)
        for name in records.bucket_files(directory) if os.path.exists(directory) else []:
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

    def kill(self, rounds, seconds, *flags):
        """Kills after a random time between the two of `seconds`, or after up to 400 replies if
        these come first. Returns how many appends were acknowledged."""
        print("ROCHEFORT_KILL_SEED=%d" % SEED)
        draw = random.Random(SEED)
        done = torn = answers = 0
        while done < rounds:
            stored, ids, number = {}, {}, 0
            with harness.Server("-buckets", str(BUCKETS), *flags) as server:
                torn_here = 0
                for _ in range(min(FRESH_ROOT_EVERY, rounds - done)):
                    run = Round(server, draw, stored, number)
                    number = run.run(draw.randrange(1, 400), draw.uniform(*seconds))
                    answers += run.answers
                    torn_here += torn_tails(server.root)
                    server.start()
                    self.check(server, stored, ids)
                    done += 1
                log = server.log()
                self.assertEqual(torn_here, log.count("an unfinished append was cut off"))
                torn += torn_here
                self.assertNotIn("no record", log)
        print("%d rounds, %d appends acknowledged, %d torn tails cut off" % (done, answers, torn))
        return answers

    def test_killed_at_random_moments(self):
        self.assertGreater(self.kill(ROUNDS, (0.05, 0.4)), 10 * ROUNDS)

    def test_killed_while_it_syncs(self):
        """With -sync always, for as long as it takes until some appends are answered."""
        limit = harness.TIMEOUT_SECONDS
        self.assertGreater(self.kill(2, (limit, limit), "-sync", "always"), 0)


if __name__ == "__main__":
    unittest.main()
