"""Explains a decision in words: the rule, and the steps that the call passed up to the one that decided.

Derived from the record and the revision that decided, following the order in which the language decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audit.models import DecisionRecord
from policies.language.document import Limit, Predicate
from policies.language.glance import rule_words
from policies.language.named import named_by, parts_of
from policies.language.phrases import limit_words, of_argument
from policies.language.sentences import (
    approval_required_sentence,
    denied_sentence,
    not_available_sentence,
)

# The steps of a tool call, in order: name, words once it is passed, words if it is not reached.
_STEPS: Final = (
    ("policy", "The grant has a policy", "policy"),
    ("hidden", "The policy does not hide it", "hiding"),
    ("rule", "", "rule"),
    ("action", "The rule does not deny every call", "action"),
    ("require", "Its arguments meet every requirement", "requirements"),
    ("deny_if", "No reason to deny it holds", "reasons to deny"),
    ("limits", "It is within every limit", "limits"),
    ("approval", "No person has to be asked", "approval"),
)
_STOPPED_BY_CODE: Final = {
    "no_policy": ("policy", "The grant has no published policy"),
    "hidden": ("hidden", "The policy hides it"),
    "default_deny": ("rule", "No rule names it"),
    "not_listed": ("rule", "The server does not list it, and no rule names it exactly"),
    "malformed": ("action", "Its arguments are not a JSON object"),
    "requirement_failed": ("require", "A requirement is not met"),
    "limit_exceeded": ("limits", "A limit is used up"),
    "limiter_unavailable": ("limits", "The limits could not be checked"),
    "approval_required": ("approval", "A person has to be asked"),
    "approval_declined": ("approval", "A person declined it"),
    "approval_expired": ("approval", "The approval came or was used too late"),
    "approval_unavailable": ("approval", "A person has to be asked, and nobody could be"),
}
_STOPPED_BY_PART: Final = {
    "action": ("action", "The rule denies every call"),
    "deny_if": ("deny_if", "A reason to deny it holds"),
}
_UNDECIDABLE: Final = {
    "require": ("require", "A requirement cannot be judged"),
    "deny_if": ("deny_if", "A reason to deny it cannot be judged"),
    "approve_if": ("approval", "Whether a person has to be asked cannot be judged"),
    "limits": ("limits", "A limit cannot be judged"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """`state`: "passed", "stop" or "ahead"."""

    state: str
    words: str


def in_short(tool: str, reason: str | None, rule: str) -> str:
    """Return what the agent was told, to be shown beside the tool and the outcome; if that says no more than
    they do, name the rule instead."""
    says_no_more = (denied_sentence(tool), not_available_sentence(tool), approval_required_sentence(tool))
    if not reason or reason in says_no_more:
        return rule_words(rule, tool)
    return reason.removeprefix(f"{tool} ").removeprefix(f"These arguments of {tool} are ")


def trace(record: DecisionRecord, document: str | None = None) -> list[Step]:
    """Return the steps; empty if this is not a tool call, or the code is not one of the language.

    `document`: the revision that decided, if it is known.
    """
    if record.method != "tools/call":
        return []
    if record.outcome == "allow":
        passed = [Step("passed", _passed(name, words, record)) for name, words, _ in _STEPS]
        return [*passed[:-1], Step("passed", "A person approved it")] if record.approval_id else passed
    stopped = _stopped_at(record)
    if stopped is None:
        return []
    at, words = stopped
    names = [name for name, _, _ in _STEPS]
    before, after = _STEPS[: names.index(at)], _STEPS[names.index(at) + 1 :]
    steps = [Step("passed", _passed(name, said, record)) for name, said, _ in before]
    steps.append(Step("stop", ": ".join(filter(None, (words, _which(record.rule, document))))))
    if after:
        steps.append(Step("ahead", "Not reached: " + ", ".join(short for _, _, short in after)))
    return steps


def _stopped_at(record: DecisionRecord) -> tuple[str, str] | None:
    if (found := _STOPPED_BY_CODE.get(record.code or "")) is not None:
        return found
    known = _UNDECIDABLE if record.code == "undecidable" else _STOPPED_BY_PART
    # The rule's own name comes first and may be any word, so the last match is the part inside the rule.
    parts = [part for part in record.rule.split("/")[2:] if part in known]
    return known[parts[-1]] if parts else None


def _which(rule: str, document: str | None) -> str:
    match named_by(rule, document) if document is not None else None:
        case Predicate(conditions=conditions):
            each = "every" if parts_of(rule)[2][0] == "require" else "any"
            return " and ".join(of_argument(condition, each) for condition in conditions)
        case Limit() as limit:
            return limit_words(limit)
        case None:
            return ""


def _passed(name: str, words: str, record: DecisionRecord) -> str:
    if name != "rule":
        return words
    match rule_words(record.rule, record.tool):
        case "own rule":
            return "It has a rule of its own"
        case other if other.startswith("no rule"):
            return "No rule names it, and the default allows it"
        case other:
            return f"The {other} covers it"
