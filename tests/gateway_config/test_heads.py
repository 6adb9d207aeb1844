"""The long poll: answered when something moves, nothing skipped, nothing held while it waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.db import connection, connections, transaction

from accounts.models import Membership
from accounts.services import found_organization
from common import notifications
from common.async_database import in_thread
from gateway_config.models import ConfigRevision, PublishRequest, Worker
from gateway_config.services import deliver, publish_newest
from gateway_config.tasks import signing_key
from gateway_config.wire.messages import HeadsAnswer
from gateway_config.workers import heads_after
from tests.cast import person
from tests.gateway.world import eventually
from tests.roles import as_owner

pytestmark = [
    pytest.mark.urls("config.internal_urls"),
    pytest.mark.usefixtures("transactional_db", "worker_threads"),
]


@pytest.fixture
def listener(settings: Any) -> Any:
    """The internal listener as it is served: without middleware."""
    settings.MIDDLEWARE = []
    settings.ROOT_URLCONF = "config.internal_urls"
    return get_asgi_application()


@pytest.fixture
def alice() -> Membership:
    return found_organization(person("alice"), "Acme")


@pytest.fixture
def token(enrolled: Callable[[str], tuple[Worker, str]]) -> str:
    return enrolled("gw-1")[1]


def in_worker(function: Callable[..., Any], *arguments: Any) -> Any:
    """On a thread of its own, so with a connection of the worker's role."""

    def run() -> Any:
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as one:
        return one.submit(run).result()


def announce_and_publish(organization_id: UUID) -> ConfigRevision | None:
    """Something new each time: the organization's name is in no bundle, its lease is."""
    PublishRequest.objects.create(organization_id=organization_id)
    return deliver(organization_id, signing_key())


def change(organization_id: UUID) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_organization SET lease_seconds = lease_seconds + 1 WHERE id = %s",
            [organization_id],
        )


async def poll(listener: Any, token: str, cursor: int, wait: int) -> HeadsAnswer:
    asked = _ask(listener, token, cursor, wait)
    start = await asked.receive_output(wait + 60)  # type: ignore[no-untyped-call]
    assert start["status"] == 200
    body = await asked.receive_output(60)  # type: ignore[no-untyped-call]
    await asked.wait(60)  # type: ignore[no-untyped-call]
    return msgspec.json.decode(body["body"], type=HeadsAnswer)


def _ask(listener: Any, token: str, cursor: int, wait: int) -> ApplicationCommunicator:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/internal/v1/heads",
        "query_string": f"cursor={cursor}&wait={wait}".encode(),
        "headers": [(b"authorization", f"Bearer {token}".encode()), (b"host", b"127.0.0.1")],
        "http_version": "1.1",
        "scheme": "http",
    }
    communicator = ApplicationCommunicator(listener, scope)  # type: ignore[no-untyped-call]
    communicator.input_queue.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    return communicator


async def test_a_waiting_poll_is_answered_when_something_is_published(
    listener: Any, token: str, alice: Membership
) -> None:
    waiting = asyncio.create_task(poll(listener, token, 0, 50))
    # From then on it looks again when it is told to, and not before its time is over.
    await eventually(lambda: notifications._hub().connected)
    revision = await asyncio.to_thread(in_worker, announce_and_publish, alice.organization_id)
    answer = await waiting
    assert [head.revision for head in answer.heads] == [revision.number]


async def test_without_news_it_answers_when_the_time_is_over(listener: Any, token: str) -> None:
    began = time.time()
    answer = await poll(listener, token, 0, 1)
    assert (answer.cursor, answer.heads) == (0, ())
    assert began + 1 <= answer.now <= time.time(), "its time is that of the answer"


async def test_without_notifications_it_looks_every_second(
    listener: Any, token: str, alice: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(**_: object) -> None:
        raise psycopg.OperationalError

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", refused)
    waiting = asyncio.create_task(poll(listener, token, 0, 50))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    # Nothing tells it, so that it has news at all is by looking before its time is over.
    await asyncio.to_thread(in_worker, announce_and_publish, alice.organization_id)
    assert (await waiting).heads


async def test_who_waits_holds_no_thread_and_no_connection(listener: Any, token: str) -> None:
    await poll(listener, token, 0, 0)
    threads, opened = threading.active_count(), await in_thread(_connections)
    polls = [_ask(listener, token, 0, 50) for _ in range(20)]
    for waiting in polls:
        assert not waiting.future.done()
    # Each looks once in a thread before it waits; on a busy machine that takes its time, the wait takes 50 s.
    # The shared threads of the loop may have grown to their number, each with a connection for a moment;
    # twenty more would be one for each poll.
    grown = (99, 99)
    for _ in range(600):
        await asyncio.sleep(0.1)
        grown = threading.active_count() - threads, await in_thread(_connections) - opened
        if grown[0] <= 6 and grown[1] <= 1:
            break
    assert grown[0] <= 6
    assert grown[1] <= 6, "one LISTEN for all of them"
    for waiting in polls:
        waiting.future.cancel()
    await asyncio.gather(*(waiting.future for waiting in polls), return_exceptions=True)


def _connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_a_cursor_never_skips_what_commits_late() -> None:
    """Many publish at once; a reader that only ever goes on from its cursor sees the last of everybody."""
    organizations = [
        found_organization(person(f"p{number}"), f"O{number}").organization_id for number in range(6)
    ]
    seen: dict[str, int] = {}
    over = threading.Event()

    def publish(organization_id: UUID) -> None:
        for _ in range(8):
            change(organization_id)
            in_worker(announce_and_publish, organization_id)
        connections.close_all()

    def follow() -> None:
        cursor = 0
        while True:
            last_round = over.is_set()
            answer = heads_after(cursor)
            cursor = answer.cursor
            for head in answer.heads:
                assert head.revision > seen.get(head.organization, 0)
                seen[head.organization] = head.revision
            if last_round:
                connections.close_all()
                return

    with ThreadPoolExecutor(7) as many:
        reader = many.submit(follow)
        for done in [many.submit(publish, organization_id) for organization_id in organizations]:
            done.result()
        over.set()
        reader.result()
    assert seen == {str(organization_id): 8 for organization_id in organizations}


def test_who_was_numbered_later_is_never_seen_earlier() -> None:
    first, second = (found_organization(person(name), name).organization_id for name in ("one", "two"))
    numbered, go_on = threading.Event(), threading.Event()

    def publish_slowly() -> None:
        with transaction.atomic():
            PublishRequest.objects.create(organization_id=first)
            publish_newest(first, signing_key())
            numbered.set()
            go_on.wait(60)

    with ThreadPoolExecutor(2) as two:
        slow = two.submit(in_worker, publish_slowly)
        numbered.wait(60)
        quick = two.submit(in_worker, announce_and_publish, second)
        time.sleep(0.3)
        before = in_worker(heads_after, 0)
        go_on.set()
        slow.result()
        quick.result()
    assert before.heads == (), "a cursor that had seen the second would have passed the first"
    assert len(in_worker(heads_after, 0).heads) == 2


def test_two_deliveries_at_once_publish_once(alice: Membership) -> None:
    in_worker(lambda: PublishRequest.objects.create(organization_id=alice.organization_id))
    with ThreadPoolExecutor(4) as many:
        results = list(many.map(lambda _: in_worker(deliver, alice.organization_id, signing_key()), range(4)))
    assert [revision.number for revision in results if revision] == [1]
