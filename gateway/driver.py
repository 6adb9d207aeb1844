"""Carries out the effects of judging a call: the only place that waits for limits, people, log or server."""

import logging
import time
from collections.abc import Sequence
from typing import Final, Protocol, assert_never

import msgspec

from gateway import rulings
from gateway.counters.base import Charge, Limiter, Reservation, Settlement, Unavailable
from gateway.effects import (
    NO_APPROVALS,
    NOT_RECORDED,
    RECORDED,
    Answer,
    Ask,
    AwaitAnswer,
    Claim,
    Claimed,
    Decide,
    Decided,
    Effect,
    Ending,
    Forward,
    Forwarded,
    GiveBack,
    NotAnswered,
    NotRecorded,
    Record,
    Recorded,
    Reserve,
    Ruling,
    Settle,
    Spend,
    Unused,
)
from gateway.judges import Judges
from gateway.observer import Observer
from gateway.pipeline import Pipeline
from gateway.protocol import arguments
from gateway.protocol.jsonrpc import Request
from gateway.relay import Relay
from gateway.states import STATE_SECONDS
from gateway.upstream_answer import UpstreamError
from gateway.visits import Visit
from gateway.waiting import Waiting
from gateway_config.wire.messages import CompletionEntry, DecisionLine, Standing

log = logging.getLogger("gateway.driver")

_LONGEST_SUBJECT: Final = 1_024


class DecisionLog(Protocol):
    """Neither method waits for a disk: what the kernel has outlives this process."""

    def append_all(self, entries: Sequence[DecisionLine | CompletionEntry]) -> Sequence[bool]:
        """Return, for each entry, whether it is durable now."""

    def append_later(self, entry: DecisionLine | CompletionEntry) -> None:
        """Make the entry durable soon. If that fails it is retried, and no new call is recorded meanwhile."""


class Driver:
    def __init__(
        self,
        limiter: Limiter,
        decisions: DecisionLog,
        relay: Relay,
        observer: Observer,
        waiting: Waiting,
        judges: Judges,
    ) -> None:
        self._limiter = limiter
        self._decisions = decisions
        self._relay = relay
        self._observer = observer
        self._waiting = waiting
        self._judges = judges

    async def play(self, pipeline: Pipeline, visit: Visit, effect: Effect | None = None) -> Ending:
        """Run the pipeline from its beginning, or on from `effect`, which it asked for last."""
        try:
            if effect is None:
                effect = next(pipeline)
            while True:
                answer: Answer = None
                match effect:
                    case Record(ruling):
                        (answer,) = self.record_all([(ruling, visit)])
                    case _:
                        answer = await self._wait_for(effect, visit)
                effect = pipeline.send(answer)
        except StopIteration as stop:
            ending: Ending = stop.value
            self.ended(ending, visit)
            return ending

    # For many calls together, or for one

    def reserve_all(self, asked: Sequence[tuple[str, tuple[Charge, ...]]]) -> Sequence[Reservation | None]:
        """Reserve for many decision ids. None for each that would have to wait: nothing was done for it."""
        began = time.monotonic()
        try:
            return self._limiter.at_once(asked)
        except Exception as failure:
            log.error("the limiter failed", exc_info=failure)
            return [Unavailable()] * len(asked)
        finally:
            self._observer.limiter(time.monotonic() - began)

    def record_all(self, rulings: Sequence[tuple[Ruling, Visit]]) -> Sequence[Recorded | NotRecorded]:
        now, at_ms = time.monotonic(), time.time_ns() // 1_000_000
        try:
            entries = [_decision_line(ruling, visit, at_ms, now) for ruling, visit in rulings]
            self._observer.decisions(entries)
            return [RECORDED if kept else NOT_RECORDED for kept in self._decisions.append_all(entries)]
        except Exception as failure:
            log.error("decisions could not be recorded", exc_info=failure)
            return [NOT_RECORDED] * len(rulings)

    # One at a time

    async def _wait_for(self, effect: Effect, visit: Visit) -> Answer:
        match effect:
            case Decide(compiled, calls):
                organization = visit.admitted.organization.organization
                body = bytes(visit.exchange.request.body)
                return Decided(await self._judges.decide(organization, compiled, calls, body))
            case Forward():
                visit.agreed = effect.agreed
                return await self._forward(visit)
            case Reserve():
                return await self._reserve(effect, visit)
            case Settle():
                return await self._settle(effect)
            case Spend():
                return await self._spend(effect)
            case GiveBack():
                await self._give_back(effect)
                return None
            case Claim() | Ask() | AwaitAnswer():
                return await self._asked(effect, visit)
            case Unused():
                self._waiting.unused(effect, visit)
                return None
            case Record():
                raise TypeError("this needs no waiting for")
            case _:
                assert_never(effect)

    async def _asked(self, effect: Claim | Ask | AwaitAnswer, visit: Visit) -> Claimed:
        try:
            match effect:
                case Claim():
                    return await self._waiting.claim(effect, visit)
                case Ask():
                    return await self._waiting.ask(effect, visit)
                case AwaitAnswer():
                    return await self._waiting.await_answer(effect, visit)
        except Exception as failure:
            log.error("a person could not be asked", exc_info=failure)
            return NO_APPROVALS

    async def _reserve(self, effect: Reserve, visit: Visit) -> Reservation:
        began = time.monotonic()
        try:
            return await self._limiter.reserve(visit.decision_id, effect.charges, effect.hold_seconds)
        except Exception as failure:
            log.error("the limiter failed", exc_info=failure)
            return Unavailable()
        finally:
            self._observer.limiter(time.monotonic() - began)

    async def _settle(self, effect: Settle) -> Settlement:
        try:
            return await self._limiter.settle(effect.reserved_by)
        except Exception as failure:
            log.error("the limiter failed", exc_info=failure)
            return Unavailable()

    async def _spend(self, effect: Spend) -> bool:
        try:
            return await self._limiter.spend(effect.ticket, STATE_SECONDS)
        except Exception as failure:
            log.error("the limiter failed", exc_info=failure)
            return False  # so the call is charged

    async def _give_back(self, effect: GiveBack) -> None:
        try:
            await self._limiter.give_back(effect.reserved_by)
        except Exception as failure:
            # The safe direction: what is not given back stays spent.
            log.error("nothing could be given back", exc_info=failure)

    def ended(self, ending: Ending, visit: Visit) -> None:
        """Record how the call ended if it was to be sent. A refused call has no such record."""
        if type(ending) is Ruling:
            return
        entry = CompletionEntry(
            visit.decision_id,
            visit.admitted.organization.organization,
            0,
            ending.status,
            ending.code,
            int((time.monotonic() - visit.exchange.request.received_at) * 1e6),
        )
        self._observer.completion(entry)
        try:
            self._decisions.append_later(entry)
        except Exception as failure:
            log.error("a completion could not be recorded", exc_info=failure)

    async def _forward(self, visit: Visit) -> Forwarded | NotAnswered:
        try:
            return await self._relay.send(visit)
        except Exception as failure:
            return not_answered(visit, failure)


def not_answered(visit: Visit, failure: Exception) -> NotAnswered:
    """Return the outcome of forwarding that raised `failure`; break off an answer that had begun."""
    if isinstance(failure, UpstreamError):
        return NotAnswered(failure.code, failure.reason, failure.sent, failure.status)
    log.error("forwarding failed", exc_info=failure)
    if visit.exchange.started:
        visit.exchange.abort()
    return NotAnswered(rulings.INTERNAL_ERROR.code or "", rulings.FAILED_WHILE_SENDING, sent=True)


def _decision_line(ruling: Ruling, visit: Visit, at_ms: int, now: float) -> DecisionLine:
    admitted, given = visit.admitted, visit.arguments
    organization = admitted.organization
    keeps = organization.settings.kept_arguments
    told = admitted.told.get(visit.subject or "")
    # Positional: keyword arguments would take as long as everything else here.
    return DecisionLine(
        visit.decision_id,
        at_ms,
        organization.organization,
        told[1] if told is not None and told[0] is ruling else _standing(ruling, visit),
        ruling.outcome,
        ruling.code,
        0,
        arguments.names(given),
        None if given is None else arguments.digest(given),
        int((now - visit.exchange.request.received_at - visit.awaited_seconds) * 1e6),
        arguments.kept(given, keeps) if keeps else (),
    )


def _standing(ruling: Ruling, visit: Visit) -> msgspec.Raw:
    """Return the part of the record that the tool's other calls under the same ruling share."""
    admitted, message, subject, approval = visit.admitted, visit.message, visit.subject, ruling.approval
    method = message.method if type(message) is Request else ""
    standing = Standing(
        admitted.grant.server,
        admitted.grant.id,
        method,
        ruling.rule,
        None if subject is None else subject[:_LONGEST_SUBJECT],
        ruling.reason,
        admitted.grant.policy_id,
        admitted.organization.revision,
        ruling.retry_after_seconds,
        ruling.limit,
        None if ruling.limit is None else ruling.left_micros,
        None if approval is None else approval.id,
    ).as_server()
    if subject is not None and subject in admitted.server.tools and ruling.allowed and method == "tools/call":
        admitted.told[subject] = ruling, standing
    return standing
