"""Requests framed to be read in two ways: whatever we accept, another HTTP reader reads the same."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import h11
import pytest
import pytest_asyncio

from gateway.http_exchange import Exchange
from gateway.http_messages import Reply, Request, refusal
from gateway.http_server import HttpServer
from gateway.limits import Limits
from tests.gateway.world import world

SEED: Final = int(os.environ.get("POLICYLAYER_BYPASS_SEED") or random.randrange(2**32))
STREAMS: Final = 800
_START: Final = b"POST /a HTTP/1.1\r\nHost: a\r\n"
_SECRET: Final = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

_END: Final = b"\r\n\r\n\0\r\n\r\n"

Read: TypeAlias = tuple[bytes, bytes, bytes]


@dataclass
class Reader:
    """Answers every request and keeps what it read: method, target, body."""

    read: list[Read] = field(default_factory=list)

    def check_head(self, request: Request) -> Reply | None:
        return None if b"host" in request.headers else refusal("", close=True)

    def hold(self, request: Request, size: int, *, unfinished: bool = False) -> bool:
        request.held = size
        return True

    def begin(self, exchange: Exchange) -> None:
        request = exchange.request
        self.read.append((request.method, request.target, bytes(request.body)))
        exchange.reply(Reply(200))
        exchange.release()

    def tick(self, now: float) -> None: ...

    def drain(self) -> None: ...

    def refused(self, request: Request, reply: Reply) -> None: ...


@dataclass
class Listening:
    reader: Reader
    server: HttpServer

    async def send(self, *pieces: bytes) -> list[Read]:
        """Send these pieces on one connection; return the requests read, once all of it was inspected."""
        self.reader.read = []
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        # Even if a request is unfinished, the connection is closed once this cannot be read or is answered.
        writer.write(_END)
        try:
            async with asyncio.timeout(60):
                while await reader.read(65_536):
                    pass
        except ConnectionError:
            pass
        writer.close()
        return self.reader.read


@pytest_asyncio.fixture
async def listening() -> AsyncIterator[Listening]:
    reader = Reader()
    server = HttpServer(
        reader,
        Limits(
            idle_seconds=0.3, head_seconds=0.3, body_grace_seconds=0.3, linger_seconds=0.05, tick_seconds=0.02
        ),
    )
    await server.start("127.0.0.1", 0)
    try:
        yield Listening(reader, server)
    finally:
        await server.close()


def as_h11_reads(stream: bytes) -> list[Read]:
    """Every whole request that an independent reader finds before it stops."""
    read: list[Read] = []
    goes_on = True
    while goes_on:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=10_000_000)
        # Many readers skip empty lines before a request and extra spaces in its first line.
        connection.receive_data(re.sub(rb"\A[\r\n]*([A-Z]+) +(\S+) +", rb"\1 \2 ", stream))
        request = _next_request(connection)
        if request is None:
            break
        read.append(request)
        stream, _ = connection.trailing_data
        goes_on = connection.their_state not in (h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)
    return read


def _next_request(connection: h11.Connection) -> Read | None:
    method, target, body = b"", b"", b""
    try:
        while True:
            match connection.next_event():
                case h11.Request(method=method, target=target):
                    pass
                case h11.Data(data=data):
                    body += bytes(data)
                case h11.EndOfMessage():
                    return bytes(method), bytes(target), body
                case _:
                    return None
    except h11.RemoteProtocolError:
        return None


def _length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


def _chunks(*chunks: bytes, more: bytes = b"") -> bytes:
    return b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), more, chunk) for chunk in chunks) + b"0\r\n\r\n"


_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_CHUNKS: Final = _CHUNKED + b"\r\n"
_LAST: Final = b"0\r\n\r\n"
# What comes after a request line and a Host.
REFUSED_AFTER_HOST: Final = {
    "two framings": _length(_SECRET) + _CHUNKS + _LAST + _SECRET,
    "two framings, turned": _CHUNKED + b"Content-Length: 5\r\n\r\n" + _LAST + _SECRET,
    "two lengths": b"Content-Length: 0\r\n" + _length(_SECRET) + b"\r\n" + _SECRET,
    "a list of lengths": b"Content-Length: 0, 34\r\n\r\n" + _SECRET,
    "a negative length": b"Content-Length: -1\r\n\r\n" + _SECRET,
    "a length with a sign": b"Content-Length: +34\r\n\r\n" + _SECRET,
    "a length with a point": b"Content-Length: 34.0\r\n\r\n" + _SECRET,
    "a length with an underscore": b"Content-Length: 3_4\r\n\r\n" + _SECRET,
    "an empty length": b"Content-Length:\r\n\r\n" + _SECRET,
    "a length in other digits": "Content-Length: ٣٤\r\n\r\n".encode() + _SECRET,
    "a length beyond 64 bits": b"Content-Length: 18446744073709551650\r\n\r\n" + _SECRET,
    "a coding nobody knows": b"Transfer-Encoding: xchunked\r\n\r\n" + _LAST + _SECRET,
    "a coding with a tail": b"Transfer-Encoding: chunked;a=b\r\n\r\n" + _LAST + _SECRET,
    "a quoted coding": b'Transfer-Encoding: "chunked"\r\n\r\n' + _LAST + _SECRET,
    "a coding after a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n" + _LAST + _SECRET,
    "an empty coding": b"Transfer-Encoding:\r\n" + _length(_SECRET) + b"\r\n" + _SECRET,
    "identity": b"Transfer-Encoding: identity\r\n" + _length(_SECRET) + b"\r\n" + _SECRET,
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n" + _LAST + _SECRET,
    "two codings in two lines": _CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + _LAST + _SECRET,
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n" + _LAST + _SECRET,
    "a header with a space in front": b" Transfer-Encoding: chunked\r\n\r\n" + _LAST + _SECRET,
    "a folded header": b"X: a\r\n Content-Length: 34\r\n\r\n" + _SECRET,
    "a folded coding": b"Transfer-Encoding:\r\n chunked\r\n\r\n" + _LAST + _SECRET,
    "a bare line feed": b"X: a\nContent-Length: 34\r\n\r\n" + _SECRET,
    "a bare carriage return": b"X: a\rContent-Length: 34\r\n\r\n" + _SECRET,
    "a NUL in a value": b"X: a\0\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a name": b"X\0: a\r\nContent-Length: 0\r\n\r\n",
    "a header without a name": b": a\r\nContent-Length: 0\r\n\r\n",
    "a header without a colon": b"Content-Length\r\n\r\n" + _SECRET,
    "a chunk size with a sign": _CHUNKS + b"+2\r\nab\r\n" + _LAST,
    "a chunk size with 0x": _CHUNKS + b"0x2\r\nab\r\n" + _LAST,
    "a chunk size that wraps": _CHUNKS + b"10000000000000002\r\nab\r\n" + _LAST,
    "a chunk size after a space": _CHUNKS + b" 2\r\nab\r\n" + _LAST,
    "a chunk size before a space": _CHUNKS + b"2 \r\nab\r\n" + _LAST,
    "no chunk size": _CHUNKS + b"\r\nab\r\n" + _LAST,
    "a chunk longer than it says": _CHUNKS + b"2\r\nabc\r\n" + _LAST,
    "chunks by line feeds": _CHUNKS + b"2\nab\n0\n\n" + _SECRET,
    "a line feed in an extension": _CHUNKS + b"2;a\nab\r\n" + _LAST + _SECRET,
    "a trailer": _CHUNKS + b"0\r\nContent-Length: 34\r\n\r\n" + _SECRET,
    "what follows a header that came twice": b"Expect: 100-continue\r\n" * 2 + b"\r\n" + _SECRET,
    "what follows two hosts and two tokens": b"Host: a\r\n" + b"Authorization: a\r\n" * 2 + b"\r\n" + _SECRET,
    "a change of protocol": b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + _SECRET,
}
_NOTHING: Final = b"Host: a\r\nContent-Length: 0\r\n\r\n"
REFUSED: Final = {what: _START + rest for what, rest in REFUSED_AFTER_HOST.items()} | {
    "chunks in HTTP/1.0": b"POST /a HTTP/1.0\r\nHost: a\r\n" + _CHUNKS + _LAST + _SECRET,
    "a head that ends in line feeds": b"POST /a HTTP/1.1\nHost: a\nContent-Length: 34\n\n" + _SECRET,
    "a tunnel": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" + _SECRET,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another version": b"POST /a HTTP/1.2\r\n" + _NOTHING,
    "no version": b"POST /a\r\n" + _NOTHING,
    "a method in small letters": b"post /a HTTP/1.1\r\n" + _NOTHING,
    "a target with a space": b"POST /a /b HTTP/1.1\r\n" + _NOTHING,
    "a space after the version": b"POST /a HTTP/1.1 \r\n" + _NOTHING,
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_could_be_read_in_two_ways_is_not_read_at_all(listening: Listening, what: str) -> None:
    assert await listening.send(REFUSED[what]) == []


_WHOLE: Final = _length(_SECRET) + b"\r\n" + _SECRET
TAKEN_AFTER_HOST: Final = {
    "a body as long as it says": _WHOLE,
    "chunks": _CHUNKS + _chunks(_SECRET, _SECRET),
    "chunks with extensions": _CHUNKS + _chunks(_SECRET, more=b';a="b"'),
    "chunks in capitals": b"Transfer-Encoding: CHUNKED\r\n\r\n" + _chunks(_SECRET),
    "an empty header before the length": b"X:\r\n" + _WHOLE,
    "a name that is only like another": b"Transfer_Encoding: chunked\r\n" + _WHOLE,
    "a connection header that names the length": b"Connection: content-length\r\n" + _WHOLE,
    "a wish for another protocol that asks for none": b"Upgrade: h2c\r\n" + _WHOLE,
    "two requests": _WHOLE + _START + _WHOLE,
    "empty lines between requests": _WHOLE + b"\r\n\r\n" + _START + _WHOLE,
}
TAKEN: Final = {what: _START + rest for what, rest in TAKEN_AFTER_HOST.items()} | {
    "empty lines before a request": b"\r\n\r\n" + _START + _WHOLE,
    "a body on a GET": b"GET /a HTTP/1.1\r\nHost: a\r\n" + _WHOLE,
    "HTTP/1.0, and what follows it": b"POST /a HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" + _SECRET,
}


@pytest.mark.parametrize("what", TAKEN)
async def test_what_reads_like_a_request_in_a_body_is_a_body(listening: Listening, what: str) -> None:
    read = await listening.send(TAKEN[what])
    assert read == as_h11_reads(TAKEN[what])
    assert read
    assert all(target == b"/a" for _, target, _ in read)


async def test_a_head_is_not_known_again_by_what_stood_in_a_body(listening: Listening) -> None:
    """The chunks are laid out so that a length inside them ends where the head of such a body would."""
    inside = b"\r\nContent-Length: 34\r\n\r\n"
    head = _START + _CHUNKS + b"18\r\n" + inside
    first = head + b"\r\na;" + b"x" * 11 + b"\r\n" + b"." * 10 + b"\r\n" + _LAST
    assert len(first) - len(head) == len(inside) + 10 == 34, "the attack is not laid out as it should be"
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.server.port)
    for data in (first, head + b"-" * 34):
        writer.write(data)
        async with asyncio.timeout(60):
            await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert [request[2] for request in listening.reader.read] == [inside + b"." * 10]


async def test_only_who_speaks_http_11_is_told_to_go_on(listening: Listening) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.server.port)
    writer.write(b"POST /a HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.parametrize(
    "target",
    [
        *("http://127.0.0.1{}", "http://evil.example{}", "//127.0.0.1{}", "/.{}", "/x/..{}", "{}../", "{};x"),
        *("{}%2e%2e/", "{}#x", "{}%00", "{}x", "/healthz/..{}", "/%6dcp{}", "*", "{}/", "\\{}"),
    ],
)
async def test_a_target_that_others_might_take_for_a_servers_path_is_none(
    tmp_path: Path, target: str
) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        alice.path = target.format(alice.path)
        assert (await alice.call("read_file", {})).status in (400, 404)
        assert not it.upstream.received


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1@evil.example", "evil.example:80", "127.0.0.1:x"]
)
async def test_another_host_is_not_served(tmp_path: Path, host: str) -> None:
    async with world(tmp_path) as it, it.client(Host=host) as alice:
        assert (await alice.call("read_file", {})).status == 403
        assert not it.upstream.received


# At random

_LINES: Final = (
    b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: 34", b"content-length:5",
    b"Content-Length: 5 ", b"Content-Length: 005", b"Content-Length: 5, 5", b"Transfer-Encoding: chunked",
    b"transfer-encoding:chunked", b"Transfer-Encoding: Chunked", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding:\tchunked", b"X: a", b"X:", b"Connection: close", b"Connection: keep-alive",
    b"Connection: Upgrade", b"Upgrade: h2c", b"Expect: 100-continue", b"X: a\tb", b"X: \xe9", b"Host: b",
    b"Trailer: X", b"TE: trailers", b"Keep-Alive: 5", b"Proxy-Connection: close",
)  # fmt: skip
_BODIES: Final = (
    b"", b"12345", _SECRET, b"5\r\n12345\r\n0\r\n\r\n", b"5;a=b\r\n12345\r\n0\r\n\r\n", b"0\r\n\r\n",
    b"22\r\n" + _SECRET + b"\r\n0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"05\r\n12345\r\n000\r\n\r\n",
    b"5\r\n12345",
)  # fmt: skip
_VERSIONS: Final = (b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0")
_BYTES: Final = b'\0\t\n\r \x0b\x0c:;,"\x7f\x80\xff0aA'


def _request(pick: random.Random) -> bytes:
    version = pick.choice(_VERSIONS)
    # The other reader ends an HTTP/1.0 connection after one request, whatever its headers say.
    lines = [b"Host: a"] + [
        line
        for line in pick.choices(_LINES, k=pick.randrange(4))
        if version == b"HTTP/1.1" or line != b"Connection: keep-alive"
    ]
    pick.shuffle(lines)
    head = b"%b /%d %b\r\n" % (pick.choice((b"POST", b"GET", b"DELETE")), pick.randrange(9), version)
    return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + pick.choice(_BODIES)


def _stream(pick: random.Random) -> bytes:
    stream = bytearray(b"".join(_request(pick) for _ in range(pick.randint(1, 4))))
    for _ in range(pick.choice((0, 0, 1, 1, 2))):
        place = pick.randrange(len(stream))
        stream[place : place + pick.randrange(2)] = bytes([pick.choice(_BYTES)])
    return bytes(stream)


def _cut(pick: random.Random, stream: bytes) -> Iterator[bytes]:
    places = sorted(pick.choices(range(len(stream)), k=pick.randrange(5)))
    for start, end in zip([0, *places], [*places, len(stream)], strict=True):
        yield stream[start:end]


def _all_in(read: Sequence[Read], other: Sequence[Read]) -> bool:
    """True if all of `read` is in `other`, in the same order; those we refused may come in between."""
    rest = iter(other)
    return all(request in rest for request in read)


async def test_another_reader_finds_the_same_requests_in_whatever_we_take(listening: Listening) -> None:
    print(f"\nPOLICYLAYER_BYPASS_SEED={SEED}")
    pick, taken = random.Random(SEED), 0
    for _ in range(STREAMS):
        stream = _stream(pick)
        read = await listening.send(*_cut(pick, stream))
        assert _all_in(read, as_h11_reads(stream + _END)), (SEED, stream, read)
        taken += len(read)
    assert taken > STREAMS / 10
