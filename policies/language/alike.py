"""Compares rules also in what sentences leave out: the end of a long list, or a counter's name."""

from dataclasses import replace
from typing import Final

from .canonical import rule_value
from .compile import CompiledPolicy, Plan
from .diff_limits import limit_changes
from .document import JsonValue, Limit, Rule

_ALLOW: Final = frozenset({None, "allow"})


def alike_for(old: CompiledPolicy | None, new: CompiledPolicy | None, tool: str) -> bool:
    """Return whether the rules that apply to the tool, if any, say the same in both policies."""
    before, after = _rules(old, tool), _rules(new, tool)
    return len(before) == len(after) and all(map(_alike, before, after))


def recounted(old: CompiledPolicy | None, new: CompiledPolicy | None, tool: str) -> tuple[str, ...]:
    """Return what is new if nothing but the names of the tool's counters is; nothing otherwise."""
    before, after = _rules(old, tool), _rules(new, tool)
    unnamed = [[_unnamed(rule) for rule in rules] for rules in (before, after)]
    if len(before) != len(after) or not all(map(_alike, *unnamed)):
        return ()
    changes = limit_changes(_limits(before), _limits(after), (), everywhere=False)
    return tuple(dict.fromkeys(change.sentence for change in changes))


def _limits(rules: list[Rule]) -> list[Limit]:
    return [limit for rule in rules for limit in rule.limits]


def _unnamed(rule: Rule) -> Rule:
    return replace(rule, limits=tuple(replace(limit, counter="") for limit in rule.limits))


def _rules(compiled: CompiledPolicy | None, tool: str) -> list[Rule]:
    applies = compiled.applies_to(tool) if compiled else None
    if not isinstance(applies, Plan):
        return []
    if applies.denied is not None:
        return [applies.denied.source]  # nothing else in the plan is judged
    # An `all_tools` that says nothing is the same as none.
    return [rule.source for rule in applies.rules if rule.at != "/all_tools" or rule_value(rule.source)]


def _alike(one: Rule, other: Rule) -> bool:
    if one.action == other.action == "deny":
        return one.reason == other.reason
    # There are two ways to say allow: `None` and "allow".
    if one != (replace(other, action=one.action) if {one.action, other.action} <= _ALLOW else other):
        return False
    return all(map(_same_value, _values(one), _values(other)))


def _values(rule: Rule) -> list[JsonValue]:
    return [condition.value for predicate in rule.predicates() for condition in predicate.conditions]


def _same_value(one: JsonValue, other: JsonValue) -> bool:
    """Compare values that Python finds equal: true and 1 are equal in Python, but not in a policy."""
    if isinstance(one, list) and isinstance(other, list):
        return all(map(_same_value, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_same_value(inner, other[key]) for key, inner in one.items())
    return isinstance(one, bool) is isinstance(other, bool)
