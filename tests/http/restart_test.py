"""The files: found again after a kill, laid out as the format says, refused if ambiguous."""
import http.client
import os
import struct
import subprocess
import threading
import time
import unittest

import harness
import records

# One record: length 5, 2018-02-10 12:06:21 UTC in ns, the sum of these 12 bytes, "hello".
GOLDEN = bytes.fromhex("05000000" "0022a21069f51115" "e4704544" "68656c6c6f")
# And another: length 1, one ns after 1970, the sum, "!".
GOLDEN_2 = bytes.fromhex("01000000" "0100000000000000" "9e8ada2c" "21")


class Killed(unittest.TestCase):
    def test_all_is_found_with_any_number_of_buckets(self):
        with harness.Server("-buckets", "5") as server:
            appended = []

            def append(client, value):
                for id in ("a", "b", "c", "d"):
                    for prefix in (None, "p"):
                        appended.append((prefix, id, client.append(id, value, prefix), value))

            for flags in (["-buckets", "2"], ["-buckets", "700", "-workers", "5"], []):
                with server.client() as client:
                    append(client, b"before " + b" ".join(f.encode() for f in flags))
                server.kill()
                server.flags = flags
                server.start()
                with server.client() as client:
                    for prefix, id, offset, value in appended:
                        self.assertEqual(value, client.get(id, offset, prefix))
                    append(client, b"after")
                    for prefix, id, offset, value in appended:
                        self.assertEqual(value, client.get(id, offset, prefix))
            for prefix in (None, "p"):
                files = records.decode_prefix(server.root, prefix or "default")
                self.assertEqual({"append.%d.raw" % n for n in range(5)}, set(files))
                self.assertEqual(sorted(value for p, _, _, value in appended if p == prefix),
                                 sorted(value for file in files.values()
                                        for _, value in file.values()))

    def test_killed_under_load(self):
        """Every append that was answered before the kill is found after it."""
        with harness.Server("-buckets", "3") as server:
            acknowledged = []

            def append(number):
                try:
                    with server.client() as client:
                        for round_number in range(1_000_000):
                            value = b"%d %d " % (number, round_number) + b"v" * 3000
                            acknowledged.append((client.append("a", value), value))
                except (OSError, http.client.HTTPException):
                    pass  # the kill

            threads = [threading.Thread(target=append, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            harness.wait_for(lambda: len(acknowledged) > 500, "500 appends")
            server.kill()
            for thread in threads:
                thread.join()
            server.start()
            with server.client() as client:
                for offset, value in acknowledged:
                    self.assertEqual(value, client.get("a", offset))
                offset = client.append("a", b"the next")
                self.assertEqual(b"the next", client.get("a", offset))
                for offset, value in acknowledged:
                    self.assertEqual(value, client.get("a", offset))


class Format(unittest.TestCase):
    def test_what_the_server_writes(self):
        values = [b"x", bytes(16), os.urandom(5000), b"y" * (1 << 20)]
        with harness.Server("-buckets", "1") as server, server.client() as client:
            times = [time.time_ns()]
            offsets = []
            for value in values:
                offsets.append(client.append("a", value))
                times.append(time.time_ns())
            found = records.decode_file(server.bucket())
            self.assertEqual([0, 17, 17 + 32, 17 + 32 + 5016], offsets)
            self.assertEqual(offsets, list(found))
            for i, (time_ns, value) in enumerate(found.values()):
                self.assertEqual(values[i], value)
                self.assertLessEqual(times[i], time_ns)
                self.assertLessEqual(time_ns, times[i + 1])

    def serve(self, content):
        """A server that finds these bytes in the one bucket of its default prefix."""
        server = harness.Server("-buckets", "9")
        directory = os.path.join(server.root, "default")
        os.mkdir(directory)
        with open(os.path.join(directory, "append.0.raw"), "wb") as file:
            file.write(content)
        records.write_manifest(server.root, "default", 1)
        self.enterContext(server)
        return server, self.enterContext(server.client())

    def test_golden_file(self):
        """Bytes computed by hand, not by the encoder of these tests."""
        server, client = self.serve(GOLDEN + GOLDEN_2 + GOLDEN)
        second, third = len(GOLDEN), len(GOLDEN) + len(GOLDEN_2)
        self.assertEqual(b"hello", client.get("any", 0))
        self.assertEqual(b"!", client.get("any", second))
        self.assertEqual(b"hello", client.get("any", third))
        self.assertEqual(b"\5\0\0\0hello\1\0\0\0!",
                         client.get_multi("any", [third, second]))
        self.assertEqual(59, client.append("any", b"next"))
        self.assertEqual(b"next", client.get("any", 59))
        self.assertEqual({"append.0.raw"},
                         records.bucket_files(os.path.join(server.root, "default")))

    def test_damage(self):
        """A header with a wrong checksum is no record; an incomplete value is an error; an empty
        one is a value."""
        good = records.encode(b"good")
        wrong_sum = bytes([good[0] ^ 1]) + good[1:]
        huge = records.encode(b"v" * 100)[:4 + 8 + 4] + b"v" * 50
        empty = records.encode(b"")
        _, client = self.serve(good + wrong_sum + empty + good + huge)
        for offset, status in ((0, 200), (1, 404), (20, 404), (40, 200), (56, 200), (76, 500),
                               (76 + 66, 404), (76 + 60, 404)):
            got, _, body = client.request("GET", "/get", id="a", offset=offset)
            self.assertEqual(status, got, (offset, body))
        values, error = harness.split_multi(client.get_multi("a", [0, 56, 76, 0]))
        self.assertEqual([b"good"] * 2, values)
        self.assertIn("offset 76 ", error)


class Root(unittest.TestCase):
    def test_second_server_on_the_same_root(self):
        with harness.Server() as server, server.client() as client:
            client.append("a", b"mine")
            for root in (server.root, server.root + "/", server.root + "/default/.."):
                second = subprocess.run(
                    [harness.BINARY, "-bind", "127.0.0.1:0", "-root", root], text=True,
                    capture_output=True, timeout=harness.TIMEOUT_SECONDS)
                self.assertEqual((1, ""), (second.returncode, second.stdout))
                self.assertRegex(second.stderr, r"\A[^\n]*\n\Z")
                self.assertIn(root.rstrip("/"), second.stderr)
            self.assertEqual(b"mine", client.get("a", 0))
            server.kill()
            server.start()  # the lock ends with the process


class BucketFiles(unittest.TestCase):
    """Which file an id is in depends on how many there are, so none may be missing."""

    def make(self, server, prefix, numbers):
        directory = os.path.join(server.root, prefix)
        os.mkdir(directory)
        for number in numbers:
            with open(os.path.join(directory, "append.%d.raw" % number), "w"):
                pass
        return directory

    def all_files(self, directory):
        return sorted(set(os.listdir(directory)) - {"MANIFEST"},
                      key=lambda name: int(name.split(".")[1]))

    def check_completed(self, server, directory):
        """All 8 are used, also after a restart."""
        offsets = {}
        for _ in range(2):
            with server.client() as client:
                for number in range(60):
                    id = "id %d" % number
                    offsets.setdefault(id, []).append(client.append(id, id.encode(), "p"))
                for id, some in offsets.items():
                    for offset in some:
                        self.assertEqual(id.encode(), client.get(id, offset, "p"))
            server.kill()
            server.start()
        self.assertEqual(["append.%d.raw" % n for n in range(8)], self.all_files(directory))
        with open(os.path.join(directory, "MANIFEST")) as file:
            self.assertEqual(records.manifest(8), file.read())
        self.assertTrue(all(records.decode_prefix(server.root, "p").values()), "an unused bucket")

    def test_creation_cut_short_is_completed(self):
        for there in ([7], [6, 7], [3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7],
                      [0, 2, 7], [0, 7], [0, 1, 2, 3, 4, 5, 6, 7]):  # a power cut loses any of them
            with self.subTest(there), harness.Server("-buckets", "3") as server:
                directory = self.make(server, "p", there)
                with server.client() as client:
                    client.append("a", b"x", "p")
                self.assertEqual(["append.%d.raw" % n for n in range(8)],
                                 self.all_files(directory))
                self.check_completed(server, directory)

    def test_a_read_before_the_append_does_not_keep_it_from_being_completed(self):
        with harness.Server("-buckets", "3") as server:
            directory = self.make(server, "p", [6, 7])
            with server.client() as client:
                for number in range(20):
                    status, _, _ = client.request("GET", "/get", id="id %d" % number, offset=0,
                                                  storagePrefix="p")
                    self.assertEqual(404, status)
                self.assertEqual({"append.6.raw", "append.7.raw"}, set(os.listdir(directory)))
                # belongs to bucket 3 of 8; that file alone would leave a gap
                self.assertEqual(0, client.append("rochefort", b"x", "p"))
            server.kill()
            server.start()
            with server.client() as client:
                self.assertEqual(b"x", client.get("rochefort", 0, "p"))
            self.check_completed(server, directory)

    def test_gap(self):
        """A file that was made is missing: nothing is written or created."""
        with harness.Server("-buckets", "3") as server, server.client() as client:
            for prefix, numbers, missing in (("p", [0, 2], 1), ("q", [0, 1, 3], 2),
                                             ("r", [5, 7], 0), ("s", [0, 1], 2)):
                directory = self.make(server, prefix, numbers)
                records.write_manifest(server.root, prefix, {"s": 3}.get(prefix, numbers[-1] + 1))
                before = self.all_files(directory)
                for method, path, body in (("POST", "/append", b"x"), ("GET", "/get", None),
                                           ("POST", "/getMulti", struct.pack("<Q", 0))):
                    status, headers, text = client.request(method, path, body, id="a", offset=0,
                                                           storagePrefix=prefix)
                    self.assertEqual((500, "text/plain"), (status, headers["Content-Type"]))
                    self.assertRegex(text, rb"\Abucket files are missing[ -~]*: [ -~]+\n\Z")
                    self.assertIn(b": %s/append.%d.raw;" % (directory.encode(), missing), text)
                    self.assertIn(b"rochefort adopt -missing %s\n" % directory.encode(), text)
                self.assertEqual(before, self.all_files(directory))
            # the missing file is restored, without a restart
            open(os.path.join(server.root, "p", "append.1.raw"), "w").close()
            self.assertEqual(0, client.append("a", b"x", "p"))

    def test_other_files_do_not_count(self):
        with harness.Server("-buckets", "3") as server, server.client() as client:
            directory = self.make(server, "p", [0, 1])
            for name in ("append.07.raw", "append.9.raw.bak", "append..raw", "append.-3.raw",
                         "append.x.raw", "notes", "append.5.RAW", "xappend.6.raw"):
                open(os.path.join(directory, name), "w").close()
            for number in range(30):
                client.append("id %d" % number, b"x", "p")
            made = {name for name in records.bucket_files(directory)
                    if os.path.getsize(os.path.join(directory, name)) > 0}
            self.assertEqual({"append.0.raw", "append.1.raw"}, made)


if __name__ == "__main__":
    unittest.main()
