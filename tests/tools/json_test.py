"""-json of verify, dump, repair and adopt: each line is an object of JSON, with what the text says."""
import base64
import json
import os
import unittest

import records
import tool_case
from tool_case import GOLDEN, run

TIME = "2018-02-10T12:06:21.000000000Z"


def members(line):
    """An object; no name may be there twice."""
    def once(pairs):
        assert len(dict(pairs)) == len(pairs), pairs
        return dict(pairs)
    return json.loads(line, object_pairs_hook=once)


class Lines(tool_case.Case):
    maxDiff = None

    def lines(self, status, tool, *arguments, **options):
        """The objects on standard output; "type" is their first member, and all is printable."""
        result = run(tool, "-json", *arguments, **options)
        self.assertEqual(status, result.returncode, result)
        self.err = result.stderr.decode()
        out = result.stdout.decode()  # strictly
        self.assertFalse([c for c in out if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)], out)
        self.assertTrue(out.endswith("\n"), out)
        for line in out.splitlines():
            self.assertTrue(line.startswith('{"type":"'), line)
        return [members(line) for line in out.splitlines()]


class Verify(Lines):
    COUNTS = {"empty_records": 0, "records_with_damage_on_both_sides": 0, "gaps": 0, "gap_bytes": 0,
              "damaged_ranges": 1, "damaged_range_bytes": 17, "torn_tails": 1, "torn_tail_bytes": 18,
              "unreadable_records": 0, "unreadable_record_bytes": 0}

    def test_damage(self):
        path = self.write(GOLDEN)
        damage = {"type": "damage", "file": path, "unreadable_bytes": 0,
                  "begins_with_record_cut_short": False}
        total = dict(self.COUNTS, state="damaged", records=2, bytes=77)
        self.assertEqual([
            dict(damage, what="damaged range", offset=21, bytes=17),
            dict(damage, what="torn tail", offset=59, bytes=18),
            dict(total, type="file", file=path),
            dict(total, type="total", files=1, missing_files=0, manifests_not_valid=0,
                 all_read=True)], self.lines(1, "verify", path))
        self.assertEqual("", self.err)

    def test_whole_and_empty(self):
        path = self.write(records.encode(b"x") + records.encode(b""))
        empty, file, total = self.lines(0, "verify", path)
        self.assertEqual({"type": "empty record", "file": path, "offset": 17}, empty)
        self.assertEqual(("whole", 2, 33, 1), tuple(
            file[k] for k in ("state", "records", "bytes", "empty_records")))
        self.assertEqual("whole", total["state"])

    def test_prefix(self):
        for number in (0, 2):
            self.write(tool_case.three()[2], "p/append.%d.raw" % number)
        records.write_manifest(self.directory, "p", 3)
        lines = self.lines(1, "verify", self.directory)
        self.assertEqual(["file", "file", "prefix", "total"], [line["type"] for line in lines])
        self.assertEqual({"type": "prefix", "prefix": self.path("p"), "state": "damaged", "files": 2,
                          "damaged_files": 0, "missing_files": 1, "manifest_valid": True}, lines[2])
        self.assertEqual(("damaged", 1), (lines[3]["state"], lines[3]["missing_files"]))
        self.write(b"\x7fELF", "p/MANIFEST")
        self.write(b"", "p/append.1.raw")
        self.assertFalse(self.lines(1, "verify", self.directory)[3]["manifest_valid"])

    def test_unreadable(self):
        path = self.path("none")
        total, = self.lines(2, "verify", path)
        self.assertEqual(("unreadable", False), (total["state"], total["all_read"]))
        self.assertIn(path, self.err)
        os.mkdir(self.path("append.0.raw"))
        self.write(tool_case.three()[2], "append.1.raw")
        lines = self.lines(2, "verify", self.directory)
        self.assertEqual([("file", "unreadable"), ("file", "whole"), ("total", "unreadable")],
                         [(line["type"], line["state"]) for line in lines])

    def test_bad_sector(self):
        path = self.write(tool_case.three()[2])
        damage = self.lines(1, "verify", path, fail_read=(0, 4096))[0]
        self.assertEqual("damage", damage["type"])
        self.assertGreater(damage["unreadable_bytes"], 0)

    def test_names(self):
        """Escaped: CSI as ESC [, and C1 as UTF-8; a line of its own; DEL; a quote; not UTF-8."""
        name = os.path.join(os.fsencode(self.directory), b'a\x1b[2J\xc2\x9b2\n"b\\\x7f\xff\xc3\xa9')
        with open(name, "wb") as file:
            file.write(GOLDEN)
        expected = self.directory + '/a\x1b[2J\x9b2\n"b\\\x7f\ufffd\xe9'
        for tool, status in (("verify", 1), ("repair", 0)):
            for line in self.lines(status, tool, name)[:-1]:
                self.assertEqual(expected, line["file"])


class Dump(Lines):
    def test_records(self):
        path = self.write(GOLDEN)
        record = {"type": "record", "time": TIME, "length": 5}
        self.assertEqual([
            dict(record, offset=0),
            {"type": "damage", "what": "damaged range", "offset": 21, "bytes": 17},
            dict(record, offset=38),
            {"type": "damage", "what": "torn tail", "offset": 59, "bytes": 18},
        ], self.lines(1, "dump", path))

    def test_values(self):
        path = self.write(GOLDEN)
        self.assertEqual([{"type": "record", "offset": 38, "time": TIME, "length": 5,
                           "value": "aGVsbG8="}], self.lines(0, "dump", path, "38"))
        self.assertEqual([{"type": "error", "offset": 1, "error": "no record starts there"}],
                         self.lines(1, "dump", path, "1"))
        self.assertEqual([{"type": "error", "offset": 59, "error": "the record is cut short"}],
                         self.lines(1, "dump", path, "59"))

    def test_any_bytes(self):
        """Of each length around the groups of base64 and the pieces that are read."""
        values = [bytes(range(256)) * 4 + bytes(n) for n in (0, 1, 2)]
        values += [os.urandom(3 * 64 * 1024 * 2 + n) for n in (-1, 0, 1)] + [b"a", b"ab", b"abc"]
        encoded = [records.encode(value) for value in values]
        path = self.write(b"".join(encoded))
        offsets = [str(sum(map(len, encoded[:i]))) for i in range(len(values))]
        lines = self.lines(0, "dump", path, *offsets)
        self.assertEqual(values, [base64.b64decode(line["value"], validate=True) for line in lines])

    def test_a_value_that_cannot_be_read_to_its_end(self):
        value = os.urandom(1 << 20)
        path = self.write(records.encode(value))
        line, = self.lines(1, "dump", path, "0", fail_read=(1 << 19, 1 << 20))
        self.assertEqual("Input/output error", line["error"])
        read = base64.b64decode(line["value"], validate=True)
        self.assertTrue(value.startswith(read))
        self.assertLess(len(read), len(value))


class Repair(Lines):
    def test_golden(self):
        path = self.write(GOLDEN)
        dropped = {"type": "dropped", "file": path}
        self.assertEqual([
            dict(dropped, what="damaged range", offset=21, bytes=17),
            dict(dropped, what="torn tail", offset=59, bytes=18),
            {"type": "copy", "file": path, "copy": path + ".repaired", "records": 2,
             "record_bytes": 42, "dropped_ranges": 2, "dropped_bytes": 35},
        ], self.lines(0, "repair", path))

    def test_refused(self):
        result = run("repair", "-json", self.write(b"no record in it, and long enough"))
        self.assertEqual(1, result.returncode)
        self.assertEqual(["dropped"], sorted({members(line)["type"]
                                              for line in result.stdout.splitlines()}))
        self.assertIn(b"no copy is made", result.stderr)


class Adopt(Lines):
    def test_states(self):
        for name in ("a", "b", "c"):
            self.write(tool_case.three()[2], name + "/append.1.raw")
            if name != "b":
                self.write(b"", name + "/append.0.raw")
        lines = self.lines(1, "adopt", "-hash", "fnv1a", self.directory)
        counts = {"records": 3, "empty_records": 0, "damaged_ranges": 0}
        adopted = dict(counts, type="prefix", state="adopted", buckets=2, hash="fnv1a", files_made=0)
        self.assertEqual([
            dict(adopted, prefix=self.path("a")),
            {"type": "prefix", "prefix": self.path("b"), "state": "refused", "reason":
             "bring the files back, or make them anew, empty, with -missing"},
            dict(adopted, prefix=self.path("c"))], lines)
        line, = self.lines(0, "adopt", "-missing", "-hash", "xxh3", "-slots", "1-5/8", self.path("b"))
        self.assertEqual(dict(counts, type="prefix", state="adopted", prefix=self.path("b"), buckets=2,
                              hash="xxh3", files_made=1, first_slot=1, last_slot=5, slots=8), line)
        result = run("adopt", "-hash", "fnv1a", "-json", self.path("a"))  # among its other flags
        self.assertEqual("has a MANIFEST", members(result.stdout)["state"])

    def test_failed(self):
        os.mkdir(self.path("append.0.raw"))
        self.write(b"", "append.1.raw")
        line, = self.lines(2, "adopt", "-hash", "xxh3", self.directory)
        self.assertEqual(("failed", self.directory), (line["state"], line["prefix"]))


if __name__ == "__main__":
    unittest.main()
