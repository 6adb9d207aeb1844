"""Scans in the background, and the clock that starts them again."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from common.starting import start
from servers.models import Server, ToolScan

RESCAN_EVERY = timedelta(minutes=15)
RESCAN_FAILING_EVERY = timedelta(hours=1)
LOST_AFTER = timedelta(seconds=5)
INTERRUPTED_AFTER = timedelta(minutes=3)
AT_ONCE = 50


@shared_task
def run_scan(scan_id: str) -> None:
    """Run twice it visits the server once: only a waiting scan begins."""
    # Here, and not above: it brings the MCP SDK, which every other process of ours does without.
    from servers import scanning

    scanning.run_scan(UUID(scan_id))


def enqueue_scan(scan: ToolScan) -> None:
    """In the transaction that made the scan. Never fails: a scan nobody started is started by the sweep."""
    transaction.on_commit(lambda: start("servers.tasks.run_scan", str(scan.pk)))


@shared_task
def sweep_scans() -> None:
    """Lost messages, killed workers."""
    from servers import scanning

    now = timezone.now()
    waiting = ToolScan.objects.filter(state=ToolScan.State.WAITING, started_at__lt=now - LOST_AFTER)
    for scan_id in waiting.order_by("started_at").values_list("pk", flat=True)[:AT_ONCE]:
        start("servers.tasks.run_scan", str(scan_id))
    hung = ToolScan.objects.filter(state=ToolScan.State.RUNNING, started_at__lt=now - INTERRUPTED_AFTER)
    for scan in hung.select_related("server")[:AT_ONCE]:
        scanning.interrupted(scan)


@shared_task
def rescan_due() -> None:
    """What a server lists changes without notice: every server is looked at again after a while."""
    now = timezone.now()
    due = Q(status=Server.Status.READY, scanned__lt=now - RESCAN_EVERY)
    due |= Q(status=Server.Status.FAILING, scanned__lt=now - RESCAN_FAILING_EVERY)
    seen = Server.objects.filter(retired_at=None).annotate(scanned=Max("scans__started_at")).filter(due)
    for server in seen.order_by("scanned")[:AT_ONCE]:
        scan = ToolScan.objects.create(organization_id=server.organization_id, server=server)
        enqueue_scan(scan)
