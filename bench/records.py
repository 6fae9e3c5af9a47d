"""The storage format, read and written without the server's code.

A record is a header of 16 bytes, little-endian, and the value:
    value length u32, time in ns since 1970 u64, crc32 of these 12 bytes u32
Records follow each other with no gap.
"""
import mmap
import os
import struct
import zlib

from wire import Failure

HEADER = struct.Struct("<IQI")
TIME_NS = 1518264381000000000


def encode(value, time_ns=TIME_NS):
    head = struct.pack("<IQ", len(value), time_ns)
    return head + struct.pack("<I", zlib.crc32(head)) + value


def walk(path):
    """(offset, value) of each record; a Failure unless they tile the file exactly."""
    size = os.path.getsize(path)
    if size == 0:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        offset = 0
        while offset < size:
            begin = offset + HEADER.size
            if begin > size:
                raise Failure("%s: the header at %d is cut short" % (path, offset))
            length, _, total = HEADER.unpack_from(data, offset)
            if total != zlib.crc32(data[offset:offset + 12]) or length == 0:
                raise Failure("%s: no record at %d" % (path, offset))
            if begin + length > size:
                raise Failure("%s: the record at %d is cut short" % (path, offset))
            yield offset, data[begin:begin + length]
            offset = begin + length


def count_known(directory, values):
    """How many records a prefix holds; a Failure if one is none of these values."""
    known, count = set(values), 0
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        for offset, value in walk(path):
            if value not in known:
                raise Failure("%s: the value at %d was never sent" % (path, offset))
            count += 1
    return count


def write_bucket(root, prefix, index, values, hole_bytes=0):
    """
    Makes a bucket file of these values and answers their offsets. It begins with a hole, which
    takes no room on the disk and which no request ever names.
    """
    directory = os.path.join(root, prefix)
    os.makedirs(directory, exist_ok=True)
    offsets = []
    with open(os.path.join(directory, "append.%d.raw" % index), "wb") as file:
        file.truncate(hole_bytes)
        file.seek(hole_bytes)
        for value in values:
            offsets.append(file.tell())
            file.write(encode(value))
    return offsets
