"""The outcomes as the log shows them: those of the gateway, and two kinds of denial worth distinguishing."""

from __future__ import annotations

from typing import Final

from django.db.models import Q

OUTCOMES: Final = ("allow", "limit", "approval", "deny", "hidden")
# What a list can be narrowed to.
SHOWN: Final = (*OUTCOMES, "stopped")
_OF_LIMITS: Final = ("limit_exceeded", "limiter_unavailable")
_OF_APPROVALS: Final = ("approval_required", "approval_declined", "approval_expired")


def shown_outcome(outcome: str, code: str | None) -> str:
    """Return one of OUTCOMES."""
    if outcome != "deny":
        return outcome
    if code in _OF_LIMITS:
        return "limit"
    if code in _OF_APPROVALS:
        return "approval"
    return "hidden" if code == "hidden" else "deny"


def of_outcome(outcome: str) -> Q:
    """Select the records shown with this outcome; none if it is not an outcome."""
    match outcome:
        case "allow":
            return Q(outcome="allow")
        case "stopped":
            return ~Q(outcome="allow")
        case "limit":
            return Q(outcome="deny", code__in=_OF_LIMITS)
        case "approval":
            return Q(outcome="approval") | Q(outcome="deny", code__in=_OF_APPROVALS)
        case "hidden":
            return Q(outcome="deny", code="hidden")
        case "deny":
            told_apart = Q(code__in=(*_OF_LIMITS, *_OF_APPROVALS, "hidden"))
            return Q(outcome="deny") & (Q(code=None) | ~told_apart)
        case _:
            return Q(pk=None)
