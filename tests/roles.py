"""Switches the database role of the test's connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import connection


def become(role: str | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}" if role else "RESET ROLE")


def _role() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (role,) = cursor.fetchone()
    return str(role)


@contextmanager
def elsewhere(what_for: int, whose: str = "") -> Iterator[None]:
    """Hold the lock of common.alone in another session, as if someone else were already doing this work."""
    with another_session() as other:
        other.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [what_for, whose])
        yield


@contextmanager
def another_session() -> Iterator[Any]:
    """A second session as the database's owner, in a transaction that is rolled back at the end."""
    other = connection.get_new_connection(connection.get_connection_params())
    try:
        with other.transaction(force_rollback=True):
            yield other
    finally:
        other.close()


@contextmanager
def _as(role: str | None) -> Iterator[None]:
    before = _role()
    become(role)
    try:
        yield
    finally:
        if not connection.needs_rollback:
            become(before)


def as_owner() -> AbstractContextManager[None]:
    return _as(None)


def as_worker() -> AbstractContextManager[None]:
    """Switch to the role that Celery and the internal listener have."""
    return _as("policylayer_worker")
