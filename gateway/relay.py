"""Sends what was judged to the server and passes the answer on while it arrives.

Nothing is held back except what must be examined as a whole: a list of tools, and an answer so small that
checking it costs nothing. A failure before the client has a byte is reported as an upstream error; a later
one is reported at the end of the stream, or by breaking it off.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Final, TypeVar

from common.blotting import Blotting
from gateway.broken_answers import BREAKING, BROKEN_STREAM, VERBATIM, check_head, why_broken
from gateway.carried import Carried, may_be_carried
from gateway.drift import DriftWatch
from gateway.effects import Forwarded, NotAnswered
from gateway.handles import Handles
from gateway.held_stream import Awaited, HeldStream
from gateway.http_messages import Reply
from gateway.limits import Limits
from gateway.observer import Observer
from gateway.protocol.answers import LongAnswer, Nonsense, check_answer, check_text, is_answer_to
from gateway.protocol.caching import SCOPE, MakingPrivate, made_private, may_be_kept
from gateway.protocol.jsonrpc import Notification, Request
from gateway.protocol.sse import EventStream, EventTooLarge
from gateway.protocol.strict_json import Json, NotStrict, encode
from gateway.protocol.tool_list import ListTooLong, filtered, lowered, names_tools
from gateway.replies import EVENT_STREAM, JSON, NO_STORE, upstream_failed
from gateway.sharing import LARGE, Sharing
from gateway.sse_transport import Streams
from gateway.upstream import Pool, Upstreams
from gateway.upstream_answer import (
    CLIENT_GONE,
    INVALID,
    TIMEOUT,
    TOO_LARGE,
    UNREACHABLE,
    UpstreamAnswer,
    UpstreamError,
)
from gateway.upstream_connection import UpstreamConnection
from gateway.visits import Visit
from policies.language.decide import is_listed, names_exactly

_Reader = TypeVar("_Reader")
_FORWARDED: Final = {status: Forwarded(status) for status in range(200, 300)}
# After about a second another worker, or this one restarted, answers.
_COME_BACK: Final = b"retry: 1000\n\n"
# No body may follow these, whatever their headers say: a client would take it for the next answer.
_WITHOUT_BODY: Final = frozenset({204, 205})
# In bytes: while one server's events are looked through, others wait for no more than this at a time.
_FED_AT_ONCE: Final = 4_096
_CANCELLED: Final = "notifications/cancelled"
_OUTLIVED: Final = "What allowed this call changed before it could be sent."


class Relay:
    def __init__(
        self,
        upstreams: Upstreams,
        handles: Handles,
        carried: Carried,
        streams: Streams,
        limits: Limits,
        drift: DriftWatch,
        observer: Observer,
        sharing: Sharing,
    ) -> None:
        self._observer = observer
        self._sharing = sharing
        self._upstreams = upstreams
        self._streams = streams
        self._handles = handles
        self._carried = carried
        self._limits = limits
        self._drift = drift

    async def send(self, visit: Visit) -> Forwarded:
        """Send it, or go on from send_at_once(). Raises UpstreamError while the client has nothing yet."""
        if visit.stream is None:
            return await self._exchange(visit)
        return await self._post(visit, visit.stream)

    async def _exchange(self, visit: Visit, *, again: bool = True) -> Forwarded:
        answer, visit.asked = visit.asked or await self._asked(visit), None
        try:
            await answer.head()
            return await self._pass_on(visit, answer)
        except UpstreamError as error:
            if error.sent or answer.status or not again:
                raise
        finally:
            self._done(visit, answer)
        # The server closed the connection before anything was written to it, so it has seen nothing.
        return await self._exchange(visit, again=False)

    async def _asked(self, visit: Visit) -> UpstreamAnswer:
        pool = self._pool(visit)
        return self._ask(visit, pool, await pool.take())

    def send_at_once(self, visit: Visit, told: Callable[[_Reader], None], reader: _Reader) -> bool:
        """False, and nothing was sent, if that would have to wait. Raises UpstreamError.

        `told` is called with `reader` when the answer begins to arrive.
        """
        pool = self._pool(visit)
        connection = pool.take_kept()
        if connection is None:
            return False
        visit.asked = self._ask(visit, pool, connection)
        visit.asked.when_it_arrives(told, reader)
        return True

    def pass_on_at_once(self, visit: Visit) -> Forwarded | None:
        """None, and nothing was done, unless all of a plain answer is here. Raises UpstreamError, also if its
        head alone rules out passing any of it on."""
        answer = visit.asked
        if answer is None or not answer.status:
            return None
        try:
            forwarded = self._passed_whole(visit, answer)
        except Exception:
            self._done(visit, answer)
            raise
        if forwarded is not None:
            self._done(visit, answer)
        return forwarded

    def _passed_whole(self, visit: Visit, answer: UpstreamAnswer) -> Forwarded | None:
        if answer.status != 200 or b"content-encoding" in answer.headers:
            self._check_served(answer)
            return None
        body = answer.arrived()
        if body is None or len(body) > (_FED_AT_ONCE if answer.is_stream else LARGE):
            return None
        if answer.is_stream:
            return self._whole_stream(visit, answer, body)
        if answer.headers.get(b"content-type") == b"application/json":
            return self._whole_json(visit, answer, body)
        return None

    def _ask(self, visit: Visit, pool: Pool, connection: UpstreamConnection) -> UpstreamAnswer:
        exchange = visit.exchange
        # True if the server is to learn at once that the client went away.
        cancels = visit.era.modern or visit.message is None
        if exchange.gone and cancels:
            pool.put_back(connection)
            raise UpstreamError(CLIENT_GONE, "The client went away.", sent=False)
        if visit.outlived():
            # While it waited for a limit, a judge or a connection, its grant or its policy has changed.
            pool.put_back(connection)
            raise UpstreamError(UNREACHABLE, _OUTLIVED, sent=False)
        if type(visit.message) is Notification and visit.message.method == _CANCELLED:
            visit.opened.give_up(visit.message.params.get("requestId"))
        target = pool.target if visit.stream is None else visit.stream.target
        body = visit.written
        if body is None and visit.message is not None:
            body = encode(visit.message.tree)
        answer = connection.send(
            target.request(exchange.request.method, visit.lines, body), visit.opened, target.secrets
        )
        exchange.on_gone = answer.cancel if cancels else answer.orphan
        if exchange.gone:
            exchange.on_gone()
        return answer

    def _done(self, visit: Visit, answer: UpstreamAnswer) -> None:
        if not visit.exchange.finished:
            visit.exchange.on_gone = None
        if visit.opened.unread:
            visit.opened.leave_unread(0)
        if answer.status:
            self._observer.upstream(answer.waited)
        if answer.orphaned is not None or not answer.complete:
            answer.let_go()

    def _pool(self, visit: Visit) -> Pool:
        if visit.stream is not None:
            return visit.stream.pool
        return self._upstreams.pool(visit.admitted.organization.organization, visit.admitted.server)

    async def _pass_on(self, visit: Visit, answer: UpstreamAnswer) -> Forwarded:
        self._check_served(answer)
        if answer.status in VERBATIM:
            return await self._verbatim(visit, answer)
        if visit.stream is not None:
            return await self._accepted(visit, answer)
        if answer.status in _WITHOUT_BODY:
            return await self._empty(visit, answer)
        if answer.is_stream:
            return await self._stream(visit, answer)
        if answer.headers.get(b"content-type", b"").lower().startswith(b"application/json"):
            return await self._json(visit, answer)
        return await self._empty(visit, answer)

    def _check_served(self, answer: UpstreamAnswer) -> None:
        try:
            check_head(answer)
        except UpstreamError:
            # A new connection would cost everyone more than reading a short answer to its end.
            answer.leave(self._limits.collected_bytes)
            raise

    # Messages for a stream of 2024-11-05

    async def _post(self, visit: Visit, stream: HeldStream) -> Forwarded:
        """Return when the server has answered on the stream; the client's request ends before that."""
        asked = visit.message
        awaited = None
        if isinstance(asked, Request):
            awaited = stream.expect(asked, lambda failure: upstream_failed(visit, failure).body)
        try:
            forwarded = await self._posted(visit, awaited)
            if isinstance(asked, Notification) and asked.method == _CANCELLED:
                stream.cancelled(asked, self._limits.orphan_seconds)
            if awaited is None or not 200 <= forwarded.status < 300:
                return forwarded
            return Forwarded(forwarded.status, await awaited.answered(self._limits.stream_idle_seconds))
        except TimeoutError:
            failure = NotAnswered(TIMEOUT, "The server did not answer in time.", sent=True)
            stream.tell(upstream_failed(visit, failure).body)
            return Forwarded(202, TIMEOUT)
        finally:
            if awaited is not None:
                stream.forget(awaited)

    async def _posted(self, visit: Visit, awaited: Awaited | None) -> Forwarded:
        try:
            return await self._exchange(visit)
        except UpstreamError:
            if awaited is None or not awaited.done.done():
                raise
            # The client was told on its stream what became of this, and is not told anything else here.
            visit.exchange.reply(Reply(202, NO_STORE + visit.admitted.cors))
            return Forwarded(202)

    async def _accepted(self, visit: Visit, answer: UpstreamAnswer) -> Forwarded:
        if answer.is_stream:
            raise answer.failed(INVALID, "The server answered a message beside the stream it belongs to.")
        await answer.whole(self._limits.collected_bytes)  # means nothing: the answer comes on the stream
        visit.exchange.reply(Reply(202, NO_STORE + visit.admitted.cors))
        return Forwarded(answer.status)

    # Whole answers

    async def _verbatim(self, visit: Visit, answer: UpstreamAnswer) -> Forwarded:
        body = await answer.whole(self._limits.collected_bytes)
        given = answer.headers.get(b"content-type", b"").lower()
        # Without the type's parameters: a charset, say, in which nobody looked through the body.
        kind = b"application/json" if given.startswith(b"application/json") else b"text/plain"
        try:
            # A NUL suggests another encoding, which is not looked through and which some clients would guess.
            body = b"" if b"\0" in body else self._filtered(visit, body) or body
        except (NotStrict, ListTooLong):
            body = b""  # the status says enough
        lines = b"Content-Type: %b\r\nX-Content-Type-Options: nosniff\r\n%b" % (kind, NO_STORE)
        for name in (b"Allow", b"Retry-After"):
            if name.lower() in answer.headers:
                lines += b"%b: %b\r\n" % (name, answer.headers[name.lower()])
        lines = answer.shown(lines) + self._lines(visit, answer)
        visit.exchange.reply(Reply(answer.status, lines, answer.shown(body)))
        return Forwarded(answer.status)

    async def _empty(self, visit: Visit, answer: UpstreamAnswer) -> Forwarded:
        body = await answer.whole(self._limits.collected_bytes)
        if body and visit.message is not None:
            raise answer.failed(INVALID, "The server's answer is neither JSON nor a stream of events.")
        if isinstance(visit.message, Request):
            raise answer.failed(INVALID, "The server ended its answer without a word.")
        visit.exchange.reply(Reply(answer.status, NO_STORE + self._lines(visit, answer)))
        return Forwarded(answer.status)

    async def _json(self, visit: Visit, answer: UpstreamAnswer) -> Forwarded:
        body, most = answer.arrived(), self._limits.list_bytes
        if body is None and visit.lists_tools:
            # A longer list would not be looked through, so no more than that is even taken in.
            body = await answer.whole(most, visit.opened.hold)
        if body is None:
            is_long = int(answer.headers.get(b"content-length", b"0")) > most
            body, is_all = await answer.beginning(0 if is_long else most, visit.opened.hold)
            if not is_all:
                return await self._long_json(visit, answer, body)
        if len(body) <= LARGE:
            return self._whole_json(visit, answer, body)
        organization = visit.admitted.organization.organization
        await self._sharing.turn(organization)
        began = perf_counter()
        try:
            return self._whole_json(visit, answer, body)
        finally:
            self._sharing.spent(organization, perf_counter() - began)

    def _whole_json(self, visit: Visit, answer: UpstreamAnswer, body: bytes) -> Forwarded:
        message = visit.message
        try:
            # Parsing a long answer that is not a list would hold up others for nothing.
            if type(message) is Request and (visit.lists_tools or len(body) <= self._limits.collected_bytes):
                check_answer(body, message.id)
            else:
                check_text(body)
            rewritten = self._rewritten(visit, body) if _may_need_rewriting(visit, body) else None
            body = body if rewritten is None else rewritten
        except (Nonsense, NotStrict, ListTooLong) as problem:
            raise why_broken(answer, problem) from None
        visit.exchange.answer(answer.status, JSON + self._lines(visit, answer), answer.shown(body))
        return _FORWARDED[answer.status]

    # Answers that are passed on as they come

    async def _long_json(self, visit: Visit, answer: UpstreamAnswer, begun: bytes) -> Forwarded:
        exchange, watched, passing = visit.exchange, LongAnswer(), False
        blotting, private = Blotting(answer.secrets), MakingPrivate() if may_be_kept(visit.message) else None
        length = None if private else answer.headers.get(b"content-length")
        chunk: bytes | None = begun
        try:
            while chunk is not None:
                watched.look(chunk)
                if not passing:
                    lines = JSON + self._lines(visit, answer)
                    exchange.start(answer.status, lines, int(length) if length else None)
                    passing = True
                piece = blotting.feed(chunk)
                exchange.write(piece if private is None else private.feed(piece))
                if not await self._taken(visit, 0):
                    raise answer.failed(TOO_LARGE, "Too much is held for clients that do not read.")
                chunk = await answer.next_chunk()
        except (UpstreamError, Nonsense, ListTooLong) as problem:
            if not passing:
                raise why_broken(answer, problem) from None
            exchange.abort()
            return Forwarded(answer.status, why_broken(answer, problem).code)
        exchange.write(blotting.end() if private is None else private.end(blotting.end()))
        exchange.finish()
        return Forwarded(answer.status)

    def _whole_stream(self, visit: Visit, answer: UpstreamAnswer, body: bytes) -> Forwarded | None:
        """None if something is wrong with it: _stream() is left to report that."""
        try:
            events = self._events(visit)
            passed = events.feed(body)
        except tuple(BROKEN_STREAM):
            return None
        if self._is_unanswered(visit, events) and not events.resumable:
            return None
        visit.exchange.answer(answer.status, EVENT_STREAM + self._lines(visit, answer), answer.shown(passed))
        return Forwarded(answer.status)

    def _events(self, visit: Visit) -> EventStream:
        return EventStream(
            wrap_id=lambda handle: self._handles.wrap("event", visit.admitted, handle),
            rewrite_data=lambda data: self._rewritten(visit, data),
            may_need_it=partial(_may_need_rewriting, visit),
            max_event=self._limits.answer_bytes,
        )

    async def _stream(self, visit: Visit, answer: UpstreamAnswer) -> Forwarded:
        exchange, events = visit.exchange, self._events(visit)
        self._register(visit, answer, events)
        if visit.message is None and b"mcp-session-id" not in exchange.request.headers:
            events.rewrite_endpoint = lambda endpoint: self._hold(visit, events, endpoint)
        exchange.start(answer.status, EVENT_STREAM + self._lines(visit, answer))
        try:
            while (chunk := await answer.next_chunk()) is not None:
                await self._feed(visit, answer, events, chunk)
        except BREAKING as problem:
            return await self._broken_off(visit, answer, events, why_broken(answer, problem))
        await self._let_go(visit, INVALID)
        if self._is_unanswered(visit, events) and not (visit.standing or events.resumable):
            # A server need not answer what its client cancels.
            code = CLIENT_GONE if visit.opened.given_up else INVALID
            error = answer.failed(code, "The server ended its stream without an answer.")
            return await self._broken_off(visit, answer, events, error)
        exchange.finish()
        return Forwarded(answer.status)

    def _is_unanswered(self, visit: Visit, events: EventStream) -> bool:
        asked = visit.message
        if not isinstance(asked, Request):
            return False
        most = self._limits.collected_bytes
        return not events.may_hold(encode(asked.id), lambda data: is_answer_to(data, asked.id), most)

    def _hold(self, visit: Visit, events: EventStream, endpoint: bytes) -> bytes:
        """The server speaks the 2024-11-05 transport: give the client an address of ours to post to."""
        visit.held = self._streams.hold(visit, self._pool(visit), endpoint)
        events.on_data = visit.held.hear
        return self._streams.address_of(visit.held)

    async def _let_go(self, visit: Visit, code: str) -> None:
        if visit.held is not None:
            await self._streams.let_go(visit.held, code)

    async def _feed(self, visit: Visit, answer: UpstreamAnswer, events: EventStream, chunk: bytes) -> None:
        organization, sharing = visit.admitted.organization.organization, self._sharing
        for start in range(0, len(chunk), _FED_AT_ONCE):
            began = perf_counter()
            # feed() returns whole lines, and header values hold no line end: no secret is cut in two.
            visit.exchange.write(answer.shown(events.feed(chunk[start : start + _FED_AT_ONCE])))
            sharing.spent(organization, perf_counter() - began)
            if sharing.owes(organization):
                await sharing.turn(organization)
            if not await self._taken(visit, events.held):
                raise EventTooLarge
            if start + _FED_AT_ONCE < len(chunk):
                await asyncio.sleep(0)

    async def _taken(self, visit: Visit, held_back: int) -> bool:
        """Wait until the client has read enough. False: what it leaves unread, or what is held back of an
        event, does not fit beside what else its organization holds."""
        exchange, opened = visit.exchange, visit.opened
        unread = exchange.unread
        if not unread:
            return opened.hold(held_back)
        if not opened.hold(held_back + unread):
            exchange.abort()
            return False
        opened.cut = exchange.abort
        await exchange.drain()
        opened.cut = None
        return opened.hold(held_back)

    def _register(self, visit: Visit, answer: UpstreamAnswer, events: EventStream) -> None:
        """Let a stream end when its grant does. The call behind it goes on, to be recorded."""
        exchange = visit.exchange

        def end() -> None:
            exchange.finish()
            if visit.standing:
                answer.cancel()
            else:
                answer.orphan()

        def leave() -> None:
            if visit.standing or events.resumable:
                exchange.write(_COME_BACK)
                end()

        visit.opened.end, visit.opened.leave = end, leave
        if isinstance(visit.message, Request):
            visit.opened.id = visit.message.id

    async def _broken_off(
        self, visit: Visit, answer: UpstreamAnswer, events: EventStream, error: UpstreamError
    ) -> Forwarded:
        await self._let_go(visit, error.code)
        message, exchange = visit.message, visit.exchange
        if visit.standing or error.code == CLIENT_GONE or not self._is_unanswered(visit, events):
            exchange.finish()
        elif events.resumable:
            # If told nothing, the client comes back with the last event's id and may still get its answer.
            exchange.abort()
        elif isinstance(message, Request):
            failure = NotAnswered(error.code, error.reason, sent=True)
            told = upstream_failed(visit, failure).body
            exchange.write(b"event: message\ndata: %b\n\n" % told)
            exchange.finish()
        return Forwarded(answer.status, error.code)

    # What is changed on the way

    def _lines(self, visit: Visit, answer: UpstreamAnswer) -> bytes:
        session = answer.headers.get(b"mcp-session-id")
        if session is None:
            return visit.admitted.cors
        wrapped = self._handles.wrap("session", visit.admitted, session)
        return b"Mcp-Session-Id: %b\r\n%b" % (wrapped, visit.admitted.cors)

    def _rewritten(self, visit: Visit, message: bytes) -> bytes | None:
        """None: nothing needs rewriting, and the message may leave as it came. Empty: it must not leave."""
        filtered = self._filtered(visit, message)
        wrapped = self._carried.hand_out(visit, filtered or message, self._limits.list_bytes)
        changed = filtered if wrapped is None else wrapped
        return (
            made_private(message if changed is None else changed) if may_be_kept(visit.message) else changed
        )

    def _filtered(self, visit: Visit, message: bytes) -> bytes | None:
        admitted = visit.opened.admitted  # a stream may be older than the policy
        drift = self._drift
        compiled = admitted.grant.compiled

        def is_shown(tool: str) -> bool:
            there = tool in admitted.server.tools or names_exactly(compiled, tool)
            return there and is_listed(drift.policy(admitted, tool), tool)

        def look(tools: list[Json], last: bool) -> None:
            asked = visit.message
            if visit.lists_tools and isinstance(asked, Request):
                drift.look(admitted, tools, whole=last and not asked.params.get("cursor"))
            elif visit.standing:
                # This answers something asked elsewhere: we cannot know which page it is.
                drift.look(admitted, tools, whole=False)

        return filtered(message, is_shown, modern=visit.era.modern, most=self._limits.list_bytes, look=look)


def _may_need_rewriting(visit: Visit, text: bytes) -> bool:
    seen = lowered(text)
    return names_tools(seen) or may_be_carried(seen) or (SCOPE in seen and may_be_kept(visit.message))
