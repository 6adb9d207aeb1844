"""Two texts side by side, line by line. Pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final, Literal

_LONGEST: Final = 5_000
_SHOWN: Final = 2_000
_CONTEXT: Final = 3


@dataclass(frozen=True, slots=True)
class Line:
    """`number` is the line's number in the newer text, or in the older one for a removed line."""

    kind: Literal["same", "added", "removed", "gap"]
    text: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class TextDiff:
    """`whole` is False if the texts are too long to compare or the differences too many to show."""

    lines: tuple[Line, ...]
    whole: bool

    @property
    def added(self) -> int:
        return sum(line.kind == "added" for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.kind == "removed" for line in self.lines)


def text_diff(old: str, new: str) -> TextDiff:
    before, after = old.splitlines(), new.splitlines()
    if len(before) > _LONGEST or len(after) > _LONGEST:
        return TextDiff((), whole=False)
    lines = tuple(_lines(before, after))
    return TextDiff(lines[:_SHOWN], whole=len(lines) <= _SHOWN)


def _lines(before: list[str], after: list[str]) -> list[Line]:
    found: list[Line] = []
    matcher = difflib.SequenceMatcher(None, before, after)
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT)):
        if number:
            found.append(Line("gap", ""))
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                found += _numbered("same", after[new_start:new_end], new_start)
            else:
                found += _numbered("removed", before[start:end], start)
                found += _numbered("added", after[new_start:new_end], new_start)
    return found


def _numbered(kind: Literal["same", "added", "removed"], texts: list[str], start: int) -> list[Line]:
    return [Line(kind, text, number) for number, text in enumerate(texts, start + 1)]
