"""Deletes old records as each organization's retention says, and counts that no chart shows any more."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef

from accounts.limits import Limit, most
from accounts.models import AuditEvent, Organization
from audit import partitions
from audit.counts import KEPT, USERS_KEPT
from audit.ingest import COMMIT_ORDER
from audit.models import DecisionRecord, LogDay
from audit.periods import Unit

# Deleted in small batches: nobody waits long for a locked row, and the database's log (WAL) stays small.
AT_ONCE: Final = 5_000
_EPOCH: Final = date(1970, 1, 1)
# Two days of grace: `seen` is the beginning of a day, and a table may hold records of the day before.
_FORGET_NAMES: Final = """
    DELETE FROM audit_loggedname AS n USING accounts_organization AS o
    WHERE o.id = n.organization_id AND n.seen < %s - (o.log_retention_days + 2) * interval '1 day'
"""

# One step in the index of positions for each day. As NOT EXISTS, or without the order, the planner would read
# the whole log.
_HAS_NO_RECORD: Final = """
    (
        SELECT r.id FROM audit_decisionrecord AS r WHERE r.organization_id = d.organization_id
        AND r.position BETWEEN d.first AND d.last
        AND r.id >= audit_first_id_of(date '1970-01-01' + d.day)
        AND r.id < audit_first_id_of(date '1970-01-02' + d.day)
        ORDER BY r.position DESC LIMIT 1
    ) IS NULL
"""
_EMPTY_DAYS: Final = (
    f"SELECT d.organization_id, d.day FROM audit_logday AS d WHERE d.day < %s AND {_HAS_NO_RECORD}"  # noqa: S608
)
# Run while nobody stores: a record whose day is deleted at the same moment would never be found.
_FORGET_DAYS: Final = f"""
    DELETE FROM audit_logday AS d USING unnest(%s::uuid[], %s::integer[]) AS empty (organization_id, day)
    WHERE d.organization_id = empty.organization_id AND d.day = empty.day AND {_HAS_NO_RECORD}
"""  # noqa: S608

# Half hours with fewer calls than their minutes have together.
_LACKING: Final = """
    SELECT o.id, 't', minutes.start, minutes.outcome, minutes.added, minutes.calls
    FROM accounts_organization AS o CROSS JOIN LATERAL (
        SELECT date_bin('30 minutes', start, '2000-01-01Z') AS start, outcome, added,
            sum(calls)::bigint AS calls
        FROM audit_callcount WHERE organization_id = o.id AND unit = 'm' AND start >= %s GROUP BY 1, 2, 3
    ) AS minutes LEFT JOIN audit_callcount AS half ON half.organization_id = o.id AND half.unit = 't'
        AND half.start = minutes.start AND half.outcome = minutes.outcome AND half.added = minutes.added
    WHERE coalesce(half.calls, 0) < minutes.calls
"""
_MENDED: Final = timedelta(hours=2)


def keep_tables(now: datetime) -> None:
    """Create tables for the coming days, and drop those for days that no organization keeps."""
    longest = Organization.objects.aggregate(days=Max("log_retention_days"))["days"]
    partitions.make_partitions(now.date(), (now + partitions.AHEAD).date())
    if longest is not None:
        # A record made by a clock that is behind may be in the table of a day earlier than its time says.
        partitions.drop_partitions((now - timedelta(days=longest + 1)).date())


def mend_half_hours(now: datetime) -> None:
    """Correct half-hour counts if a process from before they existed stored records beside current ones."""
    since = Unit.HALF_HOUR.start_of(now - _MENDED)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({_LACKING})", [since])
        if cursor.fetchone() == (False,):
            return
        # With the lock nobody stores: what arrived at the same moment would be lost or counted twice.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [COMMIT_ORDER])
        cursor.execute(
            "INSERT INTO audit_callcount (organization_id, unit, start, outcome, added, calls)"
            f" {_LACKING} ON CONFLICT (organization_id, unit, start, outcome, added)"
            " DO UPDATE SET calls = excluded.calls",
            [since],
        )


def forget_old(now: datetime) -> int:
    """Delete the records that are too old or too many for their organization, and return how many."""
    known = LogDay.objects.filter(organization=OuterRef("pk"))
    return sum(_forget(organization, now) for organization in Organization.objects.filter(Exists(known)))


def forget_events(now: datetime) -> int:
    """Delete audit events that are too old, and return how many."""
    until = now - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    forgotten = 0
    for organization_id in Organization.objects.values_list("pk", flat=True):
        old = AuditEvent.objects.filter(organization_id=organization_id, at__lt=until).order_by("at")
        while ids := list(old.values_list("pk", flat=True)[:AT_ONCE]):
            with transaction.atomic():
                forgotten += AuditEvent.objects.filter(pk__in=ids)._raw_delete("default")
    return forgotten


def forget_counts(now: datetime) -> None:
    with connection.cursor() as cursor:
        for table, kept in KEPT.items():
            for unit, age in kept.items():
                cursor.execute(
                    f"DELETE FROM {table} WHERE unit = %s AND start < %s",  # noqa: S608
                    [unit.value, now - age],
                )
        cursor.execute("DELETE FROM audit_tooluser WHERE called < %s", [now - USERS_KEPT])
        cursor.execute(_FORGET_NAMES, [now])


def forget_days(now: datetime) -> None:
    """Delete days without records, so that queries of the log need not look there."""
    with connection.cursor() as cursor:
        cursor.execute(_EMPTY_DAYS, [(now.date() - _EPOCH).days - 1])
        found = cursor.fetchall()
    if not found:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [COMMIT_ORDER])
        cursor.execute(_FORGET_DAYS, [[organization for organization, _ in found], [day for _, day in found]])


def _make_room(organization: Organization) -> int:
    """Delete the oldest records if there are more than the organization may keep."""
    mine = DecisionRecord.objects.filter(organization_id=organization.pk)
    excess = mine.count() - most(organization.pk, Limit.STORED_RECORDS)
    for start in range(0, excess, AT_ONCE):
        ids = list(mine.order_by("at").values_list("pk", flat=True)[: min(AT_ONCE, excess - start)])
        with transaction.atomic():
            DecisionRecord.objects.filter(pk__in=ids)._raw_delete("default")
    return max(excess, 0)


def _forget(organization: Organization, now: datetime) -> int:
    until = now - timedelta(days=organization.log_retention_days)
    old = DecisionRecord.objects.filter(organization_id=organization.pk, at__lt=until).order_by("at")
    forgotten = _make_room(organization)
    while ids := list(old.values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            forgotten += DecisionRecord.objects.filter(pk__in=ids)._raw_delete("default")
    return forgotten
