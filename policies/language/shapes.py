"""The shapes in a tree: what a key, a text, a number or a list may be, and the finding for anything else."""

from collections.abc import Callable
from typing import Final, TypeVar

from .document import LONGEST_WINDOW, WINDOWS
from .exact import whole_text
from .findings import Finding, Pointer
from .json_reader import Members, Node, Number, Value
from .paths import Path, parse_path
from .patterns import PatternJudge
from .problems import did_you_mean, near_miss, one_of, shown
from .words import is_name, is_text

T = TypeVar("T")
W = TypeVar("W", bound=str)

_MOST_SUGGESTIONS: Final = 200
_KINDS: Final = {
    Members: "an object",
    list: "a list",
    str: "a text",
    Number: "a number",
    bool: "true or false",
    type(None): "null",
}


def kind_of(value: Value, should: str) -> str:
    if isinstance(value, Number) and "number" in should:
        return "a fraction"
    return _KINDS[type(value)]


class ShapeReader:
    """Reads the shapes that the grammar is made of. Whatever is wrong becomes one of the `findings`."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.patterns = PatternJudge()
        self._suggestions = 0

    def found(self, at: int, code: str, pointer: Pointer, message: str) -> None:
        self.findings.append(Finding(at, code, pointer, message))

    def suggestion(self, word: str, candidates: tuple[str, ...]) -> str:
        # Comparing words costs more than anything else here: a text full of slips gets only so many answers.
        if self._suggestions == _MOST_SUGGESTIONS:
            return ""
        self._suggestions += 1
        near = near_miss(word, candidates)
        return did_you_mean(near)

    # Shapes

    def fields(
        self, node: Node, at: Pointer, known: tuple[str, ...], required: tuple[str, ...], what: str
    ) -> dict[str, Node]:
        fields: dict[str, Node] = {}
        if not isinstance(node.value, Members):
            self.wrong_type(node, at, f"{what} is an object")
            return fields
        seen: set[str] = set()
        for key, key_at, value in node.value.all:
            if key in seen:
                self.repeated(key, key_at, at)
            elif key in known:
                fields[key] = value
            else:
                self.unknown_key(key, key_at, at, known)
            seen.add(key)
        for key in required:
            if key not in fields:
                self.found(
                    node.at, "missing_key", at, f"{what[0].upper()}{what[1:]} needs the key {shown(key)}."
                )
        return fields

    def repeated(self, key: str, key_at: int, at: Pointer) -> None:
        message = f"{shown(key)} appears twice here. Keep one of them."
        self.found(key_at, "duplicate_key", (at, key), message)

    def unknown_key(self, key: str, key_at: int, at: Pointer, known: tuple[str, ...]) -> None:
        folded = key.casefold()
        for right in known:
            if right.casefold() == folded:
                message = f"Keys are written exactly: {shown(right)}, not {shown(key)}."
                self.found(key_at, "key_case", (at, key), message)
                return
        near = self.suggestion(key, known)
        listing = "" if near or len(known) > 8 else f" Allowed here: {', '.join(known)}."
        self.found(key_at, "unknown_key", (at, key), f"{shown(key)} isn't a key here.{near}{listing}")

    def wrong_type(self, node: Node, at: Pointer, should: str) -> None:
        message = f"{should[0].upper()}{should[1:]}; this is {kind_of(node.value, should)}."
        self.found(node.at, "wrong_type", at, message)

    def each(
        self, fields: dict[str, Node], key: str, at: Pointer, read: Callable[[Node, Pointer], T | None]
    ) -> tuple[T, ...]:
        node = fields.get(key)
        if node is None:
            return ()
        if not isinstance(node.value, list):
            self.wrong_type(node, (at, key), f"{shown(key)} is a list")
            return ()
        below: Pointer = (at, key)
        read_all = [read(element, (below, index)) for index, element in enumerate(node.value)]
        return tuple(element for element in read_all if element is not None)

    def string(self, node: Node, at: Pointer, should: str | Callable[[], str]) -> str | None:
        """Return the node's text. A `should` that has to be built is built only if the node is not a text."""
        if isinstance(node.value, str):
            return node.value
        self.wrong_type(node, at, should if isinstance(should, str) else should())
        return None

    # Leaves

    def word(self, fields: dict[str, Node], key: str, at: Pointer, words: tuple[W, ...]) -> W | None:
        node = fields.get(key)
        if node is None:
            return None
        for word in words:
            if word == node.value:
                return word
        text = self.string(node, (at, key), lambda: f"{shown(key)} is {one_of(words)}")
        if text is None:
            return None
        near = self.suggestion(text, words)
        hint = near or " Write grant: one agent session holds one grant." * (text == "session")
        message = f"{shown(key)} is {one_of(words)}, not {shown(text)}.{hint}"
        self.found(node.at, "bad_value", (at, key), message)
        return None

    def text(self, fields: dict[str, Node], key: str, at: Pointer) -> str | None:
        node = fields.get(key)
        text = self.string(node, (at, key), lambda: f"{shown(key)} is a text") if node else None
        if node is None or text is None or is_text(text):
            return text
        length = "is empty" if not text else f"has {len(text):,} characters" if len(text) > 1000 else ""
        why = length or "holds a control character"
        message = f"A text is 1 to 1,000 characters, line feed and tab included; this one {why}."
        self.found(node.at, "bad_text", (at, key), message)
        return None

    def name(self, node: Node, at: Pointer) -> str | None:
        name = self.string(node, at, "a name is a text")
        if name is None or is_name(name):
            return name
        self.bad_name(name, node.at, at)
        return None

    def bad_name(self, name: str, place: int, at: Pointer) -> None:
        why = (
            "is empty"
            if not name
            else f"has {len(name):,}"
            if len(name) > 256
            else "holds a control character"
        )
        message = f"A name is 1 to 256 characters without control characters; {shown(name)} {why}."
        self.found(place, "bad_name", at, message)

    def path(self, fields: dict[str, Node], key: str, at: Pointer, quantified: bool) -> Path | None:
        node = fields.get(key)
        if node is None:
            return None
        text = self.string(node, (at, key), lambda: f"{shown(key)} is a path, a text like args.amount")
        if text is None:
            return None
        path = parse_path(text)
        if path is not None and (quantified or not path.quantified):
            return path
        self.found(node.at, "bad_path", (at, key), _path_message(text, path))
        return None

    def whole(self, fields: dict[str, Node], key: str, at: Pointer, most: int) -> int | None:
        node = fields.get(key)
        if node is None:
            return None
        value = whole_text(node.value.text) if isinstance(node.value, Number) else None
        if value is not None and 1 <= value <= most:
            return value
        should = f"{shown(key)} is a whole number from 1 to {most:,}"
        if value is None:
            self.wrong_type(node, (at, key), should)
        else:
            self.found(node.at, "out_of_range", (at, key), f"{should}.")
        return None

    def window(self, fields: dict[str, Node], at: Pointer) -> int | None:
        node = fields.get("window")
        if node is None or isinstance(node.value, Number):
            return self.whole(fields, "window", at, LONGEST_WINDOW)
        should = '"window" is "second", "minute", "hour", "day", "week" or a number of seconds'
        text = self.string(node, (at, "window"), should)
        if text is None or text in WINDOWS:
            return WINDOWS.get(text or "")
        near = self.suggestion(text, tuple(WINDOWS))
        self.found(node.at, "bad_value", (at, "window"), f"{should}, not {shown(text)}.{near}")
        return None


def _path_message(text: str, path: Path | None) -> str:
    if path is not None:
        return f"This path must name one value, so {shown('[*]')} cannot be in {shown(text)}."
    if not text.startswith("args"):
        return f"A path begins with args, the call's arguments, like args.amount; this is {shown(text)}."
    return f'A path is like args.amount, args.items[0], args.to[*] or args["a key"]; {shown(text)} is not.'
