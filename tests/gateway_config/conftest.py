from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.backends.signals import connection_created
from django.utils import timezone

from common.tokens import WORKER, new_token
from gateway_config.models import ConfigRevision, Worker
from gateway_config.services import deliver, enroll_worker
from gateway_config.tasks import signing_key
from gateway_config.wire.messages import Ack
from gateway_config.workers import note_acks
from policies.services import publish_policy
from tests.cast import Acme, Cast, inside
from tests.limiters_wait import limiters_wait_long
from tests.roles import as_worker

__all__ = ["limiters_wait_long"]


@pytest.fixture
def publish(cast: Cast) -> Callable[[], ConfigRevision | None]:
    """What Celery does for Acme, in its role."""

    def now() -> ConfigRevision | None:
        with as_worker():
            return deliver(cast.alice.organization_id, signing_key())

    return now


@pytest.fixture
def published(acme: Acme, cast: Cast, publish: Callable[[], ConfigRevision | None]) -> ConfigRevision:
    """Acme's policy is published and on its way."""
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    revision = publish()
    assert revision is not None
    return revision


@pytest.fixture
def enrolled(db: None) -> Callable[[str], tuple[Worker, str]]:
    """A living worker and its token."""

    def enrol(name: str) -> tuple[Worker, str]:
        token = new_token(WORKER)
        with as_worker():
            worker = enroll_worker(name, token)
            Worker.objects.filter(pk=worker.pk).update(last_seen_at=timezone.now())
        return worker, token

    return enrol


@pytest.fixture
def acknowledge() -> Callable[..., None]:
    def say(worker: Worker, revision: ConfigRevision, state: str = "applied", reason: str = "") -> None:
        with as_worker():
            note_acks(worker, [Ack(str(revision.organization_id), revision.number, state, reason)])  # type: ignore[arg-type]

    return say


@pytest.fixture
def worker_threads() -> Iterator[None]:
    """Connections opened by other threads are the internal listener's, as its DATABASE_URL makes them."""

    tests = threading.get_ident()

    def worker_role(connection: Any, **_: object) -> None:
        if threading.get_ident() != tests:
            with connection.cursor() as cursor:
                cursor.execute("SET ROLE policylayer_worker")

    connection_created.connect(worker_role, weak=False)
    yield
    connection_created.disconnect(worker_role)
