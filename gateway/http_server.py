"""HTTP/1.1 from clients: asyncio.Protocol with llhttp; requests of one connection are answered in order.

Whatever two readers could frame in two ways ends the connection. A body is collected up to its limit, because
it is judged as a whole; a request refused by its head is answered without waiting for its body.
"""

import asyncio
import logging
import socket
import sys
from collections import deque
from collections.abc import Coroutine
from enum import Enum, auto
from time import monotonic
from typing import Final, cast

import httptools

from gateway import http_parsing
from gateway.giving_way import Rank, Room
from gateway.http_exchange import Exchange
from gateway.http_handler import Handler
from gateway.http_messages import HeadMemo, KnownHead, Reply, Request, date_line, refusal
from gateway.limits import Limits
from gateway.outbox import Outbox

log = logging.getLogger("gateway.http")


class _Phase(Enum):
    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    CLOSING = auto()


_IDLE, _CLOSING = _Phase.IDLE, _Phase.CLOSING  # used on every call: up to Python 3.11 members are slow

# Longer writes are made at once, so that it is known at once whether the client takes them.
_WRITTEN_SOON: Final = 16_384


class Connection(asyncio.Protocol):
    def __init__(self, server: "HttpServer") -> None:
        self.server = server
        self._limits = server.limits
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None
        self._waiting: deque[Request] = deque()
        self._exchange: Exchange | None = None
        self._phase = _Phase.IDLE
        self._since = self._at = self._made_at = server.now()
        self._memo = HeadMemo()
        self._known: KnownHead | None = None
        self._completed: list[Request] = []
        self._head_bytes = 0
        self._header_bytes = 0
        self._lingers = False
        self._served = False
        self._reading = True
        self.stalled_since: float | None = None
        self._drained: asyncio.Future[None] | None = None
        self._unsent = b""

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_high_bytes)
        has_room = self.server.room.make(self.server.connections)
        self.server.connections.add(self)
        if self.server.draining or not has_room:
            self._stop(http_parsing.FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)
        self._phase = _Phase.CLOSING
        self._transport = None
        self._forget_waiting()
        self.resume_writing()
        if self._exchange is not None:
            self._exchange.lost()
        del self._parser  # the parser and the connection refer to each other

    def data_received(self, data: bytes) -> None:
        if self._phase is _CLOSING:
            return
        whole, known = self._phase is _IDLE, self._known
        if whole and known is not None and self._exchange is None and not self._waiting:
            again = known.read(data, self._limits.body_bytes)
            if again is not None:
                self._start(again)
                if again.admitted is not known.first.admitted:
                    known.first.admitted = again.admitted  # it was renewed
                return
        self._at = self.server.now()
        # Set to 0 by every piece of a body and at its end: a head that arrives in one piece with that is not
        # counted, because one read bounds it.
        self._head_bytes = len(data) + (0 if self._phase is _Phase.IDLE else self._head_bytes)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._stop(http_parsing.UNREADABLE)
        if self._phase is not _Phase.IDLE and self._head_bytes > self._limits.head_bytes:
            # In a body: an extension of a chunk, or a trailer, which the parser collects while it goes on.
            in_head = self._phase is _Phase.HEAD
            self._stop(http_parsing.HEAD_TOO_LARGE if in_head else http_parsing.UNREADABLE)
        if self._phase is _Phase.BODY and self._request is not None:
            self._look_at_unfinished(self._request)
        if self._waiting and self._exchange is not None:
            self._pause_reading()
        if whole:
            self._learn(data)
        self._completed.clear()  # drop the bodies, which are counted only while they are served

    def _learn(self, data: bytes) -> None:
        """Remember the head: most clients send the same one each time, and the next need not be parsed."""
        if self._phase is _Phase.IDLE and len(self._completed) == 1 and self._completed[0].problem is None:
            self._known = KnownHead.of(data, self._completed[0])

    def _look_at_unfinished(self, request: Request) -> None:
        if request.problem is not None:
            self._stop(request.problem)
        elif not self.server.handler.hold(request, len(request.body), unfinished=True):
            self._stop(http_parsing.NO_ROOM)

    def pause_writing(self) -> None:
        self.stalled_since = self.server.now()

    def resume_writing(self) -> None:
        self.stalled_since = None
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    # From the parser

    def on_message_begin(self) -> None:
        if self._phase is not _Phase.CLOSING:
            self._request = Request()
            self._phase = _Phase.HEAD
            self._since = self._at
            self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        if self._request is not None:
            self._request.target += url
            self._header_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self._request
        if request is None:
            return
        if self._phase is not _Phase.HEAD:
            request.problem = refusal("Trailers are not accepted.", close=True)
            return
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._limits.head_bytes:
            return  # it will be refused, so its content does not matter
        name = name.lower()
        if name.startswith(b"mcp-"):
            value = value.strip(b" \t")  # surrounding white space is not part of a value
        if name in request.headers:
            http_parsing.join_repeated(request, name, value)
        else:
            request.headers[name] = value

    def on_headers_complete(self) -> None:
        request = self._request
        if request is None:
            return
        request.method = self._parser.get_method()
        request.keep_alive = self._parser.should_keep_alive()
        request.memo = self._memo
        self._phase = _Phase.BODY
        self._head_bytes = 0
        if self._header_bytes > self._limits.head_bytes or len(request.headers) > http_parsing.MOST_HEADERS:
            request.problem = http_parsing.HEAD_TOO_LARGE
        request.problem = (
            request.problem
            or http_parsing.framing_problem(request, self._parser.get_http_version(), self._limits.body_bytes)
            or self.server.handler.check_head(request)
        )
        asks_first = b"expect" in request.headers and request.http11
        if asks_first and request.problem is None and self._exchange is None:
            self.write(http_parsing.CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        request = self._request
        if request is None or request.problem is not None:
            return
        if isinstance(request.body, bytearray):
            request.body += body
        else:
            request.body = bytearray(request.body + body) if request.body else body
        if len(request.body) > self._limits.body_bytes:
            request.problem = http_parsing.body_too_large(self._limits.body_bytes)
            request.body = b""

    def on_message_complete(self) -> None:
        request = self._request
        if request is None or self._phase is _Phase.CLOSING:
            return
        if self._parser.should_upgrade():
            request.problem = http_parsing.UNREADABLE
        self._request = None
        self._phase = _Phase.IDLE
        self._head_bytes = 0
        self._completed.append(request)
        self._take(request)
        if len(self._waiting) > http_parsing.MOST_WAITING:
            self._stop(http_parsing.UNREADABLE)

    def _take(self, request: Request) -> None:
        # Not the loop's clock, which stands still during an iteration and counts whole milliseconds.
        request.received_at = monotonic()
        self._since = self._at
        if self._waiting or self._exchange is not None or self._transport is None:
            if request.problem is None and not self.server.handler.hold(request, len(request.body)):
                request.problem = http_parsing.NO_ROOM
            self._waiting.append(request)
            self._next()
        else:
            self._start(request)

    # From the exchange

    def serve(self, exchange: Exchange, rest: Coroutine[None, None, None]) -> None:
        tasks = self.server.tasks
        task = self.server.loop.create_task(self._serve(exchange, rest))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def release(self, exchange: Exchange) -> None:
        if exchange.request.held or exchange.request.place is not None:
            self._let_go(exchange.request)
        self.server.running -= 1

    def write(self, data: bytes) -> None:
        if self._unsent:
            self._write_unsent()
        if self._transport is not None:
            self._transport.write(data)

    def write_soon(self, data: bytes) -> None:
        if len(data) > _WRITTEN_SOON or self.stalled_since is not None:
            self.write(data)
            return
        if not self._unsent:
            self.server.outbox.add(self._write_unsent)
        self._unsent += data

    def _write_unsent(self) -> None:
        data, self._unsent = self._unsent, b""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    @property
    def unread(self) -> int:
        if self.stalled_since is None or self._transport is None:
            return 0
        return self._transport.get_write_buffer_size()

    async def drain(self) -> None:
        if self.stalled_since is None:
            return
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._drained)

    def exchange_done(self, *, close: bool) -> None:
        self._exchange = None
        self._served = True
        if close or self.server.draining:
            self._close()
            return
        self._since = self.server.now()
        if self._waiting or not self._reading:
            # Not at once: the request just answered still has its place among the open ones.
            self.server.loop.call_soon(self._next)

    def abort(self) -> None:
        self._write_unsent()
        self._phase = _Phase.CLOSING
        if self._transport is not None:
            self._transport.abort()

    # The connection itself

    def tick(self, now: float) -> None:
        if self.stalled_since is not None and now - self.stalled_since > self._limits.stalled_seconds:
            self.abort()
        elif self._phase is _Phase.CLOSING:
            if self._exchange is None and now - self._since > self._patience():
                self.abort()
        elif self._exchange is None and self._overdue(now - self._since):
            self._close() if self._phase is _Phase.IDLE else self._stop(http_parsing.TOO_SLOW)

    def expendable(self) -> tuple[Rank, float] | None:
        if self._exchange is not None:
            return None
        if self._phase is _Phase.CLOSING:
            return Rank.LEAVING, self._since
        if not self._memo.said:
            return Rank.STRANGER, self._made_at
        return None if self._phase is _Phase.BODY else (Rank.IDLE, self._since)

    def give_way(self) -> None:
        if self._phase is _Phase.IDLE:
            # It stays in `connections`: one that leaves its answers unread is still timed out, and goes next.
            return self._close()
        self.server.connections.discard(self)
        return self.abort()

    def drain_now(self) -> None:
        if self._exchange is None:
            self._close()

    def _patience(self) -> float:
        unsent = self._transport is not None and self._transport.get_write_buffer_size() > 0
        return self._limits.stalled_seconds if unsent else self._limits.linger_seconds

    def _overdue(self, elapsed: float) -> bool:
        limits = self._limits
        if self._phase is _Phase.IDLE:
            return elapsed > (limits.idle_seconds if self._served else limits.head_seconds)
        if self._phase is _Phase.HEAD:
            return elapsed > limits.head_seconds
        received = len(self._request.body) if self._request is not None else 0
        return elapsed > limits.body_grace_seconds + received / limits.body_bytes_per_second

    def _next(self) -> None:
        while self._exchange is None and self._waiting and self._transport is not None:
            self._start(self._waiting.popleft())
        if not self._waiting:
            self._resume_reading()

    def _start(self, request: Request) -> None:
        exchange = self._exchange = Exchange(self, request)
        if request.problem is not None:
            self._let_go(request)
            if request.problem.refuses:
                self.server.handler.refused(request, request.problem)
            exchange.reply(request.problem)
            return
        self.server.running += 1
        try:
            rest = self.server.handler.begin(exchange)
        except Exception as failure:
            _fail(exchange, failure)
            exchange.release()
        else:
            if rest is not None:
                self.serve(exchange, rest)

    def _let_go(self, request: Request) -> None:
        if request.admitted is not None:
            self.server.handler.hold(request, 0)

    def _forget_waiting(self) -> None:
        for request in self._waiting:
            self._let_go(request)
        self._waiting.clear()
        if self._request is not None:
            self._let_go(self._request)
            self._request = None

    async def _serve(self, exchange: Exchange, rest: Coroutine[None, None, None]) -> None:
        try:
            await rest
        except Exception as failure:
            _fail(exchange, failure)
        finally:
            exchange.release()

    def _stop(self, reply: Reply) -> None:
        """Read nothing more: answer the requests already taken, then send this reply, then close."""
        if self._phase is _Phase.CLOSING:
            return
        stopped = Request(problem=reply, keep_alive=False)
        if self._request is not None:
            stopped.admitted = self._request.admitted
            self._let_go(self._request)
            self._request = None
        self._lingers = True
        self._waiting.append(stopped)
        self._phase, self._since = _Phase.CLOSING, self.server.now()
        self._next()

    def _close(self) -> None:
        self._phase, self._since = _Phase.CLOSING, self.server.now()
        self._forget_waiting()
        self._write_unsent()
        transport = self._transport
        if transport is None:
            return
        if self._lingers and transport.can_write_eof():
            # Closing while bytes still come in would reset the connection, and the answer would be lost.
            self._resume_reading()
            transport.write_eof()
        else:
            transport.close()

    def _pause_reading(self) -> None:
        if self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._reading and self._transport is not None:
            self._reading = True
            self._transport.resume_reading()


def _fail(exchange: Exchange, failure: Exception) -> None:
    log.error("a request could not be answered", exc_info=failure)
    exchange.abort() if exchange.started else exchange.reply(http_parsing.FAILED)


class HttpServer:
    """Serves a handler until close(). One periodic tick checks every deadline of every connection."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        self.handler = handler
        self.limits = limits
        self.connections: set[Connection] = set()
        self.draining = False
        self.tasks: set[asyncio.Task[None]] = set()
        self.running = 0
        """Requests being answered, including those whose clients are gone."""
        self.port = 0
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.outbox = Outbox(self.loop)
        self.room = Room(limits.connections)
        self.date_line = date_line()
        self._server: asyncio.Server | None = None
        self._next_look: asyncio.Handle | None = None

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        self._server = await self.loop.create_server(
            lambda: Connection(self), host, port, backlog=2048, reuse_port=reuse_port or None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._tick()

    async def start_on(self, listener: socket.socket) -> None:
        if listener.family != socket.AF_UNIX:
            self._server = await self.loop.create_server(lambda: Connection(self), sock=listener)
        elif sys.version_info >= (3, 13):
            # It was bound by a short name that now means nothing, or something else: a loop asked to remove
            # the socket by that name at the end could not even start.
            self._server = await self.loop.create_unix_server(
                lambda: Connection(self), sock=listener, cleanup_socket=False
            )
        else:
            self._server = await self.loop.create_unix_server(lambda: Connection(self), sock=listener)
        self._tick()

    async def close(self) -> None:
        """Accept nothing more, let calls finish, end streams, and abort the rest after `drain_seconds`."""
        self.draining = True
        if self._server is not None:
            self._server.close()
        self.handler.drain()
        for connection in tuple(self.connections):
            connection.drain_now()
        deadline = self.now() + self.limits.drain_seconds
        while (self.connections or self.running) and self.now() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        for connection in tuple(self.connections):
            connection.abort()
        if self._next_look is not None:
            self._next_look.cancel()
        self.room.tell()

    def _tick(self) -> None:
        # If the loop was held up, what came meanwhile is read first: no client is called slow for that.
        self._next_look = self.loop.call_soon(self._after_this_turn)

    def _after_this_turn(self) -> None:
        self._next_look = self.loop.call_soon(self._look_after_deadlines)

    def _look_after_deadlines(self) -> None:
        # First, so that a look which fails is not the last.
        self._next_look = self.loop.call_later(self.limits.tick_seconds, self._tick)
        self.date_line = date_line()
        now = self.now()
        for connection in tuple(self.connections):
            connection.tick(now)
        self.handler.tick(now)
        self.room.tell()
