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


def close(prefix):
    return Request("GET", target("/close", storagePrefix=prefix))
