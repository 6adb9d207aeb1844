"""The verbs for gateways: request and publish a configuration, enrol and remove a worker."""

from __future__ import annotations

import logging
import re
import time
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.audit import record_event
from accounts.models import Membership
from accounts.permissions import May, require
from common.alone import PUBLISHING, alone
from common.errors import InvalidInput, NotFound
from common.ids import public_id
from common.notifications import HEADS, notify
from common.starting import start
from common.tokens import WORKER, is_well_formed, token_hash
from gateway_config.build import Built, build_bundle
from gateway_config.consistent import check_loads
from gateway_config.grants import Grants, changes_of
from gateway_config.models import (
    ConfigRevision,
    GrantChange,
    GrantPart,
    NumberFloor,
    PublishRequest,
    Worker,
)
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.messages import Envelope
from gateway_config.wire.signing import SigningKey, body_hash, sign

logger = logging.getLogger(__name__)

# As the gateway reads WORKER_NAME: a name that no gateway accepts must not be given a token.
_WORKER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")

MOST_DELIVERIES = 3
KEPT_REVISIONS = 20
KEPT_REQUESTS = timedelta(days=7)
_COMMIT_ORDER = 70_232


# ---- requesting
def request_publish(organization_id: UUID) -> PublishRequest:
    """Writes the outbox row in the caller's transaction; the task is started when that commits."""
    request = PublishRequest.objects.create(organization_id=organization_id)
    transaction.on_commit(lambda: start_publishing(organization_id))
    return request


@transaction.atomic
def try_again(by: Membership) -> None:
    """Retries what was given up: a new request takes the old ones along."""
    require(by, May.PUBLISH)
    request_publish(by.organization_id)
    record_event(by, "configuration.tried_again", public_id("org", by.organization_id))


def start_publishing(organization_id: UUID) -> None:
    """Never fails: what the broker does not take now, the sweep starts."""
    start("gateway_config.tasks.publish_config", str(organization_id))


def waiting_organizations(*, never_taken_up: timedelta, not_heard_of: timedelta) -> list[UUID]:
    """Organizations whose request was not taken up for so long, or was and nothing was heard for so long."""
    now = timezone.now()
    lost = Q(delivered_at=None, created_at__lt=now - never_taken_up)
    silent = Q(delivered_at__lt=now - not_heard_of)
    waiting = PublishRequest.objects.filter(lost | silent, done_at=None, dead_at=None)
    return list(waiting.order_by("organization_id").values_list("organization_id", flat=True).distinct())


# ---- publishing
def deliver(organization_id: UUID, key: SigningKey) -> ConfigRevision | None:
    """Brings what waits to the workers, in at most three tries; then it is a dead letter with an alert.

    The process that is publishing also takes what arrives meanwhile, so that no other has to wait for it.
    """
    newest = None
    while True:
        with alone(PUBLISHING, str(organization_id)) as mine:
            if not mine or not _count_delivery(organization_id):
                return newest
            try:
                newest = publish_newest(organization_id, key) or newest
            except Exception as problem:
                logger.exception("organization %s: nothing was published", organization_id)
                _note_failure(organization_id, problem)
                return None
        if not _waiting(organization_id).filter(delivered_at=None).exists():
            return newest


@transaction.atomic
def publish_newest(organization_id: UUID, key: SigningKey) -> ConfigRevision | None:
    """Checks, signs, stores and announces the newest bundle in one transaction. None: nothing is new.

    Each row is read in one statement, so a bundle never mixes two states of a server, a grant or a policy.
    What is committed while it is built has a request of its own: requests are read before everything else.
    """
    seen = list(
        PublishRequest.objects.filter(organization_id=organization_id, done_at=None).values_list(
            "id", flat=True
        )
    )
    newest = (
        ConfigRevision.objects.filter(organization_id=organization_id)
        .defer("body")
        .order_by("-number")
        .first()
    )
    changes = changes_of(organization_id)
    built = build_bundle(organization_id, newest, changes)
    body = encode_bundle(built.bundle)
    floor = _floor(organization_id)
    revision = None
    if newest is None or not _is_current(newest, body, floor, key):
        check_loads(body, organization_id, built.grants)
        number = max(newest.number if newest else 0, floor) + 1
        revision = _store(built, body, number, key)
    _mark_done(organization_id, seen)
    GrantChange.objects.filter(id__in=changes.ids).delete()
    return revision


def _is_current(newest: ConfigRevision, body: bytes, floor: int, key: SigningKey) -> bool:
    same_key = newest.envelope["key_id"] == key.key_id
    return newest.hash == body_hash(body) and newest.number > floor and same_key


def _store(built: Built, body: bytes, number: int, key: SigningKey) -> ConfigRevision:
    bundle = built.bundle
    envelope = signed(body, bundle.organization, number, key, bundle.settings.lease_seconds)
    _store_parts(built.grants)
    keep_commit_order()
    revision = ConfigRevision.objects.create(
        organization_id=UUID(bundle.organization),
        number=number,
        hash=envelope.hash,
        body=body.decode(),
        envelope=msgspec.to_builtins(envelope),
        policy_revisions=list(built.policy_revisions),
        parts=list(built.grants.digests),
    )
    ConfigRevision.objects.filter(
        organization_id=revision.organization_id, number__lte=number - KEPT_REVISIONS
    ).delete()
    _forget_parts(revision.organization_id)
    notify(HEADS, bundle.organization)
    return revision


def _store_parts(grants: Grants) -> None:
    # A part that an earlier revision named may still be there: with the same digest it is the same part.
    fresh = [part for part in grants.parts if part.digest in grants.fresh]
    GrantPart.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=16)


def _forget_parts(organization_id: UUID) -> None:
    """Deletes the parts that no revision names any more; a gateway may still be fetching the others."""
    parts = GrantPart.objects.filter(organization_id=organization_id)
    if not parts.exists():
        return
    named = ConfigRevision.objects.filter(organization_id=organization_id).values_list("parts", flat=True)
    parts.exclude(digest__in={digest for digests in named for digest in digests}).delete()


def signed(
    body: bytes, organization: str, number: int, key: SigningKey, lease_seconds: int = 86_400
) -> Envelope:
    return sign(
        body,
        organization=organization,
        revision=number,
        not_before=int(time.time()),
        lease_seconds=lease_seconds,
        key=key,
    )


def keep_commit_order() -> None:
    """Makes the cursors of the heads rise in commit order: whoever saw one has seen every smaller one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_COMMIT_ORDER])


def _floor(organization_id: UUID) -> int:
    floor = NumberFloor.objects.filter(organization_id=organization_id).values_list("number", flat=True)
    return floor.first() or 0


def _mark_done(organization_id: UUID, seen: list[int]) -> None:
    now = timezone.now()
    PublishRequest.objects.filter(id__in=seen).update(done_at=now)
    PublishRequest.objects.filter(organization_id=organization_id, done_at__lt=now - KEPT_REQUESTS).delete()


def _waiting(organization_id: UUID) -> QuerySet[PublishRequest]:
    return PublishRequest.objects.filter(organization_id=organization_id, done_at=None, dead_at=None)


@transaction.atomic
def _count_delivery(organization_id: UUID) -> bool:
    """Committed before the work begins, so that work which kills its process is counted too."""
    waiting = _waiting(organization_id)
    _bury(organization_id, "The process that published it ended three times.")
    taken = waiting.update(deliveries=F("deliveries") + 1, delivered_at=timezone.now())
    return taken > 0


@transaction.atomic
def _note_failure(organization_id: UUID, problem: Exception) -> None:
    error = f"{type(problem).__name__}: {getattr(problem, 'reason', '')}".rstrip(": ")
    _waiting(organization_id).update(error=error[:1000])
    _bury(organization_id, error[:1000])


def _bury(organization_id: UUID, error: str) -> None:
    spent = _waiting(organization_id).filter(deliveries__gte=MOST_DELIVERIES)
    if spent.update(dead_at=timezone.now(), error=error):
        logger.error(
            "organization %s: publishing failed %d times and is given up (%s). "
            "Its gateways keep the last good configuration; the next change tries again.",
            organization_id,
            MOST_DELIVERIES,
            error,
        )


# ---- workers
def enroll_worker(name: str, token: str) -> Worker:
    """Lets the bearer of this token work under this name. Repeating it changes nothing."""
    if not _WORKER_NAME.fullmatch(name):
        sentence = f"`{name}` must be 1 to 60 letters, digits, dots, - and _, like gw-1 (WORKER_NAME)."
        raise InvalidInput({"name": sentence})
    if not is_well_formed(token, WORKER):
        raise InvalidInput({"token": "WORKER_TOKEN must be a worker's token as it was issued, plw_..."})
    try:
        with transaction.atomic():
            worker, _ = Worker.objects.update_or_create(
                name=name, defaults={"token_hash": token_hash(token), "removed_at": None}
            )
    except IntegrityError:
        raise InvalidInput({"token": "Another worker has this token. Give each its own."}) from None
    return worker


def remove_worker(name: str) -> None:
    """Its token opens nothing from now on. It goes on enforcing what it has until its leases end."""
    if not Worker.objects.filter(name=name, removed_at=None).update(removed_at=timezone.now()):
        raise NotFound(f"There is no gateway {name}.")
