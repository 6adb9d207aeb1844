"""The answering side of one request. Writing to a client that went away does nothing."""

from collections.abc import Callable, Coroutine
from typing import Protocol

import msgspec

from gateway.http_messages import STATUS_LINES, Reply, Request


class Line(Protocol):
    """The connection an exchange is of."""

    @property
    def date_line(self) -> bytes: ...

    @property
    def leaving(self) -> bool:
        """This worker goes: a client that is told so brings its next request to another."""

    @property
    def stalled(self) -> bool:
        """The client does not take what was written."""

    @property
    def unread(self) -> int:
        """How much waits for a client that does not read; 0 while it does."""

    def write(self, data: bytes) -> None: ...

    def write_soon(self, data: bytes) -> None:
        """With what else is written in this turn of the loop. Nothing is ever written before it."""

    async def drain(self) -> None:
        """Returns when the client has taken enough of what was written, or is gone."""

    def serve(self, exchange: "Exchange", rest: Coroutine[None, None, None]) -> None:
        """In a task of its own, which releases the exchange at its end."""

    def release(self, exchange: "Exchange") -> None: ...

    def exchange_done(self, *, close: bool) -> None: ...

    def abort(self) -> None: ...


class Exchange(msgspec.Struct, eq=False):
    """`on_gone` is called once, when the client goes away before its answer ended."""

    _connection: Line
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
        """The answer will be a stream of events, as whatever it comes. `as_event` gives a reply's data."""
        self.start(200, headers)
        self._as_event = as_event

    def serve(self, rest: Coroutine[None, None, None]) -> None:
        self._connection.serve(self, rest)

    def release(self) -> None:
        """Nothing more is done for this request."""
        if not self._released:
            self._released = True
            self._connection.release(self)

    def reply(self, reply: Reply) -> None:
        """The whole answer at once."""
        if self.finished:
            return
        if self._as_event is not None and not self._in_event:
            self.write(b"event: message\ndata: %b\n\n" % _one_line(self._as_event(reply)))
            self.finish()
            return
        if self.started:
            self.abort()
            return
        self.started = self.finished = True
        connection, request, body = self._connection, self.request, reply.body
        close = reply.close or not request.keep_alive or connection.leaving
        length = b"" if reply.status == 204 else b"Content-Length: %d\r\n" % len(body)
        head = _head(reply.status, connection.date_line, reply.headers, length, close=close)
        connection.write_soon(head if request.method == b"HEAD" else head + body)
        connection.exchange_done(close=close)

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
        head = _head(status, self._connection.date_line, headers, close=self._close_after())
        self._connection.write(head)

    def write(self, data: bytes) -> None:
        if self._in_event:
            data = _one_line(data)
        if data and not self.finished:
            self._connection.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    @property
    def stalled(self) -> bool:
        return self._connection.stalled

    @property
    def unread(self) -> int:
        return self._connection.unread

    async def drain(self) -> None:
        await self._connection.drain()

    def finish(self) -> None:
        if self.finished:
            return
        if self._in_event:
            self._in_event = False
            self.write(b"\n\n")
        if self._chunked:
            self._connection.write(b"0\r\n\r\n")
        self.finished = True
        self._connection.exchange_done(close=self._close_after())

    def abort(self) -> None:
        """The client must not take what it has for the whole."""
        if not self.finished:
            self.finished = True
            self._connection.abort()

    def lost(self) -> None:
        if self.finished or self.gone:
            return
        self.gone = True
        if self.on_gone is not None:
            self.on_gone()

    def _close_after(self) -> bool:
        return self._open_ended or not self.request.keep_alive or self._connection.leaving


def _head(status: int, date_line: bytes, headers: bytes, length: bytes = b"", *, close: bool) -> bytes:
    end = b"Connection: close\r\n\r\n" if close else b"\r\n"
    return b"".join((STATUS_LINES[status], date_line, headers, length, end))


def _one_line(data: bytes) -> bytes:
    """Between the values of a JSON text line ends mean nothing, and within one there are none."""
    return data.translate(None, b"\r\n")
