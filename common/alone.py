"""What must not run beside itself, though several clocks start it, and a broker once more what takes long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import BoundedSemaphore
from typing import Final

from django.db import connection

# Advisory locks: the first number says what for.
PUBLISHING: Final = 70_231
HOUSEKEEPING: Final = 70_236
MAILBOX: Final = 70_237
IMPORTING: Final = 70_241
SCANNING: Final = 70_239
WEBHOOKS: Final = 70_240

# Of the eight threads a worker has for everybody's tasks: what gateways wait for finds one of the others
# free, whoever's servers hang.
MOST_OUTSIDE: Final = 5
_OUTSIDE = BoundedSemaphore(MOST_OUTSIDE)


@contextmanager
def alone(what_for: int, whose: str = "") -> Iterator[bool]:
    """Whether nobody else is at it; then nobody will be until the end. Nobody is waited for.

    Held over several transactions, so it is the session's lock and not a transaction's.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [what_for, whose])
        mine = cursor.fetchone() == (True,)
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [what_for, whose])


@contextmanager
def a_place(what_for: int, whose: str, places: int) -> Iterator[bool]:
    """Whether fewer than so many are at it; then one of the places is held until the end."""
    with ExitStack() as held:
        yield any(held.enter_context(alone(what_for, f"{whose} {place}")) for place in range(places))


@contextmanager
def a_place_outside(what_for: int, whose: str, places: int) -> Iterator[bool]:
    """The same for what waits for somebody else's server, which all together hold no more of the threads of
    this process than there are for that."""
    if not _OUTSIDE.acquire(blocking=False):
        yield False
        return
    try:
        with a_place(what_for, whose, places) as there_is_one:
            yield there_is_one
    finally:
        _OUTSIDE.release()
