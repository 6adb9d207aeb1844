"""Where gateways count limits: we know which stores there were, to recognize one that lost its state.

A worker reports which store it counts in. A new one under a name that never had any, reported by a worker
that never had another, has lost nothing. Any other unknown store, and any that is not the one its worker
reported last, means that charges are elsewhere or lost: it must be in doubt before it is registered.
"""

from __future__ import annotations

import logging

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.audit import record_operators_event
from accounts.models import Organization
from accounts.tenancy import APP_ROLE, WORKER_ROLE, become, organization_context
from common.errors import NotFound
from common.storable import storable
from gateway_config.models import LimiterStore, Worker
from gateway_config.wire.messages import LimiterAnswer, LimiterState

logger = logging.getLogger(__name__)

_ONE_STORE = 70_234
KEPT_EPOCHS = 20


@transaction.atomic
def note_limiter(worker: Worker, said: LimiterState) -> LimiterAnswer:
    name = storable(said.store, 200) or f"the file of {worker.name}"
    epoch = storable(said.epoch, 64)
    _lock(name)
    others = LimiterStore.objects.filter(name=name).exclude(epoch=epoch)
    store = LimiterStore.objects.filter(name=name, epoch=epoch).first()
    before = LimiterStore.objects.filter(workers=worker).first()
    swapped = before is not None and before.epoch != epoch
    is_new = store is None and before is None and not others.exists()
    lost = swapped or (store is None and not is_new)
    if lost and not _is_in_doubt(said):
        return LimiterAnswer(lost=True)
    if lost:
        logger.error("%s has lost its limits' state: each is denied for its own window", name)
    if store is None:
        clean = _clean(said, epoch) if is_new else None
        store = LimiterStore.objects.create(name=name, epoch=epoch, trusted_doubt=clean)
        _forget_oldest(name)
    _note(store, said)
    if before != store:
        Worker.objects.filter(pk=worker.pk).update(limiter=store)
    return LimiterAnswer(trust=store.trusted_doubt if store.doubt is not None else None)


def _clean(said: LimiterState, epoch: str) -> int | None:
    """The doubt of a store that replaced no other. Workers of one machine each name its file differently."""
    told = LimiterStore.objects.filter(epoch=epoch)
    if told.exists():
        return told.filter(trusted_doubt=said.doubt).values_list("trusted_doubt", flat=True).first()
    return said.doubt if said.fresh else None


def _is_in_doubt(said: LimiterState) -> bool:
    """True if it is in doubt because of what has happened to it, and not only since long ago."""
    return said.doubt is not None and (said.fresh or said.accounted)


def _note(store: LimiterStore, said: LimiterState) -> None:
    now = timezone.now()
    store.last_seen_at = now
    if said.doubt != store.doubt:
        store.doubt = said.doubt
        store.doubt_since = None if said.doubt is None else now
    if store.trusted_doubt != store.doubt:
        # The doubt has ended, or another has replaced it. It must not make an older copy trusted.
        store.trusted_doubt = None
    store.save()


def _forget_oldest(name: str) -> None:
    kept = LimiterStore.objects.filter(name=name).order_by(F("last_seen_at").desc(nulls_first=True), "-id")
    old = list(kept.values_list("pk", flat=True)[KEPT_EPOCHS:])
    LimiterStore.objects.filter(pk__in=old).delete()


def _lock(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_ONE_STORE, name])


# ---- for the operator
def stores_in_use() -> QuerySet[LimiterStore]:
    return (
        LimiterStore.objects.filter(workers__removed_at=None)
        .exclude(workers=None)
        .distinct()
        .order_by("name")
    )


def accept_loss(name: str = "") -> list[LimiterStore]:
    """Ends the doubt of this store, or of all: what was charged before it is written off. Audited."""
    with transaction.atomic():
        become(WORKER_ROLE)
        found = list(stores_in_use().filter(Q(name=name) if name else Q(doubt__isnull=False)))
        if name and not found:
            raise NotFound(f"No gateway counts its limits in {name}.")
        doubted = [store for store in found if store.doubt is not None]
        now = timezone.now()
        for store in doubted:
            store.trusted_doubt, store.accepted_at = store.doubt, now
            store.save(update_fields=["trusted_doubt", "accepted_at"])
        if doubted:
            _tell_everybody(doubted)
    return doubted


def _tell_everybody(stores: list[LimiterStore]) -> None:
    organizations = list(Organization.objects.values_list("pk", flat=True))
    become(APP_ROLE)
    names = [store.name for store in stores]
    for organization_id in organizations:
        with organization_context(organization_id):
            record_operators_event(organization_id, "limiter.loss_accepted", "limiter", ", ".join(names))
