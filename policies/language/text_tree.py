"""A JSON text with the span of every part, for showing places and for editing in place."""

import re
from collections.abc import Iterator
from functools import lru_cache
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Final

from .findings import Places
from .json_reader import Member, Members, Node, Number, read_json
from .once import once

_SPACE = re.compile(r"[ \t\n\r]*")
_LITERALS = {True: 4, False: 5, None: 4}


class TextTree:
    """A JSON text as a tree; raises TextError if it is not JSON. The first of repeated keys counts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root = read_json(text)
        self._places = Places(text)

    def end(self, node: Node) -> int:
        """Return the offset just after the node's last character."""
        value = node.value
        if isinstance(value, str):
            return int(scanstring(self.text, node.at + 1, True)[1])
        if isinstance(value, Number):
            return node.at + len(value.text)
        if isinstance(value, bool) or value is None:
            return node.at + _LITERALS[value]
        last = value.all[-1].node if isinstance(value, Members) and value.all else None
        if isinstance(value, list) and value:
            last = value[-1]
        return self._skip(node.at + 1 if last is None else self.end(last)) + 1

    def source(self, node: Node) -> str:
        return self.text[node.at : self.end(node)]

    def find(self, *steps: str | int) -> Node | None:
        node: Node | None = self.root
        for step in steps:
            node = None if node is None else child(node, step)
        return node

    def start_of(self, pointer: str) -> tuple[int, int]:
        """Return line and column of what a pointer names (a member's key); if missing, of what is around."""
        node, at = self.root, self.root.at
        for token in pointer.split("/")[1:]:
            found = _step(node, token.replace("~1", "/").replace("~0", "~"))
            if found is None:
                break
            node, at = found
        return self._places.line_and_column(at)

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found else at


# A larger tree is kept only inside `each_text_once`: otherwise it would take memory for nothing.
_LONGEST_KEPT: Final = 200_000


def tree_of(text: str) -> TextTree:
    """Return `TextTree(text)`, cached: an act reads a text several times. Nobody may change what is in it."""
    return once("tree", text, lambda: TextTree(text)) if len(text) > _LONGEST_KEPT else _kept(text)


@lru_cache(maxsize=4)
def _kept(text: str) -> TextTree:
    return TextTree(text)


def members(node: Node) -> Iterator[Member]:
    """Yield the first member of each key of an object, in order; nothing for other values."""
    if isinstance(node.value, Members):
        seen: set[str] = set()
        for member in node.value.all:
            if member.key not in seen:
                seen.add(member.key)
                yield member


def child(node: Node, step: str | int) -> Node | None:
    if isinstance(step, int):
        return node.value[step] if isinstance(node.value, list) and step < len(node.value) else None
    return next((member.node for member in members(node) if member.key == step), None)


def _step(node: Node, token: str) -> tuple[Node, int] | None:
    if isinstance(node.value, Members):
        return next(((member.node, member.at) for member in node.value.all if member.key == token), None)
    element = child(node, int(token)) if token.isdecimal() else None
    return None if element is None else (element, element.at)
