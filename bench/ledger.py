"""What was appended where, kept by the harness: what each offset must hold.

Every reply to an append is entered; every read is compared with what is written here, and at the
end so are the files themselves, read without the server's code.
"""
import json
import os
import struct

import records
from wire import Failure, Request, expect

JSON_TYPE, VALUE_TYPE = "application/json", "application/octet-stream"


def target(path, **parameters):
    """A request's target; the ids and prefixes of the harness need no escaping."""
    pairs = ["%s=%s" % (key, value) for key, value in parameters.items() if value is not None]
    return path + ("?" + "&".join(pairs) if pairs else "")


def append(id, value, prefix=None):
    return Request("POST", target("/append", id=id, storagePrefix=prefix), value)


def get(id, offset, prefix=None):
    return Request("GET", target("/get", id=id, offset=offset, storagePrefix=prefix))


def get_multi(id, offsets, prefix=None):
    body = struct.pack("<%dQ" % len(offsets), *offsets)
    return Request("POST", target("/getMulti", id=id, storagePrefix=prefix), body)


def close(prefix):
    return Request("GET", target("/close", storagePrefix=prefix))


class Ledger:
    def __init__(self, root=None):
        self.root = root  # None: the server is not ours, its files cannot be seen
        self.files = {}  # path: {offset: value}
        self.places = {}  # (prefix, id): path
        self.entries = []  # (prefix, id, offset, value), as they were answered
        self.last = {}  # (prefix, id): the highest offset answered on one connection
        self.bytes = 0  # of values and replies compared

    def appended(self, request, reply, prefix, id, value, single_writer=False):
        """Checks the reply to an append, enters it, answers the offset."""
        expect(reply.status == 200, request, reply, "an append must be answered with 200")
        expect(reply.headers.get("content-type") == JSON_TYPE, request, reply, "the type is wrong")
        try:
            answer = json.loads(reply.body)
            offset, path = answer["offset"], answer["file"]
        except (ValueError, KeyError, TypeError):
            expect(False, request, reply, "this is not an append's reply")
        exact = ('{"offset":%d,"file":%s}' % (offset, json.dumps(path))).encode()
        expect(reply.body == exact, request, reply, "expected exactly %r" % exact)
        if self.root is not None:
            directory = os.path.join(self.root, prefix or "default")
            expect(os.path.dirname(path) == directory, request, reply, "the directory is wrong")
        expect(self.places.setdefault((prefix, id), path) == path, request, reply,
               "the id was in %s before" % self.places.get((prefix, id)))
        if single_writer:
            expect(offset > self.last.get((prefix, id), -1), request, reply,
                   "offsets of one id must rise")
            self.last[prefix, id] = offset
        held = self.files.setdefault(path, {})
        expect(offset not in held, request, reply, "this offset was given out twice")
        held[offset] = value
        self.entries.append((prefix, id, offset, value))
        self.bytes += len(reply.body)
        return offset

    def got(self, request, reply, value):
        """Checks the reply to a get."""
        expect(reply.status == 200, request, reply, "a get must be answered with 200")
        expect(reply.headers.get("content-type") == VALUE_TYPE, request, reply, "the type is wrong")
        if reply.body != value:
            at = next((i for i, (a, b) in enumerate(zip(reply.body, value)) if a != b),
                      min(len(reply.body), len(value)))
            expect(False, request, reply, "byte %d is not what was appended (%d bytes, %r from "
                   "there on)" % (at, len(value), value[at:at + 32]))
        self.bytes += len(value)

    def got_multi(self, request, reply, values):
        """Checks the reply to a getMulti."""
        self.got(request, reply, b"".join(struct.pack("<I", len(v)) + v for v in values))

    def check_tiles(self):
        """All offsets that were given out follow each other without a gap, from 0 on."""
        for path, held in self.files.items():
            end = 0
            for offset in sorted(held):
                if offset != end:
                    raise Failure("%s: a record at %d, expected one at %d" % (path, offset, end))
                end = offset + records.HEADER.size + len(held[offset])

    def check_files(self):
        """The files hold what was answered, and nothing else."""
        self.check_tiles()
        if self.root is None:
            return
        for path, held in self.files.items():
            if dict(records.walk(path)) != held:
                raise Failure("%s: the file does not hold what was appended" % path)
