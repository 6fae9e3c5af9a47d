"""Tests of synced appends: one value, one bucket, a disk whose calls can be held or fail."""
import json
import unittest

import faults
import records

VALUE = b"value"
NAMES = 5  # of the file, MANIFEST, in the prefix's directory, in the root; and the root's own, as it is new
RECORD_BYTES = records.HEADER_BYTES + len(VALUE)
REFUSED = rb"\Aan earlier sync of this file failed; [ -~]+: [ -~]+/append\.0\.raw\n\Z"


def target(sync=None, prefix=None, id="x"):
    return "/append?id=%s%s%s" % (id, "" if sync is None else "&sync=%d" % sync,
                                  "" if prefix is None else "&storagePrefix=" + prefix)


class TestCase(unittest.TestCase):
    def start(self, *flags, **options):
        flags = ("-buckets", "1", "-workers", "1") + flags
        return self.enterContext(faults.Server(*flags, hold=True, **options))

    def client(self, server):
        return self.enterContext(server.client())

    def append(self, client, sync=None, prefix=None):
        """The status and the offset or, for an error, the text."""
        status, _, body = client.request("POST", target(sync, prefix), VALUE)
        return status, json.loads(body)["offset"] if status == 200 else body

    def send(self, server, *arguments):
        return self.enterContext(server.send("POST", target(*arguments), VALUE))

    def wait_until_all_are_read(self, server):
        """Clients are accepted and served in order: when a new client gets its reply, the requests
        of the clients before it have been read. An older connection would not show that."""
        with server.client() as client:
            self.assertEqual(404, client.request("GET", "/none")[0])

    def check_file(self, server, offsets, prefix="default"):
        """There are records at these offsets, and nothing else is in the file."""
        self.assertEqual({offset: VALUE for offset in offsets},
                         records.values(server.bucket(prefix)))
