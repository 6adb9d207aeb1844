"""Scans in the background, and the clock that starts them again."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils import timezone

from common.starting import start
from servers.models import Server, ToolScan

RESCAN_EVERY = timedelta(minutes=15)
RESCAN_FAILING_EVERY = timedelta(hours=1)
LOST_AFTER = timedelta(seconds=5)
INTERRUPTED_AFTER = timedelta(minutes=3)
AT_ONCE = 50
KEPT = timedelta(days=2)
FORGOTTEN_AT_ONCE = 5_000


@shared_task
def run_scan(scan_id: str) -> None:
    """Run twice, it visits the server once: only a waiting scan begins. Scans that wait for a place of their
    organization begin one after the other."""
    # Imported here, because it loads the MCP SDK, which all our other processes do without.
    from servers import scanning

    scan = scanning.run_scan(UUID(scan_id))
    if scan.state != ToolScan.State.WAITING:
        _start_next(scan.organization_id)


def _start_next(organization_id: UUID) -> None:
    """Starts the oldest scan of an organization with none running, which may have found no place, and the
    next of this one. So however many organizations one person fills with servers that hang, someone else's
    scan gets its turn."""
    waiting = ToolScan.objects.filter(state=ToolScan.State.WAITING).order_by("routine", "started_at")
    running = ToolScan.objects.filter(state=ToolScan.State.RUNNING).values("organization_id")
    others = waiting.exclude(organization_id=organization_id).exclude(organization_id__in=running)
    for those in (others, waiting.filter(organization_id=organization_id)):
        for scan_id in those.values_list("pk", flat=True)[:1]:
            start("servers.tasks.run_scan", str(scan_id))


def enqueue_scan(scan: ToolScan) -> None:
    """Call it in the transaction that made the scan. Never fails: the sweep starts a scan nobody started."""
    transaction.on_commit(lambda: start("servers.tasks.run_scan", str(scan.pk)))


@shared_task
def sweep_scans() -> None:
    """Makes up for lost messages and killed workers. Starts only the first waiting scan of an organization,
    which is followed by the next: however many of one wait for a place, those of others are found."""
    from servers import scanning

    now = timezone.now()
    waiting = ToolScan.objects.filter(state=ToolScan.State.WAITING, started_at__lt=now - LOST_AFTER)
    first = waiting.order_by("organization_id", "routine", "started_at").distinct("organization_id")
    due = ToolScan.objects.filter(pk__in=first.values("pk")).order_by("started_at")
    for scan_id in due.values_list("pk", flat=True)[:AT_ONCE]:
        start("servers.tasks.run_scan", str(scan_id))
    hung = ToolScan.objects.filter(state=ToolScan.State.RUNNING, started_at__lt=now - INTERRUPTED_AFTER)
    for scan in hung.select_related("server")[:AT_ONCE]:
        scanning.interrupted(scan)


@shared_task
def rescan_due() -> None:
    """Servers change what they list without notice: each is scanned again after a while, unless a scan of it
    is already waiting or running."""
    now = timezone.now()
    due = Q(status=Server.Status.READY, scanned__lt=now - RESCAN_EVERY)
    due |= Q(status=Server.Status.FAILING, scanned__lt=now - RESCAN_FAILING_EVERY)
    newest = ToolScan.objects.filter(server=OuterRef("pk")).order_by("-started_at").values("started_at")
    seen = Server.objects.filter(retired_at=None).annotate(scanned=Subquery(newest[:1])).filter(due)
    going = ToolScan.objects.filter(state__in=[ToolScan.State.WAITING, ToolScan.State.RUNNING])
    for server in seen.exclude(pk__in=going.values("server_id")).order_by("scanned")[:AT_ONCE]:
        scan = ToolScan.objects.create(organization_id=server.organization_id, server=server, routine=True)
        enqueue_scan(scan)


@shared_task
def forget_scans() -> None:
    """Deletes old scans that found no tool changed, except each server's newest and its newest success."""
    newer = ToolScan.objects.filter(server=OuterRef("server"), started_at__gt=OuterRef("started_at"))
    failed = Q(state=ToolScan.State.FAILED) & Exists(newer)
    answered = Q(state=ToolScan.State.DONE, changes__changed=[]) & Exists(
        newer.filter(state=ToolScan.State.DONE)
    )
    old = ToolScan.objects.filter(failed | answered, started_at__lt=timezone.now() - KEPT)
    while forgotten := list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE]):
        ToolScan.objects.filter(pk__in=forgotten).delete()
