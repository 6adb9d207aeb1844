"""The log's tables, one a day: made ahead of time, dropped when nobody keeps them any more.

Both are done by functions of the owner, who alone may; the Celery worker only calls them. What finds no table
of its day lies in `audit_decisions_other` until there is one.

A table is added and dropped while nobody reads the log, and whoever comes meanwhile waits, too. So nobody is
waited for long: a backup reads for hours, and what gateways hand in must not wait for its end.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Final

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

AHEAD: Final = timedelta(days=3)
PATIENCE: Final = "1s"

logger = logging.getLogger(__name__)


def make_partitions(first: date, last: date) -> int:
    """How many there were not yet."""
    return _call("audit_make_partitions(%s, %s)", first, last)


def drop_partitions(before: date) -> int:
    return _call("audit_drop_partitions(%s)", before)


def _call(function: str, *days: date) -> int:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
            cursor.execute(f"SELECT {function}", days)
            (count,) = cursor.fetchone()
    except OperationalError as problem:
        if not isinstance(problem.__cause__, LockNotAvailable):
            raise
        logger.warning("somebody has read the log for long: its tables are left as they are until later")
        return 0
    return int(count)
