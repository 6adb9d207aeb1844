"""Stores the records of the gateways' spools as rows, each exactly once, even if it is sent twice.

A record that can never be stored is skipped with a line in the process log: if it were refused, its worker
would send it for ever, and everything behind it would wait.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from accounts.models import Organization
from audit.counts import count
from audit.kept import seal
from audit.models import DecisionRecord
from common.notifications import DECISIONS, notify
from common.storable import storable
from gateway_config.wire.messages import CompletionEntry, DecisionEntry, Record

logger = logging.getLogger(__name__)

# Advisory lock: positions are assigned in commit order, so once one is visible, so is every smaller one.
COMMIT_ORDER: Final = 70_233
# An organization's rows may be locked for long, for instance while it is deleted. Others must not wait.
PATIENCE: Final = "2s"
_MOST_NAMES = 64
_OUTCOMES = frozenset({"allow", "deny", "approval"})

_LATE_COMPLETIONS = """
    UPDATE audit_decisionrecord AS d SET
        upstream_status = e.status, upstream_code = e.code, total_us = e.total,
        completed_position = nextval('audit_decision_position')
    FROM unnest(%s::uuid[], %s::uuid[], %s::smallint[], %s::text[], %s::bigint[])
        AS e(id, organization, status, code, total)
    WHERE d.id = ANY(%s::uuid[]) AND d.id = e.id AND d.organization_id = e.organization
    AND d.spool = %s AND d.total_us IS NULL
"""
_LAST_USED = """
    UPDATE policies_grant AS g SET last_used_at = u.at
    FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[]) AS u(id, organization, at)
    WHERE g.id = u.id AND g.organization_id = u.organization
    AND (g.last_used_at IS NULL OR g.last_used_at < u.at)
"""


class NotStorable(ValueError):  # noqa: N818
    """The content of the record cannot be stored as a row."""


@dataclass(frozen=True, slots=True)
class _End:
    id: UUID
    organization: UUID
    status: int | None
    code: str | None
    total_us: int


def ingest(worker: str, records: Iterable[Record], *, spool: str | None = None) -> int:
    """Store records. Return the sequence up to which all are stored, or never will be.

    A record is identified by (spool, sequence).
    """
    read = list(records)
    spool = spool or worker
    rows, ends = _read(worker, spool, read)
    known = set(
        Organization.objects.filter(
            pk__in={row.organization_id for row in rows} | {end.organization for end in ends}
        ).values_list("pk", flat=True)
    )
    rows = [row for row in rows if row.organization_id in known]
    ends = [end for end in ends if end.organization in known]
    _store(spool, rows, ends)
    _note_use(rows)
    return through(read)


def through(records: Iterable[Record]) -> int:
    return max((record.sequence for record in records if 0 <= record.sequence < 2**63), default=0)


@transaction.atomic
def _store(spool: str, rows: list[DecisionRecord], ends: list[_End]) -> None:
    by_id = {row.id: row for row in rows}
    for end in ends:
        row = by_id.get(end.id)
        if row is not None and row.organization_id == end.organization:
            row.upstream_status, row.upstream_code, row.total_us = end.status, end.code, end.total_us
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [COMMIT_ORDER])
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
        fresh = _not_there_yet(spool, rows)
        DecisionRecord.objects.bulk_create(fresh, batch_size=500)
        count(fresh)
        # Ends that came with their call too: if that row was stored earlier without its end, it gets it here.
        if ends:
            columns = _columns(ends)
            cursor.execute(_LATE_COMPLETIONS, [*columns, columns[0], spool])
    for organization in {row.organization_id for row in rows} | {end.organization for end in ends}:
        notify(DECISIONS, str(organization))


def _not_there_yet(spool: str, rows: list[DecisionRecord]) -> list[DecisionRecord]:
    """Return the rows whose sequence and id are both new. Called under the lock: nobody else stores now."""
    if not rows:
        return []
    sequences = [row.sequence for row in rows]
    stored = DecisionRecord.objects.filter(
        spool=spool, sequence__range=(min(sequences), max(sequences))
    ).values_list("sequence", flat=True)
    seen, ids = set(stored), _stored_ids(rows)
    fresh = []
    for row in rows:
        if row.sequence not in seen and row.id not in ids:
            fresh.append(row)
        seen.add(row.sequence)
        ids.add(row.id)
    return fresh


def _stored_ids(rows: list[DecisionRecord]) -> set[UUID]:
    return set(DecisionRecord.objects.filter(pk__in=[row.id for row in rows]).values_list("pk", flat=True))


def _columns(ends: list[_End]) -> tuple[list[object], ...]:
    last = {end.id: end for end in ends}.values()
    return (
        [end.id for end in last],
        [end.organization for end in last],
        [end.status for end in last],
        [end.code for end in last],
        [end.total_us for end in last],
    )


def _note_use(rows: list[DecisionRecord]) -> None:
    """Called once the records are committed, and in id order: someone else may have locked a grant's row."""
    newest: dict[UUID, DecisionRecord] = {}
    for row in sorted(rows, key=lambda row: row.at):
        newest[row.grant_id] = row
    used = sorted(newest.values(), key=lambda row: row.grant_id)
    if used:
        columns = (
            [row.grant_id for row in used],
            [row.organization_id for row in used],
            [row.at for row in used],
        )
        with connection.cursor() as cursor:
            cursor.execute(_LAST_USED, columns)


# ---- reading
def _read(worker: str, spool: str, records: Iterable[Record]) -> tuple[list[DecisionRecord], list[_End]]:
    rows: list[DecisionRecord] = []
    ends: list[_End] = []
    for record in records:
        try:
            if isinstance(record, DecisionEntry):
                rows.append(_row(worker, spool, record))
            else:
                ends.append(_end(record))
        except (ValueError, OverflowError) as problem:
            logger.error("record %d of %s cannot be stored: %s", record.sequence, spool, problem)
    return rows, ends


def _row(worker: str, spool: str, entry: DecisionEntry) -> DecisionRecord:
    if entry.outcome not in _OUTCOMES:
        raise NotStorable("its outcome is none")
    row = DecisionRecord(
        id=UUID(entry.id),
        organization_id=UUID(entry.organization),
        worker=worker,
        spool=spool,
        sequence=_within(entry.sequence, 2**63),
        at=datetime.fromtimestamp(entry.at_ms / 1000, UTC),
        server_id=UUID(entry.server),
        grant_id=UUID(entry.grant),
        method=storable(entry.method, 80),
        tool=storable(entry.tool or "", 2048),
        outcome=entry.outcome,
        code=_or_none(entry.code, 40),
        rule=storable(entry.rule, 700),
        reason=storable(entry.reason or "", 4_000),
        retry_after_seconds=_optional(entry.retry_after_seconds, 2**31),
        limit=_optional(entry.limit, 2**63),
        remaining_micros=_optional(entry.remaining_micros, 2**63),
        policy_revision_id=UUID(entry.policy) if entry.policy else None,
        approval_id=UUID(entry.approval) if entry.approval else None,
        config_revision=_within(entry.revision, 2**63),
        argument_names=[storable(name, 256) for name in entry.argument_names[:_MOST_NAMES]],
        argument_digest=storable(entry.argument_digest or "", 64),
        added_us=min(_within(entry.added_us, 2**63), 2**31 - 1),
    )
    row.sealed_arguments = seal(row, entry.kept)
    return row


def _end(entry: CompletionEntry) -> _End:
    return _End(
        id=UUID(entry.id),
        organization=UUID(entry.organization),
        status=_optional(entry.upstream_status, 2**15),
        code=_or_none(entry.upstream_code, 40),
        total_us=_within(entry.total_us, 2**63),
    )


def _within(number: int, above_all: int) -> int:
    if not 0 <= number < above_all:
        raise NotStorable("a number in it is out of range")
    return number


def _optional(number: int | None, above_all: int) -> int | None:
    return None if number is None else _within(number, above_all)


def _or_none(text: str | None, most: int) -> str | None:
    return None if text is None else storable(text, most)
