"""Finds where in a document's text a rule is, to show the very lines that decided."""

import re
from bisect import bisect_right
from json import JSONDecoder

from policies.language.json_reader import Members, Node, TextError, read_json


def lines_of(text: str, pointer: str) -> tuple[int, int] | None:
    """Return the first and last line, from 1, of what an RFC 6901 pointer names, with its key.

    Return None if it names nothing in the text.
    """
    try:
        node, at = read_json(text), 0
    except TextError:
        return None
    for step in pointer.split("/")[1:]:
        found = _child(node, step.replace("~1", "/").replace("~0", "~"))
        if found is None:
            return None
        node, at = found
    _, end = JSONDecoder().raw_decode(text, node.at)
    return text.count("\n", 0, at) + 1, text.count("\n", 0, end) + 1


def nearest_place(text: str, pointer: str) -> tuple[int, int]:
    """Return the line and column, from 1, of what the pointer names, or of the nearest thing around it.

    A pointer into the canonical form may name something that the text writes as a shorthand.
    """
    return Places(text).nearest(pointer)


class Places:
    """The places of one text, for callers that need many: the text and each object in it are read once."""

    def __init__(self, text: str) -> None:
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._members: dict[int, dict[str, tuple[Node, int]]] = {}
        try:
            self._root: Node | None = read_json(text)
        except TextError:
            self._root = None

    def nearest(self, pointer: str) -> tuple[int, int]:
        """Like the function `nearest_place`."""
        if self._root is None:
            return 1, 1
        node, at = self._root, 0
        for step in pointer.split("/")[1:]:
            found = self._child(node, step.replace("~1", "/").replace("~0", "~"))
            if found is None:
                break
            node, at = found
        line = bisect_right(self._lines, at)
        return line, at - self._lines[line - 1] + 1

    def _child(self, node: Node, step: str) -> tuple[Node, int] | None:
        value = node.value
        if not isinstance(value, Members):
            return _child(node, step)
        if node.at not in self._members:
            # The first of repeated keys counts, as in `_child`.
            self._members[node.at] = {member.key: (member.node, member.at) for member in reversed(value.all)}
        return self._members[node.at].get(step)


def _child(node: Node, step: str) -> tuple[Node, int] | None:
    value = node.value
    if isinstance(value, Members):
        return next(((member.node, member.at) for member in value.all if member.key == step), None)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        element = value[int(step)]
        return element, element.at
    return None
