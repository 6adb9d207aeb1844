"""One text, read by many in a row: for the length of one request each reading of it is made once.

Kept trees of large texts are memory that nobody asked for, so nothing outlives the block. What is kept is
shared: nobody may change what is in it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar, cast

from .pause import collector_paused

T = TypeVar("T")

_readings: ContextVar[dict[tuple[str, str], object] | None] = ContextVar("readings", default=None)
# Below this reading is quicker than looking after what was read.
_SHORT: Final = 4_000


@contextmanager
def each_text_once() -> Iterator[None]:
    if _readings.get() is not None:
        yield
        return
    token = _readings.set({})
    try:
        with collector_paused():
            yield
    finally:
        _readings.reset(token)


def once(kind: str, text: str, read: Callable[[], T]) -> T:
    """What `read` makes of the text; outside of the block each time anew. What it raises is not kept."""
    readings = _readings.get()
    if readings is None or len(text) < _SHORT:
        return read()
    if (kind, text) not in readings:
        readings[kind, text] = read()
    return cast(T, readings[kind, text])
