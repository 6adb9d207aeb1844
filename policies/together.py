"""Groups tools that change in the same way: forty that follow one rule are one change, not forty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from policies.language.effects import Effect
from policies.language.explain import Applies, Explanation
from policies.outlook import ToolOutlook

_Key: TypeAlias = tuple[Effect, Effect, Explanation, Explanation, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Together:
    """`words`, `was` and `counting` are true of every row."""

    rows: tuple[ToolOutlook, ...]
    before: Effect
    after: Effect
    words: tuple[str, ...]
    was: tuple[str, ...]
    counting: tuple[str, ...]

    @property
    def shows_was(self) -> bool:
        """True if the effect is the same, so that only the words can say what is new."""
        return self.rows[0].moved == 0 and self.words != self.was

    @property
    def says_too_little(self) -> bool:
        """True if the words are the same before and after."""
        return self.rows[0].otherwise


def together(rows: Iterable[ToolOutlook]) -> list[Together]:
    """Groups the rows; the groups come in the order of their first rows."""
    alike: dict[_Key, list[ToolOutlook]] = defaultdict(list)
    for row in rows:
        alike[row.before, row.after, row.now, row.was, row.counting].append(row)
    return [_one(found) for found in alike.values()]


def _one(rows: list[ToolOutlook]) -> Together:
    first = rows[0]
    words, was = (_words(told, rows) for told in (first.now, first.was))
    return Together(tuple(rows), first.before, first.after, words, was, first.counting)


def _words(told: Explanation, rows: list[ToolOutlook]) -> tuple[str, ...]:
    if told.applies is Applies.OWN and told.details:
        return told.details  # the names beside it say which tools
    return told.of(rows[0].tool.name) if len(rows) == 1 else told.of_each()
