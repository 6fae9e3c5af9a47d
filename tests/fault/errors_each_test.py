"""getMulti with errors=each: an offset that cannot be read is an entry, and the next one follows."""
import errno
import http.client
import json
import os
import random
import struct
import unittest

import faults
import one_bucket
import protocol
import records

PIECE_BYTES = 256 * 1024


class TestCase(one_bucket.TestCase):
    def ask(self, offsets, prefix="p", errors="each"):
        body = struct.pack("<%dQ" % len(offsets), *offsets)
        parameters = {"errors": errors} if errors else {}
        return self.client.request("POST", "/getMulti", body, id="x", storagePrefix=prefix,
                                   **parameters)

    def read_each(self, offsets):
        """The entries; None if the reply is broken off."""
        try:
            status, _, reply = self.ask(offsets)
        except (OSError, http.client.HTTPException):
            self.client.hang_up()
            return None
        self.assertEqual(200, status, reply)
        entries = protocol.split_each(reply)
        self.assertEqual(len(offsets), len(entries))
        return entries

    def entry_of_get(self, offset):
        """What a get of it answers, as an entry."""
        status, body = self.status("GET", "/get", offset=offset)
        if status == 200:
            return body or (200, b"")
        self.assertRegex(body, rb"\A[ -~]+\n\Z")
        return (status, body[:-1])

    def read_bytes_total(self):
        status, _, body = self.client.request("GET", "/stats")
        self.assertEqual(200, status)
        return json.loads(body)["rochefort_read_bytes_total"]


class Entries(TestCase):
    def test_bad_offsets_between_values_of_all_lengths(self):
        """Each entry is what a get of that offset answers."""
        lengths = (1, 10, 1008, 1009, 5000, PIECE_BYTES - 200, PIECE_BYTES, 700000)
        offsets = [self.append(bytes([length % 251]) * length) for length in lengths]
        end = os.path.getsize(self.file)
        bad = [1, offsets[3] + 1, end, end + 1, 1 << 40, (1 << 63) - 1]
        asked = bad[:2] + [offset for pair in zip(offsets, bad * 2) for offset in pair] + bad[2:]
        want = [self.entry_of_get(offset) for offset in asked]
        self.assertEqual({404}, {entry[0] for entry in want if isinstance(entry, tuple)})
        before = self.read_bytes_total()
        self.assertEqual(want, self.read_each(asked))
        self.assertEqual(sum(4 + length for length in lengths), self.read_bytes_total() - before)

    def test_offsets_that_get_does_not_take(self):
        offset = self.append(b"value")
        for bad in (1 << 63, (1 << 64) - 1):
            entries = self.read_each([offset, bad, offset])
            self.assertEqual((b"value", 404, b"value"), (entries[0], entries[1][0], entries[2]))
            self.assertIn(b"offset %d of %s" % (bad, self.file.encode()), entries[1][1])

    def test_damaged_records(self):
        """One that is not what it was, and one that the file ends in."""
        offsets = [self.append(value) for value in (b"a" * 100, b"b" * 100, b"c" * 100, b"d" * 100)]
        self.overwrite(offsets[1] + 12, b"\xff\xff\xff\xff")
        os.truncate(self.file, offsets[3] + records.HEADER_BYTES + 50)
        want = [self.entry_of_get(offset) for offset in offsets]
        self.assertEqual([b"a" * 100, 404, b"c" * 100, 500],
                         [entry[0] if isinstance(entry, tuple) else entry for entry in want])
        self.assertEqual(want, self.read_each(offsets))
        self.assertEqual(want[::-1], self.read_each(offsets[::-1]))

    def test_all_of_a_thousand(self):
        """One reply of a known length, though each goes through the loop."""
        self.append(b"value")
        entries = self.read_each([1] * 1000)
        self.assertEqual([self.entry_of_get(1)] * 1000, entries)

    def test_a_thousand_mixed(self):
        values = {self.append(bytes([i]) * length): bytes([i]) * length
                  for i, length in enumerate((7, 1500, 40000))}
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        asked = [chance.choice([*values, 1]) for _ in range(1000)]
        missing = self.entry_of_get(1)
        want = [values.get(offset, missing) for offset in asked]
        self.assertTrue(want == self.read_each(asked), "seed %d" % seed)

    def test_nothing_is_asked_for(self):
        self.append(b"value")
        self.assertEqual([], self.read_each([]))

    def test_a_prefix_that_cannot_be_used_is_the_status(self):
        for offsets in ([], [0, 0]):
            status, _, text = self.ask(offsets, "none")
            self.assertEqual((404, b"no such storagePrefix: none; the first append makes it\n"),
                             (status, text))

    def test_other_ways_are_refused(self):
        status, _, text = self.ask([0], errors="all")
        self.assertEqual((400, b"errors must be each\n"), (status, text))


class EmptyRecords(TestCase):
    def test_it_is_an_entry_of_status_200(self):
        """As the server in Go has written some."""
        os.makedirs(self.directory)
        values = [b"before", b"", b"", b"behind", b""]
        offsets = []
        with open(self.file, "wb") as file:
            for value in values:
                offsets.append(file.tell())
                file.write(records.encode(value))
        records.write_manifest(self.server.root, "p", 1)
        want = [value or (200, b"") for value in values]
        self.assertEqual(want, [self.entry_of_get(offset) for offset in offsets])
        self.assertEqual(want, self.read_each(offsets))
        status, _, reply = self.ask(offsets, errors=None)
        plain = protocol.join_multi([b"before"]) + bytes(4)
        self.assertEqual((200, plain), (status, reply[:len(plain)]))
        self.assertEqual(b"the record at offset %d is empty: %s" % (
            offsets[1], self.file.encode()), reply[len(plain):])


class Failures(TestCase):
    def test_every_read_fails_once(self):
        """The Nth preadv2 fails, for N = 1, 2, ... until a run without a failure."""
        values = [b"a" * 10, b"b" * 5000, b"c" * 600000, b"d" * 10, b"e" * 2000]
        offsets = []
        for value in values:
            offsets.append(self.append(value))
            self.append(b"between" * 300)  # neighbours are read together, and then one by one
        for error, status in ((errno.EIO, 500), (errno.ENOMEM, 503)):
            nth, broken_off, entries_of_errors = 0, 0, 0
            while True:
                nth += 1
                self.server.fail("preadv2", error, nth)
                entries = self.read_each(offsets)
                seen = self.server.seen("preadv2")
                self.server.heal()
                if seen < nth:
                    self.assertEqual(values, entries)
                    break
                if entries is None:
                    broken_off += 1
                    continue
                wrong = [i for i, entry in enumerate(entries) if entry != values[i]]
                self.assertEqual(1, len(wrong), nth)
                self.assertEqual(status, entries[wrong[0]][0])
                self.assertIn(b": offset %d of " % offsets[wrong[0]], entries[wrong[0]][1])
                entries_of_errors += 1
            self.assertGreaterEqual(entries_of_errors, len(values))
            self.assertGreater(broken_off, 0)  # in the middle of the long one

    def test_reads_of_neighbours_fail(self):
        """Then each of them is read alone."""
        values = [b"%d" % n * 20 for n in range(50)]
        offsets = [self.append(value) for value in values]
        self.server.fail("preadv2", errno.EIO, 1)
        self.assertEqual(values, self.read_each(offsets))
        self.assertEqual(1 + len(values), self.server.seen("preadv2"))
        self.server.fail("preadv2", errno.EIO, 1, times=2)
        self.assertEqual([500], [entry[0] for entry in self.read_each(offsets)
                                 if isinstance(entry, tuple)])
        self.server.heal()
        self.assertEqual(values, self.read_each(offsets))
        self.assertEqual(1, self.server.seen("preadv2"))

    def test_every_read_fails(self):
        offsets = [self.append(b"a" * 100) for _ in range(300)]
        self.server.fail("preadv2", errno.EIO, times=faults.EVER)
        entries = self.read_each(offsets)
        self.assertEqual({500}, {status for status, _ in entries})
        for offset, (_, text) in zip(offsets, entries):
            self.assertIn(b": offset %d of %s" % (offset, self.file.encode()), text)

    def test_every_open_fails_once(self):
        """Of the prefix: that is the status. Of the file: an entry, and the next offset is read."""
        values = [b"a" * 100, b"b" * 100, b"c" * 100]
        offsets = [self.append(value) for value in values]
        nth, of_prefix, of_file = 0, 0, 0
        while True:
            nth += 1
            self.client.close("p")
            self.server.fail("openat", errno.EIO, nth)
            status, _, reply = self.ask(offsets)
            seen = self.server.seen("openat")
            self.server.heal()
            if status == 500:
                of_prefix += 1
                continue
            self.assertEqual(200, status)
            entries = protocol.split_each(reply)
            if seen < nth:
                self.assertEqual(values, entries)
                break
            self.assertEqual(values[1:], entries[1:])
            self.assertEqual(500, entries[0][0])
            self.assertIn(b": offset %d of %s" % (offsets[0], self.file.encode()), entries[0][1])
            of_file += 1
        self.assertGreater(of_prefix, 0)
        self.assertGreater(of_file, 0)


if __name__ == "__main__":
    unittest.main()
