"""Two storagePrefixes that are one directory: the second gets 500 as long as the first is open.

On a file system that does not tell upper from lower case (a preloaded library makes one), and with
a bind mount in a namespace of the server's own.
"""
import json
import os
import random
import shutil
import threading
import unittest

import harness
import records
import suite
from capabilities import mount_namespace, needs_mounts

FOLD_CASE = os.environ["FOLD_CASE"]
THREADS = 16
APPENDS = 60  # of each thread


class OneDirectory:
    """The tests of both ways. self.names lead to one directory."""

    def setUp(self):
        self.server = self.enterContext(self.start())
        self.client = self.enterContext(self.server.client())
        self.directory = os.path.join(self.server.root, self.names[0])

    def requests(self, prefix, client=None):
        for method, path, body in (("POST", "/append", b"refused"), ("GET", "/get", None),
                                   ("POST", "/getMulti", bytes(8))):
            yield (client or self.client).request(method, path, body, id="x", offset=0,
                                                  storagePrefix=prefix)

    def check_refused(self, prefix, other):
        want = b"its directory is open as that of storagePrefix %s: %s; use that name\n" % (
            other.encode(), os.path.join(self.server.root, prefix).encode())
        for status, headers, text in self.requests(prefix):
            self.assertEqual((500, "text/plain", want), (status, headers["Content-Type"], text))

    def stored(self):
        """All values, by file and offset."""
        return {(name, offset): value
                for name in os.listdir(self.directory) if name.endswith(".raw")
                for offset, value in
                records.values(os.path.join(self.directory, name)).items()}

    def test_the_second_name_is_refused_until_the_first_is_closed(self):
        first, second = self.names
        for round_number in range(3):
            offset = self.client.append("x", b"by the first", first)
            self.check_refused(second, first)
            self.client.close(second)  # it has nothing to close
            self.check_refused(second, first)
            self.assertEqual(b"by the first", self.client.get("x", offset, first))
            self.client.close(first)
            self.assertEqual(b"by the first", self.client.get("x", offset, second))
            self.check_refused(first, second)
            offset = self.client.append("x", b"by the second", second)
            self.check_refused(first, second)
            self.client.close(second)
            self.assertEqual(b"by the second", self.client.get("x", offset, first))
            self.client.close(first)
        self.assertEqual(6, len(self.stored()))

    def test_a_read_opens_it_too(self):
        first, second = self.names
        self.client.append("x", b"value", first)
        self.client.close(first)
        self.assertEqual(b"value", self.client.get("x", 0, second))
        self.check_refused(first, second)

    def test_other_prefixes_are_not_concerned(self):
        self.client.append("x", b"value", self.names[0])
        for name in ("q", "r", "other"):
            self.assertEqual(0, self.client.append("x", b"value", name))
        self.assertEqual(500, self.client.request("POST", "/append", b"v", id="x",
                                                  storagePrefix=self.names[1])[0])

    def append_by_both_names(self, number, answered, wrong):
        choice = random.Random(number)
        with self.server.client() as client:
            for count in range(APPENDS):
                value = b"%d %d " % (number, count) + b"v" * choice.randrange(300)
                name = choice.choice(self.names)
                status, _, body = client.request("POST", "/append", value, id="id %d" % count,
                                                 storagePrefix=name)
                if status == 200:
                    reply = json.loads(body)
                    answered.append((os.path.basename(reply["file"]), reply["offset"], value))
                elif status != 500 or b"directory is open" not in body:
                    wrong.append((status, body))
                if choice.randrange(8) == 0:
                    client.close(choice.choice(self.names))

    def test_whatever_is_answered_reads_back(self):
        """Both names are used at once, and closed at any time."""
        answered, wrong = [], []
        self.client.append("x", b"first", self.names[0])  # so the directory has this name
        self.client.close(self.names[0])
        threads = [threading.Thread(target=self.append_by_both_names,
                                    args=(number, answered, wrong)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], wrong)
        self.assertGreater(len(answered), THREADS)
        stored = self.stored()
        for name, offset, value in answered:
            self.assertEqual(value, stored[name, offset])
        self.assertEqual(len(stored), len(answered) + 1)


class FoldedCase(OneDirectory, unittest.TestCase):
    names = ("prefix", "PREfix")

    def start(self):
        return harness.Server("-buckets", "4", preload=[FOLD_CASE])

    def test_a_directory_made_anew_by_the_second_name_is_not_the_firsts(self):
        """The first was deleted without a close, and made anew under the other name."""
        first, second = self.names
        for number in range(20):
            self.client.append("id %d" % number, b"before", first)
        shutil.rmtree(self.directory)
        offsets = [self.client.append("id %d" % number, b"second", second) for number in range(20)]
        self.directory = os.path.join(self.server.root, second)
        for number in range(20):
            status, _, text = self.client.request("POST", "/append", b"first", id="id %d" % number,
                                                  storagePrefix=first)
            self.assertEqual(500, status)
            self.assertRegex(text, rb"\Aits directory is open under the name of another "
                             rb"storagePrefix: [ -~]+\n\Z")
        self.assertEqual([b"second"] * 20, list(self.stored().values()))
        for number, offset in enumerate(offsets):
            self.assertEqual(b"second", self.client.get("id %d" % number, offset, second))
        self.client.close(second)
        self.client.append("x", b"first", first)

    def test_both_at_once(self):
        """Of two first requests one opens the prefix and the other is refused."""
        for number in range(30):
            names = ["new%d" % number, "NEW%d" % number]
            socks = [self.server.send("POST", "/append?id=x&storagePrefix=" + name, b"v")
                     for name in names]
            statuses = sorted(harness.receive_reply(sock)[0] for sock in socks)
            for sock in socks:
                sock.close()
            self.assertEqual([200, 500], statuses)


class BindMounted(harness.Server):
    """Its prefix q is the directory of p."""

    def start(self):
        paths = [os.path.join(self.root, name) for name in "pq"]
        for path in paths:
            os.makedirs(path)
        mount = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        self.under = [*mount_namespace(), "sh", "-c", mount, "sh", *paths]
        super().start()


@needs_mounts
class BindMount(OneDirectory, unittest.TestCase):
    names = ("p", "q")

    def start(self):
        return BindMounted("-buckets", "4")

    def test_other_prefixes_are_not_concerned(self):
        self.client.append("x", b"value", "p")
        self.assertEqual(0, self.client.append("x", b"value", "r"))


class Deleted(unittest.TestCase):
    """A prefix that was deleted or moved without a close is in nobody's way."""

    def test_other_prefixes_may_be_made(self):
        with harness.Server("-buckets", "2") as server, server.client() as client:
            for number in range(50):
                self.assertEqual(0, client.append("x", b"value", "p%d" % number))
                shutil.rmtree(os.path.join(server.root, "p%d" % number))
            for number in range(50):
                self.assertEqual(0, client.append("x", b"anew", "p%d" % number))
                self.assertEqual(b"anew", client.get("x", 0, "p%d" % number))

    def test_it_may_be_moved_to_another_name(self):
        with harness.Server("-buckets", "2") as server, server.client() as client:
            for number in range(10):
                client.append("x", b"value", "p%d" % number)
                os.rename(os.path.join(server.root, "p%d" % number),
                          os.path.join(server.root, "p%d" % (number + 1)))
                self.assertEqual(b"value", client.get("x", 0, "p%d" % (number + 1)))


if __name__ == "__main__":
    suite.main()
