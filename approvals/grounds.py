"""Why a person is asked, in words: derived from the rule that asked, never written by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import msgspec

from policies.language.document import Condition, Document, Predicate, Rule
from policies.language.parse import parse_policy
from policies.language.phrases import is_words
from policies.language.problems import PolicyInvalid
from policies.language.sentences import approval_required_sentence


@dataclass(frozen=True, slots=True)
class Grounds:
    """`because` follows "..., because"; `marks`: of an argument's name, what it is that asks."""

    because: str
    marks: dict[str, str] = field(default_factory=dict)
    said: str = ""


def grounds_of(rule: str, tool: str, reason: str, document: str | None) -> Grounds:
    """`document`: the revision that judged; None where it is not known any more."""
    section, name, part = _parts(rule)
    said = "" if reason == approval_required_sentence(tool) else reason
    predicate = _predicate(document, section, name, part)
    if predicate is not None:
        because = " and ".join(_words(condition) for condition in predicate.conditions)
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


def _parts(rule: str) -> tuple[str, str, list[str]]:
    """`/tools/a/approve_if/0` is ("tools", "a", ["approve_if", "0"])."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in rule.split("/")[1:]]
    if not steps:
        return "", "", []
    if steps[0] == "all_tools":
        return "all_tools", "", steps[1:]
    return steps[0], steps[1] if len(steps) > 1 else "", steps[2:]


def _predicate(document: str | None, section: str, name: str, part: list[str]) -> Predicate | None:
    if document is None or len(part) != 2 or part[0] != "approve_if" or not part[1].isdecimal():
        return None
    alone = _alone(document, section, name)
    if alone is None:
        return None
    try:
        found = _rule(parse_policy(alone, stored=True), section, name)
    except PolicyInvalid:
        return None
    place = int(part[1][:4])
    return found.approve_if[place] if found is not None and place < len(found.approve_if) else None


def _alone(document: str, section: str, name: str) -> str | None:
    """A policy of that one rule: thousands of others are not read with it. The rule keeps its spelling."""
    try:
        rule = msgspec.json.decode(document, type=dict[str, msgspec.Raw])[section]
        if section != "all_tools":
            rule = msgspec.json.decode(rule, type=dict[str, msgspec.Raw])[name]
    except (KeyError, msgspec.MsgspecError):
        return None
    text = bytes(rule).decode()
    said = text if section == "all_tools" else f"{{{json.dumps(name)}: {text}}}"
    return f'{{"version": "1", "default": "deny", {json.dumps(section)}: {said}}}'


def _rule(document: Document, section: str, name: str) -> Rule | None:
    match section:
        case "tools":
            return document.tools.get(name)
        case "classes":
            return next((rule for known, rule in document.classes.items() if known == name), None)
        case "all_tools":
            return document.all_tools
        case _:
            return None


def _words(condition: Condition) -> str:
    subject = condition.path.text.removeprefix("args").removeprefix(".") or "what is asked for"
    each = "any " if condition.path.quantified else ""
    return f"{each}{subject} is {is_words(condition)}"


def _marks(predicate: Predicate) -> dict[str, str]:
    marks: dict[str, str] = {}
    for condition in predicate.conditions:
        first = condition.path.steps[0] if condition.path.steps else None
        if isinstance(first, str):
            marks[first] = f"{marks[first]}, {is_words(condition)}" if first in marks else is_words(condition)
    return marks
