"""A record of every append: which offset of which file holds which value.

Replies to appends are entered; replies to reads are compared with the entries, and at the end so
are the files, read without the server's code. A difference is a Failure that shows the request.
"""
import json
import os
import struct

import records
from conversation import expect
from process import Failure

JSON_TYPE, VALUE_TYPE = "application/json", "application/octet-stream"


class Ledger:
    def __init__(self, root):
        self.root = root
        self.files = {}  # path: {offset: value}
        self.places = {}  # (prefix, id): path
        self.entries = []  # (prefix, id, offset, value), in the order of the replies
        self.last = {}  # (prefix, id): the highest offset answered on one connection
        self.bytes = 0  # of values and replies compared

    def appended(self, request, reply, prefix, id, value, single_writer=False):
        """Checks the reply to an append, enters it, returns the offset."""
        expect(reply.status == 200, request, reply, "an append must be answered with 200")
        self.check_type(request, reply, JSON_TYPE)
        try:
            answer = json.loads(reply.body)
            offset, path = answer["offset"], answer["file"]
        except (ValueError, KeyError, TypeError):
            expect(False, request, reply, "this is not an append's reply")
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

    def appended_multi(self, request, reply, prefix, id, values):
        """The same for an appendMulti, to an id that was appended to before: the offsets."""
        expect(reply.status == 200, request, reply, "an appendMulti must be answered with 200")
        self.check_type(request, reply, VALUE_TYPE)
        expect(len(reply.body) == 8 * len(values), request, reply,
               "%d values, and another number of offsets" % len(values))
        offsets = struct.unpack("<%dQ" % len(values), reply.body)
        held, next_offset = self.files[self.places[prefix, id]], offsets[0]
        for offset, value in zip(offsets, values):
            expect(offset == next_offset, request, reply, "the values do not follow each other")
            expect(offset not in held, request, reply, "this offset was given out twice")
            held[offset] = value
            self.entries.append((prefix, id, offset, value))
            next_offset = offset + records.HEADER_BYTES + len(value)
        self.bytes += len(reply.body)
        return offsets

    def check_type(self, request, reply, wanted):
        expect(reply.headers.get("content-type") == wanted, request, reply,
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
        """The files hold exactly the entries, record after record from 0 on."""
        for path, held in self.files.items():
            if {offset: value for offset, _, value in records.walk(path)} != held:
                raise Failure("%s: the file does not hold what was appended" % path)
