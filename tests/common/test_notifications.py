"""Listening to the database: whoever stops waiting leaves no session behind."""

from __future__ import annotations

import asyncio
import time

import pytest
from django.db import connection

from common.notifications import DECISIONS, waiting_for

pytestmark = pytest.mark.django_db(transaction=True)
_OTHERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def others() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(_OTHERS)
        return {pid for (pid,) in cursor.fetchall()}


async def wait_for(seconds: float) -> None:
    with waiting_for(DECISIONS):
        await asyncio.sleep(seconds)


def test_a_loop_that_ends_while_it_connects_leaves_no_session_behind() -> None:
    before = others()
    # Somewhere in here it is given up between the first and the last byte of connecting.
    for milliseconds in range(20):
        asyncio.run(wait_for(milliseconds / 1000))
    until = time.monotonic() + 60
    while left := others() - before:
        assert time.monotonic() < until, f"{len(left)} sessions are left"
        time.sleep(0.05)
