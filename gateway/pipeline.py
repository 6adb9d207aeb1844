"""The security story of one call, in order, without a socket or a clock.

A generator asks for one effect at a time and is sent what came of it. Nothing is forwarded before it was
judged, paid for, agreed to and recorded; whatever fails on the way ends the call.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway import rulings
from gateway.counters.base import Charge, Full, Reserved
from gateway.effects import (
    FORWARD,
    PASSED,
    Answer,
    AskApproval,
    Complete,
    Effect,
    Ending,
    Failed,
    Forwarded,
    GiveBack,
    NotAnswered,
    Record,
    Recorded,
    Refused,
    Reserve,
    Ruling,
)
from policies.language.compile import CompiledPolicy
from policies.language.decide import decide, names_exactly
from policies.language.decision import (
    AwaitApproval,
    Outcome,
    PromptGet,
    ResourceRead,
    TakeQuota,
    ToolCall,
)
from policies.language.document import Scope

Pipeline: TypeAlias = Generator[Effect, Answer, Ending]

_NOT_EVEN_THERE: Final = frozenset({"no_policy", "hidden", "default_deny"})


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose call it is, and the rules that hold for it. `listed`: the server has a tool of that name."""

    organization: str
    server: str
    grant: str
    compiled: CompiledPolicy | None
    listed: bool = True
    lease_over: bool = False


def tools_call(asker: Asker, call: ToolCall) -> Pipeline:
    if asker.lease_over:
        return (yield from refuse(rulings.CONFIGURATION_EXPIRED))
    decision = decide(asker.compiled, call)
    if decision.code not in _NOT_EVEN_THERE and not _is_there(asker, call.tool):
        return (yield from refuse(rulings.not_listed(call.tool)))
    if decision.outcome is Outcome.DENY:
        return (yield from refuse(rulings.of_decision(decision)))

    # Spend before asking a person: a waiting call must not be a way around the limit.
    quotas = [owed for owed in decision.obligations if isinstance(owed, TakeQuota)]
    if quotas:
        reservation = yield Reserve(tuple([_charge(asker, quota) for quota in quotas]))
        match reservation:
            case Reserved():
                pass
            case Full(index, retry_after):
                ruling = rulings.limit_exceeded(call.tool, quotas[index], retry_after)
                return (yield from refuse(ruling))
            case _:
                return (yield from refuse(rulings.limiter_unavailable(call.tool, quotas[0])))

    for owed in decision.obligations:
        if isinstance(owed, AwaitApproval):
            # Nobody can be asked yet, so there is one answer.
            yield AskApproval(owed.rule, owed.reason)
            return (yield from _undo_and_refuse(quotas, rulings.approval_unavailable(owed)))

    return (yield from _send(quotas, rulings.allowed(decision.rule)))


def access(asker: Asker, things: Sequence[ResourceRead | PromptGet]) -> Pipeline:
    """Every one of the things must be allowed; where none is named there is nothing to forbid."""
    if asker.lease_over:
        return (yield from refuse(rulings.CONFIGURATION_EXPIRED))
    ruling = Ruling(True, None, "(nothing named)")
    for thing in things:
        ruling = rulings.of_decision(decide(asker.compiled, thing))
        if not ruling.allowed:
            return (yield from refuse(ruling))
    return (yield from _send((), ruling))


def _send(quotas: Sequence[TakeQuota], ruling: Ruling) -> Pipeline:
    if not isinstance((yield Record(ruling)), Recorded):
        # No call without a record: what cannot be written down is not done.
        return (yield from _undo_and_refuse(quotas, rulings.record_unavailable(ruling.rule)))
    outcome = yield FORWARD
    match outcome:
        case Forwarded(status, code):
            yield Complete(status, code)
            return PASSED
        case NotAnswered():
            if quotas and not outcome.sent:
                yield GiveBack()
            yield Complete(outcome.status, outcome.code)
            return Failed(outcome)
        case _:
            raise TypeError("forwarding was answered with something else")


def refuse(ruling: Ruling) -> Pipeline:
    # A refusal that cannot be recorded is still a refusal.
    yield Record(ruling)
    return Refused(ruling)


def _undo_and_refuse(quotas: Sequence[TakeQuota], ruling: Ruling) -> Pipeline:
    if quotas:
        yield GiveBack()
    return (yield from refuse(ruling))


def _is_there(asker: Asker, tool: str) -> bool:
    return asker.listed or names_exactly(asker.compiled, tool)


def _charge(asker: Asker, quota: TakeQuota) -> Charge:
    return Charge(
        organization=asker.organization,
        scope_kind=quota.scope,
        scope_id=_scope_id(asker, quota.scope),
        counter=quota.counter,
        key=quota.key,
        window_ms=quota.window_seconds * 1000,
        max=quota.max,
        cost_micros=quota.cost_micros,
    )


def _scope_id(asker: Asker, scope: Scope) -> str:
    match scope:
        case "grant":
            return asker.grant
        case "server":
            return asker.server
        case "organization":
            return asker.organization
