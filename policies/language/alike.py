"""Whether two rules are one: also in what sentences leave out, the end of a long list or a counter's name."""

from dataclasses import replace
from typing import Final

from .canonical import rule_value
from .compile import CompiledPolicy, Plan
from .document import JsonValue, Rule

_ALLOW: Final = frozenset({None, "allow"})


def alike_for(old: CompiledPolicy | None, new: CompiledPolicy | None, tool: str) -> bool:
    """Whether the rules that apply to the tool say the same, as far as any do."""
    before, after = _rules(old, tool), _rules(new, tool)
    return len(before) == len(after) and all(map(_alike, before, after))


def _rules(compiled: CompiledPolicy | None, tool: str) -> list[Rule]:
    applies = compiled.applies_to(tool) if compiled else None
    if not isinstance(applies, Plan):
        return []
    if applies.denied is not None:
        return [applies.denied.source]  # nothing else of it is asked
    # For all tools a rule that says nothing is none.
    return [rule.source for rule in applies.rules if rule.at != "/all_tools" or rule_value(rule.source)]


def _alike(one: Rule, other: Rule) -> bool:
    if one.action == other.action == "deny":
        return one.reason == other.reason
    # There are two ways to say allow.
    if one != (replace(other, action=one.action) if {one.action, other.action} <= _ALLOW else other):
        return False
    return all(map(_same_value, _values(one), _values(other)))


def _values(rule: Rule) -> list[JsonValue]:
    return [condition.value for predicate in rule.predicates() for condition in predicate.conditions]


def _same_value(one: JsonValue, other: JsonValue) -> bool:
    """Of equal ones: true and 1 are equal in Python, and in no policy."""
    if isinstance(one, list) and isinstance(other, list):
        return all(map(_same_value, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_same_value(inner, other[key]) for key, inner in one.items())
    return isinstance(one, bool) is isinstance(other, bool)
