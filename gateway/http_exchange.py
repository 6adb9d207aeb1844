"""The answering side of one request. Writing to a client that has gone away does nothing."""

from collections.abc import Callable, Coroutine
from typing import Final, Protocol

import msgspec

from gateway.http_messages import STATUS_LINES, Reply, Request, length_line

_CLOSE: Final = b"Connection: close\r\n\r\n"


class Serving(Protocol):
    """What serves the connection. `draining`: clients are told to take their next request to another."""

    @property
    def date_line(self) -> bytes: ...

    @property
    def draining(self) -> bool: ...


class Line(Protocol):
    """The connection an exchange belongs to. `stalled_since`: since when its client has left too much of what
    was written unread."""

    @property
    def server(self) -> Serving: ...

    @property
    def stalled_since(self) -> float | None: ...

    @property
    def unread(self) -> int:
        """How many bytes wait for a client that does not read; 0 while it does."""

    def write(self, data: bytes) -> None: ...

    def write_soon(self, data: bytes) -> None:
        """Write with everything else of this loop iteration. Nothing written later is ever sent before it."""

    async def drain(self) -> None:
        """Return once the client has taken enough of what was written, or is gone."""

    def serve(self, exchange: "Exchange", rest: Coroutine[None, None, None]) -> None:
        """Run `rest` in a task of its own, which releases the exchange when it ends."""

    def release(self, exchange: "Exchange") -> None: ...

    def exchange_done(self, *, close: bool) -> None: ...

    def abort(self) -> None: ...


class Exchange(msgspec.Struct, eq=False):
    """`on_gone` is called once, if the client goes away before its answer has ended."""

    line: Line
    request: Request
    started: bool = False
    finished: bool = False
    gone: bool = False
    on_gone: Callable[[], None] | None = None
    _chunked: bool = False
    _open_ended: bool = False
    _as_event: Callable[[Reply], bytes] | None = None
    _in_event: bool = False
    _released: bool = False

    def begin_stream(self, headers: bytes, as_event: Callable[[Reply], bytes]) -> None:
        """Answer with an event stream, whatever form the answer takes. `as_event` gives a reply's data."""
        self.start(200, headers)
        self._as_event = as_event

    def serve(self, rest: Coroutine[None, None, None]) -> None:
        self.line.serve(self, rest)

    def release(self) -> None:
        """End the exchange: nothing more is done for this request."""
        if not self._released:
            self._released = True
            self.line.release(self)

    def reply(self, reply: Reply) -> None:
        self.answer(reply.status, reply.headers, reply.body, close=reply.close)

    def answer(self, status: int, headers: bytes, body: bytes, *, close: bool = False) -> None:
        """Send the whole answer at once."""
        if self.finished:
            return
        if self.started:
            self._answer_within(Reply(status, headers, body))
            return
        self.finished = True
        line, request = self.line, self.request
        close = close or not request.keep_alive or line.server.draining
        length = b"" if status == 204 else length_line(len(body))
        end = _CLOSE if close else b"\r\n"
        if request.method == b"HEAD":
            body = b""
        line.write_soon(b"".join((STATUS_LINES[status], line.server.date_line, headers, length, end, body)))
        line.exchange_done(close=close)

    def _answer_within(self, reply: Reply) -> None:
        """Send the one event that a begun stream waits for; any other answer can only be broken off."""
        if self._as_event is None or self._in_event:
            self.abort()
            return
        self.write(b"event: message\ndata: %b\n\n" % _one_line(self._as_event(reply)))
        self.finish()

    def start(self, status: int, headers: bytes, length: int | None = None) -> None:
        if self._as_event is not None:
            if b"text/event-stream" not in headers:
                self.write(b"event: message\ndata: ")
                self._in_event = True
            return
        self.started = True
        if length is not None:
            headers += b"Content-Length: %d\r\n" % length
        elif self.request.http11:
            headers += b"Transfer-Encoding: chunked\r\n"
            self._chunked = True
        else:
            self._open_ended = True
        end = _CLOSE if self._close_after() else b"\r\n"
        self.line.write(b"".join((STATUS_LINES[status], self.line.server.date_line, headers, end)))

    def write(self, data: bytes) -> None:
        if self._in_event:
            data = _one_line(data)
        if data and not self.finished:
            self.line.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    @property
    def stalled(self) -> bool:
        return self.line.stalled_since is not None

    @property
    def unread(self) -> int:
        return self.line.unread

    async def drain(self) -> None:
        await self.line.drain()

    def finish(self) -> None:
        if self.finished:
            return
        if self._in_event:
            self._in_event = False
            self.write(b"\n\n")
        if self._chunked:
            self.line.write(b"0\r\n\r\n")
        self.finished = True
        self.line.exchange_done(close=self._close_after())

    def abort(self) -> None:
        """Break off, so that the client cannot take what it has for the whole answer."""
        if not self.finished:
            self.finished = True
            self.line.abort()

    def lost(self) -> None:
        if self.finished or self.gone:
            return
        self.gone = True
        if self.on_gone is not None:
            self.on_gone()

    def _close_after(self) -> bool:
        return self._open_ended or not self.request.keep_alive or self.line.server.draining


def _one_line(data: bytes) -> bytes:
    """Remove line ends: between the values of a JSON text they mean nothing, within one there are none."""
    return data.translate(None, b"\r\n")
