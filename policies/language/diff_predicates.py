"""Which predicates were added or removed, or ask for more or less than before."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from .changes import Direction, PredicateChange, Section, Subject
from .document import Condition, JsonValue, Predicate
from .identity import identity_text
from .phrases import condition_words
from .textual_paths import resolve_path

_ADDED: Final[dict[Section, str]] = {
    "require": "Only calls where {}.",
    "deny_if": "Denied if {}.",
    "approve_if": "Waits for a person if {}.",
}
_REMOVED: Final[dict[Section, str]] = {
    "require": "No longer required: {}.",
    "deny_if": "No longer denied if {}.",
    "approve_if": "No longer waits for a person if {}.",
}
_CHANGED: Final[dict[Section, str]] = {
    "require": "Only calls where {}; before: {}.",
    "deny_if": "Denied if {}; before: if {}.",
    "approve_if": "Waits for a person if {}; before: if {}.",
}
# With more pairs than this, a changed predicate is reported as one removed and one added.
_MOST_COMPARED: Final = 10_000
_UPPER: Final = {"lt": False, "lte": True}
_LOWER: Final = {"gt": False, "gte": True}


def predicate_changes(
    section: Section,
    old: Sequence[Predicate],
    new: Sequence[Predicate],
    subjects: tuple[Subject, ...],
    everywhere: bool,
) -> Iterator[PredicateChange]:
    def change(
        before: Predicate | None, after: Predicate | None, direction: Direction, sentence: str
    ) -> PredicateChange:
        return PredicateChange(subjects, direction, sentence, everywhere, section, before, after)

    removed, added = _apart(old, new)
    for before, after in _pairs(removed, added):
        removed.remove(before)
        added.remove(after)
        sentence = _CHANGED[section].format(_words(section, after), _words(section, before))
        yield change(before, after, _direction(section, before, after), sentence)
    for before in removed:
        yield change(before, None, Direction.LOOSER, _REMOVED[section].format(_words(section, before)))
    for after in added:
        yield change(None, after, Direction.TIGHTER, _ADDED[section].format(_words(section, after)))


def _apart(old: Sequence[Predicate], new: Sequence[Predicate]) -> tuple[list[Predicate], list[Predicate]]:
    before = {_identity(predicate): predicate for predicate in old}
    after = {_identity(predicate): predicate for predicate in new}
    removed = [predicate for identity, predicate in before.items() if identity not in after]
    return removed, [predicate for identity, predicate in after.items() if identity not in before]


def _identity(predicate: Predicate) -> frozenset[tuple[str, str, str]]:
    return frozenset((c.path.text, c.op, identity_text(c.value)) for c in predicate.conditions)


def _shape(predicate: Predicate) -> list[tuple[str, str]]:
    return sorted((condition.path.text, condition.op) for condition in predicate.conditions)


def _pairs(removed: Sequence[Predicate], added: Sequence[Predicate]) -> list[tuple[Predicate, Predicate]]:
    """Pair up what seems to be one predicate before and after: one implies the other, or both look alike."""
    pairs, free = [], list(added)
    if len(removed) * len(added) > _MOST_COMPARED:
        return []
    for before in removed:
        after = next((each for each in free if _implies(before, each) or _implies(each, before)), None)
        after = after or next((each for each in free if _shape(before) == _shape(each)), None)
        if after is not None:
            free.remove(after)
            pairs.append((before, after))
    return pairs


def _direction(section: Section, before: Predicate, after: Predicate) -> Direction:
    narrower, wider = _implies(after, before), _implies(before, after)
    if narrower == wider or (section == "approve_if" and _may_be_undecidable_instead(before, after)):
        return Direction.BOTH
    tighter = narrower if section == "require" else wider
    return Direction.TIGHTER if tighter else Direction.LOOSER


def _may_be_undecidable_instead(before: Predicate, after: Predicate) -> bool:
    """Return whether a call may wait for a person under one of them and be denied under the other.

    A further condition may be undecidable where the others hold. One element for which a condition holds
    outweighs another for which it is undecidable.
    """
    quantified = any(condition.path.quantified for condition in (*before.conditions, *after.conditions))
    return quantified or _shape(before) != _shape(after)


def _implies(one: Predicate, other: Predicate) -> bool:
    """Return whether `other` holds whenever `one` does. False where that cannot be told."""
    return all(
        any(_condition_implies(mine, theirs) for mine in one.conditions) for theirs in other.conditions
    )


def _condition_implies(one: Condition, other: Condition) -> bool:
    if one.path.text != other.path.text:
        return False
    mine, theirs = one.value, other.value
    if one.op == other.op and identity_text(mine) == identity_text(theirs):
        return True
    match one.op, other.op:
        case ("eq" | "in", "in"):
            return _all(one) <= _all(other)
        case ("neq" | "not_in", "neq" | "not_in"):
            return _all(one) >= _all(other)
        case ("lt" | "lte", "lt" | "lte"):
            equal_is_enough = _UPPER[other.op] or not _UPPER[one.op]
            return _number(mine) <= _number(theirs) if equal_is_enough else _number(mine) < _number(theirs)
        case ("gt" | "gte", "gt" | "gte"):
            equal_is_enough = _LOWER[other.op] or not _LOWER[one.op]
            return _number(mine) >= _number(theirs) if equal_is_enough else _number(mine) > _number(theirs)
        case _:
            return one.op == other.op and _same_operator_implies(one, mine, theirs)


def _same_operator_implies(one: Condition, mine: JsonValue, theirs: JsonValue) -> bool:
    match one.op:
        case "length_lte":
            return _number(mine) <= _number(theirs)
        case "length_gte":
            return _number(mine) >= _number(theirs)
        case "starts_with":
            return str(mine).startswith(str(theirs))
        case "ends_with":
            return str(mine).endswith(str(theirs))
        case "host_in":
            return set(_texts(mine)) <= set(_texts(theirs))
        case "under_path":
            below, above = resolve_path(str(mine)) or (), resolve_path(str(theirs)) or ()
            return tuple(below[: len(above)]) == tuple(above)
        case _:
            return False


def _all(condition: Condition) -> set[str]:
    value = condition.value
    several = value if condition.op in ("in", "not_in") and isinstance(value, list) else [value]
    return set(map(identity_text, several))


def _texts(value: JsonValue) -> list[str]:
    return [str(element).lower() for element in value] if isinstance(value, list) else []


def _number(value: JsonValue) -> int | Decimal:
    return value if isinstance(value, int | Decimal) else 0


def _words(section: Section, predicate: Predicate) -> str:
    each = "every" if section == "require" else "any"
    return " and ".join(condition_words(condition, each=each) for condition in predicate.conditions)
