"""Deleted organizations: the gateways are told to serve nothing of them, though their rows are gone.

They are told by a bundle like any other: signed, numbered above all previous ones, with nothing in it. It is
kept for longer than leases run; after that, a gateway that never heard of it serves nothing of it either.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import Max, Q
from django.utils import timezone

from common.notifications import HEADS, notify
from common.starting import start
from gateway_config.models import ClosedOrganization, ConfigRevision, NumberFloor
from gateway_config.services import keep_commit_order, signed
from gateway_config.wire.bundle import Bundle
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.messages import Envelope, Head, SignedBundle
from gateway_config.wire.signing import SigningKey

logger = logging.getLogger(__name__)

KEPT = timedelta(days=40)
# Revisions that were on their way at the closing have smaller numbers; nobody else sees these numbers.
_ABOVE = 100


def close_organization(organization_id: UUID) -> None:
    """Runs in the transaction that deletes the organization, while its revisions are still there."""
    number = 0
    for model in (ConfigRevision, NumberFloor):
        newest = model.objects.filter(organization_id=organization_id).aggregate(newest=Max("number"))
        number = max(number, newest["newest"] or 0)
    ClosedOrganization.objects.update_or_create(
        organization_id=organization_id, defaults={"number": number + _ABOVE, "closed_at": timezone.now()}
    )
    transaction.on_commit(lambda: start("gateway_config.tasks.announce_closed"))


def waits_to_be_announced() -> bool:
    return ClosedOrganization.objects.filter(cursor=None).exists()


@transaction.atomic
def announce(key: SigningKey) -> None:
    """Signs closings that were not announced, or signed with another key. Repeating it changes nothing."""
    keep_commit_order()
    waiting = ClosedOrganization.objects.filter(
        Q(cursor=None) | ~Q(envelope__key_id=key.key_id), closed_at__gt=timezone.now() - KEPT
    )
    for closed in waiting:
        body = encode_bundle(Bundle(organization=str(closed.organization_id)))
        closed.envelope = msgspec.to_builtins(signed(body, str(closed.organization_id), closed.number, key))
        closed.body, closed.cursor = body.decode(), _next_cursor()
        closed.save()
        notify(HEADS, str(closed.organization_id))
        logger.warning(
            "organization %s was deleted: its gateways serve nothing of it", closed.organization_id
        )


def _next_cursor() -> int:
    """From the same sequence as the revisions' ids: the heads have one cursor for both."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('gateway_config_configrevision_id_seq')")
        (found,) = cursor.fetchone()
    return int(found)


# ---- what workers ask and tell
def closed_after(cursor: int) -> list[tuple[int, Head]]:
    rows = ClosedOrganization.objects.filter(cursor__gt=cursor).values_list(
        "cursor", "organization_id", "number", "envelope__hash"
    )
    return [(place or 0, Head(str(pk), number, digest)) for place, pk, number, digest in rows]


def closed_bundle(organization_id: UUID) -> SignedBundle | None:
    closed = ClosedOrganization.objects.filter(organization_id=organization_id).exclude(cursor=None).first()
    if closed is None:
        return None
    return SignedBundle(msgspec.convert(closed.envelope, Envelope), closed.body)


def raise_above(organization_id: UUID, mark: int) -> None:
    """Numbers the closing above a revision that a worker took on its way: the worker would not go back."""
    ClosedOrganization.objects.filter(organization_id=organization_id, number__lt=mark).update(
        number=mark + 1, cursor=None
    )


def forget_long_closed() -> None:
    ClosedOrganization.objects.filter(closed_at__lt=timezone.now() - KEPT).delete()
