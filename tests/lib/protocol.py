"""The requests of the protocol. Ids and prefixes must not need percent-encoding."""
import struct

from conversation import Request


def target(path, **parameters):
    pairs = ["%s=%s" % (key, value) for key, value in parameters.items() if value is not None]
    return path + ("?" + "&".join(pairs) if pairs else "")


def join_multi(values):
    """The body of an appendMulti, and the reply of a getMulti."""
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def append(id, value, prefix=None):
    return Request("POST", target("/append", id=id, storagePrefix=prefix), value)


def append_multi(id, values, prefix=None):
    return Request("POST", target("/appendMulti", id=id, storagePrefix=prefix), join_multi(values))


def get(id, offset, prefix=None):
    return Request("GET", target("/get", id=id, offset=offset, storagePrefix=prefix))


def get_multi(id, offsets, prefix=None):
    body = struct.pack("<%dQ" % len(offsets), *offsets)
    return Request("POST", target("/getMulti", id=id, storagePrefix=prefix), body)


def split_each(reply):
    """The entries of a getMulti with errors=each: values, and (status, text) of errors."""
    entries, at = [], 0
    while at < len(reply):
        length, = struct.unpack_from("<I", reply, at)
        at += 4
        status = None
        if length == 0:
            status, length = struct.unpack_from("<HH", reply, at)
            at += 4
        content = reply[at:at + length]
        assert len(content) == length, "an entry is cut short"
        entries.append(content if status is None else (status, content))
        at += length
    return entries


def close(prefix):
    return Request("GET", target("/close", storagePrefix=prefix))
