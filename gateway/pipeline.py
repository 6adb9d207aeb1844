"""The security story of one call, in order, without a socket or a clock.

A generator asks for one effect at a time and is sent its result. Nothing is forwarded before it has been
judged, paid for, agreed to and recorded; any failure on the way ends the call.
"""

from collections.abc import Generator, Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from gateway import rulings
from gateway.admitted import Asker
from gateway.counters.base import Charge, Full, NotHeld, Reserved
from gateway.effects import (
    FORWARD,
    NO_APPROVALS,
    NOT_RECORDED,
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
from gateway.protocol.uris import has_another_spelling, is_read_in_part
from gateway_config.wire.approvals import ClaimAnswer
from policies.language.decide import decide, decide_tool, names_exactly
from policies.language.decision import (
    AwaitApproval,
    Call,
    Decision,
    Outcome,
    PromptGet,
    ResourceRead,
    TakeQuota,
    ToolCall,
)
from policies.language.document import Scope
from policies.language.effects import Effect as ToolEffect
from policies.language.effects import effects
from policies.language.respelt import reading
from policies.language.rules_digest import rules_digest
from policies.language.twins import has_twin

Pipeline: TypeAlias = Generator[Effect, Answer, Ending]

_DENY: Final = Outcome.DENY
# Others wait while a message's URIs are read: at most this many characters in all, and nanoseconds for each.
_MOST_READ: Final = 16_384
_LONGEST_LOOK_UP: Final = 1_000_000
_NOT_EVEN_THERE: Final = frozenset({"no_policy", "hidden", "default_deny"})


class Round(msgspec.Struct, frozen=True):
    """A later round of a call that was already sent: its `ticket`, valid once, and what was agreed to."""

    ticket: str
    agreed: str = ""


class _Means(msgspec.Struct, frozen=True):
    """What entitles a call to be sent: its reservation and approval are undone if no byte of it was sent."""

    reserved_by: str | None = None
    approval: str | None = None
    agreed: str = ""


_NOTHING_OWED: Final = _Means()


def tools_call(asker: Asker, call: ToolCall, decision_id: str, again: Round | None = None) -> Pipeline:
    if asker.lease_over:
        return (yield from refuse(rulings.CONFIGURATION_EXPIRED))
    if asker.heavy:
        (decision,) = yield from _decided(asker, [call])
    else:
        decision = decide_tool(asker.compiled, call)
    if call.tool not in asker.tools and _is_missing(asker, call.tool, decision):
        return (yield from refuse(rulings.not_listed(call.tool)))
    if decision.outcome is _DENY:
        return (yield from refuse(rulings.of_decision(decision)))
    if _has_twin(asker, call):
        return (yield from refuse(rulings.named_twice(decision)))
    quotas = decision.quotas
    if again is not None or decision.approval is not None:
        ending = yield from _agreed_or_again(asker, call, decision_id, decision, again)
        if ending is not None:
            return ending
    if quotas:
        reservation = yield _reserve(asker, quotas)
        if type(reservation) is not Reserved:
            return (yield from refuse(_no_room(call, quotas, reservation)))
    # The same as _send(), written out: nearly every call takes this path.
    recorded = yield _allowed(decision.rule)
    outcome = (yield FORWARD) if type(recorded) is Recorded else NOT_RECORDED
    if type(outcome) is Forwarded:
        return outcome
    return (yield from _not_sent(_Means(decision_id if quotas else None), decision.rule, outcome))


@lru_cache(4_096)
def _allowed(rule: str) -> Record:
    return Record(rulings.allowed(rule))


def _decided(asker: Asker, calls: Sequence[Call]) -> Generator[Effect, Answer, Iterable[Decision]]:
    if not asker.heavy or asker.compiled is None:
        return (decide(asker.compiled, call) for call in calls)
    answer = yield Decide(asker.compiled, tuple(calls))
    if not isinstance(answer, Decided):
        raise TypeError("judging was answered with something else")
    return answer.decisions


def _agreed_or_again(
    asker: Asker, call: ToolCall, decision_id: str, decision: Decision, again: Round | None
) -> Generator[Effect, Answer, Ending | None]:
    """None: it counts as a new call, and nobody has to agree to it."""
    quotas, owed = decision.quotas, decision.approval
    agreement = "" if owed is None else _agreement(asker, call)
    goes_on = again is not None and (quotas or owed) and (owed is None or again.agreed == agreement)
    if goes_on and again is not None and (yield Spend(again.ticket)):
        # It was paid for, and agreed to, when it was first sent.
        rule = decision.rule if owed is None else owed.rule_when_approved
        return (yield from _send(_Means(agreed=agreement), rulings.allowed(rule)))
    if owed is not None:
        return (yield from _agreed_call(asker, call, decision_id, quotas, owed))
    return None


def _agreed_call(
    asker: Asker, call: ToolCall, decision_id: str, quotas: Sequence[TakeQuota], owed: AwaitApproval
) -> Pipeline:
    """A person has to agree to this very call. It is sent once for each agreement, and never without one."""
    digest = _rules(asker, call)
    claimed = _claimed((yield Claim(digest)))
    if isinstance(claimed, ClaimAnswer) and claimed.state == "none":
        # Spend before asking a person: a waiting call must not be a way around the limit.
        if quotas:
            charges = _reserve(asker, quotas).charges
            reservation = yield Reserve(charges, asker.approval_seconds)
            if type(reservation) is not Reserved:
                return (yield from refuse(_no_room(call, quotas, reservation)))
        claimed = _claimed((yield Ask(digest, owed.rule, owed.reason)))
        if quotas and not (isinstance(claimed, ClaimAnswer) and claimed.reserved_by == decision_id):
            yield GiveBack(decision_id)
    if asker.patient and isinstance(claimed, ClaimAnswer) and claimed.state == "pending":
        claimed = _claimed((yield AwaitAnswer(digest, claimed)))
    match claimed:
        case ClaimAnswer(state="approved"):
            return (yield from _send_agreed(asker, call, decision_id, quotas, owed, claimed))
        case ClaimAnswer(state="pending"):
            return (yield from refuse(rulings.approval_required(owed, claimed)))
        case ClaimAnswer(state="declined"):
            return (yield from refuse(rulings.approval_declined(owed, claimed)))
        case ClaimAnswer(state="expired"):
            return (yield from refuse(rulings.approval_expired(owed, claimed)))
        case _:
            return (yield from refuse(rulings.approval_unavailable(owed)))


def _send_agreed(
    asker: Asker,
    call: ToolCall,
    decision_id: str,
    quotas: Sequence[TakeQuota],
    owed: AwaitApproval,
    claimed: ClaimAnswer,
) -> Pipeline:
    """From here on the approval is this call's alone. If the call is not sent after all, that is reported."""
    reserved_by: str | None = None
    if quotas:
        reserved_by = claimed.reserved_by
        settled = yield Settle(claimed.reserved_by)
        refused: Ruling | None = None
        if isinstance(settled, NotHeld):
            # That reservation is no longer known here, so there may be no room left. What this call itself
            # held and gave back may still be held, if the limiter did not hear of that: then that is charged.
            reserved_by = decision_id
            reservation = yield Settle(decision_id)
            if type(reservation) is not Reserved:
                reservation = yield _reserve(asker, quotas)
            if type(reservation) is not Reserved:
                refused = _no_room(call, quotas, reservation)
        elif not isinstance(settled, Reserved):
            refused = rulings.limiter_unavailable(call.tool, quotas[0])
        if refused is not None:
            yield Unused(claimed.id)
            return (yield from refuse(refused))
    means = _Means(reserved_by, claimed.id, _agreement(asker, call))
    return (yield from _send(means, rulings.approved(owed, claimed)))


def _no_room(call: ToolCall, quotas: Sequence[TakeQuota], reservation: Answer) -> Ruling:
    """Limits are taken all or none. If none was, this says which was full, or that none can be checked."""
    if type(reservation) is Full:
        return rulings.limit_exceeded(call.tool, quotas[reservation.index], reservation)
    return rulings.limiter_unavailable(call.tool, quotas[0])


def _unreachable(asker: Asker, tool: str) -> Ruling | None:
    """Why nothing may be asked about a task of this tool; None if it may. The task was paid for when it
    began, so the only reason is that no call of the tool would be let through any more."""
    decision = decide_tool(asker.compiled, ToolCall(tool, {}))
    if decision.code in _NOT_EVEN_THERE:
        return rulings.of_decision(decision)
    if tool not in asker.tools and _is_missing(asker, tool, decision):
        return rulings.not_listed(tool)
    return (
        rulings.of_decision(decision) if effects(asker.compiled, [tool])[tool] is ToolEffect.DENIED else None
    )


def access(asker: Asker, things: Sequence[ResourceRead | PromptGet], tasks: Sequence[str] = ()) -> Pipeline:
    """All of the things must be allowed, and the tools of the tasks; if none is named, there is nothing to
    forbid."""
    if asker.lease_over:
        return (yield from refuse(rulings.CONFIGURATION_EXPIRED))
    for tool in tasks:
        refused = _unreachable(asker, tool)
        if refused is not None:
            return (yield from refuse(refused))
    ruling = Ruling(True, None, "(nothing named)")
    much = sum(len(thing.uri) for thing in things if isinstance(thing, ResourceRead)) > _MOST_READ
    for thing, decision in zip(things, (yield from _decided(asker, things)), strict=True):
        ruling = rulings.of_decision(decision)
        if ruling.allowed and _may_be_denied_otherwise(asker, thing, much=much):
            ruling = rulings.RESPELT
        if not ruling.allowed:
            return (yield from refuse(ruling))
    return (yield from _send(_NOTHING_OWED, ruling))


def _send(means: _Means, ruling: Ruling) -> Pipeline:
    recorded = yield Record(ruling)
    outcome = (yield Forward(means.agreed)) if type(recorded) is Recorded else NOT_RECORDED
    if type(outcome) is Forwarded:
        return outcome
    return (yield from _not_sent(means, ruling.rule, outcome))


def _not_sent(means: _Means, rule: str, outcome: Answer) -> Pipeline:
    if type(outcome) is NotRecorded:
        # No call without a record: what cannot be recorded is not sent.
        yield from _undo(means)
        return (yield from refuse(rulings.record_unavailable(rule)))
    if type(outcome) is not NotAnswered:
        raise TypeError("forwarding was answered with something else")
    if not outcome.sent:
        yield from _undo(means)
    return outcome


def _undo(means: _Means) -> Generator[Effect, Answer, None]:
    if means.reserved_by is not None:
        yield GiveBack(means.reserved_by)
    if means.approval is not None:
        yield Unused(means.approval)


def refuse(ruling: Ruling) -> Pipeline:
    # A refusal that cannot be recorded is still a refusal.
    yield Record(ruling)
    return ruling


def _claimed(answer: Answer) -> Claimed:
    return answer if isinstance(answer, ClaimAnswer) else NO_APPROVALS


def _rules(asker: Asker, call: ToolCall) -> str:
    assert asker.compiled is not None
    return rules_digest(asker.compiled, call.tool)


def _agreement(asker: Asker, call: ToolCall) -> str:
    """What a person agrees to besides the call itself: these rules, and this definition of the tool."""
    return f"{_rules(asker, call)}:{asker.tool_digest}"


def _is_missing(asker: Asker, tool: str, decision: Decision) -> bool:
    """For a tool that the server does not list: true if that is why it cannot be called."""
    return not names_exactly(asker.compiled, tool) and decision.code not in _NOT_EVEN_THERE


def _has_twin(asker: Asker, call: ToolCall) -> bool:
    applies = None if asker.compiled is None else asker.compiled.applies_to(call.tool)
    return applies is not None and has_twin(applies.sources.names, call.arguments)


def _may_be_denied_otherwise(asker: Asker, thing: ResourceRead | PromptGet, *, much: bool) -> bool:
    """Names are compared as they are written, but the server may read this as another spelling of one that is
    denied or is not among the allowed. `much`: there is more than may be read while others wait."""
    if asker.compiled is None or not isinstance(thing, ResourceRead):
        return False
    access = asker.compiled.resources
    if access is None:
        return False
    if is_read_in_part(thing.uri):
        return True
    if access.deny_respelt is None:
        return False
    if much or has_another_spelling(thing.uri):
        return True
    denied, uri = access.deny_respelt, reading(thing.uri)
    return denied.index.nanoseconds(len(uri)) > _LONGEST_LOOK_UP or denied.first_match(uri) is not None


def _reserve(asker: Asker, quotas: Sequence[TakeQuota]) -> Reserve:
    """The charges for these quotas and this grant, made once if every call of the tool has the same ones."""
    known = asker.reserves
    if known is not None and known[0] is quotas:
        return known[1]
    reserve = Reserve(tuple([_charge(asker, quota) for quota in quotas]))
    # Values from arguments are not kept.
    if all(quota.key is None for quota in quotas):
        asker.reserves = quotas, reserve
    return reserve


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
