"""Counts servers and scans against an organization's limits."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts.limits import Limit, counted
from accounts.tenancy import Asker
from servers.models import Server, ToolScan


def _servers(asker: Asker) -> int:
    return Server.objects.visible_to(asker).filter(retired_at=None).count()


def _scans(asker: Asker) -> int:
    since = timezone.now() - timedelta(hours=1)
    return ToolScan.objects.visible_to(asker).filter(routine=False, started_at__gt=since).count()


counted(Limit.SERVERS, _servers)
counted(Limit.SCANS_PER_HOUR, _scans)
