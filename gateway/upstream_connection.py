"""One HTTP/1.1 connection to a server: one request at a time, kept open if the last one left it clean."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final, Self, cast

import httptools

from common.blotting import Secrets
from gateway.http_messages import KnownFrame
from gateway.limits import Limits
from gateway.outbox import Outbox
from gateway.upstream_answer import INVALID, TOO_LARGE, Room, UpstreamAnswer, UpstreamError

_OK: Final = 200
_MOST_HEADERS: Final = 200
_MOST_INTERIM: Final = 8
_KEEP_ALIVE: Final = re.compile(rb"timeout\s*=\s*([0-9]{1,6})")
_UNANSWERED: Final = "The server closed the connection before it had answered."
_NOT_HTTP: Final = "The server's answer is not HTTP."


@dataclass(frozen=True, slots=True)
class _KnownAnswer:
    """The head of an answer that came in one piece and left the connection open."""

    frame: KnownFrame
    headers: Mapping[bytes, bytes]
    is_stream: bool
    kept_seconds: float

    @classmethod
    def of(cls, data: bytes, answer: UpstreamAnswer, kept_seconds: float) -> Self | None:
        if answer.status != _OK or b"transfer-encoding" in answer.headers:
            return None
        frame = KnownFrame.of(data, answer.received)
        return None if frame is None else cls(frame, answer.headers, answer.is_stream, kept_seconds)


_READ_AT_ONCE: Final = 65_536
_RESTS: Final = 0.002


def read_buffer() -> memoryview:
    """A buffer for one read. Connections of one loop can share it: it is copied before the next read."""
    return memoryview(bytearray(_READ_AT_ONCE))


class UpstreamConnection(asyncio.BufferedProtocol):
    """`on_free`: another request may follow. `on_closed`: none ever will; it may come without the first."""

    def __init__(
        self,
        limits: Limits,
        now: Callable[[], float],
        outbox: Outbox,
        buffer: memoryview,
        *,
        on_free: "Callable[[UpstreamConnection], None]",
        on_closed: "Callable[[UpstreamConnection], None]",
    ) -> None:
        self._limits = limits
        self._now = now
        self._outbox = outbox
        self._buffer = buffer
        self._unsent = b""
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: UpstreamAnswer | None = None
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._framing_bytes = 0
        self._interim = 0
        self._in_body = False
        self._known: _KnownAnswer | None = None
        self._paused = False
        self._rests = False
        self._kept_until = now() + limits.kept_seconds
        self._on_free = on_free
        self._on_closed = on_closed
        self.closed = False

    def fresh(self, now: float) -> bool:
        transport = self._transport
        if self.closed or transport is None or now >= self._kept_until:
            return False
        return not transport.is_closing()

    def send(
        self, request: bytes, room: Room | None = None, secrets: Secrets | None = None
    ) -> UpstreamAnswer:
        """`room`: its organization's, for what arrives. `secrets`: what of it no client may be shown."""
        now = self._now
        answer = self._answer = UpstreamAnswer(self, self._limits, now, now(), monotonic(), room, secrets)
        self._head_bytes = 0
        self._interim = 0
        if self._transport is None or self.closed:
            answer.fail(UpstreamError(INVALID, _UNANSWERED, sent=False))
            return answer
        self._unsent = request
        self._outbox.add(self._write)
        return answer

    def _write(self) -> None:
        request, transport = self._unsent, self._transport
        if request and transport is not None and not (self.closed or transport.is_closing()):
            self._unsent = b""
            transport.write(request)

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def check_deadline(self, now: float) -> None:
        if self._answer is not None:
            self._answer.check_deadline(now)

    # For the answer

    def pause(self) -> None:
        if not self._paused and self._transport is not None and not self.closed:
            self._paused = True
            if not self._rests:
                self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and self._transport is not None and not self.closed:
            self._paused = False
            if not self._rests:
                self._transport.resume_reading()

    def _rest(self) -> None:
        """Let a server that sends a lot leave the others time: 32 MB a second are enough for it."""
        if not (self._rests or self._paused or self.closed) and self._transport is not None:
            self._rests = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(_RESTS, self._go_on)

    def _go_on(self) -> None:
        self._rests = False
        if not (self._paused or self.closed) and self._transport is not None:
            self._transport.resume_reading()

    def abandon(self) -> None:
        if self._answer is not None:
            self.close()

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._buffer[:nbytes])
        if nbytes == _READ_AT_ONCE:
            self._rest()
        self._take_in(data)

    def _take_in(self, data: bytes) -> None:
        if self.closed:
            return
        answer = self._answer
        if answer is None:
            # Nobody asked: whatever this is, it must not be taken for the answer to the next request.
            self.close()
            return
        if self._unsent:
            # Whatever this answers, it is not our request, which was not written yet.
            self._close_unasked(answer)
            return
        first, known = not self._head_bytes, self._known
        if first and known is not None:
            # Most servers answer with the same head each time: one like the last need not be parsed.
            body = known.frame.body_in(data, self._limits.collected_bytes)
            if body is not None:
                answer.take_whole(_OK, known.headers, body, known.is_stream)
                self._kept_until = self._now() + known.kept_seconds
                self._free()
                answer.tell()
                return
        if self._in_body:
            self._framing_bytes += len(data)
        else:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break(INVALID, _NOT_HTTP)
        self._check_framing()
        if first and answer.complete and not self.closed:
            self._known = _KnownAnswer.of(data, answer, self._keep_seconds())
        answer.tell()

    def _close_unasked(self, answer: UpstreamAnswer) -> None:
        self._unsent = b""
        answer.fail(UpstreamError(INVALID, _UNANSWERED, sent=False))
        self.close()

    def _check_framing(self) -> None:
        if self._answer is None:
            return
        most = self._limits.answer_head_bytes
        if not self._in_body and self._head_bytes > most:
            self._break(TOO_LARGE, "The head of the server's answer is too large.")
        elif self._in_body and self._framing_bytes > most:
            # An extension of a chunk, or a trailer, which the parser collects while it goes on.
            self._break(INVALID, _NOT_HTTP)

    def connection_lost(self, exc: Exception | None) -> None:
        answer = self._answer
        if answer is not None:
            if self._unsent:
                self._close_unasked(answer)
            elif exc is None and not self.closed and self._ends_with_connection():
                answer.end()
            else:
                answer.fail(answer.failed(INVALID, _UNANSWERED))
        self.closed = True
        self._free()
        self._on_closed(self)
        del self._parser  # the parser and this hold each other

    # From the parser

    def on_message_begin(self) -> None:
        if self._answer is None:
            self.close()
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            return
        name = name.lower()
        if name in (b"content-type", b"mcp-session-id", b"content-encoding") and name in self._headers:
            self._break(INVALID, _NOT_HTTP)
        self._headers[name] = value
        if len(self._headers) > _MOST_HEADERS:
            self._break(TOO_LARGE, "The head of the server's answer is too large.")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._parser.get_http_version() not in ("1.0", "1.1"):
            self._break(INVALID, _NOT_HTTP)
        elif status < 200:
            self._interim += 1
            if status < 100 or status == 101 or self._interim > _MOST_INTERIM:
                self._break(INVALID, _NOT_HTTP)
            return
        if self._answer is not None and not self.closed:
            self._in_body = True
            self._framing_bytes = 0
            self._answer.take_head(status, self._headers)

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        if self._answer is not None and not self.closed:
            self._answer.take(body)

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is None or not self._in_body or self.closed:
            return
        self._in_body = False
        self._complete(answer, keep=self._parser.should_keep_alive())

    def _complete(self, answer: UpstreamAnswer, *, keep: bool) -> None:
        self._kept_until = self._now() + self._keep_seconds()
        answer.end()
        if not keep:
            self.close()
        self._free()

    def _keep_seconds(self) -> float:
        said = self._headers.get(b"keep-alive")
        told = None if said is None else _KEEP_ALIVE.search(said)
        if told is None:
            return self._limits.kept_seconds
        return min(self._limits.kept_seconds, int(told[1]) - 1)

    def _ends_with_connection(self) -> bool:
        headers = self._headers
        return self._in_body and b"content-length" not in headers and b"transfer-encoding" not in headers

    def _break(self, code: str, reason: str) -> None:
        if self._answer is not None:
            self._answer.fail(self._answer.failed(code, reason))
        self.close()

    def _free(self) -> None:
        self._answer = None
        if self._paused:
            self.resume()
        if self._rests and not self.closed:
            # More than was asked for may have come, and would be taken for the next answer.
            self.close()
        if not self.closed:
            self._on_free(self)
