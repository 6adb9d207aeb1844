"""The log as a file: what the filters leave, newest first. Its name says when that is not all of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.views.members import member_required
from audit.live import filters_of
from audit.queries import DecisionRow, with_names
from audit.search import newest_first
from common.csv_cells import csv_cell

MOST = 10_000
TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
COLUMNS = (
    *("at", "decision", "server", "grant", "method", "tool", "outcome", "code", "rule", "reason"),
    *("policy", "revision", "approval", "argument_names", "retry_after_seconds"),
    *("upstream_status", "upstream_code"),
    *("added_ms", "took_ms", "worker"),
)


@require_safe
@member_required
def export(request: MemberRequest, kind: str) -> HttpResponse:
    found = list(newest_first(request.member, filters_of(request.GET))[: MOST + 1])
    lines = [_line(row) for row in with_names(request.member, found[:MOST])]
    answer = HttpResponse(_written(kind, lines), content_type=TYPES[kind])
    part = f"-newest-{MOST}" if len(found) > MOST else ""
    name = f"calls-{timezone.now():%Y-%m-%d-%H%M}{part}.{kind}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _line(row: DecisionRow) -> dict[str, Any]:
    record = row.record
    values = (
        *(record.at.isoformat(), row.id, row.server_name, row.grant_label, record.method, record.tool),
        *(record.outcome, record.code, record.rule, record.reason),
        *(row.policy_name, row.policy_revision_number, row.approval_id or None),
        *(record.argument_names, record.retry_after_seconds),
        *(record.upstream_status, record.upstream_code, row.added_ms, row.took_ms, record.worker),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _written(kind: str, lines: Iterable[dict[str, Any]]) -> str:
    if kind == "ndjson":
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in line.items()} for line in lines)
    return text.getvalue()
