"""A strict reader of JSON (RFC 8259) that remembers where everything is.

The standard readers report neither repeated keys, nor places, nor how a number was written. This one accepts
any text, works in linear time and stops at the first thing that is not JSON.
"""

import re
from collections.abc import Iterator
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Final, NamedTuple, TypeAlias

from .once import once

DEEPEST: Final = 32
_SPACE = re.compile(r"[ \t\n\r]*")
# The usual cases, in one step each; anything they do not match is read, or refused, piece by piece.
_PLAIN_STRING = re.compile(r'"([^"\\\x00-\x1f]*)"')
_PLAIN_KEY = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
_COMMA_BEFORE_KEY = re.compile(r'[ \t\n\r]*,[ \t\n\r]*(?=")')
_COMMA_BEFORE_ELEMENT = re.compile(r"[ \t\n\r]*,[ \t\n\r]*(?=[^\]\s])")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_+.]{1,12}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LITERALS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_MEANT: Final = {
    "True": "true",
    "TRUE": "true",
    "False": "false",
    "FALSE": "false",
    "None": "null",
    "Null": "null",
}


class Number(NamedTuple):
    text: str


class Member(NamedTuple):
    key: str
    at: int
    node: "Node"


class Members(NamedTuple):
    """An object: its members in order, repeated keys included."""

    all: list[Member]

    def sources(self, text: str) -> Iterator[tuple[Member, str]]:
        """Yield each member and the text from its value up to the next member; "" for the last one."""
        following = [member.at for member in self.all[1:]]
        for member, end in zip(self.all, following, strict=False):
            yield member, text[member.node.at : end]
        if self.all:
            yield self.all[-1], ""


Value: TypeAlias = "Members | list[Node] | str | Number | bool | None"


class Node(NamedTuple):
    at: int
    value: Value


class TextError(Exception):
    """The text cannot be read any further. This problem is reported alone."""

    def __init__(self, code: str, at: int, message: str) -> None:
        super().__init__(message)
        self.code, self.at, self.message = code, at, message


def read_json(text: str, deepest: int = DEEPEST) -> Node:
    return once(f"json {deepest}", text, lambda: _read(text, deepest))


def _read(text: str, deepest: int) -> Node:
    reader = _Reader(text, deepest)
    node, at = reader.value(_skip(text, 0), 0)
    at = _skip(text, at)
    if at != len(text):
        raise TextError("bad_json", at, "The policy ends before this; there may be only one JSON object.")
    return node


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


class _Reader:
    def __init__(self, text: str, deepest: int) -> None:
        self.text = text
        self.deepest = deepest

    def value(self, at: int, depth: int) -> tuple[Node, int]:
        first = self.text[at : at + 1]
        if first in ("{", "["):
            if depth == self.deepest:
                message = f"More than {self.deepest} objects and lists are nested here."
                raise TextError("too_deep", at, message)
            return self.members(at, depth + 1) if first == "{" else self.elements(at, depth + 1)
        if first == '"':
            plain = _PLAIN_STRING.match(self.text, at)
            text, end = (plain[1], plain.end()) if plain else self.string(at)
            return Node(at, text), end
        return self.scalar(at)

    def scalar(self, at: int) -> tuple[Node, int]:
        number = _NUMBER.match(self.text, at)
        if number:
            return Node(at, Number(number.group())), number.end()
        word = _WORD.match(self.text, at)
        if word and word.group() in _LITERALS:
            return Node(at, _LITERALS[word.group()]), word.end()
        raise self.unexpected(at)

    def string(self, at: int) -> tuple[str, int]:
        try:
            value, end = scanstring(self.text, at + 1, True)
        except JSONDecodeError as error:
            raise TextError("bad_json", error.pos, _string_message(error.msg)) from None
        if not value.isascii() and _LONE_SURROGATE.search(value):
            message = "This text holds one half of an escaped surrogate pair, which is not a character."
            raise TextError("lone_surrogate", at, message)
        return value, end

    def members(self, at: int, depth: int) -> tuple[Node, int]:
        text, found, start = self.text, list[Member](), at
        at = at + 1 if text[at + 1 : at + 2] == '"' else _skip(text, at + 1)
        if text[at : at + 1] == "}":
            return Node(start, Members(found)), at + 1
        while True:
            plain = _PLAIN_KEY.match(text, at)
            key, value_at = (plain[1], plain.end()) if plain else self.key(at)
            simple = _PLAIN_STRING.match(text, value_at)
            node, end = (Node(value_at, simple[1]), simple.end()) if simple else self.value(value_at, depth)
            found.append(Member(key, at, node))
            if text[end : end + 1] != "}":
                comma = _COMMA_BEFORE_KEY.match(text, end)
                if comma:
                    at = comma.end()
                    continue
                end = _skip(text, end)
            if text[end : end + 1] == "}":
                return Node(start, Members(found)), end + 1
            at = self.after_comma(end, "}")

    def key(self, at: int) -> tuple[str, int]:
        """Read a key; return it and where its value begins."""
        if self.text[at : at + 1] != '"':
            raise self.no_key(at)
        key, end = self.string(at)
        colon = _skip(self.text, end)
        if self.text[colon : colon + 1] != ":":
            raise self.expected(colon, 'A colon is missing after this key: `"key": value`.')
        return key, _skip(self.text, colon + 1)

    def elements(self, at: int, depth: int) -> tuple[Node, int]:
        text, found, start = self.text, list[Node](), at
        at = at + 1 if text[at + 1 : at + 2] == "{" else _skip(text, at + 1)
        if text[at : at + 1] == "]":
            return Node(start, found), at + 1
        while True:
            node, end = self.value(at, depth)
            found.append(node)
            if text[end : end + 1] != "]":
                comma = _COMMA_BEFORE_ELEMENT.match(text, end)
                if comma:
                    at = comma.end()
                    continue
                end = _skip(text, end)
            if text[end : end + 1] == "]":
                return Node(start, found), end + 1
            at = self.after_comma(end, "]")

    def after_comma(self, at: int, closing: str) -> int:
        if self.text[at : at + 1] != ",":
            raise self.expected(at, f"A comma or a closing `{closing}` is missing here.")
        following = _skip(self.text, at + 1)
        if self.text[following : following + 1] == closing:
            raise TextError("bad_json", at, f"There is a comma too many before `{closing}`.")
        return following

    def expected(self, at: int, message: str) -> TextError:
        if at == len(self.text):
            return self.unexpected(at)
        if self.text[at] in "/#":
            return self.unexpected(at)
        return TextError("bad_json", at, message)

    def no_key(self, at: int) -> TextError:
        return self.expected(at, "A key in double quotes must be here.")

    def unexpected(self, at: int) -> TextError:
        return TextError("bad_json", at, self.why_no_value(at))

    def why_no_value(self, at: int) -> str:
        first = self.text[at : at + 1]
        word = _WORD.match(self.text, at)
        if first == "":
            return "The text ends here, before the policy does." if at else "There is no policy here yet."
        if first in "/#":
            return "JSON has no comments."
        if first in "'`‘’“”":
            return 'Text and keys go in straight double quotes: "like this".'
        if word and word.group() in _MEANT:
            return f"JSON writes `{_MEANT[word.group()]}` in lower case."
        if first in "+.":
            return "A number begins with a digit or a minus sign."
        return 'This is not a JSON value: an object, a list, "text", a number, true, false or null.'


def _string_message(reason: str) -> str:
    if reason.startswith("Invalid control"):
        return r"A line break or another control character inside a text must be escaped, like \n."
    if reason.startswith("Unterminated"):
        return "The text that begins here has no closing double quote."
    return 'This escape is not JSON; there are \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hex digits.'
