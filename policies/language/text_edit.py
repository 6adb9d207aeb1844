"""Edits a JSON text in place: what need not change stays as it was written, byte for byte."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, NamedTuple, TypeAlias

from .exact import identity_of
from .json_reader import Member, Members, Node, Number, Value
from .text_tree import TextTree, child, members, tree_of

# Finding what moved takes time quadratic in this.
_MOST_ALIGNED: Final = 400


class Source(NamedTuple):
    """JSON kept as it was written."""

    text: str


Wanted: TypeAlias = "Mapping[str, Wanted] | Sequence[Wanted] | Source | Number | str | bool | None"


class CannotEdit(Exception):  # noqa: N818 - the word of the house
    """The edit cannot be expressed in the text as it is; the message says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A part that was there before: its index, and its text now."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Added:
    key: str | None
    value: Wanted


Item: TypeAlias = Kept | Added


def put(text: str, steps: Sequence[str], wanted: Wanted, order: Sequence[str] = ()) -> str:
    """Make the member that `steps` lead to say what is wanted. Missing objects on the way are created.

    `order`: the keys of the outermost object in order, to place a new member.
    """
    edit = _Edit(text)
    node, depth = edit.tree.root, 0
    while depth < len(steps):
        below = child(node, steps[depth])
        if below is None:
            break
        node, depth = below, depth + 1
    if depth == len(steps):
        return edit.replaced(node, edit.merged(node, wanted, edit.inline_text))
    if not isinstance(node.value, Members):
        raise CannotEdit(
            f"{'/'.join(steps[:depth]) or 'The policy'} is not an object, so nothing can be put into it."
        )
    for step in reversed(steps[depth + 1 :]):
        wanted = {step: wanted}
    return edit.replaced(node, edit.with_member(node, steps[depth], wanted, order if depth == 0 else ()))


def drop(text: str, steps: Sequence[str]) -> str:
    """Take the member out, if it is there."""
    edit = _Edit(text)
    node = edit.tree.find(*steps[:-1])
    times = 0 if node is None else sum(member.key == steps[-1] for member in _all(node))
    if node is None or times == 0:
        return text
    if times > 1:
        raise CannotEdit(f"{steps[-1]} appears twice there. Keep one of them first.")
    return edit.replaced(node, edit.without_member(node, steps[-1]))


class _Edit:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = tree_of(text)
        self.newline = "\r\n" if "\r\n" in text else "\n"
        root = self.tree.root
        self.inline_text = "\n" not in self.tree.source(root)
        first = root.value.all[0] if isinstance(root.value, Members) and root.value.all else None
        lead = text[root.at + 1 : first.at] if first else ""
        self.unit = lead.rpartition("\n")[2] if "\n" in lead else "  "
        # Minified: not even a space after a colon.
        self.tight = first is not None and text[first.node.at - 1] == ":"

    def replaced(self, node: Node, new: str) -> str:
        return self.text[: node.at] + new + self.text[self.tree.end(node) :]

    # Objects and lists

    def with_member(self, node: Node, key: str, wanted: Wanted, order: Sequence[str]) -> str:
        items = self._as_they_are(node)
        place = len(items)
        if key in order:
            before = set(order[: order.index(key)])
            keys = [member.key for member in _all(node)]
            place = max((index + 1 for index, known in enumerate(keys) if known in before), default=0)
        return self._assembled(node, [*items[:place], Added(key, wanted), *items[place:]], self.inline_text)

    def without_member(self, node: Node, key: str) -> str:
        kept = [
            item
            for item, member in zip(self._as_they_are(node), _all(node), strict=True)
            if member.key != key
        ]
        return self._assembled(node, list(kept), self.inline_text)

    def _as_they_are(self, node: Node) -> list[Item]:
        return [Kept(index, self.text[start:end]) for index, (start, end) in enumerate(self._spans(node))]

    def merged(self, node: Node, wanted: Wanted, inline: bool) -> str:
        """Return the node's text, changed as little as possible to say what is wanted."""
        source = self.tree.source(node)
        if isinstance(wanted, Source):
            return wanted.text
        if _said(node.value) == _identity(wanted):
            return source
        spans = self._spans(node)
        inline = self._is_inline(node, spans) if spans else inline
        if isinstance(node.value, Members) and isinstance(wanted, Mapping):
            return self._assembled(node, self._merged_members(node, wanted, inline), inline)
        # Before the next check, because a Number is a tuple too.
        if isinstance(wanted, Number):
            return wanted.text
        if isinstance(node.value, list) and isinstance(wanted, list | tuple):
            return self._assembled(node, self._merged_elements(node.value, wanted, inline), inline)
        return self._rendered(wanted, None if inline else self._line_indent(node.at))

    def _merged_members(self, node: Node, wanted: Mapping[str, Wanted], inline: bool) -> list[Item]:
        first = {member.key: member for member in members(node)}
        items: list[tuple[str, Item]] = []
        for index, member in enumerate(_all(node)):
            if member.key in wanted and first[member.key] is member:
                value = self.merged(member.node, wanted[member.key], inline)
                items.append((member.key, Kept(index, self.text[member.at : member.node.at] + value)))
        place = 0
        for key, value_wanted in wanted.items():
            known = next((index for index, (name, _) in enumerate(items) if name == key), None)
            if known is None:
                items.insert(place, (key, Added(key, value_wanted)))
                known = place
            place = known + 1
        return [item for _, item in items]

    def _merged_elements(self, old: list[Node], wanted: Sequence[Wanted], inline: bool) -> list[Item]:
        mine, theirs = [_said(node.value) for node in old], [_identity(value) for value in wanted]
        items: list[Item] = []
        for same, start, end, low, high in _aligned(mine, theirs):
            if same:
                items += [Kept(index, self.tree.source(old[index])) for index in range(start, end)]
                continue
            both = min(end - start, high - low)
            items += [
                Kept(start + i, self.merged(old[start + i], wanted[low + i], inline)) for i in range(both)
            ]
            items += [Added(None, value) for value in wanted[low + both : high]]
        return items

    def _spans(self, node: Node) -> list[tuple[int, int]]:
        if isinstance(node.value, Members):
            return [(member.at, self.tree.end(member.node)) for member in node.value.all]
        if isinstance(node.value, list):
            return [(element.at, self.tree.end(element)) for element in node.value]
        return []

    def _is_inline(self, node: Node, spans: list[tuple[int, int]]) -> bool:
        return "\n" not in self.text[node.at : spans[0][0]]

    def _assembled(self, node: Node, items: list[Item], inline: bool) -> str:
        """Write an object or list of these items; old ones keep their white space."""
        brackets = self.text[node.at], self.text[self.tree.end(node) - 1]
        if not items:
            return "".join(brackets)
        spans = self._spans(node)
        if not spans:
            return self._filled(brackets, items, None if inline else self._line_indent(node.at))
        lead, tail = self.text[node.at + 1 : spans[0][0]], self.text[spans[-1][1] : self.tree.end(node) - 1]
        one_line = "\n" not in lead
        indent = None if one_line else lead.rpartition("\n")[2]
        comma = ("," if self.tight else ", ") if one_line else "," + lead
        pieces = [brackets[0], lead]
        for number, item in enumerate(items):
            if isinstance(item, Kept):
                own_gap = self.text[spans[item.index - 1][1] : spans[item.index][0]] if item.index else comma
                pieces += [own_gap, item.text] if number else [item.text]
            else:
                pieces += [comma] * (number > 0) + [self._item(item, indent)]
        return "".join([*pieces, tail, brackets[1]])

    # New text

    def _filled(self, brackets: tuple[str, str], items: list[Item], indent: str | None) -> str:
        inner = None if indent is None else indent + self.unit
        written = [item.text if isinstance(item, Kept) else self._item(item, inner) for item in items]
        if inner is None or indent is None:
            return brackets[0] + ("," if self.tight else ", ").join(written) + brackets[1]
        lines = ("," + self.newline).join(inner + line for line in written)
        return f"{brackets[0]}{self.newline}{lines}{self.newline}{indent}{brackets[1]}"

    def _item(self, item: Added, indent: str | None) -> str:
        value = self._rendered(item.value, indent)
        if item.key is None:
            return value
        return json.dumps(item.key, ensure_ascii=False) + (":" if self.tight else ": ") + value

    def _rendered(self, value: Wanted, indent: str | None) -> str:
        """Write a value. `indent`: that of the line on which it begins; None: all on one line."""
        match value:
            case Source(text) | Number(text):
                return text
            case str() | bool() | None:
                return json.dumps(value, ensure_ascii=False)
            case Mapping():
                added: list[Item] = [Added(key, inner) for key, inner in value.items()]
                return self._filled(("{", "}"), added, indent) if added else "{}"
            case _:
                added = [Added(None, inner) for inner in value]
                return self._filled(("[", "]"), added, indent) if added else "[]"

    def _line_indent(self, at: int) -> str:
        line = self.text[self.text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))]


def _aligned(mine: list[str], theirs: list[str]) -> Iterator[tuple[bool, int, int, int, int]]:
    """Yield the runs that are the same and those that are not, as index ranges of both lists."""
    shorter = min(len(mine), len(theirs))
    head = next((i for i in range(shorter) if mine[i] != theirs[i]), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if mine[-1 - i] != theirs[-1 - i]), rest)
    yield True, 0, head, 0, head
    middle, wanted = mine[head : len(mine) - tail], theirs[head : len(theirs) - tail]
    if max(len(middle), len(wanted)) > _MOST_ALIGNED:
        yield False, head, len(mine) - tail, head, len(theirs) - tail
    else:
        for tag, *ends in SequenceMatcher(None, middle, wanted, autojunk=False).get_opcodes():
            start, end, low, high = (each + head for each in ends)
            yield tag == "equal", start, end, low, high
    yield True, len(mine) - tail, len(mine), len(theirs) - tail, len(theirs)


def _all(node: Node) -> list[Member]:
    return node.value.all if isinstance(node.value, Members) else []


def _identity(value: Wanted) -> str:
    """Return a text shared by values that say the same; numbers count by value."""
    match value:
        case Source(text):
            return _said(TextTree(text).root.value)
        case Number(text):
            return identity_of(text)
        case str() | bool() | None:
            return json.dumps(value)
        case Mapping():
            pairs = sorted((json.dumps(key), _identity(inner)) for key, inner in value.items())
            return "{" + ",".join(f"{key}:{said}" for key, said in pairs) + "}"
        case _:
            return "[" + ",".join(map(_identity, value)) + "]"


def _said(value: Value) -> str:
    if isinstance(value, Number):
        return identity_of(value.text)
    if isinstance(value, list):
        return "[" + ",".join(_said(element.value) for element in value) + "]"
    if isinstance(value, Members):
        inner = sorted((json.dumps(member.key), _said(member.node.value)) for member in value.all)
        return "{" + ",".join(f"{key}:{said}" for key, said in inner) + "}"
    return json.dumps(value)
