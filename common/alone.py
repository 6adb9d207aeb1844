"""Keeps what must not run twice at once apart: tasks that several schedulers start, or that brokers redeliver
while they are slow, and requests that take turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import BoundedSemaphore
from typing import Final

from django.db import connection

# Advisory locks: the first number says what the lock is for.
PUBLISHING: Final = 70_231
HOUSEKEEPING: Final = 70_236
MAILBOX: Final = 70_237
IMPORTING: Final = 70_241
SCANNING: Final = 70_239
WEBHOOKS: Final = 70_240
# Calls of an organization begin to wait for a person, or give an approval back, one at a time, and not while
# it is deleted, a grant is revoked or a server retired. Taken before any row that such a call may wait for.
BEGINNING: Final = 70_238

# Of a worker's eight threads, so many for each kind of task that waits for other people's servers.
# The rest stay free for what gateways wait for, and neither kind keeps the other waiting.
MOST_OUTSIDE: Final = 3
_OUTSIDE: Final = {kind: BoundedSemaphore(MOST_OUTSIDE) for kind in (SCANNING, WEBHOOKS)}


@contextmanager
def alone(what_for: int, whose: str = "") -> Iterator[bool]:
    """Yields True if nobody else is doing this; then nobody will until the block ends. Never waits.

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


def wait_for_ones_turn(what_for: int, whose: str) -> None:
    """Waits until nobody else is doing this; then nobody will until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [what_for, whose])


@contextmanager
def a_place(what_for: int, whose: str, places: int) -> Iterator[bool]:
    """Yields True if fewer than `places` are doing this; then one place is held until the block ends."""
    with ExitStack() as held:
        yield any(held.enter_context(alone(what_for, f"{whose} {place}")) for place in range(places))


@contextmanager
def a_place_outside(what_for: int, whose: str, places: int) -> Iterator[bool]:
    """As `a_place`, for work that waits for servers outside: all such work of one kind holds at most
    MOST_OUTSIDE of this process's threads."""
    threads = _OUTSIDE[what_for]
    if not threads.acquire(blocking=False):
        yield False
        return
    try:
        with a_place(what_for, whose, places) as there_is_one:
            yield there_is_one
    finally:
        threads.release()
