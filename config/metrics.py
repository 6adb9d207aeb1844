"""Numbers about the control plane for Prometheus, on the internal listener. None names a tenant or a person.

What waits is read from the database, where whatever must not be lost waits: a broker holds nothing but hints.
So it is the same whichever process is asked, and it is there while the Celery worker is not. What processes
count while they run (`config.counts`) is there while the database is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError, connection
from django.db.models import Count, F, Min, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals.models import Notice
from config import counts
from gateway_config.models import PublishRequest, Worker
from gateway_config.workers import GONE_AFTER
from servers.models import ToolScan

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_ANSWERS: Final = "policylayer_database_answers"
_RECENT: Final = timedelta(hours=1)
# A gateway is given this long to run what was published; far less is usual.
_BEHIND_AFTER: Final = timedelta(seconds=30)
_BEHIND: Final = """
    WITH newest AS (
        SELECT organization_id, max(number) AS number FROM gateway_config_configrevision
        WHERE created_at < %s GROUP BY organization_id
    )
    SELECT count(*) FROM gateway_config_worker AS w
    WHERE w.removed_at IS NULL AND w.last_seen_at > %s AND EXISTS (
        SELECT FROM newest LEFT JOIN gateway_config_workerstatus AS s
        ON s.worker_id = w.id AND s.organization_id = newest.organization_id
        WHERE coalesce(s.revision, 0) < newest.number
    )
"""


@dataclass(frozen=True, slots=True)
class _Work:
    """`failed`: given up within the last hour; changes to be published: not made up for yet."""

    waiting: int
    oldest_seconds: float
    failed: int


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse("\n".join((*lines(timezone.now()), counts.text())), content_type=_TEXT)


def lines(now: datetime) -> Iterator[str]:
    try:
        answers = tuple(_of_the_database(now))
    except DatabaseError:
        answers = ()
    yield f"# HELP {_ANSWERS} Whether the database answers; if not, what waits there is not known."
    yield f"# TYPE {_ANSWERS} gauge"
    yield f"{_ANSWERS} {int(bool(answers))}"
    yield from answers


def _of_the_database(now: datetime) -> Iterator[str]:
    work = _work(now)
    yield from _gauge(
        "policylayer_work_waiting",
        "Work that is due and not done, by kind.",
        "work",
        {kind: one.waiting for kind, one in work.items()},
    )
    yield from _gauge(
        "policylayer_work_oldest_seconds",
        "For how long the oldest of it has been due; 0: none is.",
        "work",
        {kind: round(one.oldest_seconds, 1) for kind, one in work.items()},
    )
    yield from _gauge(
        "policylayer_work_failed",
        "Work given up within the last hour; of publishing: given up and not made up for.",
        "work",
        {kind: one.failed for kind, one in work.items()},
    )
    yield from _gauge("policylayer_gateways", "Gateways, by what they are.", "state", _gateways(now))


def _work(now: datetime) -> dict[str, _Work]:
    lately = now - _RECENT
    outbox = PublishRequest.objects.filter(done_at=None)
    notices = Notice.objects.all()
    due = Q(state=Notice.State.WAITING, due_at__lte=now)
    given_up = Q(state=Notice.State.FAILED, ended_at__gte=lately)
    mails, webhooks = notices.filter(webhook=None), notices.exclude(webhook=None)
    scans = ToolScan.objects.all()
    return {
        "publishing": _of(outbox, now, Q(dead_at=None), "created_at", Q(dead_at__isnull=False)),
        "scans": _of(
            scans,
            now,
            Q(state=ToolScan.State.WAITING),
            "started_at",
            Q(state=ToolScan.State.FAILED, finished_at__gte=lately),
        ),
        "mails": _of(mails, now, due, "due_at", given_up),
        "webhooks": _of(webhooks, now, due, "due_at", given_up),
    }


def _of(rows: QuerySet[Any, Any], now: datetime, waiting: Q, since: str, failed: Q) -> _Work:
    # Two questions, each answered from an index of the few rows that it is about.
    found = rows.filter(waiting).aggregate(number=Count("pk"), oldest=Min(F(since)))
    oldest = (now - found["oldest"]).total_seconds() if found["oldest"] else 0.0
    return _Work(found["number"], max(oldest, 0.0), rows.filter(failed).count())


def _gateways(now: datetime) -> dict[str, int]:
    gone = now - GONE_AFTER
    enrolled = Worker.objects.filter(removed_at=None)
    living = enrolled.filter(last_seen_at__gt=gone)
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, [now - _BEHIND_AFTER, gone])
        (behind,) = cursor.fetchone()
    return {
        "living": living.count(),
        # One that was enrolled and never started is not missed.
        "gone": enrolled.filter(last_seen_at__lte=gone).count(),
        "behind": behind,
        "denying": living.exclude(trouble="").count(),
    }


def _gauge(name: str, about: str, label: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} gauge"
    for key, value in values.items():
        yield f'{name}{{{label}="{key}"}} {value}'
