"""Directories as the Go original of 2018-02-10 leaves them, written without the server's code.

An id's file is the 32-bit FNV-1a of the id modulo the number of files; the files are made from 0
up; directories are 0700 and files 0600. A value may be empty, and an id too.
"""
import os
import random

import records


def fnv1a(id):
    hash = 2166136261
    for byte in id.encode():
        hash = ((hash ^ byte) * 16777619) & 0xffffffff
    return hash


class Prefix:
    """One storagePrefix of the original."""

    def __init__(self, root, name, buckets):
        self.directory = os.path.join(root, name)
        self.name = name
        self.buckets = buckets
        self.time_ns = records.TIME_NS
        os.makedirs(self.directory, mode=0o700)
        for bucket in range(buckets):
            os.close(os.open(self.path(bucket), os.O_CREAT | os.O_RDWR, 0o600))

    def path(self, bucket):
        return os.path.join(self.directory, "append.%d.raw" % bucket)

    def append(self, id, value):
        """The offset."""
        self.time_ns += 1
        with open(self.path(fnv1a(id) % self.buckets), "ab") as file:
            offset = file.tell()
            file.write(records.encode(value, self.time_ns))
        return offset

    def get(self, id, offset):
        """The value, or None."""
        with open(self.path(fnv1a(id) % self.buckets), "rb") as file:
            file.seek(offset)
            head = file.read(records.HEADER_BYTES)
            if len(head) < records.HEADER_BYTES:
                return None
            length, time_ns, _ = records.HEADER.unpack(head)
            return file.read(length) if head == records.header(length, time_ns) else None


def ids(seed=0):
    """Of all kinds."""
    chance = random.Random(seed)
    fixed = ["a", "some_identifier", "id with spaces", "ümläut", "naïve/päth?x=1&y=2", "😀", "👩‍👩‍👧",
             "100%", "%41", "a+b", "日本語", "\t\n", "x" * 3000, "é" * 900, "'\"\\", "..", "0", "\x7f"]
    return fixed + ["user-%d" % chance.randrange(10 ** 9) for _ in range(180)]


def fill(prefix, seed=0, rounds=3):
    """Appends values for all ids. {id: [(offset, value)]}; every tenth value is empty."""
    chance = random.Random(seed)
    stored = {}
    for _ in range(rounds):
        for id in ids(seed):
            value = b"" if chance.randrange(10) == 0 else (
                id.encode()[:50] + b":" + chance.randbytes(chance.choice((1, 20, 200, 3000))))
            stored.setdefault(id, []).append((prefix.append(id, value), value))
    return stored
