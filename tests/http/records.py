"""The storage format, written and read without the server's code.

A record is a header of 16 bytes, little-endian, and the value:
    value length u32, time in ns since 1970 u64, crc32 of these 12 bytes u32
Records follow each other with no gap.
"""
import os
import struct
import zlib

HEADER_BYTES = 16


def encode(value, time_ns=1518264381000000000):
    head = struct.pack("<IQ", len(value), time_ns)
    return head + struct.pack("<I", zlib.crc32(head)) + value


def decode_file(path):
    """All records as {offset: (time_ns, value)}; fails unless they tile the file exactly."""
    with open(path, "rb") as file:
        data = file.read()
    records = {}
    offset = 0
    while offset < len(data):
        head = data[offset:offset + HEADER_BYTES]
        assert len(head) == HEADER_BYTES, "%s: %d: header cut short" % (path, offset)
        length, time_ns, crc = struct.unpack("<IQI", head)
        assert crc == zlib.crc32(head[:12]), "%s: %d: no header" % (path, offset)
        value = data[offset + HEADER_BYTES:offset + HEADER_BYTES + length]
        assert len(value) == length > 0, "%s: %d: value cut short" % (path, offset)
        records[offset] = (time_ns, value)
        offset += HEADER_BYTES + length
    return records


def decode_prefix(root, prefix):
    """{file name: records of that file}"""
    directory = os.path.join(root, prefix)
    return {name: decode_file(os.path.join(directory, name)) for name in os.listdir(directory)}


def write_bucket(root, prefix, values, index=0):
    """Makes a bucket file of these values and answers their offsets."""
    directory = os.path.join(root, prefix)
    os.makedirs(directory, exist_ok=True)
    offsets = []
    with open(os.path.join(directory, "append.%d.raw" % index), "wb") as file:
        for value in values:
            offsets.append(file.tell())
            file.write(encode(value))
    return offsets
