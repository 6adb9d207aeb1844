"""Reads a text once where many readers follow each other: inside the block each reading is made only once.

An editor sends the text of its last act with the next one, and every act needs the revision in force. What
was read from the last few large texts is therefore kept for the next block of this process, up to a bound.
Nobody may change what is kept: it is shared, between threads too.
"""

import gc
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar, cast

from .pause import collector_paused

T = TypeVar("T")

_inside: ContextVar[bool] = ContextVar("inside", default=False)
# Reading a text shorter than this is quicker than keeping what was read.
_SHORT: Final = 4_000
# Everything read from a text takes about fifty bytes per character of it.
_MOST_CHARACTERS: Final = 2_400_000
# In characters; at most twice as much is kept. The largest possible policy comes to about this. Each takes
# some ten bytes, shared with what is kept of whole texts.
_MOST_PIECES: Final = 4_000_000
# Python 3.12 starts with a few hundred frozen objects; where someone has frozen more, there are thousands.
_FROZEN_BY_NOBODY: Final = 1_000


class _Readings:
    """Readings by text, the most recently used one last.

    Threads share it: each operation on the dictionary is atomic, and where two interleave one reads again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._texts: dict[str, dict[Hashable, object]] = {}

    def of(self, text: str) -> dict[Hashable, object]:
        found = self._texts.pop(text, None)
        found = {} if found is None else found
        self._texts[text] = found
        kept = list(self._texts)
        characters = sum(map(len, kept))
        for oldest in kept[:-1]:
            if characters <= self._most:
                break
            self._texts.pop(oldest, None)
            characters -= len(oldest)
        return found


_readings: Final = _Readings(_MOST_CHARACTERS)


class _Pieces:
    """Pieces by what they were made of. When it is full, those not asked for since it was last full go."""

    def __init__(self, most: int) -> None:
        self._most, self._weight = most, 0
        self._young: dict[Hashable, object] = {}
        self._old: dict[Hashable, object] = {}

    def get(self, key: Hashable, weight: int) -> object | None:
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.keep(key, found, weight)
        return found

    def keep(self, key: Hashable, found: object, weight: int) -> None:
        self._young[key] = found
        self._weight += weight
        if self._weight > self._most:
            self._old, self._young, self._weight = self._young, {}, 0


_pieces: Final = _Pieces(_MOST_PIECES)


@contextmanager
def each_text_once() -> Iterator[None]:
    if _inside.get():
        yield
        return
    token = _inside.set(True)
    try:
        with collector_paused():
            yield
            _grow_old()
    finally:
        _inside.reset(token)


def _grow_old() -> None:
    """Move what was read to the collector's oldest generation: it is kept, so need not be traversed as new.

    Cycles that are not kept are found by the next full collection.
    """
    if gc.get_freeze_count() <= _FROZEN_BY_NOBODY:
        gc.freeze()
        gc.unfreeze()


@contextmanager
def apart() -> Iterator[None]:
    """Read a text without keeping it, where its reading is needed only briefly: it displaces no other."""
    token = _inside.set(False)
    try:
        yield
    finally:
        _inside.reset(token)


def are_kept() -> bool:
    """Return whether pieces of texts are kept here, and so are worth looking for."""
    return _inside.get()


def piece(key: Hashable, weight: int, make: Callable[[], tuple[T, bool]]) -> T:
    """Return a piece of a text, like one of thousands of rules of which an act changes one.

    It is kept only inside the block. `key` is everything that it is made of. `make` returns the piece, which
    is not None, and whether it may be kept.
    """
    if not _inside.get():
        return make()[0]
    found = _pieces.get(key, weight)
    if found is not None:
        return cast(T, found)
    made, may_be_kept = make()
    if may_be_kept:
        _pieces.keep(key, made, weight)
    return made


def once(kind: str, text: str, read: Callable[[], T], given: Hashable = None) -> T:
    """Return what `read` makes of the text and of whatever else is `given`; outside the block, every time.

    Exceptions are not kept.
    """
    if not _inside.get() or len(text) < _SHORT:
        return read()
    readings = _readings.of(text)
    if (kind, given) not in readings:
        readings[kind, given] = read()
    return cast(T, readings[kind, given])
