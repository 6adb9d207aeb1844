"""One client request from its head to its end: admitted, read once, given a verdict, answered."""

import logging
import socket
import ssl
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from msgspec.structs import replace
from uuid_utils import uuid7

from common.egress import EgressPolicy
from common.sealing import Keyring
from common.tls import trusting
from gateway import asked, pipeline, replies, rulings
from gateway.admission import Admission, ConfigSource, Route
from gateway.admitted import Admitted, Asker
from gateway.approvals_client import Approvals, NobodyToAsk
from gateway.carried import Carried
from gateway.counters.base import Limiter
from gateway.drift import DriftWatch
from gateway.driver import DecisionLog, Driver
from gateway.effects import Effect, Ending, Forwarded, NotAnswered, Ruling
from gateway.forwarding import upstream_lines
from gateway.handles import Handles
from gateway.handover import Door, Handover
from gateway.hops import Hops
from gateway.http_exchange import Exchange
from gateway.http_messages import Reply, Request, refusal
from gateway.http_server import HttpServer
from gateway.judges import Judges
from gateway.limits import Limits
from gateway.observer import Observer, Unobserved
from gateway.open_requests import OpenRequests, Rooms
from gateway.pace import Paces
from gateway.pipeline import Pipeline, Round
from gateway.protocol import jsonrpc
from gateway.protocol.eras import Era, era_of
from gateway.protocol.methods import FILTER_TOOLS, JUDGE_TOOL, PASS, REFUSE, Verdict, verdict_of
from gateway.refusals import Refusals
from gateway.relay import Relay
from gateway.resolver import Resolve, SystemResolver
from gateway.sharing import LARGE, Sharing
from gateway.sse_transport import StreamGone, Streams
from gateway.states import State, States
from gateway.time_of_day import TimeOfDay
from gateway.turns import Play, Turns
from gateway.upstream import Upstreams
from gateway.upstream_answer import UpstreamError
from gateway.visits import Visit
from gateway.waiting import Waiting
from policies.language.decision import MISSING
from policies.language.offloading import needs_offloading, together_need_offloading

log = logging.getLogger("gateway.app")

# Bytes held per byte of body: the body itself, its parsed values, and our own encoding of them.
_HELD_FOR_A_BYTE: Final = 3
_ASIDE_THREADS: Final = 2
_QUESTION_MARK: Final = ord("?")  # searching for a byte by its number is much faster
_NO_STREAM: Final = refusal("There is no such stream.", status=404)
_TOO_MANY: Final = refusal(
    "This grant or its organization has too many requests open.", status=429, headers=b"Retry-After: 1\r\n"
)


class Gateway:
    """The data plane of one worker. Create it inside the event loop it serves in.

    The configuration store calls on_swap() after every change; `routes` are answered without a token.
    `prefix` is the part of the path that a proxy in front removes before a request reaches us.
    `hold_open_seconds`: how long, at most, a call that needs a person is kept waiting for one.
    """

    def __init__(
        self,
        *,
        config: ConfigSource,
        limiter: Limiter,
        decisions: DecisionLog,
        egress: EgressPolicy,
        tls: ssl.SSLContext | None = None,
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
        approvals: Approvals | None = None,
        hold_open_seconds: float = 0,
        time_of_day: TimeOfDay | None = None,
    ) -> None:
        self._limits = limits or Limits()
        hops = Hops(keyring)
        self._time = time_of_day or TimeOfDay()
        self._admission = Admission(
            config, hosts=hosts, origins=origins, routes=routes or {}, hops=hops, time_of_day=self._time
        )
        self._rooms = Rooms(self._limits.held_bytes)
        self._open = OpenRequests(self._limits.connections, self._limits.requests_per_grant, self._rooms)
        self._paces = Paces()
        self._handles = Handles(keyring)
        self._resolver = SystemResolver()
        self._upstreams = Upstreams(
            keyring, egress, tls or trusting(""), resolve or self._resolver, self._limits, hops.line
        )
        door = door or Door("gw-1")
        self._streams = Streams(keyring, door.worker, door.address, prefix)
        self._handover = Handover(door, self._limits, hold_open_seconds)
        self._drift = drift or DriftWatch()
        self._observer = observer or Unobserved()
        self._refusals = Refusals(self._observer)
        self._sharing = Sharing()
        self._states = States(self._handles, self._time)
        self._carried = Carried(self._handles, self._states)
        self._relay = self._new_relay()
        self._aside = ThreadPoolExecutor(_ASIDE_THREADS, thread_name_prefix="aside")
        self._waiting = Waiting(
            approvals or NobodyToAsk(),
            self._aside,
            lambda admitted: self._admission.renewed(admitted) is admitted,
            lambda visit: self._drift.moved(visit.admitted, visit.subject or ""),
            hold_open_seconds=hold_open_seconds,
        )
        self._judges = Judges()
        self._driver = Driver(limiter, decisions, self._relay, self._observer, self._waiting, self._judges)
        self._turns = Turns(
            self._driver, self._relay, over=self._over, alone=self._alone, broken=self._broken
        )

    def _new_relay(self) -> Relay:
        return Relay(
            self._upstreams,
            self._handles,
            self._carried,
            self._streams,
            self._limits,
            self._drift,
            self._observer,
            self._sharing,
        )

    async def serve(self, host: str, port: int, *, reuse_port: bool = False) -> HttpServer:
        """Listen until the returned server is closed; then close() this too. `port` 0 picks a free port."""
        server = HttpServer(self, self._limits)
        await server.start(host, port, reuse_port=reuse_port)
        return server

    async def serve_workers(self, listener: socket.socket) -> HttpServer:
        """Serve the requests that other workers hand over."""
        server = HttpServer(_Handed(self), self._limits)
        await server.start_on(listener)
        return server

    def close(self) -> None:
        self._upstreams.close()
        self._resolver.close()
        self._drift.close()
        self._aside.shutdown(wait=False, cancel_futures=True)
        self._judges.close()
        self._refusals.tell()

    def on_swap(self, *_: object) -> None:
        self._open.renew(self._admission.renewed)
        self._streams.end_moved()

    # For the HTTP server

    def check_head(self, request: Request) -> Reply | None:
        return self._admission.check(request)

    def refused(self, request: Request, reply: Reply) -> None:
        self._refusals.note(reply, request.admitted)

    def tick(self, now: float) -> None:
        self._upstreams.tick(now)
        self._open.renew(self._admission.renewed)
        self._drift.tick()
        self._observer.tick()
        self._refusals.tick()
        self._sharing.tick()

    def drain(self) -> None:
        self._open.leave_streams()

    def hold(self, request: Request, size: int, *, unfinished: bool = False) -> bool:
        """Return whether an admitted request may hold this much of the worker's memory; if so, count it."""
        admitted = request.admitted
        assert isinstance(admitted, Admitted)
        if unfinished and not self._open.keep_place(request, admitted):
            return False
        if not (unfinished or size):
            self._open.give_up_place(request)
        taken = self._rooms.take(admitted.organization.organization, _HELD_FOR_A_BYTE * (size - request.held))
        if taken:
            request.held = size
        return taken

    def begin(self, exchange: Exchange, *, handed: bool = False) -> Coroutine[None, None, None] | None:
        admitted = exchange.request.admitted
        assert isinstance(admitted, Admitted)
        self._sharing.heard(admitted.organization.organization)
        if (size := len(exchange.request.body)) > LARGE:
            # It may wait a long time for its turn: meanwhile it has a place, and its memory is counted.
            if not self.hold(exchange.request, size, unfinished=True):
                self._turn_away(exchange, _with_cors(_TOO_MANY, admitted), admitted)
                return None
            return self._in_turn(exchange, admitted.organization.organization, handed=handed)
        return self._begin_now(exchange, handed=handed)

    async def _in_turn(self, exchange: Exchange, organization: str, *, handed: bool) -> None:
        await self._sharing.turn(organization)
        if exchange.gone:
            return
        began = time.perf_counter()
        rest = self._begin_now(exchange, handed=handed)
        took = time.perf_counter() - began
        self._sharing.spent(organization, took)
        self._sharing.spent(organization, took)  # once for reading, once for digesting and encoding it later
        if rest is not None:
            await rest

    def _begin_now(self, exchange: Exchange, *, handed: bool) -> Coroutine[None, None, None] | None:
        request = exchange.request
        # Its body or its turn may have taken minutes to come: judge it by the configuration in force now.
        refused = self._admission.renew(request)
        admitted = request.admitted
        assert isinstance(admitted, Admitted)
        if refused is None and not handed and request.method == b"POST":
            paced = self._paces.refuse(admitted.organization)
            refused = paced and _with_cors(paced, admitted)
        opened = self._open.take_up(request, admitted) if refused is None else None
        if opened is None:
            self._turn_away(exchange, refused or _with_cors(_TOO_MANY, admitted), admitted)
            return None
        visit = Visit(exchange, admitted, opened)
        if _QUESTION_MARK in request.target:
            return self._to_its_end(visit, self._of_stream(visit, handed=handed))
        try:
            asks = self._read(visit)
            if asks is None or visit.heavy:
                return self._to_its_end(visit, self._answer(visit, asks))
            self._turns.join(asks, visit)
        except jsonrpc.Refused as refusal:
            self._refuse(visit, replies.refused(refusal, admitted.cors))
            return self._leave(visit)
        except BaseException:
            self._open.leave(opened)
            raise
        return None

    def _turn_away(self, exchange: Exchange, refused: Reply, admitted: Admitted) -> None:
        self._refusals.note(refused, admitted)
        exchange.reply(refused)
        exchange.release()

    # One visit

    async def _of_stream(self, visit: Visit, *, handed: bool) -> None:
        try:
            if await self._is_ours(visit, handed=handed):
                await self._answer(visit, self._read(visit))
        except StreamGone:
            self._refuse(visit, _with_cors(_NO_STREAM, visit.admitted))
        except jsonrpc.Refused as refusal:
            self._refuse(visit, replies.refused(refusal, visit.admitted.cors))

    def _refuse(self, visit: Visit, reply: Reply) -> None:
        self._refusals.note(reply, visit.admitted)
        visit.answer(reply)

    async def _is_ours(self, visit: Visit, *, handed: bool) -> bool:
        """Return whether to answer here: a message for another worker's stream is answered by that one."""
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
        """Return the pipeline that judges the request, or None if it is not judged. Raises Refused."""
        request, verdict = visit.exchange.request, PASS
        message: jsonrpc.Message | None = None
        if request.method == b"POST":
            body = request.body
            body = body if type(body) is bytes else bytes(body)
            message, visit.written = jsonrpc.read_and_written(body)
            visit.message = message
            era = visit.era = era_of(request.headers, message, visit.admitted.server.revisions)
            verdict = _verdict(message, era)
            self._carried.take_in(visit, message)
        else:
            visit.standing = request.method == b"GET"
        visit.lines = upstream_lines(visit, self._handles, self._drift)
        if verdict is FILTER_TOOLS:
            visit.lists_tools = True
            return None
        if verdict is PASS or type(message) is not jsonrpc.Request:
            return None
        visit.decision_id = str(uuid7())
        return self._question(visit, message, verdict)

    async def _to_its_end(self, visit: Visit, rest: Coroutine[None, None, None]) -> None:
        exchange = visit.exchange
        try:
            await rest
        finally:
            # An unread answer is memory too: it keeps its place until the client has taken it or is gone.
            if exchange.stalled:
                await exchange.drain()
            if visit.stream is not None:
                await visit.stream.exchange.drain()
            self._open.leave(visit.opened)

    def _leave(self, visit: Visit) -> Coroutine[None, None, None] | None:
        if visit.exchange.line.stalled_since is not None:
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
        log.error("a call could not be judged", exc_info=failure)
        self._tell(visit, await self._driver.play(pipeline.refuse(rulings.INTERNAL_ERROR), visit))

    # For the turns

    def _over(self, visit: Visit, ending: Ending) -> None:
        if type(ending) is not Forwarded:
            try:
                self._tell(visit, ending)
            except Exception as failure:
                log.error("a call could not be answered", exc_info=failure)
                visit.exchange.abort()
        rest = self._leave(visit)
        if rest is not None:
            visit.exchange.serve(rest)

    def _alone(self, play: Play, effect: Effect) -> None:
        asks, visit = play
        visit.exchange.serve(self._to_its_end(visit, self._judge(visit, asks, effect)))

    def _broken(self, visit: Visit, failure: Exception) -> None:
        visit.exchange.serve(self._to_its_end(visit, self._not_judged(visit, failure)))

    def _tell(self, visit: Visit, ending: Ending) -> None:
        match ending:
            case Forwarded():
                return
            case Ruling():
                visit.answer(self._denied(visit, ending))
            case NotAnswered():
                visit.answer(replies.upstream_failed(visit, ending))

    def _denied(self, visit: Visit, ruling: Ruling) -> Reply:
        message = visit.message
        if not (visit.opens_pages and ruling.waits and isinstance(message, jsonrpc.Request)):
            return replies.denied(visit, ruling)
        asking = self._states.asking(visit.decision_id)
        state = self._states.wrap(visit.admitted, message, asking)
        return replies.opens_page(visit, message, ruling, state)

    def _question(self, visit: Visit, message: jsonrpc.Request, verdict: Verdict) -> Pipeline:
        if verdict is JUDGE_TOOL:
            call = asked.tool_call(message)
            visit.subject = call.tool
            visit.arguments = {} if call.arguments is MISSING else call.arguments
            # The page is shown only once: a client that comes back from it is told how things stand.
            if visit.era.modern:
                visit.opens_pages = asked.shows_pages(message) and not self._was_shown(visit)
            asker = self._asker(visit)
            is_light = len(visit.exchange.request.body) <= asker.light
            if not is_light and needs_offloading(asker.compiled, call):
                visit.heavy = True
                asker = replace(asker, heavy=True)
            again = None if visit.again is None else self._round(visit.again)
            return pipeline.tools_call(asker, call, visit.decision_id, again)
        tasks = sorted(set(visit.tasks.values()))
        if verdict is Verdict.JUDGE_TASK:
            return pipeline.access(self._asker(visit), [], tasks)
        things = asked.things(message, verdict)
        visit.subject = asked.named(things[0]) if things else None
        visit.standing = verdict is Verdict.JUDGE_SUBSCRIPTIONS
        asker = self._asker(visit)
        visit.heavy = together_need_offloading(asker.compiled, things)
        if visit.heavy:
            asker = replace(asker, heavy=True)
        return pipeline.access(asker, things, tasks)

    def _was_shown(self, visit: Visit) -> bool:
        return visit.again is not None and visit.again.asks and not self._states.expired(visit.again)

    def _round(self, state: State) -> Round | None:
        over = state.asks or self._states.expired(state)
        return None if over else Round(state.ticket, state.agreed)

    def _asker(self, visit: Visit) -> Asker:
        admitted, tool = visit.admitted, visit.subject or ""
        compiled = self._drift.policy(admitted, tool)
        asker = admitted.askers.get(tool)
        if asker is None or asker.compiled is not compiled:
            asker = admitted.new_asker(tool, compiled, patient=self._waiting.hold_open_seconds > 0)
        visit.tool_digest = asker.tool_digest
        if self._time.now() >= admitted.organization.lease.until:
            asker = replace(asker, lease_over=True)
        return replace(asker, patient=False) if visit.opens_pages else asker

    async def _pass(self, visit: Visit) -> None:
        """Pass on a request that needs no judging: only a configuration past its lease stops it."""
        if self._time.now() >= visit.admitted.organization.lease.until:
            expired = rulings.CONFIGURATION_EXPIRED
            self._refuse(visit, replace(replies.denied(visit, expired), refuses=expired.reason or ""))
            return
        try:
            await self._relay.send(visit)
        except UpstreamError as error:
            failure = NotAnswered(error.code, error.reason, error.sent, error.status)
            visit.answer(replies.upstream_failed(visit, failure))


class _Handed:
    """The same gateway for requests other workers hand over. The public server alone ticks and drains it."""

    def __init__(self, gateway: Gateway) -> None:
        self.check_head = gateway.check_head
        self.hold = gateway.hold
        self.refused = gateway.refused
        self._gateway = gateway

    def begin(self, exchange: Exchange) -> Coroutine[None, None, None] | None:
        return self._gateway.begin(exchange, handed=True)

    def tick(self, now: float) -> None:
        pass

    def drain(self) -> None:
        pass


async def _nothing() -> None:
    pass


def _verdict(message: jsonrpc.Message, era: Era) -> Verdict:
    if type(message) is jsonrpc.Answer:
        return PASS
    notification = type(message) is jsonrpc.Notification
    verdict = verdict_of(message.method, notification=notification, modern=era.modern)
    if verdict is REFUSE:
        raise _unknown(message, era)
    return verdict


def _with_cors(reply: Reply, admitted: Admitted) -> Reply:
    return replace(reply, headers=reply.headers + admitted.cors) if admitted.cors else reply


def _unknown(message: jsonrpc.Message, era: Era) -> jsonrpc.Refused:
    reason = "This method is not available here."
    if not isinstance(message, jsonrpc.Request):
        return jsonrpc.Refused(jsonrpc.METHOD_NOT_FOUND, reason)
    # To a client with a session, 404 would mean that the session is over.
    status = 404 if era.modern else 200
    return jsonrpc.Refused(jsonrpc.METHOD_NOT_FOUND, reason, id=message.id, status=status)
