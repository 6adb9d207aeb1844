"""A server's answer while it arrives: bounded in size, in time and in how much may wait to be read."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, Protocol, Self, TypeVar

import msgspec

from common.blotting import Secrets
from gateway.limits import Limits

_Reader = TypeVar("_Reader")
_NO_HEADERS: Final[Mapping[bytes, bytes]] = MappingProxyType({})


class UpstreamError(Exception):
    """`sent`: the server may have seen the request. The reason is for an agent to read."""

    def __init__(self, code: str, reason: str, *, sent: bool, status: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.sent = sent
        self.status = status

    def again(self) -> Self:
        """A copy to raise where this one is kept. Raised itself, it would refer by its traceback to whoever
        refers to it: only the garbage collector could free both, and everyone would wait for that."""
        return type(self)(self.code, self.reason, sent=self.sent, status=self.status)


CLIENT_GONE: Final = "client_gone"
UNREACHABLE: Final = "upstream_unreachable"
TIMEOUT: Final = "upstream_timeout"
TLS: Final = "upstream_tls"
REFUSED_CREDENTIALS: Final = "upstream_refused_credentials"
INVALID: Final = "upstream_invalid"
TOO_LARGE: Final = "upstream_too_large"


class Source(Protocol):
    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def abandon(self) -> None: ...


class Room(Protocol):
    """What an organization may hold: the part of an answer that was not passed on yet is counted."""

    def leave_unread(self, size: int) -> bool: ...

    @property
    def scarce(self) -> bool: ...


class UpstreamAnswer(msgspec.Struct, eq=False):
    """Filled by a connection, read by one reader. Every reading method may raise UpstreamError.

    `_since` is by the loop's clock, which counts whole milliseconds; `_asked_at` is not. `secrets`: what the
    server was sent and no client may be shown. `_on_arrival`: what to call when it arrives, and with what.
    """

    _source: Source
    _limits: Limits
    _now: Callable[[], float]
    _since: float
    _asked_at: float
    room: Room | None = None
    secrets: Secrets | None = None
    status: int = 0
    headers: Mapping[bytes, bytes] = _NO_HEADERS
    complete: bool = False
    is_stream: bool = False
    left: bool = False
    _chunks: list[bytes] = []  # each has its own: msgspec copies the default
    _queued: int = 0
    _being_read: int = 0
    received: int = 0
    _error: UpstreamError | None = None
    _wakeup: asyncio.Future[None] | None = None
    _on_arrival: tuple[Callable[[Any], None], Any] | None = None
    orphaned: asyncio.TimerHandle | None = None
    waited: float = 0.0

    # Reading

    async def head(self) -> None:
        while not self.status and self._error is None:
            await self._more()
        if not self.status and self._error is not None:
            raise self._error.again()

    async def next_chunk(self) -> bytes | None:
        """None at the end of the body. The previous chunk then no longer counts as unread."""
        self._done_with(self._being_read)
        while not self._chunks:
            if self._error is not None:
                raise self._error.again()
            if self.complete:
                return None
            await self._more()
        chunk = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._queued, self._being_read = 0, len(chunk)
        if not self.complete:
            self._source.resume()
        return chunk

    async def whole(self, most: int, hold: Callable[[int], bool] | None = None) -> bytes:
        """`hold` says whether this much may be held now."""
        parts: list[bytes] = []
        size = 0
        while (chunk := await self.next_chunk()) is not None:
            size += len(chunk)
            self._done_with(len(chunk))
            if size > most:
                raise self.failed(TOO_LARGE, "The server's answer is too large.")
            if hold is not None and not hold(size):
                raise self.failed(TOO_LARGE, "Too much of other answers is already held.")
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def beginning(self, most: int, hold: Callable[[int], bool]) -> tuple[bytes, bool]:
        """Return the body up to about `most` bytes and to what may be held, and whether that is all of it."""
        parts: list[bytes] = []
        size = 0
        while (chunk := await self.next_chunk()) is not None:
            size += len(chunk)
            parts.append(chunk)
            self._done_with(len(chunk))
            # The rest of the room is for what arrives without being asked for.
            if size > most or (self.room is not None and self.room.scarce) or not hold(size):
                return b"".join(parts), False
        return b"".join(parts), True

    def arrived(self) -> bytes | None:
        """The whole body, if all of it is here. To be called before any is read; it can still be read."""
        if not self.complete or self._error is not None:
            return None
        chunks = self._chunks
        if len(chunks) > 1:
            chunks[:] = [b"".join(chunks)]
        return chunks[0] if chunks else b""

    def shown(self, text: bytes) -> bytes:
        return text if self.secrets is None else self.secrets.blot(text)

    def failed(self, code: str, reason: str) -> UpstreamError:
        return UpstreamError(code, reason, sent=True, status=self.status or None)

    def abandon(self) -> None:
        """Stop reading. The server learns of it by the end of its connection, unless the answer is complete:
        then the connection may already serve another request."""
        if not self.complete:
            self._source.abandon()

    def leave(self, most: int) -> None:
        """Stop reading. A body of at most `most` bytes still arrives and is thrown away, so that its
        connection can serve again."""
        if self.complete:
            return
        length = self.headers.get(b"content-length")
        if self.is_stream or length is None or int(length) > most:
            self.abandon()
            return
        self.left = True
        self._chunks.clear()
        self._queued = 0
        self._source.resume()

    def cancel(self) -> None:
        self.fail(self.failed(CLIENT_GONE, "The client went away."))
        self.abandon()

    def orphan(self) -> None:
        """Go on without the client, as the older MCP revisions require; but not for ever."""
        if self.orphaned is None:
            loop = asyncio.get_running_loop()
            self.orphaned = loop.call_later(self._limits.orphan_seconds, self.cancel)

    def let_go(self) -> None:
        """The reader is done with it."""
        if self.orphaned is not None:
            self.orphaned.cancel()
        if not self.complete:
            self.room = None
            if not self.left:
                self.abandon()

    # Filling

    def take_head(self, status: int, headers: Mapping[bytes, bytes]) -> None:
        self.status = status
        self.headers = headers
        self.waited = monotonic() - self._asked_at
        self.is_stream = headers.get(b"content-type", b"").lower().startswith(b"text/event-stream")
        self._since = self._now()
        self._wake()

    def take_whole(self, status: int, headers: Mapping[bytes, bytes], body: bytes, is_stream: bool) -> None:
        """Take a short answer that came in one piece: take_head(), take() and end() in one."""
        self.status = status
        self.headers = headers
        self.waited = monotonic() - self._asked_at
        if is_stream:
            self.is_stream = True
        self._chunks.append(body)
        self.complete = True
        if self._wakeup is not None:
            self._wake()

    def take(self, chunk: bytes) -> None:
        self.received += len(chunk)
        if self.left:
            return
        if self.is_stream:
            self._since = self._now()
        elif self.received > self._limits.answer_bytes:
            self.fail(self.failed(TOO_LARGE, "The server's answer is too large."))
            self.abandon()
            return
        self._chunks.append(chunk)
        self._queued += len(chunk)
        if self.room is not None and not self.room.leave_unread(self._queued + self._being_read):
            self._chunks.clear()
            self._queued = 0
            self.room.leave_unread(self._being_read)
            self.fail(self.failed(TOO_LARGE, "Too much of other answers is already held."))
            self.abandon()
            return
        if self._queued > self._limits.read_high_bytes or (self.room is not None and self.room.scarce):
            self._source.pause()
        self._wake()

    def end(self) -> None:
        self.complete = True
        self._wake()

    def fail(self, error: UpstreamError) -> None:
        if self._error is None and not self.complete:
            self._error = error
            self._wake()
            if self._on_arrival is not None:
                asyncio.get_running_loop().call_soon(self.tell)

    def when_it_arrives(self, told: Callable[[_Reader], None], reader: _Reader) -> None:
        """Call `told` once, when the first of it was taken in or it failed; never before this returns."""
        self._on_arrival = (told, reader)
        if self.status or self._error is not None:
            asyncio.get_running_loop().call_soon(self.tell)

    def tell(self) -> None:
        if self._on_arrival is not None and (self.status or self._error is not None):
            told, reader = self._on_arrival
            self._on_arrival = None
            told(reader)

    def check_deadline(self, now: float) -> None:
        if self.complete or self._error is not None:
            return
        if self._queued:
            # Something waits to be read: it is not the server that is slow.
            if self.is_stream:
                self._since = now
            return
        if now - self._since > self._patience():
            self.fail(self.failed(TIMEOUT, "The server did not answer in time."))
            self.abandon()

    def _patience(self) -> float:
        limits = self._limits
        if not self.status:
            return limits.answer_seconds
        if self.is_stream:
            return limits.stream_idle_seconds
        if self.left:
            return limits.answer_grace_seconds
        return limits.answer_grace_seconds + self.received / limits.answer_bytes_per_second

    def _done_with(self, size: int) -> None:
        if size and self.room is not None:
            self.room.leave_unread(self._queued + self._being_read - size)
        self._being_read -= size

    async def _more(self) -> None:
        self._wakeup = asyncio.get_running_loop().create_future()
        await self._wakeup

    def _wake(self) -> None:
        if self._wakeup is not None:
            if not self._wakeup.done():
                self._wakeup.set_result(None)
            self._wakeup = None
