"""One text, read by many in a row: inside the block each reading of it is made once.

An editor sends the text of its last act with the next one, and the revision in force stands beside every
act: what was read of the last few large texts is kept for the next block of this process, up to a bound.
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
# Below this reading is quicker than looking after what was read.
_SHORT: Final = 4_000
# All that is read of a text takes about fifty bytes for each of its characters.
_MOST_CHARACTERS: Final = 2_400_000
# Twice as much at most; the largest policy there is comes to about this. Some ten bytes each, which what is
# kept of whole texts shares.
_MOST_PIECES: Final = 4_000_000
# Python 3.12 begins with a few hundred objects frozen; whoever freezes has thousands by then.
_FROZEN_BY_NOBODY: Final = 1_000


class _Readings:
    """By text, the one that was asked for last at the end.

    Threads share it: each step on the dictionary is one, and who meets another in between reads once more.
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
    """By what each was made of. When full, those that nobody asks for again until it is full once more go."""

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
    """What was read is kept: the collector need not look whether it is, as it does with all that is new.

    What is not kept and goes in circles is found when it looks through everything.
    """
    if gc.get_freeze_count() <= _FROZEN_BY_NOBODY:
        gc.freeze()
        gc.unfreeze()


@contextmanager
def apart() -> Iterator[None]:
    """For a text whose reading is wanted only until something is made of it: it takes no other's place."""
    token = _inside.set(False)
    try:
        yield
    finally:
        _inside.reset(token)


def are_kept() -> bool:
    """Whether pieces of texts are worth looking for here."""
    return _inside.get()


def piece(key: Hashable, weight: int, make: Callable[[], tuple[T, bool]]) -> T:
    """One of the thousands of rules of a text, of which an act changes one; inside the block alone.

    `key`: all that it is made of. `make`: the piece, which is not None, and whether it may be kept.
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
    """What `read` makes of the text and of what else is `given`; outside of the block each time anew.

    What it raises is not kept.
    """
    if not _inside.get() or len(text) < _SHORT:
        return read()
    readings = _readings.of(text)
    if (kind, given) not in readings:
        readings[kind, given] = read()
    return cast(T, readings[kind, given])
