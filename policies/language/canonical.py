"""The canonical text of a policy: the form that is stored, compared and shown."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from .document import CLASSES, WINDOW_WORDS, Access, Condition, Document, Limit, Predicate, Rule
from .exact import plain_text

Plain: TypeAlias = "Mapping[str, Plain] | Sequence[Plain] | str | int | Decimal | bool | None"


def canonical_text(document: Document) -> str:
    return render(document_value(document))


def document_value(document: Document) -> dict[str, Plain]:
    """Return the canonical document as plain JSON data, with its keys in order."""
    everything: dict[str, Plain] = {
        "$schema": document.schema,
        "version": "1",
        "description": document.description,
        "default": document.default,
        "hide": list(document.hide) or None,
        "all_tools": rule_value(document.all_tools) or None if document.all_tools else None,
        "tools": {name: rule_value(rule) for name, rule in document.tools.items()} or None,
        "classes": {name: rule_value(document.classes[name]) for name in CLASSES if name in document.classes}
        or None,
        "resources": _access(document.resources),
        "prompts": _access(document.prompts),
    }
    return _said(everything)


def rule_value(rule: Rule) -> dict[str, Plain]:
    return _said(
        {
            "action": None if rule.action == "allow" else rule.action,
            "reason": rule.reason,
            "require": [_predicate(predicate) for predicate in rule.require] or None,
            "deny_if": [_predicate(predicate) for predicate in rule.deny_if] or None,
            "approve_if": [_predicate(predicate) for predicate in rule.approve_if] or None,
            "limits": [_limit(limit) for limit in rule.limits] or None,
        }
    )


def _said(members: dict[str, Plain]) -> dict[str, Plain]:
    return {key: value for key, value in members.items() if value is not None}


def _predicate(predicate: Predicate) -> dict[str, Plain]:
    conditions: list[Plain] = [_condition(condition) for condition in predicate.conditions]
    return _said({"conditions": conditions, "on_deny": predicate.on_deny})


def _condition(condition: Condition) -> dict[str, Plain]:
    # Not through `_said`: null is a valid value and must be kept.
    return {"path": condition.path.text, "op": condition.op, "value": condition.value}


def _limit(limit: Limit) -> dict[str, Plain]:
    return _said(
        {
            "counter": limit.counter,
            "window": WINDOW_WORDS.get(limit.window_seconds, limit.window_seconds),
            "max": limit.max,
            "scope": limit.scope,
            "key": limit.key.text if limit.key else None,
            "increment_from": limit.increment_from.text if limit.increment_from else None,
            "on_deny": limit.on_deny,
        }
    )


def _access(access: Access | None) -> dict[str, Plain] | None:
    if access is None:
        return None
    return _said(
        {"default": access.default, "allow": list(access.allow) or None, "deny": list(access.deny) or None}
    )


def render(value: Plain) -> str:
    return "".join(_pieces(value, "\n"))


def _pieces(value: Plain, newline: str) -> Iterator[str]:
    if isinstance(value, str):
        yield json.dumps(value, ensure_ascii=False)
    elif isinstance(value, bool) or value is None:
        yield json.dumps(value)
    elif isinstance(value, int | Decimal):
        yield plain_text(value)
    elif not value:
        yield "{}" if isinstance(value, Mapping) else "[]"
    elif isinstance(value, Mapping):
        inner = newline + "  "
        for index, (key, member) in enumerate(value.items()):
            yield ("{" if index == 0 else ",") + inner + json.dumps(key, ensure_ascii=False) + ": "
            yield from _pieces(member, inner)
        yield newline + "}"
    else:
        inner = newline + "  "
        for index, element in enumerate(value):
            yield ("[" if index == 0 else ",") + inner
            yield from _pieces(element, inner)
        yield newline + "]"
