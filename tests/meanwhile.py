"""Waiting for what other threads or processes do at the same time, on database connections of their own."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import connection

# Reached only if something hangs.
PATIENCE_SECONDS = 90


def until(it_is_so: Callable[[], bool]) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS
    while not it_is_so():
        assert time.monotonic() < patience, "it did not come about"
        time.sleep(0.01)


def somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone() != (0,))
