"""The attackers of `tests.load.hostile`: servers and clients that do their worst, in a process of their own.

    python -m tests.load.hostile_peers <attack> <gateway port> <token> <server> <own port> [<body's file>]

The first line out says that it serves. A line "go" on its input begins the attack and the end of its input
ends it. The last line out is the most seconds that the gateway kept a connection to the server after its
clients had left. It yields the CPU to everyone else: it costs others only what the gateway lets it cost them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

_EVENT: Final = b"event: message\ndata: " + b'{"jsonrpc":"2.0","method":"notifications/message"}' + b"\n\n"
_STREAM: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
_LONGEST_WAIT: Final = 75.0
_numbers: Final[Iterator[int]] = count()


def _json(body: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return head % (more, len(body)) + body


def _list(tools: int, describe: Callable[[int], str]) -> bytes:
    schema = '"inputSchema":{"type":"object"}'
    listed = ",".join(f'{{"name":"t{n}",{schema},"description":"{describe(n)}"}}' for n in range(tools))
    return _json(f'{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{listed}]}}}}'.encode())


Answer = Callable[["Served"], Awaitable[None]]


async def _endless(to: Served) -> None:
    await to.write(_STREAM)
    while True:
        await to.write(_EVENT * 400)


async def _dribbling(to: Served) -> None:
    await to.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{")
    while True:
        await asyncio.sleep(1)
        await to.write(b" ")


_BOMB: Final = zlib.compress(bytes(20_000_000), 9, wbits=31)
_MANY: Final = _list(100_000, lambda n: "x")


async def _bomb(to: Served) -> None:
    await to.write(_json(_BOMB, b"Content-Encoding: gzip\r\n"))


async def _many_tools(to: Served) -> None:
    await to.write(_MANY)


async def _new_tools(to: Served) -> None:
    """A list just short enough to be inspected, with tools never seen before."""
    number = next(_numbers)
    await to.write(_list(9_000, lambda n: f"{number}{'x' * 130}"))


async def _plain(to: Served) -> None:
    await to.write(_json(b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'))


class Served(asyncio.Protocol):
    """One connection from the gateway to the hostile server."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._got = b""
        self._room = asyncio.Event()
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._room.set()
        self._peers.opened()

    def connection_lost(self, exc: Exception | None) -> None:
        self._peers.ended()
        if self._answering is not None:
            self._answering.cancel()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, _, body = self._got.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        if length and len(body) >= int(length):
            self._got = b""
            self._answering = asyncio.ensure_future(self._peers.answer(self))

    async def write(self, data: bytes) -> None:
        self._transport.write(data)
        await self._room.wait()


class Peers:
    def __init__(self, attack: str, port: int, token: str, server: str, body: bytes) -> None:
        self._port, self._server, self._body = port, server, body
        self._token = token
        self._answer, self._client, self._clients = _ALL[attack]
        self._left_at = 0.0
        self._open = 0
        self.kept = 0.0
        """Seconds from when the clients left until the last connection to the server ended."""

    def opened(self) -> None:
        self._open += 1

    def ended(self) -> None:
        self._open -= 1
        if self._left_at:
            self.kept = max(self.kept, time.monotonic() - self._left_at)

    async def answer(self, connection: Served) -> None:
        await self._answer(connection)

    async def attack(self, over: asyncio.Event) -> None:
        clients = [asyncio.ensure_future(self._for_ever()) for _ in range(self._clients)]
        await over.wait()
        self._left_at = time.monotonic()
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        until = time.monotonic() + _LONGEST_WAIT
        while self._open and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        if self._open:
            self.kept = float("inf")

    async def _for_ever(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            try:
                await self._client(self, reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass
            finally:
                writer.transport.abort()

    # Clients

    def request(self, body: bytes, token: str | None = None) -> bytes:
        head = (
            f"POST /mcp/{self._server}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token or self._token}\r\n"
            f"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def calls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._asks(reader, writer, _CALL)

    async def lists(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._asks(reader, writer, b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}')

    async def knocks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._asks(reader, writer, _CALL, token="plg_of_nobody")

    async def sends_much(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._asks(reader, writer, _LARGE)

    async def sends_what_was_given(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._asks(reader, writer, self._body)

    async def _asks(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        body: bytes,
        token: str | None = None,
    ) -> None:
        while True:
            writer.write(self.request(body, token))
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
            if length:
                await reader.readexactly(int(length))
            else:
                while await reader.read(65_536):
                    pass
                return

    async def creeps(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send a head byte by byte that never ends."""
        writer.write(b"POST /mcp/")
        while not reader.at_eof():
            writer.write(b"x")
            await asyncio.sleep(1)


_CALL: Final = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": {}}}
).encode()
_LARGE: Final = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "search", "arguments": {"rows": [{"a": "x" * 200} for _ in range(4_500)]}},
    }
).encode()
_Client = Callable[[Peers, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ATTACKS: Final[dict[str, tuple[Answer, _Client, int]]] = {
    "endless stream": (_endless, Peers.calls, 8),
    "one byte a second": (_dribbling, Peers.calls, 200),
    "gzip bomb": (_bomb, Peers.calls, 8),
    "100,000 tools": (_many_tools, Peers.lists, 4),
    "9,000 new tools each time": (_new_tools, Peers.lists, 4),
    "2,000 slow connections": (_plain, Peers.creeps, 2_000),
    "bodies of 1 MiB": (_plain, Peers.sends_much, 8),
    "tokens of nobody": (_plain, Peers.knocks, 16),
    "calls without pause": (_plain, Peers.calls, 8),
}
BY_SERVERS: Final = frozenset(list(ATTACKS)[:5])
GIVEN: Final = "what was given"
_ALL: Final = ATTACKS | {GIVEN: (_plain, Peers.sends_what_was_given, 4)}


async def _main(body: bytes, attack: str, port: str, token: str, server: str, own_port: str) -> None:
    peers = Peers(attack, int(port), token, server, body)
    await asyncio.get_running_loop().create_server(lambda: Served(peers), "127.0.0.1", int(own_port))
    print("serving", flush=True)
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    await loop.run_in_executor(None, sys.stdin.readline)
    attacking = asyncio.ensure_future(peers.attack(over))
    await loop.run_in_executor(None, sys.stdin.read)
    over.set()
    await attacking
    print(peers.kept, flush=True)


if __name__ == "__main__":
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    told, body = sys.argv[1:6], sys.argv[6:]
    asyncio.run(_main(Path(body[0]).read_bytes() if body else b"", *told))
