"""Proxies between two processes that do to their bytes what networks do.

One event loop in a thread serves all links of a cluster. A link listens on loopback or on a unix socket and
leads to either kind. Its fault may change at any time and applies to open connections, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

_CHUNK: Final = 65_536
_LOOK_AGAIN: Final = 0.02
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Pass:
    """Everything goes through."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Each piece of data is held back for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing goes through in either direction; connections stay open and new ones are accepted."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """New connections are refused, open ones are cut."""


@dataclass(frozen=True, slots=True)
class ResetMidBody:
    """So many bytes of each answer go through, then both sides get a reset."""

    after: int


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Requests arrive; no answer comes back, and nobody closes."""


@dataclass(frozen=True, slots=True)
class Dribble:
    """Answers come a few bytes at a time."""

    piece: int
    seconds: float


Fault: TypeAlias = Pass | Delay | Drop | Refuse | ResetMidBody | HalfOpen | Dribble
Place: TypeAlias = tuple[str, int] | Path


class Faults:
    """The event loop that all links run in."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="faults", daemon=True)
        self._thread.start()
        self._links: list[Link] = []

    def do(self, work: Coroutine[Any, Any, _Value]) -> _Value:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(40)

    def link(self, to: Place, at: Path | None = None) -> Link:
        """Make a link. `at` is a unix socket to listen on; without it the link gets a free loopback port."""
        link = Link(self, to, at)
        self._links.append(link)
        return link

    def heal(self) -> None:
        for link in self._links:
            link.fault = Pass()

    def close(self) -> None:
        for link in self._links:
            self.do(link.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(60)
        self.loop.close()


class Link:
    def __init__(self, faults: Faults, to: Place, at: Path | None) -> None:
        self._faults, self._to, self._at = faults, to, at
        self._fault: Fault = Pass()
        self._pairs: set[_Pair] = set()
        self._server = faults.do(self._listen())

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._fault = fault
        if isinstance(fault, Refuse):
            self._faults.do(self.cut())

    async def cut(self) -> None:
        for pair in list(self._pairs):
            pair.reset()

    async def end(self) -> None:
        self._server.close()
        await self.cut()
        while self._pairs:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN)

    async def _listen(self) -> asyncio.Server:
        if self._at is not None:
            return await asyncio.start_unix_server(self._serve, self._at)
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._fault, Refuse):
            _reset(writer)
            return
        try:
            there = await self._connect()
        except OSError:
            _reset(writer)
            return
        pair = _Pair(self, (reader, writer), there)
        if isinstance(self._fault, Refuse) or not self._server.is_serving():  # changed while connecting
            pair.reset()
            return
        self._pairs.add(pair)
        try:
            await pair.carry()
        finally:
            self._pairs.discard(pair)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._to, Path):
            return await asyncio.open_unix_connection(self._to)
        return await asyncio.open_connection(*self._to)


Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Pair:
    """One accepted connection and the one it leads to."""

    def __init__(self, link: Link, here: Stream, there: Stream) -> None:
        self._link, self._here, self._there = link, here, there
        self._tasks: list[asyncio.Task[None]] = []

    def reset(self) -> None:
        for _, writer in (self._here, self._there):
            _reset(writer)
        for task in self._tasks:
            task.cancel()

    async def carry(self) -> None:
        asked = self._one_way(self._here[0], self._there[1], self._ask)
        answered = self._one_way(self._there[0], self._here[1], self._answer)
        self._tasks = [asyncio.ensure_future(asked), asyncio.ensure_future(answered)]
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            for _, writer in (self._here, self._there):
                writer.close()

    async def _one_way(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pass_on: Any
    ) -> None:
        try:
            while data := await reader.read(_CHUNK):
                await pass_on(writer, data)
                await writer.drain()
            # The end of the stream is held back like the data before it.
            await self._while_cut_off()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            # A process that dies with an answer unread leaves a reset instead of an end. Pass that on too:
            # a database that hears of neither keeps the dead process's transaction, and its locks.
            await self._while_cut_off()
            self.reset()

    async def _while_cut_off(self, *also: type) -> None:
        while isinstance(self._link.fault, (Drop, *also)):  # noqa: ASYNC110 - many wait, seldom and shortly
            await asyncio.sleep(_LOOK_AGAIN)

    async def _ask(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await self._while_cut_off()
        if isinstance(self._link.fault, Delay):
            await asyncio.sleep(self._link.fault.seconds)
        writer.write(data)

    async def _answer(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await self._while_cut_off(HalfOpen)
        match self._link.fault:
            case Delay(seconds):
                await asyncio.sleep(seconds)
                writer.write(data)
            case ResetMidBody(after):
                writer.write(data[:after])
                await asyncio.sleep(_LOOK_AGAIN)
                self.reset()
            case Dribble(piece, seconds):
                await self._dribble(writer, data, piece, seconds)
            case _:
                writer.write(data)

    async def _dribble(self, writer: asyncio.StreamWriter, data: bytes, piece: int, seconds: float) -> None:
        for place in range(0, len(data), piece):
            writer.write(data[place : place + piece])
            if isinstance(self._link.fault, Dribble):
                await asyncio.sleep(seconds)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of an orderly end, where the kind of socket has resets."""
    plain = writer.get_extra_info("socket")
    if plain is not None and plain.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
