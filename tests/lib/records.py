"""The storage format, written and read without the server's code.

A record is a header of 16 bytes, little-endian, and the value:
    value length u32, time in ns since 1970 u64, crc32 of these 12 bytes u32
Records follow each other with no gap.
"""
import functools
import mmap
import os
import struct
import zlib

from process import Failure

HEADER = struct.Struct("<IQI")
HEADER_BYTES = HEADER.size
TIME_NS = 1518264381000000000


@functools.lru_cache
def header(value_bytes, time_ns):
    head = struct.pack("<IQ", value_bytes, time_ns)
    return head + struct.pack("<I", zlib.crc32(head))


def encode(value, time_ns=TIME_NS):
    return header(len(value), time_ns) + value


def walk(path, offset=0):
    """(offset, time_ns, value) of each record from there on; fails unless they tile the file."""
    size = os.path.getsize(path)
    if size == 0:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        while offset < size:
            begin = offset + HEADER_BYTES
            if begin > size:
                raise Failure("%s: the header at %d is cut short" % (path, offset))
            length, time_ns, crc = HEADER.unpack_from(data, offset)
            if crc != zlib.crc32(data[offset:offset + 12]) or length == 0:
                raise Failure("%s: no record at %d" % (path, offset))
            if begin + length > size:
                raise Failure("%s: the record at %d is cut short" % (path, offset))
            yield offset, time_ns, data[begin:begin + length]
            offset = begin + length


def decode_file(path):
    """All records as {offset: (time_ns, value)}; fails unless they tile the file exactly."""
    return {offset: (time_ns, value) for offset, time_ns, value in walk(path)}


def values(path):
    """The same without the times: {offset: value}."""
    return {offset: value for offset, (_, value) in decode_file(path).items()}


def bucket_files(directory):
    """The names in a prefix's directory but for MANIFEST, which must be there."""
    names = set(os.listdir(directory))
    if "MANIFEST" not in names:
        raise Failure("%s has no MANIFEST: %s" % (directory, sorted(names)))
    return names - {"MANIFEST"}


def decode_prefix(root, prefix):
    """{file name: records of that file}"""
    directory = os.path.join(root, prefix)
    return {name: decode_file(os.path.join(directory, name)) for name in bucket_files(directory)}


def manifest(buckets, hash="xxh3"):
    return "rochefort 1\nbuckets %d\nhash %s\n" % (buckets, hash)


def write_manifest(root, prefix, buckets, hash="xxh3"):
    with open(os.path.join(root, prefix, "MANIFEST"), "w") as file:
        file.write(manifest(buckets, hash))


def write_bucket(root, prefix, values, index=0, hole_bytes=0, buckets=1):
    """
    Makes a bucket file of these values, and a MANIFEST unless `buckets` is 0. Returns their
    offsets. With hole_bytes the file begins with a hole, which takes no room on the disk.
    """
    directory = os.path.join(root, prefix)
    os.makedirs(directory, exist_ok=True)
    offsets, offset = [], hole_bytes
    with open(os.path.join(directory, "append.%d.raw" % index), "wb") as file:
        file.truncate(hole_bytes)
        file.seek(hole_bytes)
        for value in values:
            offsets.append(offset)
            offset += file.write(encode(value))
    if buckets:
        write_manifest(root, prefix, buckets)
    return offsets


def count_known(directory, values, begin=0):
    """How many records a prefix holds from `begin` on; fails if a value is not in `values`."""
    count = 0
    for name in sorted(bucket_files(directory)):
        path = os.path.join(directory, name)
        for offset, _, value in walk(path, begin):
            if value not in values:
                raise Failure("%s: the value at %d was never sent" % (path, offset))
            count += 1
    return count
