"""Exports the filtered log as a file, newest first. The file's name says so if it is not all of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.streams import Viewer
from accounts.tenancy import organization_context
from accounts.views.members import member_required
from audit.live import filters_of
from audit.models import DecisionRecord
from audit.queries import DecisionRow, with_names
from audit.search import newest_first
from common.csv_cells import csv_cell
from common.errors import NotAllowed

MOST = 10_000
PIECE = 500
TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
COLUMNS = (
    *("at", "decision", "server", "grant", "method", "tool", "outcome", "code", "rule", "reason"),
    *("policy", "revision", "approval", "argument_names", "retry_after_seconds", "limit", "remaining"),
    *("upstream_status", "upstream_code"),
    *("added_ms", "took_ms", "worker"),
)


@require_safe
@member_required
def export(request: MemberRequest, kind: str) -> HttpResponseBase:
    """Stream the file as it is read. If that fails, or the reader loses access, the connection is cut: half a
    file cannot pass for a whole one."""
    found = newest_first(request.member, filters_of(request.GET))
    there_is_more = bool(found.values_list("position")[MOST : MOST + 1])
    pieces = _pieces(Viewer.of(request), found)
    answer = StreamingHttpResponse(_written(kind, pieces), content_type=TYPES[kind])
    part = f"-newest-{MOST}" if there_is_more else ""
    name = f"calls-{timezone.now():%Y-%m-%d-%H%M}{part}.{kind}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _pieces(viewer: Viewer, found: QuerySet[DecisionRecord]) -> Iterator[list[DecisionRow]]:
    """Read each piece in its own transaction, so that a slow download does not hold a database connection."""
    left, further = MOST, found
    while left > 0:
        with organization_context(viewer.organization_id):
            member = viewer.still()
            if member is None:
                raise NotAllowed("Whoever takes this file may no longer look.")
            records = list(further[: min(PIECE, left)])
            rows = with_names(member, records)
        yield rows
        if len(records) < PIECE:
            return
        left -= len(records)
        further = found.filter(position__lt=records[-1].position)


def _line(row: DecisionRow) -> dict[str, Any]:
    record = row.record
    values = (
        *(record.at.isoformat(), row.id, row.server_name, row.grant_label, record.method, record.tool),
        *(record.outcome, record.code, record.rule, record.reason),
        *(row.policy_name, row.policy_revision_number, row.approval_id or None),
        *(record.argument_names, record.retry_after_seconds, record.limit, record.remaining),
        *(record.upstream_status, record.upstream_code, row.added_ms, row.took_ms, record.worker),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _written(kind: str, pieces: Iterable[list[DecisionRow]]) -> Iterator[str]:
    if kind == "ndjson":
        for rows in pieces:
            yield "".join(json.dumps(_line(row), ensure_ascii=False) + "\n" for row in rows)
        return
    yield _as_csv([dict(zip(COLUMNS, COLUMNS, strict=True))])
    for rows in pieces:
        yield _as_csv({name: csv_cell(value) for name, value in _line(row).items()} for row in rows)


def _as_csv(lines: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS).writerows(lines)
    return text.getvalue()
