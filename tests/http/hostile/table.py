"""All rows."""
from hostile import chunks, headers, lengths, other_protocols, start_lines

ROWS = lengths.ROWS + chunks.ROWS + headers.ROWS + start_lines.ROWS + other_protocols.ROWS


def numbered(raw, number):
    """Bytes of a row with names that no other connection uses."""
    return raw.replace(b"R0000", b"R%04d" % number).replace(b"S0000", b"S%04d" % number)
