"""What must not run beside itself, though several clocks start it, and a broker once more what takes long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from django.db import connection

# Advisory locks: the first number says what for.
PUBLISHING: Final = 70_231
HOUSEKEEPING: Final = 70_236
MAILBOX: Final = 70_237
IMPORTING: Final = 70_238
SCANNING: Final = 70_239
WEBHOOKS: Final = 70_240


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
