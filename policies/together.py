"""Tools that change alike are told of together: forty that follow one rule are one change, not forty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from policies.language.effects import Effect
from policies.outlook import ToolOutlook

_Key: TypeAlias = tuple[Effect, Effect, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Together:
    """`words` and `was` are true of every row."""

    rows: tuple[ToolOutlook, ...]
    before: Effect
    after: Effect
    words: tuple[str, ...]
    was: tuple[str, ...]

    @property
    def shows_was(self) -> bool:
        """Where the effect is the same, only the words say what is new."""
        return self.rows[0].moved == 0


def together(rows: Iterable[ToolOutlook]) -> list[Together]:
    """In the order of the first of each."""
    alike: dict[_Key, list[ToolOutlook]] = defaultdict(list)
    for row in rows:
        words, was = (_of_any(said, row.tool.name) for said in (row.words, row.was))
        alike[row.before, row.after, words, was].append(row)
    return [_one(key, found) for key, found in alike.items()]


def _one(key: _Key, rows: list[ToolOutlook]) -> Together:
    before, after, words, was = key
    if len(rows) == 1:
        words, was = rows[0].words, rows[0].was
    return Together(tuple(rows), before, after, words, was)


def _of_any(said: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Only the first sentence, of which rule applies, names the tool."""
    first, *rest = said
    return (_of_each(first, name), *rest)


def _of_each(sentence: str, name: str) -> str:
    if sentence.startswith(f"{name} "):
        return f"Each{sentence.removeprefix(name)}"
    if sentence.endswith(f" {name}."):
        return f"{sentence.removesuffix(f'{name}.')}each."
    return sentence.replace(f"No rule names {name}, ", "No rule names any of these, ", 1)
