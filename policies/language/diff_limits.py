"""Which limits were added, removed, loosened or tightened."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .changes import Direction, LimitChange, Subject
from .document import Limit
from .phrases import limit_words
from .sentences import a_span

_SHARED_BY: Final = {"grant": 0, "server": 1, "organization": 2}
_SCOPE_WORDS: Final = {
    "grant": "Each grant has a count of its own now.",
    "server": "All grants of the server share the count now.",
    "organization": "The whole organization shares the count now.",
}


def limit_changes(
    old: Sequence[Limit], new: Sequence[Limit], subjects: tuple[Subject, ...], everywhere: bool
) -> Iterator[LimitChange]:
    removed, added = list(old), list(new)
    for alike in _LIKENESSES:
        pairs, removed, added = _paired(removed, added, alike)
        for before, after in pairs:
            comparison = _compare(before, after)
            if comparison is not None:
                direction, sentence = comparison
                yield LimitChange(subjects, direction, sentence, everywhere, before, after)
    for before in removed:
        sentence = f"No longer limited: {limit_words(before)}."
        yield LimitChange(subjects, Direction.LOOSER, sentence, everywhere, before, None)
    for after in added:
        sentence = f"A new limit: {limit_words(after)}."
        yield LimitChange(subjects, Direction.TIGHTER, sentence, everywhere, None, after)


def _paired(
    removed: list[Limit], added: list[Limit], alike: Callable[[Limit], object]
) -> tuple[list[tuple[Limit, Limit]], list[Limit], list[Limit]]:
    """Return the pairs that are alike, in order, and what is left of both lists."""
    free: dict[object, list[int]] = {}
    for index in reversed(range(len(added))):
        free.setdefault(alike(added[index]), []).append(index)
    pairs, left, taken = [], [], set[int]()
    for before in removed:
        matches = free.get(alike(before))
        if matches:
            taken.add(matches[-1])
            pairs.append((before, added[matches.pop()]))
        else:
            left.append(before)
    return pairs, left, [limit for index, limit in enumerate(added) if index not in taken]


def _argument(limit: Limit) -> object:
    """Return what the limit counts. Limits that count different things are never the same limit."""
    return limit.key and limit.key.text, limit.increment_from and limit.increment_from.text


# How an old limit is recognised among the new ones: by everything, then by less and less.
_LIKENESSES: Final[tuple[Callable[[Limit], object], ...]] = (
    lambda limit: (_argument(limit), limit.counter, limit.scope, limit.window_seconds, limit.max),
    lambda limit: (_argument(limit), limit.counter, limit.scope, limit.window_seconds),
    lambda limit: (_argument(limit), limit.counter, limit.scope),
    lambda limit: (_argument(limit), limit.counter),
    lambda limit: (_argument(limit), limit.window_seconds),
    _argument,
)


@dataclass(slots=True)
class _Sides:
    looser: bool = False
    tighter: bool = False

    @property
    def direction(self) -> Direction:
        if self.looser and self.tighter:
            return Direction.BOTH
        return Direction.LOOSER if self.looser else Direction.TIGHTER


def _compare(before: Limit, after: Limit) -> tuple[Direction, str] | None:
    sides, said = _Sides(), list[str]()
    if (before.max, before.window_seconds) != (after.max, after.window_seconds):
        said.append(_compare_rates(before, after, sides))
    if before.scope != after.scope:
        fewer = _SHARED_BY[after.scope] < _SHARED_BY[before.scope]
        sides.looser, sides.tighter = sides.looser or fewer, sides.tighter or not fewer
        said.append(_SCOPE_WORDS[after.scope])
    if before.counter != after.counter:
        said.append(_compare_counters(before.counter, after.counter, sides))
    return (sides.direction, " ".join(said)) if said else None


def _compare_rates(before: Limit, after: Limit, sides: _Sides) -> str:
    keeps = _most(after, before.window_seconds) <= before.max
    kept = _most(before, after.window_seconds) <= after.max
    sides.tighter, sides.looser = sides.tighter or not kept, sides.looser or not keeps
    if keeps or kept:
        return f"{_capital(limit_words(after))}; before: {limit_words(before)}."
    short, long = sorted((before.window_seconds, after.window_seconds))
    return (
        f"Up to {_most(after, short):,} within {a_span(short)} now, where it was {_most(before, short):,}; "
        f"up to {_most(after, long):,} within {a_span(long)}, where it was {_most(before, long):,}."
    )


def _most(limit: Limit, seconds: int) -> int:
    """Return the most that the limit lets through in any span of so many seconds."""
    return limit.max * -(-seconds // limit.window_seconds)


def _compare_counters(before: str, after: str, sides: _Sides) -> str:
    apart, were_apart = "{tool}" in after, "{tool}" in before
    # Under another name the count begins at zero, and others may count there too.
    sides.looser = sides.looser or apart or not were_apart
    sides.tighter = sides.tighter or not apart
    if apart and not were_apart:
        return "Each tool has a count of its own now."
    if were_apart and not apart:
        return "All tools of the rule share one count now."
    return f"Counted as {after} now, before as {before}; what was used before does not carry over."


def _capital(words: str) -> str:
    return words if words.startswith("args") else words[0].upper() + words[1:]
