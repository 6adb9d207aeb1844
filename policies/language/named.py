"""Finds what the rule of a decision says in the text of the revision that decided. Pure."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from policies.language.document import Document, Limit, Predicate, Rule
from policies.language.parse import parse_policy
from policies.language.problems import PolicyInvalid

_LISTS: Final = ("require", "deny_if", "approve_if", "limits")


def parts_of(rule: str) -> tuple[str, str, list[str]]:
    """Split a rule's place: `/tools/a/approve_if/0` is ("tools", "a", ["approve_if", "0"])."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in rule.split("/")[1:]]
    if not steps:
        return "", "", []
    if steps[0] == "all_tools":
        return "all_tools", "", steps[1:]
    return steps[0], steps[1] if len(steps) > 1 else "", steps[2:]


def named_by(rule: str, document: str) -> Predicate | Limit | None:
    """Return the predicate or the limit at or above the place; None if the rule decided as a whole."""
    section, name, part = parts_of(rule)
    if len(part) < 2 or part[0] not in _LISTS or not part[1].isdecimal():
        return None
    found = _rule(document, section, name)
    entries: tuple[Predicate | Limit, ...] = getattr(found, part[0], ())
    place = int(part[1][:4])
    return entries[place] if place < len(entries) else None


def _rule(document: str, section: str, name: str) -> Rule | None:
    alone = _alone(document, section, name)
    if alone is None:
        return None
    try:
        return _in(parse_policy(alone, stored=True), section, name)
    except PolicyInvalid:
        return None


def _alone(document: str, section: str, name: str) -> str | None:
    """Return a policy of that rule alone, so that thousands are not read. It stays as it is written."""
    try:
        rule = msgspec.json.decode(document, type=dict[str, msgspec.Raw])[section]
        if section != "all_tools":
            rule = msgspec.json.decode(rule, type=dict[str, msgspec.Raw])[name]
    except (KeyError, msgspec.MsgspecError):
        return None
    text = bytes(rule).decode()
    said = text if section == "all_tools" else f"{{{json.dumps(name)}: {text}}}"
    return f'{{"version": "1", "default": "deny", {json.dumps(section)}: {said}}}'


def _in(document: Document, section: str, name: str) -> Rule | None:
    match section:
        case "tools":
            return document.tools.get(name)
        case "classes":
            return next((rule for known, rule in document.classes.items() if known == name), None)
        case "all_tools":
            return document.all_tools
        case _:
            return None
