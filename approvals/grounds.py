"""Explains in words why a person is asked. Always derived from the rule that asked, never written by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.language.document import Predicate
from policies.language.named import named_by, parts_of
from policies.language.phrases import is_words, of_argument
from policies.language.sentences import approval_required_sentence


@dataclass(frozen=True, slots=True)
class Grounds:
    """`because` completes "..., because"; `marks`: by argument name, what about it requires approval."""

    because: str
    marks: dict[str, str] = field(default_factory=dict)
    said: str = ""


def grounds_of(rule: str, tool: str, reason: str, document: str | None) -> Grounds:
    """`document`: the revision that judged the call, or None if it is no longer known."""
    section, name, part = parts_of(rule)
    said = "" if reason == approval_required_sentence(tool) else reason
    predicate = named_by(rule, document) if document is not None and part[:1] == ["approve_if"] else None
    if isinstance(predicate, Predicate):
        because = " and ".join(of_argument(condition) for condition in predicate.conditions)
        return Grounds(because, _marks(predicate), said)
    return Grounds(_whose(section, name, tool), {}, said)


def _whose(section: str, name: str, tool: str) -> str:
    match section:
        case "classes":
            return f"{name} tools ask a person"
        case "all_tools":
            return "every tool of this policy asks a person"
        case "tools" if name != tool:
            return f"tools named {name} ask a person"
        case _:
            return "every call of it asks a person"


def _marks(predicate: Predicate) -> dict[str, str]:
    marks: dict[str, str] = {}
    for condition in predicate.conditions:
        first = condition.path.steps[0] if condition.path.steps else None
        if isinstance(first, str):
            marks[first] = f"{marks[first]}, {is_words(condition)}" if first in marks else is_words(condition)
    return marks
