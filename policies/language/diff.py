"""What changes for calls when one policy replaces another. Texts are not compared."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from .changes import (
    OPEN,
    AccessChange,
    ApprovalChange,
    Change,
    Changes,
    Direction,
    LimitChange,
    PredicateChange,
    ReachChange,
    Section,
    Subject,
    ToolChange,
    WordsChange,
)
from .compile import HIDDEN, CompiledPolicy, CompiledRule, Plan
from .diff_access import access_changes
from .diff_limits import limit_changes
from .diff_predicates import predicate_changes
from .diff_shared import shared_changes
from .document import CLASSES, Document, Predicate, Rule
from .effects import Effect, effects
from .explain import EVERY_CALL_IS_ALLOWED, EVERY_CALL_WAITS, explanation
from .matching import is_pattern

__all__ = ["Change", "Changes", "Direction", "changes_value", "diff"]

_SECTIONS: Final[tuple[Section, ...]] = ("require", "deny_if", "approve_if")
# No tool has this name: what applies to it applies to every tool that no name or pattern matches.
_ANY_OTHER: Final = "\x01"
# Names that the server does not have cost as much as tools and matter less.
_MOST_WRITTEN: Final = 500
_CALLABLE: Final = {
    Effect.ALLOWED: "Becomes callable: every call is allowed.",
    Effect.LIMITED: "Becomes callable, within limits.",
    Effect.CONDITIONAL: "Becomes callable, under conditions.",
    Effect.NEEDS_APPROVAL: "Becomes callable: every call waits for a person.",
}
# What the sentences above say already.
_SAID: Final = (EVERY_CALL_IS_ALLOWED, EVERY_CALL_WAITS)
_SEEN_AND_DENIED: Final = "Agents see it now; every call is still denied."
_UNSEEN: Final = "Agents no longer see that it exists."


def diff(old: CompiledPolicy | None, new: CompiledPolicy | None, tools: Iterable[str]) -> Changes:
    """Compare two policies; None is a grant without a policy. `tools`: the server's, by name."""
    names = tuple(dict.fromkeys(tools))
    documents = [_document(old), _document(new)]
    written = _written(documents, names)
    subjects = [*((Subject("tool", name), name) for name in names), *_others(documents, written)]
    changes = [*_changes(old, new, written, subjects), *_grouped(shared_changes(old, new, names))]
    return _sorted([*changes, *access_changes(*documents)], names)


def diff_beyond(
    old: CompiledPolicy | None, new: CompiledPolicy | None, tools: Iterable[str]
) -> list[ToolChange]:
    """Return what changes for tools that the server does not have, but may have one day.

    If the default changed, that alone says what happens to tools that no rule names: they are left out.
    """
    documents = [_document(old), _document(new)]
    written = _written(documents, tuple(tools))
    another_default = documents[0].default != documents[1].default
    subjects = [
        (subject, probe)
        for subject, probe in _others(documents, written)
        if subject.kind != "other" or not another_default
    ]
    return _changes(old, new, written, subjects)


def _changes(
    old: CompiledPolicy | None,
    new: CompiledPolicy | None,
    written: Sequence[str],
    subjects: Iterable[tuple[Subject, str]],
) -> list[ToolChange]:
    before, after = _with_probes(old, written), _with_probes(new, written)
    return _grouped(
        change
        for subject, probe in subjects
        for change in _tool_changes(_Side.of(before, probe), _Side.of(after, probe), subject)
    )


def _grouped(changes: Iterable[ToolChange]) -> list[ToolChange]:
    grouped: dict[object, ToolChange] = {}
    for change in changes:
        key = _group(change)
        known = grouped.get(key)
        grouped[key] = replace(known, subjects=(*known.subjects, *change.subjects)) if known else change
    return [*grouped.values()]


def _document(compiled: CompiledPolicy | None) -> Document:
    return compiled.document if compiled else Document(default="deny")


def _sorted(found: Sequence[Change], names: tuple[str, ...]) -> Changes:
    def along(*directions: Direction) -> tuple[Change, ...]:
        return tuple(change for change in found if change.direction in directions)

    touched = {tool for change in found if change.direction is not Direction.WORDS for tool in change.tools}
    return Changes(
        looser=along(Direction.LOOSER, Direction.BOTH),
        tighter=along(Direction.TIGHTER),
        reworded=along(Direction.WORDS),
        unchanged=tuple(name for name in names if name not in touched),
    )


# What a change may be about


def _with_probes(compiled: CompiledPolicy | None, written: Iterable[str]) -> CompiledPolicy | None:
    """Return the policy so that it also knows one unnamed tool of each class, and the names to ask about."""
    if compiled is None:
        return None
    probes = {_ANY_OTHER + name: name for name in CLASSES}
    return replace(
        compiled,
        class_of={**dict.fromkeys(written), **compiled.class_of, **probes, _ANY_OTHER: None},
        known={},
    )


def _written(documents: Sequence[Document], known: tuple[str, ...]) -> list[str]:
    """Return the names and patterns in the documents that the server does not have; changed ones first."""
    first, last = documents[0], documents[-1]
    hidden = set(first.hide) ^ set(last.hide)

    def unchanged(name: str) -> bool:
        return name not in hidden and first.tools.get(name) == last.tools.get(name)

    tools = set(known)
    names = dict.fromkeys(
        name for each in documents for name in (*each.tools, *each.hide) if name not in tools
    )
    return sorted(names, key=unchanged)[:_MOST_WRITTEN]


def _others(documents: Sequence[Document], written: Sequence[str]) -> Iterator[tuple[Subject, str]]:
    """Yield each with a name to ask about. A pattern is its own name: every wider one matches it too."""
    for name in written:
        yield Subject("pattern" if is_pattern(name) else "unknown", name), name
    for name in CLASSES:
        if any(name in document.classes for document in documents):
            yield Subject("class", name), _ANY_OTHER + name
    yield Subject("other"), _ANY_OTHER


def _group(change: ToolChange) -> object:
    """Return a key shared by changes that differ only in their subjects, and so are one change."""
    details = change.details if isinstance(change, ReachChange) else ()
    parts: tuple[object, ...] = ()
    if isinstance(change, ReachChange | LimitChange | PredicateChange):
        parts = repr(change.before), repr(change.after)
    return type(change), change.direction, change.sentence, change.everywhere, details, parts


# What changes for one subject


@dataclass(frozen=True, slots=True)
class _Side:
    """One subject under one policy."""

    effect: Effect
    plan: Plan | None
    seen: bool
    details: tuple[str, ...]
    why: str

    @classmethod
    def of(cls, compiled: CompiledPolicy | None, probe: str) -> "_Side":
        effect = effects(compiled, [probe])[probe]
        details = explanation(compiled, probe).details
        if compiled is None:
            return cls(effect, None, False, details, "none")
        applies = compiled.applies_to(probe)
        if isinstance(applies, Plan):
            return cls(effect, applies, True, details, "")
        return cls(effect, None, False, details, "hidden" if applies is HIDDEN else "default")


def _tool_changes(old: _Side, new: _Side, subject: Subject) -> Iterator[ToolChange]:
    if old.plan is not None and new.plan is not None and old.effect in OPEN and new.effect in OPEN:
        yield from _rule_changes(old.plan, new.plan, (subject,))
        return
    reach = _reach(old, new)
    if reach is None:
        return
    direction, sentence = reach
    if direction is Direction.WORDS:
        yield WordsChange((subject,), direction, sentence, everywhere=False)
    else:
        details = tuple(each for each in new.details if new.effect in OPEN and each not in _SAID)
        yield ReachChange((subject,), direction, sentence, False, old.effect, new.effect, details)


def _reach(old: _Side, new: _Side) -> tuple[Direction, str] | None:
    if new.effect in OPEN:
        return Direction.LOOSER, _CALLABLE[new.effect]
    if old.effect in OPEN:
        how = "every call is denied" if new.seen else "agents do not even see it"
        return Direction.TIGHTER, f"No longer callable: {how}."
    if old.seen != new.seen:
        return (Direction.LOOSER, _SEEN_AND_DENIED) if new.seen else (Direction.TIGHTER, _UNSEEN)
    if old.details != new.details:
        return Direction.WORDS, "Still denied, with other words."
    if old.why != new.why:
        return Direction.WORDS, "Still out of reach and unseen, by another part of the policy."
    return None


def _rule_changes(old: Plan, new: Plan, subjects: tuple[Subject, ...]) -> Iterator[ToolChange]:
    changes = [*_approval_changes(old, new, subjects), *_part_changes(old, new, subjects)]
    yield from changes
    if not changes and _texts(old) != _texts(new):
        sentence = "The same calls get through; agents read other words when one does not."
        yield WordsChange(subjects, Direction.WORDS, sentence, everywhere=False)


def _approval_changes(old: Plan, new: Plan, subjects: tuple[Subject, ...]) -> Iterator[ApprovalChange]:
    asked, asks = _asks(old), _asks(new)
    if bool(asked) == bool(asks):
        return
    sentence = "Every call waits for a person." if asks else "Calls no longer wait for a person each time."
    everywhere = {rule.at for rule in (*asked, *asks)} == {"/all_tools"}
    direction = Direction.TIGHTER if asks else Direction.LOOSER
    yield ApprovalChange(subjects, direction, sentence, everywhere, bool(asked), bool(asks))


def _asks(plan: Plan) -> list[CompiledRule]:
    return [
        rule
        for rule in plan.rules
        if rule.source.action == "require_approval"
        or any(not predicate.conditions for predicate in rule.source.approve_if)
    ]


def _part_changes(
    old: Plan, new: Plan, subjects: tuple[Subject, ...]
) -> Iterator[PredicateChange | LimitChange]:
    """Compare the tool's own rule and the one for all tools separately, except predicates that moved."""
    for section in _SECTIONS:
        before, after = _parts(old, section), _parts(new, section)
        for everywhere in (False, True):
            yield from predicate_changes(
                section,
                _without(before[everywhere], after[not everywhere]),
                _without(after[everywhere], before[not everywhere]),
                subjects,
                everywhere,
            )
    for everywhere in (False, True):
        yield from limit_changes(
            [limit for rule in _rules(old, everywhere) for limit in rule.limits],
            [limit for rule in _rules(new, everywhere) for limit in rule.limits],
            subjects,
            everywhere,
        )


def _without(predicates: list[Predicate], moved: list[Predicate]) -> list[Predicate]:
    elsewhere = set(map(repr, moved))
    return (
        [predicate for predicate in predicates if repr(predicate) not in elsewhere] if moved else predicates
    )


def _parts(plan: Plan, section: Section) -> dict[bool, list[Predicate]]:
    return {
        everywhere: [
            predicate
            for rule in _rules(plan, everywhere)
            for predicate in getattr(rule, section)
            if predicate.conditions
        ]
        for everywhere in (False, True)
    }


def _rules(plan: Plan, everywhere: bool) -> list[Rule]:
    return [rule.source for rule in plan.rules if (rule.at == "/all_tools") is everywhere]


def _texts(plan: Plan) -> list[str | None]:
    """Return every text of these rules that an agent may read instead of a standard sentence."""
    texts: list[str | None] = []
    for rule in plan.rules:
        predicates = (*rule.require, *rule.deny_if, *rule.approve_if)
        texts += [predicate.reason for predicate in predicates if predicate.conditions]
        texts += [limit.reason for limit in rule.limits]
        texts += [rule.source.reason] if _asks(plan) else []
    return texts


# As JSON


def changes_value(changes: Changes) -> dict[str, object]:
    """Return the changes as JSON data, for the command line and the API."""
    return {
        "headline": list(changes.headline),
        "looser": [_change_value(change) for change in changes.looser],
        "tighter": [_change_value(change) for change in changes.tighter],
        "reworded": [_change_value(change) for change in changes.reworded],
        "becomes_callable": list(changes.becomes_callable),
        "no_longer_callable": list(changes.no_longer_callable),
        "unchanged": list(changes.unchanged),
    }


_KINDS: Final = {
    ReachChange: "reach",
    ApprovalChange: "approval",
    PredicateChange: "predicate",
    LimitChange: "limit",
    WordsChange: "words",
    AccessChange: "access",
}


def _change_value(change: Change) -> dict[str, object]:
    value: dict[str, object] = {
        "kind": _KINDS[type(change)],
        "direction": str(change.direction),
        "title": change.title,
        "tools": list(change.tools),
        "sentence": change.sentence,
    }
    if isinstance(change, ReachChange):
        value |= {"before": str(change.before), "after": str(change.after), "details": list(change.details)}
    return value
