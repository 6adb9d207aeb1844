"""One request of a client, from its head to its end: let in, read once, given its verdict, answered."""

import logging
import socket
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Final

from uuid_utils import uuid7

from common.egress import EgressPolicy
from common.sealing import Keyring
from gateway import asked, pipeline, replies, rulings
from gateway.admission import Admission, ConfigSource, Route
from gateway.counters.base import Limiter
from gateway.drift import DriftWatch
from gateway.driver import DecisionLog, Driver, judged_at_once
from gateway.effects import Effect, Ending, Failed, NotAnswered, Passed, Refused
from gateway.forwarding import upstream_headers
from gateway.handles import Handles
from gateway.handover import NO_STREAM, Door, Handover
from gateway.http_exchange import Exchange
from gateway.http_messages import Reply, Request, plain
from gateway.http_server import HttpServer
from gateway.limits import Limits
from gateway.observer import Observer, Unobserved
from gateway.pipeline import Asker, Pipeline
from gateway.protocol import jsonrpc
from gateway.protocol.eras import era_of
from gateway.protocol.methods import Verdict, verdict_of
from gateway.relay import Relay
from gateway.resolver import SystemResolver
from gateway.sse_transport import StreamGone, Streams
from gateway.turns import Play, Turns
from gateway.upstream import Resolve, Upstreams
from gateway.upstream_answer import UpstreamError
from gateway.visits import Admitted, OpenRequests, Rooms, Visit

log = logging.getLogger("gateway.app")

_UNJUDGED: Final = frozenset({Verdict.PASS, Verdict.FILTER_TOOLS})
# What a body becomes beside itself: its values, and our writing of them.
_HELD_FOR_A_BYTE: Final = 3
_TOO_MANY: Final = plain(429, "This grant has too many requests open.", headers=b"Retry-After: 1\r\n")


class Gateway:
    """The data plane of one worker. To be made inside the event loop it serves in.

    The configuration's store calls on_swap() after every change; `routes` are answered without a token.
    `prefix` is what a proxy in front takes off the path before it comes to us.
    """

    def __init__(
        self,
        *,
        config: ConfigSource,
        limiter: Limiter,
        decisions: DecisionLog,
        egress: EgressPolicy,
        keyring: Keyring,
        hosts: frozenset[str],
        origins: frozenset[str] = frozenset(),
        routes: Mapping[str, Route] | None = None,
        limits: Limits | None = None,
        observer: Observer | None = None,
        resolve: Resolve | None = None,
        door: Door | None = None,
        prefix: str = "",
        drift: DriftWatch | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._admission = Admission(config, hosts=hosts, origins=origins, routes=routes or {})
        self._rooms = Rooms(self._limits.held_bytes)
        self._open = OpenRequests(self._limits.requests_per_grant, self._rooms)
        self._handles = Handles(keyring)
        self._resolver = SystemResolver()
        self._upstreams = Upstreams(keyring, egress, resolve or self._resolver, self._limits)
        door = door or Door("gw-1")
        self._streams = Streams(keyring, door.worker, door.address, prefix)
        self._handover = Handover(door, self._limits)
        self._drift = drift or DriftWatch()
        self._observer = observer or Unobserved()
        self._relay = Relay(
            self._upstreams, self._handles, self._streams, self._limits, self._drift, self._observer
        )
        self._driver = Driver(limiter, decisions, self._relay, self._observer)
        self._turns = Turns(
            self._driver, self._relay, over=self._over, alone=self._alone, broken=self._broken
        )

    async def serve(self, host: str, port: int, *, reuse_port: bool = False) -> HttpServer:
        """Listens until the server is closed; `port` 0 takes a free one. After that, close() this too."""
        server = HttpServer(self, self._limits)
        await server.start(host, port, reuse_port=reuse_port)
        return server

    async def serve_workers(self, listener: socket.socket) -> HttpServer:
        """Takes what other workers hand over."""
        server = HttpServer(_Handed(self), self._limits)
        await server.start_on(listener)
        return server

    def close(self) -> None:
        self._upstreams.close()
        self._resolver.close()
        self._driver.close()
        self._drift.close()

    def on_swap(self, *_: object) -> None:
        self._open.renew(self._admission.renewed)
        self._streams.end_moved()

    # For the HTTP server

    def check_head(self, request: Request) -> Reply | None:
        refused = self._admission.check(request)
        if refused is not None and refused.status >= 400:
            self._observer.refused(refused.status)
        return refused

    def tick(self, now: float) -> None:
        self._upstreams.tick(now)
        self._open.renew(self._admission.renewed)
        self._drift.tick()

    def drain(self) -> None:
        self._open.leave_streams()

    def hold(self, request: Request, size: int) -> bool:
        """Whether a request that was let in may hold this much of the worker's memory."""
        admitted = request.admitted
        assert isinstance(admitted, Admitted)
        taken = self._rooms.take(admitted.organization.organization, _HELD_FOR_A_BYTE * (size - request.held))
        if taken:
            request.held = size
        return taken

    def begin(self, exchange: Exchange, *, handed: bool = False) -> Coroutine[None, None, None] | None:
        # Its body or its turn may have taken minutes to come: it is judged by what holds now.
        refused = self._admission.renew(exchange.request)
        admitted = exchange.request.admitted
        assert isinstance(admitted, Admitted)
        opened = self._open.enter(admitted) if refused is None else None
        if opened is None:
            exchange.reply(refused or _with_cors(_TOO_MANY, admitted))
            exchange.release()
            return None
        visit = Visit(exchange, admitted, opened)
        if b"?" in exchange.request.target:
            return self._to_its_end(visit, self._of_stream(visit, handed=handed))
        try:
            return self._begin(visit)
        except jsonrpc.Refused as refusal:
            self._observer.refused(refusal.status)
            visit.answer(replies.refused(refusal, admitted.cors))
            return self._leave(visit)
        except BaseException:
            self._open.leave(opened)
            raise

    # One visit

    def _begin(self, visit: Visit) -> Coroutine[None, None, None] | None:
        asks = self._read(visit)
        if asks is None or not judged_at_once(visit):
            return self._to_its_end(visit, self._answer(visit, asks))
        self._turns.join(asks, visit)
        return None

    async def _of_stream(self, visit: Visit, *, handed: bool) -> None:
        try:
            if await self._is_ours(visit, handed=handed):
                await self._answer(visit, self._read(visit))
        except StreamGone:
            self._observer.refused(NO_STREAM.status)
            visit.answer(_with_cors(NO_STREAM, visit.admitted))
        except jsonrpc.Refused as refusal:
            self._observer.refused(refusal.status)
            visit.answer(replies.refused(refusal, visit.admitted.cors))

    async def _is_ours(self, visit: Visit, *, handed: bool) -> bool:
        """A message for a stream that another worker holds goes there and is answered there."""
        request = visit.exchange.request
        place = self._streams.named_by(request, visit.admitted)
        if place is None or request.method != b"POST":
            return True
        if self._streams.is_here(place):
            visit.stream = self._streams.find(place, visit.admitted)
            return True
        if handed:
            raise StreamGone
        reply = await self._handover.send(request, place)
        visit.exchange.reply(_with_cors(reply, visit.admitted))
        return False

    def _read(self, visit: Visit) -> Pipeline | None:
        """How it is to be judged; None: it is not. Raises Refused."""
        request = visit.exchange.request
        if request.method == b"POST":
            message = visit.message = jsonrpc.read(bytes(request.body))
            visit.era = era_of(request.headers, message, visit.admitted.server.revisions)
        else:
            visit.standing = request.method == b"GET"
        visit.headers = upstream_headers(visit, self._handles, self._drift)
        return self._by_verdict(visit)

    def _by_verdict(self, visit: Visit) -> Pipeline | None:
        message = visit.message
        if message is None or isinstance(message, jsonrpc.Answer):
            return None
        is_notification = isinstance(message, jsonrpc.Notification)
        verdict = verdict_of(message.method, notification=is_notification, modern=visit.era.modern)
        if verdict is Verdict.REFUSE:
            raise _unknown(visit)
        visit.lists_tools = verdict is Verdict.FILTER_TOOLS
        if isinstance(message, jsonrpc.Notification) or verdict in _UNJUDGED:
            return None
        visit.decision_id = str(uuid7())
        return _question(visit, message, verdict, self._drift)

    async def _to_its_end(self, visit: Visit, rest: Coroutine[None, None, None]) -> None:
        exchange = visit.exchange
        try:
            await rest
        finally:
            # An answer nobody reads is memory, too: its place is taken until it is gone.
            if exchange.stalled:
                await exchange.drain()
            if visit.stream is not None:
                await visit.stream.visit.exchange.drain()
            self._open.leave(visit.opened)

    def _leave(self, visit: Visit) -> Coroutine[None, None, None] | None:
        if visit.exchange.stalled:
            return self._to_its_end(visit, _nothing())
        self._open.leave(visit.opened)
        visit.exchange.release()
        return None

    async def _answer(self, visit: Visit, asks: Pipeline | None) -> None:
        if asks is None:
            await self._pass(visit)
        else:
            await self._judge(visit, asks)

    async def _judge(self, visit: Visit, asks: Pipeline, effect: Effect | None = None) -> None:
        try:
            ending = await self._driver.play(asks, visit, effect)
        except Exception as failure:
            await self._not_judged(visit, failure)
        else:
            self._tell(visit, ending)

    async def _not_judged(self, visit: Visit, failure: Exception) -> None:
        log.error("a call could not be judged: %s", type(failure).__name__)
        self._tell(visit, await self._driver.play(pipeline.refuse(rulings.INTERNAL_ERROR), visit))

    # For the turns

    def _over(self, visit: Visit, ending: Ending) -> None:
        try:
            self._tell(visit, ending)
        except Exception as failure:
            log.error("a call could not be answered: %s", type(failure).__name__)
            visit.exchange.abort()
        rest = self._leave(visit)
        if rest is not None:
            visit.exchange.serve(rest)

    def _alone(self, play: Play) -> None:
        rest = self._judge(play.visit, play.pipeline, play.effect)
        visit = play.visit
        visit.exchange.serve(self._to_its_end(visit, rest))

    def _broken(self, visit: Visit, failure: Exception) -> None:
        visit.exchange.serve(self._to_its_end(visit, self._not_judged(visit, failure)))

    def _tell(self, visit: Visit, ending: Ending) -> None:
        match ending:
            case Passed():
                return
            case Refused(ruling):
                visit.answer(replies.denied(visit, ruling))
            case Failed(failure) if failure.code == rulings.INTERNAL_ERROR.code:
                visit.answer(replies.denied(visit, rulings.INTERNAL_ERROR))
            case Failed(failure):
                visit.answer(replies.upstream_failed(visit, failure))

    async def _pass(self, visit: Visit) -> None:
        """Nothing to judge: only a configuration that is too old stops it."""
        if _lease_over(visit):
            visit.answer(replies.denied(visit, rulings.CONFIGURATION_EXPIRED))
            return
        try:
            await self._relay.send(visit)
        except UpstreamError as error:
            failure = NotAnswered(error.code, error.reason, error.sent, error.status)
            visit.answer(replies.upstream_failed(visit, failure))


class _Handed:
    """The same gateway for what other workers hand over. Its clock is the public server's."""

    def __init__(self, gateway: Gateway) -> None:
        self.check_head = gateway.check_head
        self.hold = gateway.hold
        self._gateway = gateway

    def begin(self, exchange: Exchange) -> Coroutine[None, None, None] | None:
        return self._gateway.begin(exchange, handed=True)

    def tick(self, now: float) -> None:
        pass

    def drain(self) -> None:
        pass


async def _nothing() -> None:
    pass


def _question(visit: Visit, message: jsonrpc.Request, verdict: Verdict, drift: DriftWatch) -> Pipeline:
    if verdict is Verdict.JUDGE_TOOL:
        call = asked.tool_call(message)
        visit.subject = call.tool
        visit.arguments = message.params.get("arguments", {})
        return pipeline.tools_call(_asker(visit, drift, call.tool), call)
    things = asked.things(message, verdict)
    visit.subject = asked.named(things[0]) if things else None
    visit.standing = verdict is Verdict.JUDGE_SUBSCRIPTIONS
    return pipeline.access(_asker(visit, drift), things)


def _asker(visit: Visit, drift: DriftWatch, tool: str | None = None) -> Asker:
    admitted = visit.admitted
    return Asker(
        organization=admitted.organization.organization,
        server=admitted.server.id,
        grant=admitted.grant.id,
        compiled=drift.policy(admitted, tool),
        listed=tool in admitted.server.tools,
        lease_over=_lease_over(visit),
    )


def _with_cors(reply: Reply, admitted: Admitted) -> Reply:
    return replace(reply, headers=reply.headers + admitted.cors) if admitted.cors else reply


def _lease_over(visit: Visit) -> bool:
    return time.time() >= visit.admitted.organization.lease_until


def _unknown(visit: Visit) -> jsonrpc.Refused:
    message, reason = visit.message, "This method is not available here."
    if not isinstance(message, jsonrpc.Request):
        return jsonrpc.Refused(jsonrpc.METHOD_NOT_FOUND, reason)
    # To a client with a session 404 would mean that the session is over.
    status = 404 if visit.era.modern else 200
    return jsonrpc.Refused(jsonrpc.METHOD_NOT_FOUND, reason, id=message.id, status=status)
