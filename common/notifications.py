"""NOTIFY, heard by asyncio code: one LISTEN connection for each event loop, however many wait.

A notification is a hint to look again, never the news itself, and it may be missed: a waiter looks at the
database before every wait. While the connection is down, each wait ends after a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection, connections

HEADS: Final = "heads"
DECISIONS: Final = "decisions"
APPROVALS: Final = "approvals"
POLICIES: Final = "policies"

_CHANNEL: Final = "policylayer"
_POLL_SECONDS: Final = 1.0
# Options for Django's backend, which libpq does not know.
_DJANGO_OPTIONS: Final = frozenset({"pool", "server_side_binding", "isolation_level", "assume_role"})

logger = logging.getLogger(__name__)


def notify(topic: str, key: str = "") -> None:
    """Delivered when the transaction commits, and only then."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [_CHANNEL, f"{topic}:{key}"])


class Waiter:
    """Registered before looking at the database, so that nothing is missed between the look and the wait."""

    def __init__(self, hub: _Hub, topic: str, key: str | None) -> None:
        self._hub = hub
        self._topic = topic
        self._key = key
        self.news = asyncio.Event()

    def concerns(self, topic: str, key: str) -> bool:
        return topic == self._topic and self._key in (None, key)

    async def wait(self, seconds: float) -> None:
        """Waits until something may have changed, at most so many seconds."""
        patience = seconds if self._hub.connected else min(seconds, _POLL_SECONDS)
        try:
            await asyncio.wait_for(self.news.wait(), patience)
        except TimeoutError:
            return
        self.news.clear()


@contextmanager
def waiting_for(topic: str, key: str | None = None) -> Iterator[Waiter]:
    """For as long as the block lasts; must be entered inside a running event loop."""
    hub = _hub()
    waiter = Waiter(hub, topic, key)
    hub.waiters.add(waiter)
    try:
        yield waiter
    finally:
        hub.waiters.discard(waiter)


class _Hub:
    def __init__(self) -> None:
        self.waiters: set[Waiter] = set()
        self.connected = False
        self.task: asyncio.Task[None] | None = None

    def keep_listening(self) -> None:
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._listen_for_ever())
            self.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # If kept, a task that was cancelled while connecting would hold that connection open.
        if self.task is task:
            self.task = None

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as problem:
                # libpq's messages name hosts and roles; the type is enough to look further.
                logger.warning(
                    "the database does not answer (%s); until it does, changes are noticed later",
                    type(problem).__name__,
                )
            finally:
                self.connected = False
            await asyncio.sleep(_POLL_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(autocommit=True, **_parameters()) as heard:
            await heard.execute(f"LISTEN {_CHANNEL}")
            self.connected = True
            # Everyone looks again now, for what happened while nobody listened.
            self._tell(list(self.waiters))
            async for notification in heard.notifies():
                topic, _, key = notification.payload.partition(":")
                self._tell([waiter for waiter in self.waiters if waiter.concerns(topic, key)])

    def _tell(self, waiters: list[Waiter]) -> None:
        for waiter in waiters:
            waiter.news.set()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, _Hub] = WeakKeyDictionary()


def _hub() -> _Hub:
    hub = _hubs.setdefault(asyncio.get_running_loop(), _Hub())
    hub.keep_listening()
    return hub


def _parameters() -> dict[str, Any]:
    given = connections.settings["default"]
    options = {name: value for name, value in given["OPTIONS"].items() if name not in _DJANGO_OPTIONS}
    return {
        "host": given["HOST"] or None,
        "port": given["PORT"] or None,
        "user": given["USER"] or None,
        "password": given["PASSWORD"] or None,
        "dbname": given["NAME"],
        **options,
    }
