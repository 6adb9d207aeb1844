"""The log's tables, one per day: created ahead of time, dropped once no organization keeps them any more.

Only the owner of the tables may do either, so the Celery worker calls functions of the owner. Records without
a table for their day are kept in `audit_decisions_other` until there is one.

Adding or dropping a table waits until nobody reads the log, and everyone who comes meanwhile waits too. So it
waits only briefly: a backup reads for hours, and the gateways' records must not wait for it to end.
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
    """Create missing tables, and return how many there were."""
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
        logger.warning("a long read holds the tables of the log; they are tidied when it is over")
        return 0
    return int(count)
