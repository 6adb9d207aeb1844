"""A round-robin proxy in front of several gateways: each request goes to the next one.

It adds the token, which the suite does not know, and a `Connection: close`, and changes nothing else. Every
request has a connection of its own on both sides, so the bytes of an answer pass as they come, and when one
side closes the other is closed, too.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress

PIECE = 65_536


class Front:
    def __init__(self, token: str) -> None:
        self._token = token
        self._ports: Iterator[int] = iter(())
        self._server: asyncio.Server | None = None
        self.served: dict[int, int] = {}

    async def listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2 * PIECE)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def send_to(self, ports: Sequence[int]) -> None:
        self.served = dict.fromkeys(ports, 0)
        self._ports = itertools.cycle(ports)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            port = next(self._ports)
            self.served[port] += 1
            upstream, onward = await asyncio.open_connection("127.0.0.1", port)
            onward.write(self._rewritten(head))
            await self._both_ways(reader, writer, upstream, onward)
            onward.close()
        writer.close()

    def _rewritten(self, head: bytes) -> bytes:
        lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
        lines += [b"Authorization: Bearer " + self._token.encode(), b"Connection: close", b"", b""]
        return b"\r\n".join(lines)

    async def _both_ways(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        onward: asyncio.StreamWriter,
    ) -> None:
        ways = [asyncio.create_task(_pass(reader, onward)), asyncio.create_task(_pass(upstream, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until the reading side ends."""
    with suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
