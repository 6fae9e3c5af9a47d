"""Files that are laid out as the Go original does: refused before adopt, and all right after it."""
import json
import os
import struct
import subprocess
import unittest

import harness
import original
import records

BUCKETS = (1, 8, 10, 128)


def adopt(*arguments):
    """Runs it; the status, and what it printed."""
    done = subprocess.run([harness.BINARY, "adopt", *arguments], capture_output=True, text=True,
                          timeout=harness.TIMEOUT_SECONDS, check=False)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


class Original(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "16"))
        self.server.stop()
        self.prefixes = [original.Prefix(self.server.root, name, buckets) for name, buckets in
                         [("default", 128)] + [("p%d" % n, n) for n in BUCKETS]]
        self.stored = {prefix.name: original.fill(prefix, seed)
                       for seed, prefix in enumerate(self.prefixes)}

    def requests(self, prefix):
        """One of each kind."""
        offsets = struct.pack("<Q", 0)
        return (("POST", "/append", b"new"), ("GET", "/get", None), ("HEAD", "/get", None),
                ("POST", "/getMulti", offsets), ("POST", "/getMulti", b""))

    def test_before_adopt_every_request_is_refused_and_nothing_changes(self):
        before = {prefix.name: sorted(os.listdir(prefix.directory)) for prefix in self.prefixes}
        self.server.start()
        with self.server.client() as client:
            for prefix in self.prefixes:
                for method, path, body in self.requests(prefix):
                    for id in ("a", "ümläut"):
                        status, _, text = client.request(method, path, body, id=id, offset=0,
                                                         storagePrefix=prefix.name)
                        self.assertEqual(500, status, text)
                        if method != "HEAD":
                            self.assertEqual(
                                "there is no MANIFEST, so it is not known which file an id is in: "
                                "%s; stop the server and run: rochefort adopt -hash xxh3|fnv1a %s\n"
                                % (prefix.directory, prefix.directory), text.decode())
                client.close(prefix.name)
        for prefix in self.prefixes:
            self.assertEqual(before[prefix.name], sorted(os.listdir(prefix.directory)))
            for id, stored in self.stored[prefix.name].items():
                for offset, value in stored:
                    self.assertEqual(value, prefix.get(id, offset))

    def check_all(self, client, prefix):
        """Each value, one by one and together, and empty ones as they are told."""
        empty = 0
        for id, stored in self.stored[prefix.name].items():
            for offset, value in stored:
                status, headers, body = client.request("GET", "/get", id=id, offset=offset,
                                                       storagePrefix=prefix.name)
                self.assertEqual((200, value), (status, body), (prefix.name, id, offset))
                status, headers, _ = client.request("HEAD", "/get", id=id, offset=offset,
                                                    storagePrefix=prefix.name)
                self.assertEqual((200, str(len(value))), (status, headers["Content-Length"]))
            offsets = [offset for offset, _ in stored]
            values, error = harness.split_multi(client.get_multi(id, offsets, prefix.name))
            wanted = [value for _, value in stored]
            if b"" in wanted:
                empty += 1
                number = wanted.index(b"")
                self.assertEqual(wanted[:number], values)
                self.assertEqual("the record at offset %d is empty: %s\n" % (
                    offsets[number], prefix.path(original.fnv1a(id) % prefix.buckets)),
                    error + "\n" if error else error)
            else:
                self.assertEqual((wanted, None), (values, error))
            full = [offset for offset, value in stored if value]
            values, error = harness.split_multi(client.get_multi(id, full, prefix.name))
            self.assertEqual(([value for value in wanted if value], None), (values, error))
        self.assertGreater(empty, 10)

    def check_appends(self, client, prefix):
        """They go on in the same files, and the original's rule finds them."""
        for number, id in enumerate(original.ids(1)):
            value = b"new %d" % number
            status, _, body = client.request("POST", "/append", value, id=id,
                                             storagePrefix=prefix.name)
            self.assertEqual(200, status, body)
            reply = json.loads(body)
            self.assertEqual(prefix.path(original.fnv1a(id) % prefix.buckets), reply["file"])
            self.assertEqual(value, prefix.get(id, reply["offset"]))
            self.assertEqual(value, client.get(id, reply["offset"], prefix.name))
            self.stored[prefix.name].setdefault(id, []).append((reply["offset"], value))
        status, _, _ = client.request("POST", "/append", b"", id="a", storagePrefix=prefix.name)
        self.assertEqual(400, status)

    def test_after_adopt_every_value_is_right(self):
        status, printed = adopt("-hash", "fnv1a", self.server.root)
        self.assertEqual(0, status, printed)
        for prefix in self.prefixes:
            self.assertIn("%s: adopted: %d buckets, hash fnv1a, %d records, " % (
                prefix.directory, prefix.buckets,
                sum(map(len, self.stored[prefix.name].values()))), printed)
        for _ in range(2):  # with another -buckets, and again after a kill
            self.server.start()
            with self.server.client() as client:
                for prefix in self.prefixes:
                    self.check_all(client, prefix)
                    self.check_appends(client, prefix)
            self.server.kill()
        for prefix in self.prefixes:
            self.assertEqual(prefix.buckets, len(records.bucket_files(prefix.directory)))
            for id, stored in self.stored[prefix.name].items():
                for offset, value in stored:
                    self.assertEqual(value, prefix.get(id, offset))
        status = subprocess.run([harness.BINARY, "verify", self.server.root],
                                capture_output=True, check=False).returncode
        self.assertEqual(0, status)

    def test_one_prefix_is_adopted_alone(self):
        status, printed = adopt("--hash=fnv1a", self.prefixes[1].directory)
        self.assertEqual(0, status, printed)
        self.server.start()
        with self.server.client() as client:
            self.check_all(client, self.prefixes[1])
            for prefix in self.prefixes[2:]:
                status, _, _ = client.request("GET", "/get", id="a", offset=0,
                                              storagePrefix=prefix.name)
                self.assertEqual(500, status)


class OurOwn(unittest.TestCase):
    """The other way round: what this server wrote, adopted as what it is."""

    def test_adopted_as_xxh3(self):
        with harness.Server("-buckets", "8") as server:
            with server.client() as client:
                stored = {id: client.append(id, id.encode(), "p") for id in original.ids()}
            server.kill()
            directory = os.path.join(server.root, "p")
            before = records.decode_prefix(server.root, "p")
            os.unlink(os.path.join(directory, "MANIFEST"))
            server.start()
            with server.client() as client:
                status, _, text = client.request("GET", "/get", id="a", offset=0,
                                                 storagePrefix="p")
                self.assertEqual((500, True), (status, b"rochefort adopt -hash" in text))
            server.kill()
            status, printed = adopt("-hash", "xxh3", directory)
            self.assertEqual(0, status, printed)
            with open(os.path.join(directory, "MANIFEST")) as file:
                self.assertEqual(records.manifest(8), file.read())
            server.start()
            with server.client() as client:
                for id, offset in stored.items():
                    self.assertEqual(id.encode(), client.get(id, offset, "p"))
                    client.append(id, id.encode(), "p")
            after = records.decode_prefix(server.root, "p")
            for name, found in before.items():
                self.assertEqual(2 * [value for _, value in found.values()],
                                 [value for _, value in after[name].values()])


if __name__ == "__main__":
    unittest.main()
