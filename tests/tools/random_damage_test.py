"""Damage at random: what it has not touched is found."""
import os
import random
import struct
import zlib

import records
import suite
import tool_case

SEEDS = int(os.environ.get("SEEDS", "150"))  # more by hand, to look for new cases


def is_header(data):
    return len(data) == 16 and data[12:] == struct.pack("<I", zlib.crc32(data[:12]))


class Random(tool_case.Case):
    def setUp(self):
        super().setUp()
        self.copies = []  # (offset, length) of each with damage on both sides, of all seeds

    def make(self, chance):
        """[(offset, length)] and the bytes"""
        data, places = b"", []
        for n in range(chance.randrange(2, 60)):
            length = chance.choice((1, 5, 20, 100, chance.randrange(1, 5000)))
            value = chance.randbytes(length)
            if chance.random() < 0.1:  # a copy of an older file, maybe cut
                value = b"".join(records.encode(chance.randbytes(30), 10**18 + k)
                                 for k in range(chance.randrange(1, 8)))
                if chance.random() < 0.5:
                    value = value[:-chance.randrange(1, 30)]
            places.append((len(data), 16 + len(value)))
            data += records.encode(value, 1518264381 * 10**9 + n)
        return places, bytearray(data)

    def check_found(self, seed, places, data, touched):
        path = self.write(data, "append.%d.raw" % seed)
        found = self.dump(1, path)
        hidden = []
        for offset, size in places:
            if any(a < offset + size and b > offset for a, b in touched):
                continue
            if offset not in found and self.is_inside_a_copy(found, offset, offset + size):
                hidden.append((offset, size))
                continue
            if offset not in found and self.is_copy_between_damage(found, data, touched, offset,
                                                                   size):
                self.copies.append((offset, size))
                continue
            self.assertIn(offset, found, "seed %d" % seed)
            self.assertEqual(size - 16, found[offset][1])
        return path, found, hidden

    def is_inside_a_copy(self, found, begin, end):
        """The documented case: the header over a copy is damaged, the copy is cut off, and the last
        record in it claims all of a later record."""
        return any(time.startswith("2001-") and offset < begin and end <= offset + 16 + length
                   for offset, (time, length) in found.items())

    def is_copy_between_damage(self, found, data, touched, offset, size):
        """The documented case: there is damage before and after a copy, so the records in it are
        found in its place."""
        before = [end for _, end in touched if end <= offset]
        after = [begin for begin, _ in touched if offset + size <= begin < offset + size + 16]
        skipped = [o for o, (time, _) in found.items()
                   if before and max(before) <= o < offset and not time.startswith("2001-")]
        return bool(before and after and not skipped and is_header(data[offset + 16:offset + 32])
                    and found.get(offset + 16, ("",))[0].startswith("2001-"))

    def test_overwritten(self):
        exempted = 0
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                chance = random.Random(seed)
                places, data = self.make(chance)
                touched = []
                for _ in range(chance.randrange(1, 4)):
                    # begins in a header, so that it shows; may run over the next ones
                    offset, _ = chance.choice(places)
                    begin = offset + chance.randrange(16)
                    count = min(chance.choice((1, 3, 16, 200, 3000)), len(data) - begin)
                    data[begin] ^= chance.randrange(1, 256)
                    for at in range(begin + 1, begin + count):
                        data[at] = chance.choice((0, chance.randrange(256)))
                    touched.append((begin, begin + count))
                path, found, hidden = self.check_found(seed, places, data, touched)
                # what else is found lies in records that were touched
                true = {offset for offset, _ in places}
                for offset in set(found) - true:
                    self.assertTrue(any(o < offset < o + s and (
                        (o, s) in self.copies or any(a < o + s and b > o for a, b in touched))
                        for o, s in places), offset)
                if not found:
                    _, err = self.check(1, "repair", path, path + ".out")
                    self.assertIn("no record is in it", err)
                    self.assertFalse(os.path.exists(path + ".out"))
                    continue
                self.check(0, "repair", path, path + ".out")
                self.assertEqual(found, self.dump(0, path + ".out"))
                repaired = tool_case.read(path + ".out")
                for offset, (_, length) in found.items():
                    end = offset + 16 + length
                    self.assertEqual(data[offset:end], repaired[offset:end])
                for offset, size in hidden:  # not listed, but where it was
                    self.assertEqual(data[offset + 16:offset + size],
                                     tool_case.run("dump", path + ".out", str(offset)).stdout)
                exempted += bool(hidden)
        self.assertLessEqual(exempted + len(self.copies), SEEDS // 50)  # must not hide a fault

    def test_cut_out_and_written_over(self):
        exempted = 0
        for seed in range(1000, 1000 + SEEDS):
            with self.subTest(seed=seed):
                chance = random.Random(seed)
                places, data = self.make(chance)
                torn = chance.randrange(len(places))
                offset, size = places[torn]
                keep = chance.randrange(1, size)
                gone = size - keep
                del data[offset + keep:offset + size]
                claimed = offset + size
                if torn + 1 < len(places) and (claimed == len(data) or
                                               is_header(data[claimed:claimed + 16])):
                    continue  # documented: its false end fits
                places = places[:torn] + [(o - gone, s) for o, s in places[torn + 1:]]
                _, _, hidden = self.check_found(seed, places, data, [(offset, offset + keep)])
                exempted += bool(hidden)
        self.assertLessEqual(exempted, SEEDS // 50)
        self.assertEqual([], self.copies)  # one damage has no two sides


if __name__ == "__main__":
    suite.main()
