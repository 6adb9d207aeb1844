"""A request as it was framed, and a reply as it is written."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from time import monotonic, time
from typing import Final, Self

import msgspec
from msgspec.structs import replace

REASONS: Final = {
    200: b"OK", 202: b"Accepted", 204: b"No Content", 400: b"Bad Request", 401: b"Unauthorized",
    403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed", 406: b"Not Acceptable",
    408: b"Request Timeout", 409: b"Conflict", 410: b"Gone", 415: b"Unsupported Media Type",
    417: b"Expectation Failed", 422: b"Unprocessable Content", 429: b"Too Many Requests",
    431: b"Request Header Fields Too Large", 500: b"Internal Server Error", 502: b"Bad Gateway",
    503: b"Service Unavailable", 508: b"Loop Detected",
}  # fmt: skip
_THEIRS: Final = -32600
_OURS: Final = -32603
# These do not mean that anything was wrong with the request.
_BUSY: Final = frozenset({429, 500, 503})
_MOST_DIGITS: Final = 7
_LENGTH: Final = re.compile(rb"\r\ncontent-length: ?([0-9]{1,7})(?=\r\n)", re.IGNORECASE)
_LENGTH_LINES: Final = tuple(b"Content-Length: %d\r\n" % length for length in range(2_048))
STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, REASONS.get(status, b"Status")) for status in range(200, 600)
}


class Reply(msgspec.Struct, frozen=True):
    """`headers` are whole lines, each ending in CR LF.

    `refuses`: why nothing was judged, in our own words, which contain nothing of what was sent.
    """

    status: int
    headers: bytes = b""
    body: bytes = b""
    close: bool = False
    refuses: str = ""


@dataclass(slots=True)
class HeadMemo:
    """The last head of a connection and what it was found to mean, so that it is examined only once.

    It belongs to that connection alone, and does not say whether the token is still valid.
    """

    said: tuple[object, ...] = ()
    token: bytes = b""
    server: str = ""
    cors: bytes = b""
    admitted: object = None
    """What the token gave access to; whether it still does is checked each time."""
    passed_on: tuple[Mapping[bytes, bytes], bytes] | None = None
    """The headers object, and the lines that a server is sent for it."""


class Request(msgspec.Struct, eq=False):
    """`problem` is the reply to a faulty request: then nothing else about the request is looked at."""

    method: bytes = b""
    target: bytes = b""
    headers: dict[bytes, bytes] = msgspec.field(default_factory=dict)
    body: bytes | bytearray = b""
    problem: Reply | None = None
    http11: bool = True
    keep_alive: bool = True
    has_body: bool = False
    received_at: float = 0.0
    held: int = 0
    admitted: object = None
    place: object = None
    """Its place among the open requests, if it was given one before it was complete."""
    memo: HeadMemo = msgspec.field(default_factory=HeadMemo)


@dataclass(slots=True)
class KnownFrame:
    """The bytes of a head, to recognise one that differs from it only in its Content-Length.

    Messages whose heads are equal byte for byte, except for the digits of that length, are framed alike.
    """

    before: bytes
    after: bytes
    head_bytes: int
    """The size of the last head. The next one's length usually has as many digits."""
    length: int
    head: bytes
    """The whole last head, for bodies of the same length."""

    @classmethod
    def of(cls, data: bytes, body_length: int) -> Self | None:
        """`data` must hold one whole message and nothing else, without a Transfer-Encoding."""
        head = data[: len(data) - body_length]
        lengths = list(_LENGTH.finditer(head))
        if head.find(b"\r\n\r\n") != len(head) - 4 or len(lengths) != 1 or int(lengths[0][1]) != body_length:
            return None
        return cls(head[: lengths[0].start(1)], head[lengths[0].end(1) :], len(head), body_length, head)

    def body_in(self, data: bytes, most: int) -> bytes | None:
        """Return the body of the one whole message in `data`, or None if it must be parsed like any other."""
        length = len(data) - self.head_bytes
        if length != self.length:
            # The only head of this form that a body of this length, and nothing else, can follow.
            self.length, self.head = length, b"%b%d%b" % (self.before, length, self.after)
        body = data.removeprefix(self.head)
        if len(body) != length:
            return self._body_after_another(data, most)
        return body if 0 < length <= most else None

    def _body_after_another(self, data: bytes, most: int) -> bytes | None:
        """Try a length with more digits than the last, or fewer: only one number of digits is possible."""
        if not data.startswith(self.before):
            return None
        rest = len(data) - len(self.before) - len(self.after)
        for digits in range(1, min(_MOST_DIGITS + 1, rest)):
            head_bytes = len(data) - rest + digits
            if len(b"%d" % (rest - digits)) == digits and head_bytes != self.head_bytes:
                self.head_bytes = head_bytes
                return self.body_in(data, most)
        return None


@dataclass(slots=True)
class KnownHead:
    """A head that was parsed and admitted on this connection."""

    frame: KnownFrame
    first: Request

    @classmethod
    def of(cls, data: bytes, request: Request) -> Self | None:
        """`data` must hold this request and nothing else."""
        if b"transfer-encoding" in request.headers or b"expect" in request.headers:
            # What would be taken for the end of the head may be inside one of its chunks.
            return None
        frame = KnownFrame.of(data, len(request.body))
        return None if frame is None else cls(frame, replace(request, body=b"", held=0, place=None))

    def read(self, data: bytes, most: int) -> Request | None:
        """Return the one whole request in `data`, or None if it must be parsed like any other."""
        body = self.frame.body_in(data, most)
        if body is None:
            return None
        first = self.first
        return Request(first.method, first.target, first.headers, body, None, first.http11, first.keep_alive,
                       True, monotonic(), 0, first.admitted, None, first.memo)  # fmt: skip


def length_line(length: int) -> bytes:
    return _LENGTH_LINES[length] if length < 2_048 else b"Content-Length: %d\r\n" % length


def date_line() -> bytes:
    return f"Date: {formatdate(time(), usegmt=True)}\r\n".encode()


def refusal(reason: str, *, status: int = 400, headers: bytes = b"", close: bool = False) -> Reply:
    """Return a JSON-RPC error for when there is no message yet to take an id from."""
    error = {"code": _OURS if status in _BUSY else _THEIRS, "message": reason}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}, separators=(",", ":")).encode()
    return Reply(status, b"Content-Type: application/json\r\n" + headers, body, close, reason)
