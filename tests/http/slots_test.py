"""-slots: a request for an id of another node gets 421 with the slot of the id, and changes nothing."""
import json
import os
import re
import struct
import unittest

import harness
import protocol
import records
import slots

COUNT = 4096
HERE = (0, 1365)
FLAG = "%d-%d/%d" % (*HERE, COUNT)
LINE = "slots %s\n" % FLAG
IDS = ["id %d" % n for n in range(200)] + ["x" * 500 + str(n) for n in range(50)] + ["ü", "😀", "a+b"]
# XXH32 from xxhsum -H32.
KNOWN = {"": 0x02cc5d05, "a": 0x550d7456, "ü": 0x5117339c, "😀": 0x433940bc,
         "550e8400-e29b-41d4-a716-446655440000": 0x4ced6d81, "x" * 1000: 0x73bcd817}


def is_here(id, here=HERE):
    return here[0] <= slots.slot_of(id, COUNT) <= here[1]


OURS = [id for id in IDS if is_here(id)]
OTHERS = [id for id in IDS if not is_here(id)]


def requests(id):
    """Everything that is about an id: method, path, body, parameters."""
    yield "POST", "/append", b"value", {"id": id}
    yield "POST", "/append", b"value", {"id": id, "expect": 0}
    yield "POST", "/appendMulti", protocol.join_multi([b"a", b"b"]), {"id": id, "sync": 1}
    yield "GET", "/get", None, {"id": id, "offset": 0}
    yield "HEAD", "/get", None, {"id": id, "offset": 0}
    yield "POST", "/getMulti", struct.pack("<Q", 0), {"id": id}
    yield "POST", "/getMulti", b"", {"id": id, "errors": "each"}
    yield "GET", "/scan", None, {"id": id, "offset": 0, "wait": 1}


class Case(unittest.TestCase):
    def start(self, *flags, **options):
        self.server = self.enterContext(harness.Server("-buckets", "3", *flags, **options))
        self.client = self.enterContext(self.server.client())

    def restart(self, *flags):
        self.client.hang_up()
        self.server.stop()
        self.server.flags = ["-buckets", "3", *flags]
        self.server.start()
        self.client = self.enterContext(self.server.client())

    def manifest(self, prefix="default"):
        with open(os.path.join(self.server.root, prefix, "MANIFEST"), encoding="utf-8") as file:
            return file.read()

    def refused(self, id, prefix="default", here=HERE):
        for method, path, body, parameters in requests(id):
            status, headers, text = self.client.request(method, path, body, storagePrefix=prefix,
                                                        **parameters)
            self.assertEqual((421, "text/plain"), (status, headers["Content-Type"]), (path, text))
            self.assertEqual("no-store", headers["Cache-Control"])
            if method != "HEAD":
                self.assertEqual(
                    "the id is in slot %d of %d, and %d-%d are here: %s/%s; send it to the node that "
                    "has this slot\n" % (slots.slot_of(id, COUNT), COUNT, *here, self.server.root,
                                         prefix), text.decode())


class Slots(Case):
    def test_the_hash_of_the_tests_is_right(self):
        for id, expected in KNOWN.items():
            self.assertEqual(expected, slots.xxh32(id.encode()))

    def test_ids_of_others_are_refused_and_leave_nothing(self):
        self.start("-slots", FLAG)
        for id in OTHERS[:5]:
            self.refused(id)
        self.assertNotIn("default", os.listdir(self.server.root))  # nothing made the prefix
        offsets = {id: self.client.append(id, id.encode()) for id in OURS}
        self.assertEqual(records.manifest(3) + LINE, self.manifest())
        before = records.decode_prefix(self.server.root, "default")
        self.assertEqual(sorted(id.encode() for id in OURS), sorted(
            value for file in before.values() for _, value in file.values()))
        for id in OTHERS:
            self.refused(id)
        self.assertEqual(before, records.decode_prefix(self.server.root, "default"))
        for id, offset in offsets.items():
            self.assertEqual(id.encode(), self.client.get(id, offset))

    def test_what_has_no_id_is_answered(self):
        self.start("-slots", FLAG)
        self.assertEqual(0, self.client.append(OURS[0], b"value"))
        status, _, body = self.client.request("GET", "/ends")
        self.assertEqual((200, FLAG), (status, json.loads(body)["slots"]))
        ends = json.loads(body)["ends"]
        for bucket, end in enumerate(ends):
            status, _, body = self.client.request("GET", "/scan", bucket=bucket, offset=0)
            self.assertEqual((200 if end else 204), status)
        self.assertEqual(1, sum(end > 0 for end in ends))
        self.client.close()
        self.client.close("none")
        self.assertEqual(200, self.client.request("GET", "/prefixes")[0])

    def test_all_slots_or_no_flag_is_every_id(self):
        for flags, line in ((("-slots", "0-0/1"), "slots 0-0/1\n"), ((), "")):
            self.start(*flags)
            for id in IDS:
                self.client.append(id, b"value")
            self.assertEqual(records.manifest(3) + line, self.manifest())
            body = json.loads(self.client.request("GET", "/ends")[2])
            self.assertEqual("slots" in body, bool(flags))

    def test_other_faults_come_first_if_the_request_is_wrong(self):
        self.start("-slots", FLAG)
        id = OTHERS[0]
        for path, body, parameters, status in (
                ("/append", b"", {"id": id}, 400), ("/getMulti", b"1234567", {"id": id}, 400),
                ("/appendMulti", b"", {"id": id}, 400), ("/append", b"x", {"id": ""}, 400)):
            self.assertEqual(status, self.client.request("POST", path, body, **parameters)[0])

    def test_the_log_and_the_figures_tell(self):
        self.start("-slots", FLAG)
        for id in OTHERS[:20]:
            self.assertEqual(421, self.client.request("POST", "/append", b"x", id=id)[0])
        metrics = self.client.request("GET", "/metrics")[2].decode()
        self.assertIn('rochefort_http_requests_total{endpoint="append",code="421"} 20\n', metrics)
        self.client.hang_up()
        self.server.stop()
        lines = re.findall(r"^\S+ \S+ (.*421: .*)$", self.server.log(), re.MULTILINE)
        first = ("421: an id is in a slot of another node: %s/default; send it to the node that has "
                 "this slot" % self.server.root)
        self.assertEqual([first, "19 more in the last minute: " + first], lines)


class Kept(Case):
    """A prefix keeps the slots that it was made under."""

    def test_the_manifest_counts_and_not_the_flag(self):
        self.start("-slots", FLAG)
        old = {id: self.client.append(id, id.encode()) for id in OURS}
        for flags in (["-slots", "1366-4095/4096"], ["-slots", "0-0/7"], []):
            self.restart(*flags)
            for id, offset in old.items():
                self.assertEqual(id.encode(), self.client.get(id, offset))
            self.refused(OTHERS[0])
            self.assertEqual(records.manifest(3) + LINE, self.manifest())

    def test_a_new_prefix_has_the_new_slots(self):
        self.start("-slots", FLAG)
        self.client.append(OURS[0], b"old")
        other = 1366, 4095
        self.restart("-slots", "%d-%d/%d" % (*other, COUNT))
        self.refused(OURS[0], "new", other)
        self.assertEqual(0, self.client.append(OTHERS[0], b"new", "new"))
        self.refused(OURS[0], "new", other)
        self.refused(OTHERS[0])
        self.assertEqual(records.manifest(3) + "slots 1366-4095/4096\n", self.manifest("new"))

    def test_a_prefix_that_was_made_without_holds_every_id(self):
        self.start()
        offsets = {id: self.client.append(id, id.encode()) for id in IDS}
        self.restart("-slots", FLAG)
        for id, offset in offsets.items():
            self.assertEqual(id.encode(), self.client.get(id, offset))
            self.client.append(id, b"more")
        self.assertEqual(records.manifest(3), self.manifest())

    def test_a_deleted_prefix_is_a_new_one(self):
        self.start("-slots", FLAG)
        self.assertEqual(0, self.client.append(OURS[0], b"value"))
        directory = os.path.join(self.server.root, "default")
        os.rename(directory, directory + ".gone")
        self.assertEqual(0, self.client.append(OURS[0], b"value"))
        self.assertEqual(records.manifest(3) + LINE, self.manifest())
        self.refused(OTHERS[0])


class CutShort(Case):
    """Whatever a kill or a power cut has left of a creation, what completes it writes the slots."""

    def test_it_is_completed_with_the_slots_of_the_flag(self):
        whole = records.manifest(3) + LINE
        left = [None, "", "\0" * len(whole)] + [whole[:n] for n in range(1, len(whole))
                                                if whole[:n] != records.manifest(3)]
        self.start("-slots", FLAG)
        for number, text in enumerate(left):
            prefix = "p%d" % number
            directory = os.path.join(self.server.root, prefix)
            os.mkdir(directory)
            for bucket in range(number % 3, 3):
                open(os.path.join(directory, "append.%d.raw" % bucket), "w").close()
            if text is not None:
                with open(os.path.join(directory, "MANIFEST"), "w", encoding="utf-8") as file:
                    file.write(text)
            status, _, body = self.client.request("POST", "/append", b"x", id=OTHERS[0],
                                                  storagePrefix=prefix)
            self.assertEqual(421, status, body)
            self.assertEqual(0, self.client.append(OURS[0], b"value", prefix))
            self.assertEqual(whole, self.manifest(prefix))
            status, _, body = self.client.request("POST", "/append", b"x", id=OTHERS[0],
                                                  storagePrefix=prefix)
            self.assertEqual(421, status, body)
            self.client.close(prefix)

    def test_with_values_it_is_refused_until_somebody_says_the_slots(self):
        whole = records.manifest(3) + LINE
        self.start("-slots", FLAG)
        self.assertEqual(0, self.client.append(OURS[0], b"value"))
        self.client.close()
        for text in (whole[:-1], whole[:-5], "", "\0" * len(whole)):
            with open(os.path.join(self.server.root, "default", "MANIFEST"), "w",
                      encoding="utf-8") as file:
                file.write(text)
            for id in (OURS[0], OTHERS[0]):
                for method, path, body, parameters in requests(id):
                    status, _, text = self.client.request(method, path, body, **parameters)
                    self.assertEqual(500, status)
                    if method != "HEAD":
                        self.assertTrue(text.decode().endswith(
                            "; stop the server and run: rochefort adopt -hash xxh3|fnv1a -slots A-B/N "
                            "%s/default\n" % self.server.root), text)
            self.client.close()


if __name__ == "__main__":
    unittest.main()
