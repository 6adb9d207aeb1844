"""Scans a server again after a gateway saw it list something new: soon, but not often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.limits import Limit, most
from servers.models import Server, ToolScan
from servers.services import MOST_SCANS_AT_ONCE
from servers.tasks import enqueue_scan

AGAIN_AFTER: Final = timedelta(minutes=1)
# Of what an organization may scan in an hour: servers that change all the time leave room for people.
SHARE: Final = 0.5
REPORTS_READ: Final = 1_000


@transaction.atomic
def look_again(reports: Iterable[tuple[str, str]]) -> list[ToolScan]:
    """Scans those servers, reported as `(organization, server)`, that were not scanned within a minute.

    A report that is passed over is not remembered: gateways report again, and a timer scans every server.
    """
    owners = dict(filter(None, map(_ids, islice(reports, REPORTS_READ))))
    # Two workers may report the same server at once; the second skips what the first has locked.
    servers = (
        Server.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(pk__in=owners, retired_at=None)
        .order_by("pk")
    )
    theirs = [server for server in servers if owners[server.pk] == server.organization_id]
    looked_at = _looked_at(theirs)
    room = _room({server.organization_id for server in theirs})
    started = []
    for server in theirs:
        if server.pk not in looked_at and room[server.organization_id] > 0:
            room[server.organization_id] -= 1
            started.append(_start(server))
    return started


def _ids(report: tuple[str, str]) -> tuple[UUID, UUID] | None:
    """Returns `(server, organization)`, or None unless both are UUIDs."""
    try:
        return UUID(report[1]), UUID(report[0])
    except ValueError:
        return None


def _looked_at(servers: list[Server]) -> set[UUID]:
    recent = Q(started_at__gt=timezone.now() - AGAIN_AFTER) | _going()
    return set(ToolScan.objects.filter(recent, server__in=servers).values_list("server_id", flat=True))


def _room(organizations: set[UUID]) -> dict[UUID, int]:
    scans = ToolScan.objects.filter(organization__in=organizations, routine=False)
    lately = scans.filter(started_at__gt=timezone.now() - timedelta(hours=1))
    an_hour = Counter(lately.values_list("organization_id", flat=True))
    at_once = Counter(scans.filter(_going()).values_list("organization_id", flat=True))
    return {
        one: min(
            max(1, int(most(one, Limit.SCANS_PER_HOUR) * SHARE)) - an_hour[one],
            MOST_SCANS_AT_ONCE - at_once[one],
        )
        for one in organizations
    }


def _going() -> Q:
    return Q(state__in=[ToolScan.State.WAITING, ToolScan.State.RUNNING])


def _start(server: Server) -> ToolScan:
    scan = ToolScan.objects.create(organization_id=server.organization_id, server=server)
    enqueue_scan(scan)
    return scan
