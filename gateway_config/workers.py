"""What workers ask and report: who they are, what has changed, what they run."""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from accounts.models import Organization
from common.events import happened
from common.storable import storable
from common.tokens import WORKER, is_well_formed, token_hash
from gateway_config.closing import closed_after, closed_bundle, raise_above
from gateway_config.models import (
    ClosedOrganization,
    ConfigRevision,
    GrantPart,
    NumberFloor,
    Worker,
    WorkerStatus,
)
from gateway_config.services import request_publish
from gateway_config.wire.messages import Ack, Envelope, Head, HeadsAnswer, Hello, SignedBundle

logger = logging.getLogger(__name__)

GONE_AFTER = timedelta(seconds=15)
# A worker may make up a mark; revision numbers must not run out because of it.
HIGHEST_MARK = 2**53
MOST_REASON = 1_000
_DIGEST = re.compile(r"[0-9a-f]{64}")

_IN_FORCE = """
    UPDATE gateway_config_configrevision AS r SET in_force_at = %(now)s
    WHERE r.in_force_at IS NULL AND r.organization_id = ANY(%(organizations)s) AND r.number <= (
        SELECT min(coalesce(s.revision, 0)) FROM gateway_config_worker w
        LEFT JOIN gateway_config_workerstatus s
        ON s.worker_id = w.id AND s.organization_id = r.organization_id
        WHERE w.removed_at IS NULL AND (w.last_seen_at > %(gone)s OR w.id = %(worker)s)
    )
"""


def worker_of_token(token: str) -> Worker | None:
    """The worker that this token belongs to, unless it was removed."""
    if not is_well_formed(token, WORKER):
        return None
    digest = token_hash(token)
    worker = Worker.objects.filter(token_hash=digest, removed_at=None).first()
    return worker if worker and hmac.compare_digest(worker.token_hash, digest) else None


@transaction.atomic
def note_worker(worker: Worker, said: Hello) -> None:
    """Notes a sign of life, with the highest revision of each organization that the worker ever took."""
    Worker.objects.filter(pk=worker.pk).update(
        last_seen_at=timezone.now(), version=storable(said.version, 40), trouble=storable(said.trouble, 20)
    )
    marks = {key: mark for key, mark in said.high_water.items() if 0 < mark <= HIGHEST_MARK}
    numbers = _numbers_of(_organizations_among(marks))
    for organization_id, number in numbers.items():
        if (mark := marks[str(organization_id)]) > number:
            _raise_floor(organization_id, number, mark)
    refused = WorkerStatus.objects.filter(worker=worker, rejected_revision__isnull=False)
    for status in refused.filter(organization_id__in=numbers):
        number = numbers[status.organization_id]
        if number == status.rejected_revision == marks[str(status.organization_id)]:
            # It took another revision with this number, from before the database was restored.
            _raise_floor(status.organization_id, number, number)
    closed = [pk for text in marks if (pk := _uuid(text)) is not None and pk not in numbers]
    for organization_id in ClosedOrganization.objects.filter(pk__in=closed).values_list("pk", flat=True):
        raise_above(organization_id, marks[str(organization_id)])


def heads_after(cursor: int) -> HeadsAnswer:
    """The newest revision of each organization that has one after the cursor."""
    newest = _newest_cursor()
    # Ids fall only if the database was restored: then everything is announced again.
    after = cursor if cursor <= newest else 0
    found = list(
        ConfigRevision.objects.filter(id__gt=after)
        .order_by("organization_id", "-id")
        .distinct("organization_id")
        .values_list("id", "organization_id", "number", "hash")
    )
    heads = [(pk, Head(str(organization), number, digest)) for pk, organization, number, digest in found]
    heads += closed_after(after)
    cursor = max((place for place, _ in heads), default=after)
    return HeadsAnswer(cursor, tuple(head for _, head in heads), time.time())


def _newest_cursor() -> int:
    revisions = ConfigRevision.objects.aggregate(newest=Max("id"))["newest"] or 0
    return max(revisions, ClosedOrganization.objects.aggregate(newest=Max("cursor"))["newest"] or 0)


def newest_bundle(organization_id: UUID) -> SignedBundle | None:
    revision = ConfigRevision.objects.filter(organization_id=organization_id).order_by("-number").first()
    if revision is None:
        return closed_bundle(organization_id)
    return SignedBundle(msgspec.convert(revision.envelope, Envelope), revision.body)


def grant_part(organization_id: UUID, digest: str) -> str | None:
    """The part of the grants that bundles name by this digest."""
    if not _DIGEST.fullmatch(digest):
        return None
    parts = GrantPart.objects.filter(organization_id=organization_id, digest=digest)
    return parts.values_list("body", flat=True).first()


@transaction.atomic
def note_acks(worker: Worker, acks: Iterable[Ack]) -> None:
    """Notes the newest answer about each organization; organizations that are gone are skipped."""
    newest = {ack.organization: ack for ack in acks}
    known = [newest[str(pk)] for pk in _organizations_among(newest)]
    now = timezone.now()
    applied = [ack for ack in known if ack.state == "applied"]
    _upsert(
        [_status(worker, ack, now, WorkerStatus.State.APPLIED, revision=ack.revision) for ack in applied],
        ["revision", "state", "rejected_revision", "reason", "at"],
    )
    rejected = [ack for ack in known if ack.state == "rejected"]
    told = _told_already(worker, rejected)
    # `revision` is left as it was: the worker does not run a revision that it refused.
    _upsert(
        [_status(worker, ack, now, WorkerStatus.State.REJECTED, rejected=ack.revision) for ack in rejected],
        ["state", "rejected_revision", "reason", "at"],
    )
    for ack in rejected:
        why = storable(ack.reason, MOST_REASON)
        logger.error(
            "worker %s refused revision %d of %s: %r", worker.name, ack.revision, ack.organization, why
        )
        if ack.organization not in told:
            data = {"worker": worker.name, "revision": ack.revision, "reason": why}
            happened.send(Worker, organization_id=UUID(ack.organization), kind="worker.rejected", data=data)
    _note_in_force(worker, [UUID(ack.organization) for ack in applied], now)


def _told_already(worker: Worker, rejected: list[Ack]) -> set[str]:
    """The organizations whose refusal this worker has reported before: it repeats that with every try."""
    revisions = {ack.organization: ack.revision for ack in rejected}
    known = WorkerStatus.objects.filter(worker=worker, organization_id__in=list(revisions))
    return {
        str(organization)
        for organization, revision in known.values_list("organization_id", "rejected_revision")
        if revision == revisions[str(organization)]
    }


def _organizations_among(texts: Iterable[str]) -> list[UUID]:
    """The organizations that exist among these texts, which may be anything."""
    asked = [pk for text in texts if (pk := _uuid(text)) is not None]
    return list(Organization.objects.filter(pk__in=asked).values_list("pk", flat=True))


def _uuid(text: str) -> UUID | None:
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def _numbers_of(organizations: list[UUID]) -> dict[UUID, int]:
    """By organization, the number that the next revision's number will exceed."""
    numbers = dict.fromkeys(organizations, 0)
    revisions = ConfigRevision.objects.filter(organization_id__in=organizations).values_list(
        "organization_id"
    )
    floors = NumberFloor.objects.filter(organization_id__in=organizations).values_list("organization_id")
    for organization_id, number in [
        *revisions.annotate(newest=Max("number")),
        *floors.annotate(newest=Max("number")),
    ]:
        numbers[organization_id] = max(numbers[organization_id], number)
    return numbers


def _raise_floor(organization_id: UUID, number: int, mark: int) -> None:
    """Acts once for each mark: repeating it changes nothing."""
    if NumberFloor.objects.filter(organization_id=organization_id, number=mark).exists():
        return
    NumberFloor.objects.update_or_create(
        organization_id=organization_id, defaults={"number": mark, "noted_at": timezone.now()}
    )
    request_publish(organization_id)
    logger.warning(
        "a worker took revision %d of organization %s, but the newest known is %d: "
        "was the database restored? The next revision is numbered above.",
        mark,
        organization_id,
        number,
    )


def _status(
    worker: Worker,
    ack: Ack,
    now: datetime,
    state: WorkerStatus.State,
    *,
    revision: int = 0,
    rejected: int | None = None,
) -> WorkerStatus:
    return WorkerStatus(
        worker=worker,
        organization_id=UUID(ack.organization),
        revision=revision,
        state=state,
        rejected_revision=rejected,
        reason=storable(ack.reason, MOST_REASON),
        at=now,
    )


def _upsert(rows: list[WorkerStatus], fields: list[str]) -> None:
    WorkerStatus.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["worker", "organization"], update_fields=fields
    )


def _note_in_force(worker: Worker, organizations: list[UUID], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _IN_FORCE,
            {"now": now, "organizations": organizations, "gone": now - GONE_AFTER, "worker": worker.pk},
        )
