"""One-click mends for what is wrong or doubtful in a text. Each changes one place and nothing else.

A mend is offered only where there is one right thing to do and its label can say it in full. No mend opens
what was closed without saying so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Final, Protocol, TypeAlias

from catalog.recommend import recommended_rule
from policies.beside import Beside
from policies.builder.fields import Fields
from policies.builder.rows import address_of, key_of, row_pointer
from policies.builder.values import as_json
from policies.language.block_types import SECTIONS, ConditionBlock, JsonData, LimitBlock, PredicateBlock
from policies.language.blocks import read_rule
from policies.language.board import Address
from policies.language.board_edit import (
    add_limit,
    add_predicate,
    change_predicate,
    put_rule,
    remove_limit,
    rule_at,
    set_default,
    usual_window,
)
from policies.language.document import CLASSES
from policies.language.exact import exact_text, plain_text
from policies.language.grammar import KEYS, MEANT_OPERATORS
from policies.language.json_reader import Member, Members, Node, Number, TextError
from policies.language.lint_types import WITH_SEVERAL, twin
from policies.language.matching import is_pattern
from policies.language.paths import member_path, parse_path, path_text
from policies.language.problems import PolicyInvalid, escape_token, meant
from policies.language.text_edit import CannotEdit, drop, put
from policies.language.text_tree import TextTree, child, tree_of
from policies.language.words import shorthand_counter
from policies.outlook import facts_of
from policies.services import judge
from servers.classing import classification_of
from servers.models import Tool

_LONGEST_LABEL: Final = 40
_CONDITION = re.compile(r"/(require|deny_if|approve_if)/([0-9]{1,4})/conditions/([0-9]{1,4})\Z")
_WHOLE = re.compile(r"[1-9][0-9]{0,9}\Z")
_COMMENT = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")


class Found(Protocol):
    """A problem in the text or a finding of the linter."""

    @property
    def pointer(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Mend:
    """`label`: the text of the button. `apply`: returns the mended text."""

    label: str
    apply: Callable[[], str]


_Maker: TypeAlias = Callable[[str, Found, Sequence[Tool]], Mend | None]


def mend_of(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    make = _MENDS.get(found.code)
    try:
        return make(text, found, tools) if make else None
    except (CannotEdit, PolicyInvalid, TextError):
        return None


def mended(text: str, fields: Fields, tools: Sequence[Tool], beside: Beside) -> str:
    """Mends the problem that the fields name. The text is judged again first: it may have changed since."""
    judgement = judge(text, [facts_of(tool) for tool in tools], beside)
    wanted = tuple(fields.get(name, "") for name in ("code", "pointer", "line", "column"))
    found: list[Found] = [*judgement.problems, *judgement.failed, *judgement.findings]
    at = next((each for each in found if _named(each) == wanted), None)
    # Lines move while people type.
    at = at or next((each for each in found if _named(each)[:2] == wanted[:2]), None)
    mend = mend_of(text, at, tools) if at else None
    if mend is None:
        raise CannotEdit("That is no longer in the text.")
    return mend.apply()


def _named(found: Found) -> tuple[str, ...]:
    return found.code, key_of(found.pointer), str(found.line), str(found.column)


# Texts that are not JSON


def _spelling(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    at = _offset(text, found)
    rest = text[at:]
    if found.message.startswith("There is a comma too many"):
        return Mend("Take the comma out", lambda: _spliced(text, at, at + 1, ""))
    if found.message.startswith("A comma or a closing") and rest[:1] in ('"', "{", "["):
        before = len(text[:at].rstrip())
        return Mend("Put a comma before it", lambda: _spliced(text, before, before, ","))
    if comment := _COMMENT.match(rest):
        return Mend("Take the comment out", lambda: _spliced(text, at, at + comment.end(), ""))
    word = _WORD.match(rest)
    right = {"true": "true", "false": "false", "none": "null", "null": "null"}.get(
        word.group().lower() if word else ""
    )
    if word and right and right != word.group():
        return Mend(f"Write {right}", lambda: _spliced(text, at, at + word.end(), right))
    return None


# Keys and words


def _key(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    """Corrects a misspelt key; a key that resembles no known one is taken out."""
    parent, member = _member_at(text, found)
    if member is None:
        return None
    known = CLASSES if found.pointer.startswith("/classes/") and found.pointer.count("/") == 2 else KEYS
    folded = next((key for key in known if key.casefold() == member.key.casefold()), None)
    right = meant(found.message) or (folded if found.code == "key_case" else None)
    if right is None:
        return Mend(f"Take {_said(member.key)} out", lambda: _without(text, parent, member))
    if child(parent, right) is not None:
        return None
    end = int(scanstring(text, member.at + 1, True)[1])
    return Mend(f"Write {_said(right)}", lambda: _spliced(text, member.at, end, json.dumps(right)))


def _twice(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    parent, member = _member_at(text, found)
    if member is None:
        return None
    return Mend("Take the second one out", lambda: _without(text, parent, member))


def _word(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    node = _node(text, found.pointer)
    if node is None or not isinstance(node.value, str):
        return None
    right = meant(found.message) or (
        MEANT_OPERATORS.get(node.value) if found.code == "unknown_operator" else None
    )
    right = "1" if found.code == "bad_version" else right
    return _value(text, node, right) if right else None


def _number(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    """Takes the quotes off a whole number where a number is required, and puts them round a version."""
    node = _node(text, found.pointer)
    if node is None:
        return None
    if found.pointer == "/version" and isinstance(node.value, Number):
        return _value(text, node, "1")
    name = found.pointer.rpartition("/")[2]
    if name not in ("max", "window") or not isinstance(node.value, str) or not _WHOLE.match(node.value):
        return None
    end, number = tree_of(text).end(node), node.value
    return Mend(f"Write {number}", lambda: _spliced(text, node.at, end, number))


def _missing(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    if found.pointer:
        return None
    key = next((key for key in _AT_THE_TOP if found.message.endswith(f'"{key}".')), None)
    if key is None:
        return None
    value = _AT_THE_TOP[key]
    return Mend(f"Add {_said(key)}: {_said(value)}", lambda: put(text, (key,), value, tuple(_AT_THE_TOP)))


_AT_THE_TOP: Final[Mapping[str, str]] = {"version": "1", "default": "deny"}


# Names that do not exist


def _tool_name(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    right = meant(found.message)
    if right is None or all(tool.name != right for tool in tools):
        return None
    if found.pointer.startswith("/hide/"):
        node = _node(text, found.pointer)
        return _value(text, node, right) if node else None
    parent, member = _member_named(text, found.pointer)
    if member is None or child(parent, right) is not None:
        return None
    end = int(scanstring(text, member.at + 1, True)[1])
    written = json.dumps(right, ensure_ascii=False)
    return Mend(f"Write {_said(right)}", lambda: _spliced(text, member.at, end, written))


def _argument(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    right, node = meant(found.message), _node(text, found.pointer)
    if right is None or node is None or not isinstance(node.value, str):
        return None
    path, better = parse_path(node.value), parse_path(right)
    if path is None or better is None or not path.steps or not isinstance(path.steps[0], str):
        return None
    last = len(better.steps) - 1
    # Another last step of the same path, or an argument that is meant by its first step.
    wrong = path.steps[: last + 1] if path.steps[:last] == better.steps[:last] else path.steps[:1]
    rest = node.value.removeprefix(path_text(wrong))
    # If a step is spelt in a way we would not spell it, we cannot tell where the rest begins.
    return _value(text, node, right + rest) if rest != node.value else None


# What the linter finds


def _without_it(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    """Denies calls that leave out an optional argument, which would otherwise get past the condition."""
    address = _address(found.pointer)
    node = _node(text, f"{found.pointer}/path")
    path = parse_path(node.value) if node and isinstance(node.value, str) else None
    if address is None or path is None or not isinstance(path.steps[0], str):
        return None
    wanted = member_path(path.steps[0])
    predicate = PredicateBlock((ConditionBlock(wanted, "exists", False),))
    return Mend(
        _short(f"Deny calls without {wanted}"), lambda: add_predicate(text, address, "deny_if", predicate)
    )


def _both_types(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    """Compares with the value in its other type, too."""
    address, at = _address(found.pointer), _CONDITION.search(found.pointer)
    if address is None or at is None:
        return None
    section, index, place = next(each for each in SECTIONS if each == at[1]), int(at[2]), int(at[3])
    predicate = rule_at(text, address).predicates(section)[index]
    condition = predicate.conditions[place] if isinstance(predicate, PredicateBlock) else None
    several = WITH_SEVERAL.get(condition.op) if isinstance(condition, ConditionBlock) else None
    if not isinstance(predicate, PredicateBlock) or not isinstance(condition, ConditionBlock) or not several:
        return None
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    twins = [other for value in values if (other := _twin(value)) is not None and other not in values]
    wider = replace(condition, op=several, value=[*values, *twins])
    kept = (*predicate.conditions[:place], wider, *predicate.conditions[place + 1 :])
    more = as_json(twins[0]) if len(twins) == 1 else "both types"
    return Mend(
        _short(f"Compare with {more}{' too' if len(twins) == 1 else ''}"),
        lambda: change_predicate(text, address, section, index, replace(predicate, conditions=kept)),
    )


def _twin(value: JsonData) -> JsonData:
    other = twin(exact_text(value.text) if isinstance(value, Number) else value)
    return other if other is None or isinstance(other, str | bool) else Number(plain_text(other))


def _rule_out(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    address = _address(found.pointer)
    if address is None:
        return None
    # Not `follow`: that would also take the name out of `hide`, and so open the tool.
    return Mend("Take this rule out", lambda: drop(text, address.steps))


def _allow_out(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    return Mend("Take it out", lambda: drop(text, ("all_tools", "action")))


def _deny_by_default(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    return Mend("Deny by default", lambda: set_default(text, "deny"))


def _limit_out(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    address, index = _address(found.pointer), _index(found.pointer)
    if address is None or index is None or index >= len(rule_at(text, address).limits):
        return None
    return Mend("Take this limit out", lambda: remove_limit(text, address, index))


def _count_calls(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    address = _address(found.pointer)
    if address is None:
        return None
    window = usual_window(rule_at(text, address))
    limit = LimitBlock(_counter(text, address), window, Number("30"), "grant")
    return Mend(
        f"Add: 30 calls {'an' if window == 'hour' else 'a'} {window}", lambda: add_limit(text, address, limit)
    )


def _count_alone(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    address, index = _address(found.pointer), _index(found.pointer)
    if address is None or index is None:
        return None
    limits = rule_at(text, address).limits
    limit = limits[index] if index < len(limits) else None
    counter = _counter(text, address)
    if not isinstance(limit, LimitBlock) or limit.counter == counter or address.section != "tools":
        return None
    alone = (*limits[:index], replace(limit, counter=counter), *limits[index + 1 :])
    rule = replace(rule_at(text, address), limits=alone)
    return Mend("Count this rule alone", lambda: put_rule(text, address, rule))


def _recommended(text: str, found: Found, tools: Sequence[Tool]) -> Mend | None:
    named = [tool for tool in tools if found.message.startswith(f"{tool.name} ({tool.tool_class}) may be")]
    # The name of one tool may be that of another followed by these very words: the longest is meant.
    tool = max(named, key=lambda tool: len(tool.name), default=None)
    if tool is None or is_pattern(tool.name):
        return None
    rule = read_rule(json.dumps(recommended_rule(tool.name, classification_of(tool))))
    return Mend("Use the recommended rule", lambda: put_rule(text, Address("tools", tool.name), rule))


# Places


def _offset(text: str, found: Found) -> int:
    at = 0
    for _ in range(found.line - 1):
        at = text.find("\n", at) + 1
    return min(len(text), at + found.column - 1)


def _spliced(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


def _value(text: str, node: Node, right: str) -> Mend:
    end, written = tree_of(text).end(node), json.dumps(right, ensure_ascii=False)
    return Mend(f"Write {_said(right)}", lambda: _spliced(text, node.at, end, written))


def _steps(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _node(text: str, pointer: str) -> Node | None:
    node: Node | None = tree_of(text).root
    for step in _steps(pointer):
        if node is None:
            return None
        node = child(node, int(step) if isinstance(node.value, list) and step.isdecimal() else step)
    return node


def _member_named(text: str, pointer: str) -> tuple[Node, Member | None]:
    parent = _node(text, pointer.rpartition("/")[0]) or tree_of(text).root
    name = _steps(pointer)[-1] if pointer else ""
    return parent, next((each for each in _all(parent) if each.key == name), None)


def _member_at(text: str, found: Found) -> tuple[Node, Member | None]:
    """Finds the member at this exact place: its key may appear twice."""
    parent = _node(text, found.pointer.rpartition("/")[0]) or tree_of(text).root
    at = _offset(text, found)
    return parent, next((each for each in _all(parent) if each.at == at), None)


def _all(node: Node) -> list[Member]:
    return node.value.all if isinstance(node.value, Members) else []


def _without(text: str, parent: Node, member: Member) -> str:
    """Takes out the member and its comma; the text around it stays as it is written."""
    tree, all_members = TextTree(text), _all(parent)
    place = next(index for index, each in enumerate(all_members) if each.at == member.at)
    if place + 1 < len(all_members):
        return _spliced(text, member.at, all_members[place + 1].at, "")
    before = tree.end(all_members[place - 1].node) if place else member.at
    return _spliced(text, before, tree.end(member.node), "")


def _address(pointer: str) -> Address | None:
    row = row_pointer(pointer)
    return address_of(key_of(row)) if row and row != "/default" else None


def _index(pointer: str) -> int | None:
    found = re.search(r"/limits/([0-9]{1,4})(?:/|\Z)", pointer)
    return int(found[1]) if found else None


def _counter(text: str, address: Address) -> str:
    """Returns a counter that appears nowhere else in the text."""
    base = shorthand_counter(address.name) if address.section == "tools" else f"{address.section}_calls"
    names = (base, *(f"{base}_{number}" for number in range(2, 99)))
    return next((name for name in names if json.dumps(name) not in text), base)


def _said(word: str) -> str:
    return _short(word if word.isprintable() else escape_token(ascii(word)))


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


_MENDS: Final[Mapping[str, _Maker]] = {
    "bad_json": _spelling,
    "unknown_key": _key,
    "key_case": _key,
    "duplicate_key": _twice,
    "missing_key": _missing,
    "bad_value": _word,
    "bad_version": _word,
    "unknown_operator": _word,
    "wrong_type": _number,
    "unknown_tool": _tool_name,
    "unknown_argument": _argument,
    "unguarded_optional": _without_it,
    "other_type": _both_types,
    "unguarded_tool": _recommended,
    "hide_and_rule": _rule_out,
    "shadowed_rule": _rule_out,
    "all_tools_allow": _allow_out,
    "open_default": _deny_by_default,
    "unreachable_limit": _limit_out,
    "value_limit_alone": _count_calls,
    "keyed_limit_alone": _count_calls,
    "shared_counter": _count_alone,
}
