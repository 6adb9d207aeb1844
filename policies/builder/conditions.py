"""The conditions of one predicate, read back from the form that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from policies.builder.arguments import Argument, argument_at
from policies.builder.fields import Fields
from policies.builder.values import field_of, fitting, read_field, read_number, refitted, turned
from policies.language.block_types import ConditionBlock, JsonData, PredicateBlock
from policies.language.json_reader import Number
from policies.language.paths import parse_path
from policies.language.text_edit import CannotEdit, Source

_KINDS: Final = ("text", "number", "yesno")


def fresh_predicate(arguments: Sequence[Argument]) -> PredicateBlock | None:
    """About the first required argument, or else the first, with a value to fill in. None without any."""
    chosen = _simplest(arguments)
    return PredicateBlock((fresh_condition(chosen),)) if chosen else None


def closed_predicate(arguments: Sequence[Argument]) -> PredicateBlock | None:
    """Asks for one of a list that is still empty: as a requirement it denies every call."""
    # With `[*]` this would be true of an empty list.
    single = [each for each in arguments if (path := parse_path(each.path)) and not path.quantified]
    chosen = _simplest(single)
    return PredicateBlock((ConditionBlock(chosen.path, "in", []),)) if chosen else None


def _simplest(arguments: Sequence[Argument]) -> Argument | None:
    simple = [each for each in arguments if each.kind in ("text", "number", "yesno")]
    return next((each for each in simple if each.required), next(iter(simple or arguments), None))


def fresh_condition(argument: Argument) -> ConditionBlock:
    op = argument.operators[0]
    return ConditionBlock(argument.path, op, fitting([], op, argument))


def any_condition() -> ConditionBlock:
    """Makes a condition for when no argument is known: the person names one."""
    return ConditionBlock("args.", "eq", "")


def changed_predicate(old: PredicateBlock, fields: Fields, arguments: Sequence[Argument]) -> PredicateBlock:
    columns = [fields.getlist(name) for name in ("path", "op", "control", "value")]
    if any(len(column) != len(old.conditions) for column in columns):
        raise CannotEdit("The conditions of this rule have changed meanwhile. Look at it again.")
    conditions = [
        _changed(each, index, column, fields, arguments)
        for index, (each, *column) in enumerate(zip(old.conditions, *columns, strict=True))
    ]
    if (dropped := fields.get("drop-condition", "")) and dropped.isdecimal() and len(dropped) < 7:
        conditions = [each for index, each in enumerate(conditions) if index != int(dropped)]
        if not conditions:
            raise CannotEdit("Without a condition this would be true of every call. Remove the whole row.")
    if fields.get("add-condition", ""):
        first = fresh_predicate(arguments)
        conditions.append(first.conditions[0] if first else any_condition())
    typed = fields.get("on_deny", old.on_deny or "")
    return PredicateBlock(
        tuple(conditions), old.on_deny if typed == (old.on_deny or "") else typed.strip() or None
    )


def _changed(
    old: ConditionBlock | Source, index: int, column: list[str], fields: Fields, arguments: Sequence[Argument]
) -> ConditionBlock | Source:
    if isinstance(old, Source) or column[2] == "kept":
        return old
    path, op, control, text = column
    path = path.strip()
    argument = argument_at(path, arguments)
    value = _value(old, index, control, text, fields)
    if path != old.path and op not in argument.operators:
        op = argument.operators[0]
    if path != old.path:
        # What another argument was compared with may be lost.
        value = fitting([] if old.op == "exists" != op else value, op, argument)
    elif op != old.op:
        value = refitted(value, old.op, op, argument)
    return replace(old, path=path, op=op, value=value)


def _value(old: ConditionBlock, index: int, control: str, text: str, fields: Fields) -> JsonData:
    shown = field_of(old.value, argument_at(old.path, ()))
    if control in ("tokens", "numbers"):
        return _tokens(old, index, control, fields)
    if control in _KINDS and shown.control in _KINDS and control != shown.control:
        return turned(read_field(shown.control, text, []), control)
    # Nobody changed it: it stays as it was written, down to the spelling of a number.
    if text == shown.text and control not in ("choice", "text") and shown.control == control:
        return old.value
    return read_field(control, text, [])


def _tokens(old: ConditionBlock, index: int, control: str, fields: Fields) -> JsonData:
    sent, drop = fields.getlist(f"token-{index}"), fields.getlist("drop-token")
    dropped = {token for at, token in enumerate(sent) if f"{index}-{at}" in drop}
    there: Sequence[str] = sent
    if isinstance(old.value, list):
        # What was added or removed while this was on its way is in the text, and not in what was sent.
        shown = field_of(old.value, argument_at(old.path, ()))
        if shown.control == "json":
            raise CannotEdit("The values of this condition have changed meanwhile. Look at it again.")
        there = shown.tokens
    tokens = [token for token in there if token not in dropped]
    more = fields.get(f"more-{index}", "").strip()
    if more and more not in tokens:
        tokens.append(more)
    values: list[JsonData] = [*tokens] if control == "tokens" else [read_number(token) for token in tokens]
    before = old.value if isinstance(old.value, list) else []
    same = {each.text: each for each in before if isinstance(each, Number)}
    return [same.get(each.text, each) if isinstance(each, Number) else each for each in values]
