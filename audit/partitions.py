"""The log's tables, one a day: made ahead of time, dropped when nobody keeps them any more.

Both are done by functions of the owner, who alone may; the Celery worker only calls them. What finds no table
of its day lies in `audit_decisions_other` until there is one.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from django.db import connection

AHEAD: Final = timedelta(days=3)


def make_partitions(first: date, last: date) -> int:
    """How many there were not yet."""
    return _call("audit_make_partitions(%s, %s)", first, last)


def drop_partitions(before: date) -> int:
    return _call("audit_drop_partitions(%s)", before)


def _call(function: str, *days: date) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}", days)
        (count,) = cursor.fetchone()
    return int(count)
