"""What a policy does to each tool, as one word."""

from collections.abc import Iterable
from enum import StrEnum

from .compile import HIDDEN, Applies, CompiledPolicy, CompiledPredicate, Refusal


class Effect(StrEnum):
    HIDDEN = "hidden"
    DENIED = "denied"
    NEEDS_APPROVAL = "needs_approval"
    CONDITIONAL = "conditional"
    LIMITED = "limited"
    ALLOWED = "allowed"


def effects(compiled: CompiledPolicy | None, tools: Iterable[str]) -> dict[str, Effect]:
    """Return for each tool the first effect that fits. A grant without a policy is denied everything."""
    if compiled is None:
        return dict.fromkeys(tools, Effect.DENIED)
    return {tool: _effect(compiled.applies_to(tool)) for tool in tools}


def _effect(applies: Applies) -> Effect:
    if isinstance(applies, Refusal):
        return Effect.HIDDEN if applies is HIDDEN else Effect.DENIED
    if applies.denied is not None or any(map(_always, applies.deny_if)):
        return Effect.DENIED
    if applies.asked is not None or any(map(_always, applies.approve_if)):
        return Effect.NEEDS_APPROVAL
    if any(predicate.conditions for predicate in (*applies.require, *applies.deny_if, *applies.approve_if)):
        return Effect.CONDITIONAL
    return Effect.LIMITED if applies.limits else Effect.ALLOWED


def _always(predicate: CompiledPredicate) -> bool:
    return not predicate.conditions
