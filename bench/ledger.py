"""What was appended where, kept by the harness: what each offset must hold.

Every reply to an append is entered; every read is compared with what is written here, and at the
end so are the files themselves, read without the server's code.
"""
import json
import os
import struct

import records
from process import Failure
from wire import Request, expect

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
        self.check_type(request, reply, JSON_TYPE)
        try:
            answer = json.loads(reply.body)
            offset, path = answer["offset"], answer["file"]
        except (ValueError, KeyError, TypeError):
            expect(False, request, reply, "this is not an append's reply")
        if self.root is not None:
            exact = ('{"offset":%d,"file":%s}' % (offset, json.dumps(path))).encode()
            expect(reply.body == exact, request, reply, "expected exactly %r" % exact)
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

    def check_type(self, request, reply, wanted):
        """Ours says what it sends; others may call it something else."""
        expect(self.root is None or reply.headers.get("content-type") == wanted, request, reply,
               "the type is not " + wanted)

    def got(self, request, reply, value):
        """Checks the reply to a get."""
        expect(reply.status == 200, request, reply, "a get must be answered with 200")
        self.check_type(request, reply, VALUE_TYPE)
        if reply.body != value:
            at = next((i for i, (a, b) in enumerate(zip(reply.body, value)) if a != b),
                      min(len(reply.body), len(value)))
            expect(False, request, reply, "byte %d is not what was appended (%d bytes, %r from "
                   "there on)" % (at, len(value), value[at:at + 32]))
        self.bytes += len(value)

    def got_multi(self, request, reply, values):
        """Checks the reply to a getMulti."""
        self.got(request, reply, b"".join(struct.pack("<I", len(v)) + v for v in values))

    def check_files(self):
        """The files hold what was answered, record behind record from 0 on, and nothing else."""
        if self.root is None:
            return
        for path, held in self.files.items():
            if {offset: value for offset, _, value in records.walk(path)} != held:
                raise Failure("%s: the file does not hold what was appended" % path)


def count_known(directory, values, begin=0):
    """How many records a prefix holds from `begin` on; fails if one is none of these values."""
    count = 0
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        for offset, _, value in records.walk(path, begin):
            if value not in values:
                raise Failure("%s: the value at %d was never sent" % (path, offset))
            count += 1
    return count
