"""Simulates what would happen: decisions with their limits and approvals, on a virtual clock."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from . import sentences
from .compile import CompiledPolicy
from .decide import decide
from .decision import MISSING, AwaitApproval, Call, Decision, Outcome, ToolCall
from .identity import identity_text
from .virtual_counters import Full, Holder, Reservation, VirtualCounters

APPROVAL_SECONDS: Final = 900
Answer: TypeAlias = Literal["approved", "declined"]
Seconds: TypeAlias = int | Decimal


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a call after its obligations. `decision` is what the policy alone said."""

    outcome: Outcome
    code: str | None
    rule: str
    reason: str | None
    retry_after_seconds: int | None
    decision: Decision


class _State(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(slots=True)
class _Approval:
    reservation: Reservation
    ends: int
    state: _State = _State.PENDING


class Simulation:
    """One policy with its counters and approvals. Times are in seconds and never go back."""

    def __init__(self, compiled: CompiledPolicy | None, approval_seconds: int = APPROVAL_SECONDS) -> None:
        self._compiled = compiled
        self._time_limit = approval_seconds * 1000
        self._counters = VirtualCounters(_longest_window(compiled) * 1000)
        self._approvals: dict[tuple[Holder, str, str], _Approval] = {}

    def call(self, call: Call, at: Seconds, holder: Holder) -> Verdict:
        now = int(at * 1000)
        decision = decide(self._compiled, call)
        if decision.outcome is Outcome.DENY or not isinstance(call, ToolCall):
            return _as_decided(decision)
        if decision.approval is None:
            return self._reserve(call, decision, now, holder)
        return self._judge_approval(call, decision, decision.approval, now, holder)

    def answer(self, call: ToolCall, answer: Answer, at: Seconds, holder: Holder) -> None:
        """Record a person's answer to the call's approval. At the end of its time limit it is too late."""
        now = int(at * 1000)
        approval = self._approvals.get(_identity(call, holder))
        if approval is None or approval.state is not _State.PENDING or now >= approval.ends:
            return
        approval.ends = now + self._time_limit
        if answer == "approved":
            approval.state = _State.APPROVED
            approval.reservation.hold_until(approval.ends)
        else:
            approval.state = _State.DECLINED
            self._counters.give_back(approval.reservation)

    def _judge_approval(
        self, call: ToolCall, decision: Decision, waiting: AwaitApproval, now: int, holder: Holder
    ) -> Verdict:
        identity = _identity(call, holder)
        approval = self._approvals.get(identity)
        if approval is not None and now < approval.ends:
            return self._standing(identity, approval, decision, waiting, now)
        if approval is not None:
            del self._approvals[identity]
            if approval.state is not _State.DECLINED:
                return _refused("approval_expired", decision, sentences.approval_expired_sentence())
        return self._reserve(call, decision, now, holder)

    def _standing(
        self,
        identity: tuple[Holder, str, str],
        approval: _Approval,
        decision: Decision,
        waiting: AwaitApproval,
        now: int,
    ) -> Verdict:
        if approval.state is _State.PENDING:
            return _as_decided(decision)
        if approval.state is _State.DECLINED:
            return _refused("approval_declined", decision, sentences.approval_declined_sentence())
        del self._approvals[identity]
        approval.reservation.send(now)
        return Verdict(Outcome.ALLOW, None, waiting.rule_when_approved, None, None, decision)

    def _reserve(self, call: ToolCall, decision: Decision, now: int, holder: Holder) -> Verdict:
        waits = decision.outcome is Outcome.APPROVAL
        held_until = now + self._time_limit if waits else None
        taken = self._counters.reserve(holder, decision.quotas, now, held_until)
        if isinstance(taken, Full):
            return _full(call, decision, taken)
        if waits:
            self._approvals[_identity(call, holder)] = _Approval(taken, now + self._time_limit)
        return _as_decided(decision)


def _longest_window(compiled: CompiledPolicy | None) -> int:
    limits = compiled.document.limits() if compiled else ()
    return max((limit.window_seconds for limit in limits), default=0)


def _identity(call: ToolCall, holder: Holder) -> tuple[Holder, str, str]:
    arguments = {} if call.arguments is MISSING else call.arguments
    return holder, call.tool, identity_text(arguments)


def _as_decided(decision: Decision) -> Verdict:
    return Verdict(decision.outcome, decision.code, decision.rule, decision.reason, None, decision)


def _refused(code: str, decision: Decision, reason: str) -> Verdict:
    return Verdict(Outcome.DENY, code, decision.rule, reason, None, decision)


def _full(call: ToolCall, decision: Decision, full: Full) -> Verdict:
    again = full.retry_after_seconds
    reason = full.limit.reason_when_full or sentences.limit_exceeded_sentence(call.tool, again)
    return Verdict(Outcome.DENY, "limit_exceeded", full.limit.rule, reason, again, decision)
