"""The open rule: its conditions and limits as rows of controls, in the order in which they are checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from policies.builder.arguments import (
    OPERATOR_WORDS,
    Argument,
    argument_at,
    arguments_of,
    is_typable,
    shared_arguments,
)
from policies.builder.rows import id_of, key_of
from policies.builder.values import ValueField, field_of, kinds_for
from policies.language.block_types import (
    ConditionBlock,
    LimitBlock,
    PolicyBlocks,
    PredicateBlock,
    PredicateSection,
    RuleBlock,
)
from policies.language.board import Address, Board, Row, Verb
from policies.language.board_edit import is_closed, rate_counter
from policies.language.document import WINDOW_WORDS, WINDOWS
from policies.language.lint_empty import says_nothing
from policies.language.matching import NameList, is_pattern
from policies.language.sentences import span_words
from policies.language.text_edit import Source
from policies.language.words import shorthand_counter
from servers.models import Tool

SCOPES: Final = (
    ("grant", "each grant"),
    ("server", "the whole server"),
    ("organization", "the whole organization"),
)
_SECTIONS: Final[tuple[tuple[PredicateSection, str, str, str, str], ...]] = (
    ("require", "Must be true, or the call is denied", "allow", "something that must be true", ""),
    ("deny_if", "Deny when", "deny", "a reason to deny", "another reason to deny"),
    ("approve_if", "Ask a person when", "ask", "a reason to ask", "another reason to ask"),
)
_MOST_SHOWN: Final = 40
_LONGEST_TEXT: Final = 4000


@dataclass(frozen=True, slots=True)
class TextField:
    """`typable`: a single-line field gives it back unchanged; otherwise it can only be edited in the JSON."""

    value: str
    typable: bool = True

    @classmethod
    def of(cls, text: str | None) -> TextField:
        value = text or ""
        return cls(value, is_typable(value) and len(value) <= _LONGEST_TEXT)


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """`source`: the text of what is not a valid condition; it is shown and kept as it is.

    `kinds`: controls to choose from, where the value may be of several types. `lacks`: no value was written
    yet, and without one it means nothing.
    """

    index: int
    argument: Argument
    listed: bool
    op: str
    operators: tuple[tuple[str, str], ...]
    value: ValueField
    source: str = ""
    kinds: tuple[tuple[str, str], ...] = ()
    lacks: bool = False


@dataclass(frozen=True, slots=True)
class PredicateRow:
    index: int
    id: str
    conditions: tuple[ConditionRow, ...]
    on_deny: TextField
    source: str = ""


@dataclass(frozen=True, slots=True)
class Phase:
    number: int
    section: str
    title: str
    glyph: str
    add: str
    rows: tuple[PredicateRow, ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class LimitRow:
    """`shared`: other rows that count with the same counter. `short`: written as `rate_limit`."""

    index: int
    id: str
    most: str
    window: str
    windows: tuple[tuple[str, str], ...]
    scope: str
    scopes: tuple[tuple[str, str], ...]
    counter: TextField
    key: TextField
    increment_from: TextField
    on_deny: TextField
    shared: tuple[str, ...] = ()
    short: bool = False
    source: str = ""

    @property
    def simple(self) -> bool:
        return not (self.key.value or self.increment_from.value or self.on_deny.value)


@dataclass(frozen=True, slots=True)
class Card:
    """`is_closed`: it has no rule, and calls are denied or hidden."""

    key: str
    id: str
    name: str
    verb: Verb
    own: bool
    phases: tuple[Phase, ...]
    limits: tuple[LimitRow, ...]
    asks: bool
    denies: bool
    is_closed: bool
    reason: TextField
    reason_hint: str
    arguments: tuple[Argument, ...]
    sentences: tuple[str, ...]
    replaces: str
    lines: tuple[int, int] | None
    extra: tuple[str, ...]
    source: str
    hidden_by: str
    description: str
    can_follow: bool
    followed: str = ""

    @property
    def has_more(self) -> bool:
        return bool(self.limits) or any(phase.rows for phase in self.phases)


def card_of(row: Row, board: Board, tools: Sequence[Tool], sentences: Iterable[str], replaces: str) -> Card:
    address, rule = row.address, row.rule
    block = rule if isinstance(rule, RuleBlock) else RuleBlock()
    arguments = arguments_for(address, tools)
    tool = next((tool for tool in tools if tool.name == address.name), None)
    return Card(
        key=key_of(address.pointer),
        id=id_of(address.pointer),
        name=address.name,
        verb=row.verb,
        own=isinstance(rule, RuleBlock),
        phases=tuple(_phases(block, arguments, id_of(address.pointer))),
        limits=tuple(_limits(block, address, board.blocks)),
        asks=block.action == "require_approval",
        denies=block.action == "deny",
        is_closed=is_closed(row, board),
        reason=TextField.of(block.reason),
        reason_hint="" if block.action == "deny" else "where a row says nothing of its own",
        arguments=arguments,
        sentences=tuple(sentences),
        replaces=replaces,
        lines=None,
        extra=tuple(f'"{key}": {source.text[:400]}' for key, source in block.extra[:_MOST_SHOWN]),
        source=rule.text[:_LONGEST_TEXT] if isinstance(rule, Source) else "",
        hidden_by=_hidden_by(board.blocks, address) if row.verb is Verb.HIDE else "",
        description=tool.description if tool and address.section == "tools" else "",
        can_follow=(address.section == "tools" and row.own)
        or (rule is not None and address.section != "default"),
    )


def arguments_for(address: Address, tools: Sequence[Tool]) -> tuple[Argument, ...]:
    """Returns the arguments of the row's own tool, or of all the tools that it covers."""
    if address.section == "tools" and not is_pattern(address.name):
        return next((arguments_of(tool.input_schema) for tool in tools if tool.name == address.name), ())
    return shared_arguments(tool.input_schema for tool in _covered(address, tools))


def _covered(address: Address, tools: Sequence[Tool]) -> Iterable[Tool]:
    match address.section:
        case "classes":
            return [tool for tool in tools if tool.tool_class == address.name]
        case "tools":
            names = NameList.of((address.name,))
            return [tool for tool in tools if names.first_match(tool.name) is not None]
        case _:
            return tools


def _hidden_by(blocks: PolicyBlocks, address: Address) -> str:
    place = NameList.of(blocks.hide).first_match(address.name)
    name = blocks.hide[place] if place is not None else ""
    return name if name != address.name else ""


# Conditions


def _phases(block: RuleBlock, arguments: tuple[Argument, ...], row: str) -> Iterable[Phase]:
    for number, (section, title, glyph, add, more) in zip((1, 2, 4), _SECTIONS, strict=True):
        predicates = block.predicates(section)
        rows = tuple(
            _predicate(predicate, index, arguments, f"{row}-{section}-{index}")
            for index, predicate in enumerate(predicates[:_MOST_SHOWN])
        )
        words = more if rows and more else add
        yield Phase(number, section, title, glyph, words, rows, max(0, len(predicates) - _MOST_SHOWN))


def _predicate(
    predicate: PredicateBlock | Source, index: int, arguments: tuple[Argument, ...], id: str
) -> PredicateRow:
    if isinstance(predicate, Source):
        return PredicateRow(index, id, (), TextField(""), predicate.text[:_LONGEST_TEXT])
    rows = tuple(_condition(each, at, arguments) for at, each in enumerate(predicate.conditions))
    return PredicateRow(index, id, rows, TextField.of(predicate.on_deny))


def _condition(
    condition: ConditionBlock | Source, index: int, arguments: tuple[Argument, ...]
) -> ConditionRow:
    if isinstance(condition, Source):
        return _no_condition(index, condition.text)
    if not is_typable(condition.path) or not is_typable(condition.op):
        return _no_condition(index, f"{condition.path} {condition.op}")
    argument = argument_at(condition.path, arguments)
    fitting = dict.fromkeys(argument.operators)
    operators: list[tuple[str, str]] = [(op, OPERATOR_WORDS[op]) for op in fitting]
    if condition.op not in fitting:
        known = {str(op): words for op, words in OPERATOR_WORDS.items()}
        operators.insert(0, (condition.op, known.get(condition.op, condition.op)))
    listed = any(known.path == condition.path for known in arguments)
    value = field_of(condition.value, argument)
    kinds = kinds_for(value, condition.op, argument)
    lacks = says_nothing(condition.op, condition.value)
    return ConditionRow(
        index, argument, listed, condition.op, tuple(operators), value, kinds=kinds, lacks=lacks
    )


def _no_condition(index: int, text: str) -> ConditionRow:
    return ConditionRow(
        index, Argument("", "any"), False, "", (), ValueField("text"), text[:_LONGEST_TEXT] or "?"
    )


# Limits


def _limits(block: RuleBlock, address: Address, blocks: PolicyBlocks) -> Iterable[LimitRow]:
    row = id_of(address.pointer)
    users = _users(blocks, address) if block.limits or block.rate_limit else {}
    for index, limit in enumerate(block.limits[:_MOST_SHOWN]):
        if isinstance(limit, Source):
            yield _limit_source(index, f"{row}-limit-{index}", limit)
        else:
            yield _limit(index, f"{row}-limit-{index}", limit, users.get((limit.scope, limit.counter), ()))
    if block.rate_limit is not None:
        rate, index = block.rate_limit, len(block.limits)
        counter = shorthand_counter(address.name) if address.section == "tools" else ""
        plain = LimitBlock(counter, rate.window, rate.max, "grant")
        shared = users.get(("grant", rate_counter(address)), ())
        yield _limit(index, f"{row}-limit-{index}", plain, shared, short=True)


def _limit(
    index: int, id: str, limit: LimitBlock, shared: tuple[str, ...], *, short: bool = False
) -> LimitRow:
    window = limit.window if isinstance(limit.window, str) else limit.window.text
    seconds = int(window) if window.isdecimal() and len(window) < 9 else 0
    word = window if window in WINDOWS else WINDOW_WORDS.get(seconds, "")
    windows = [(known, known) for known in WINDOWS]
    if not word:
        windows.append((window, span_words(seconds) if seconds else window))
    return LimitRow(
        index=index,
        id=id,
        most=limit.max.text,
        window=word or window,
        windows=tuple(windows),
        scope=limit.scope,
        scopes=SCOPES if limit.scope in dict(SCOPES) else (*SCOPES, (limit.scope, limit.scope)),
        counter=TextField.of(limit.counter),
        key=TextField.of(limit.key),
        increment_from=TextField.of(limit.increment_from),
        on_deny=TextField.of(limit.on_deny),
        shared=shared,
        short=short,
    )


def _limit_source(index: int, id: str, limit: Source) -> LimitRow:
    nothing = TextField("")
    return LimitRow(
        index, id, "", "", (), "", (), nothing, nothing, nothing, nothing, source=limit.text[:_LONGEST_TEXT]
    )


def _users(blocks: PolicyBlocks, address: Address) -> dict[tuple[str, str], tuple[str, ...]]:
    """Returns for each scope and counter the names of other rows that count there too."""
    names: dict[tuple[str, str], list[str]] = {}
    rules = [
        *((Address("tools", name), name, rule) for name, rule in (blocks.tools or {}).items()),
        *((Address("classes", name), name, rule) for name, rule in (blocks.classes or {}).items()),
        (Address("all_tools"), "every call", blocks.all_tools),
    ]
    for at, name, rule in rules:
        if at == address or not isinstance(rule, RuleBlock):
            continue
        for counted in _counted(rule, at):
            # Only one row and the rule for every call apply to one tool.
            if "{tool}" not in counted[1] or "all_tools" in (at.section, address.section):
                names.setdefault(counted, []).append(name)
    return {counted: tuple(users[:4]) for counted, users in names.items()}


def _counted(rule: RuleBlock, address: Address) -> set[tuple[str, str]]:
    counted = {(limit.scope, limit.counter) for limit in rule.limits if isinstance(limit, LimitBlock)}
    return counted | {("grant", rate_counter(address))} if rule.rate_limit else counted
