"""A request as it was framed, and an answer as it is written."""

from dataclasses import dataclass, field
from typing import Final

REASONS: Final = {
    200: b"OK", 202: b"Accepted", 204: b"No Content", 400: b"Bad Request", 401: b"Unauthorized",
    403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed", 406: b"Not Acceptable",
    408: b"Request Timeout", 409: b"Conflict", 410: b"Gone", 415: b"Unsupported Media Type",
    417: b"Expectation Failed", 422: b"Unprocessable Content", 429: b"Too Many Requests",
    431: b"Request Header Fields Too Large", 500: b"Internal Server Error", 502: b"Bad Gateway",
    503: b"Service Unavailable",
}  # fmt: skip
STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, REASONS.get(status, b"Status")) for status in range(200, 600)
}


@dataclass(frozen=True, slots=True)
class Reply:
    """`headers` are whole lines, each ending in CR LF."""

    status: int
    headers: bytes = b""
    body: bytes = b""
    close: bool = False


@dataclass(slots=True)
class HeadMemo:
    """What the last head of a connection said and what it was found to mean, so that it is found once.

    It is of that connection alone, and says nothing of whether the token still opens anything.
    """

    said: tuple[object, ...] = ()
    token_hash: str = ""
    server: str = ""
    cors: bytes = b""


@dataclass(slots=True)
class Request:
    """`problem` is the answer to what was wrong with it: then nothing else of it is looked at."""

    method: bytes = b""
    target: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    problem: Reply | None = None
    http11: bool = True
    keep_alive: bool = True
    has_body: bool = False
    received_at: float = 0.0
    held: int = 0
    admitted: object = None
    memo: HeadMemo = field(default_factory=HeadMemo)


def plain(status: int, text: str, *, headers: bytes = b"", close: bool = False) -> Reply:
    lines = b"Content-Type: text/plain; charset=utf-8\r\n" + headers
    return Reply(status, lines, text.encode() + b"\n", close)
