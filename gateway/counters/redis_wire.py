"""One connection to Redis: requests go out together, and answers come back in the same order."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast
from urllib.parse import unquote, urlsplit

import hiredis

# When this many requests wait for answers, another would only be answered too late.
_MOST_WAITING: Final = 10_000

Part: TypeAlias = str | bytes | int
OnAnswer: TypeAlias = Callable[["object", float], None]
"""Called with the answer, or a WireError, and the time the request was sent (monotonic seconds)."""


class WireError(Exception):
    """Redis refused, or did not answer. The message holds nothing of the request."""


class ConnectionLost(WireError):  # noqa: N818
    """The request may have been carried out all the same."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where Redis is and how we sign in. Its text never shows the password."""

    host: str
    port: int
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> "Address":
        """`redis://[[user]:password@]host[:port][/database]`, `rediss://` with TLS. ValueError otherwise."""
        parts = urlsplit(url)
        database = parts.path.strip("/") or "0"
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or not database.isdecimal():
            raise ValueError("not an address of Redis")
        if parts.query or parts.fragment:
            raise ValueError("an address of Redis has no query")
        return cls(
            host=parts.hostname,
            port=parts.port or 6379,
            database=int(database),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss",
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


def packed(*parts: Part) -> bytes:
    return bytes(hiredis.pack_command(parts))  # type: ignore[arg-type] # its types know one part only


async def connect(address: Address) -> "Wire":
    """A connection that is signed in and at its database. Raises OSError or WireError."""
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context() if address.tls else None
    _, wire = await loop.create_connection(Wire, address.host, address.port, ssl=context)
    try:
        if address.password is not None:
            user = () if address.user is None else (address.user,)
            await wire.ask("AUTH", *user, address.password)
        if address.database:
            await wire.ask("SELECT", address.database)
    except BaseException:
        wire.close()
        raise
    return wire


class Wire(asyncio.Protocol):
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[OnAnswer, float]] = deque()
        self._outgoing: list[tuple[bytes, OnAnswer]] = []
        self.lost = self._loop.create_future()

    @property
    def waits_since(self) -> float | None:
        """When the oldest unanswered request was sent."""
        return self._waiting[0][1] if self._waiting else None

    async def ask(self, *parts: Part) -> object:
        """Raises WireError."""
        answer: asyncio.Future[object] = self._loop.create_future()

        def on_answer(value: object, _: float) -> None:
            if answer.done():
                return
            if isinstance(value, WireError):
                answer.set_exception(value)
            else:
                answer.set_result(value)

        self.send(packed(*parts), on_answer)
        return await answer

    def send(self, packed: bytes, on_answer: OnAnswer) -> None:
        """Sends at the end of this iteration of the event loop, together with everything else from it."""
        if self._transport is None or len(self._waiting) + len(self._outgoing) >= _MOST_WAITING:
            on_answer(WireError("not connected, or too much waits"), 0.0)
            return
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append((packed, on_answer))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self.connection_lost(None)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is None:
            for _, on_answer in outgoing:
                on_answer(WireError("the connection is lost"), 0.0)
            return
        now = time.monotonic()
        self._waiting.extend([(on_answer, now) for _, on_answer in outgoing])
        self._transport.write(b"".join([packed for packed, _ in outgoing]))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not inherit from it

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (value := self._reader.gets()) is not False:
                on_answer, sent = self._waiting.popleft()
                on_answer(WireError(_first_word(value)) if isinstance(value, Exception) else value, sent)
        except (hiredis.ProtocolError, IndexError):
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        if self._transport is None:
            return
        self._transport = None
        waiting = [on_answer for on_answer, _ in self._waiting]
        self._waiting.clear()
        for on_answer in waiting:
            on_answer(ConnectionLost("the connection is lost"), 0.0)
        if not self.lost.done():
            self.lost.set_result(None)


def _first_word(error: Exception) -> str:
    """The code, such as NOAUTH, NOSCRIPT or OOM: the rest may repeat the request."""
    return str(error).partition(" ")[0][:40]
