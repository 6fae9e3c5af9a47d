"""One row of the table of hostile requests: the bytes, what the server must do, and why.

The bytes hold two names that the test replaces, so that each connection uses
names of its own: R0000 is the prefix, id and value of what the row appends,
S0000 the prefix that holds the value STORED.
"""
import os
import typing

VALUE = b"R0000"
STORED = b"stored for S0000"


class Row(typing.NamedTuple):
    name: str
    raw: bytes
    why: str
    replies: tuple = ()  # (status, body or None for any) of each request that is served
    stored: tuple = ()  # the values that must be in the row's prefix afterwards
    refused: tuple = ()  # the statuses that the refusal after these may have
    closes: bool = False  # the last reply says so, and what follows is not served
    head: bool = False  # HEAD requests: the replies have the length of the value, and no body
    decisive: bool = True  # False: only what follows shows that it cannot become a request


def refused(name, status, raw, why, decisive=True, replies=()):
    """Refused after these replies, and the connection closed. `status` is one, or a tuple of those
    permitted."""
    statuses = status if isinstance(status, tuple) else (status,)
    return Row(name, raw, why, replies=replies, refused=statuses, decisive=decisive)


def served(name, raw, why, *replies, stored=(), closes=False):
    """Served as a normal request."""
    return Row(name, raw, why, replies=replies, stored=stored, closes=closes)


def headed(name, raw, why, closes=False):
    """A HEAD of what is stored."""
    return Row(name, raw, why, replies=((200, b""),), closes=closes, head=True)


def appended(name, raw, why, value=VALUE):
    """An append that must succeed although its form is unusual."""
    return served(name, raw, why, (200, None), stored=(value,))


def lines(*parts):
    return b"\r\n".join(parts) + b"\r\n\r\n"


def post(*headers, body=VALUE, version=b"HTTP/1.1", host=b"Host: x"):
    return lines(b"POST /append?id=R0000&storagePrefix=R0000 " + version, host, *headers) + body


def chunked(body, *headers):
    """An append whose body is written as it goes over the wire."""
    return post(b"Transfer-Encoding: chunked", *headers, body=body)


TARGET = b"/get?id=a&offset=0&storagePrefix=S0000"
GET_LINE = b"GET " + TARGET + b" HTTP/1.1"
READ = (200, STORED)

with open(os.path.join(os.environ["SOURCE_DIR"], "src/http/page.html"), "rb") as file:
    PAGE = (200, file.read())


def get(*headers, line=GET_LINE, host=b"Host: x"):
    return lines(line, host, *headers)
