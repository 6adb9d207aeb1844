"""The shipped facts and the classifier's newest rules, brought into the index. Safe to run twice."""

from __future__ import annotations

import hashlib

from django.db import transaction

from catalog.classify import Classification
from catalog.facts import Provenance, ToolFact
from catalog.importing import SHIPPED, shipped
from catalog.ingest import Report, ingest, recount, search_of_tool, write_class
from catalog.models import CatalogServer, CatalogSummary, CatalogTool
from catalog.rules import as_rows, classified, digest
from catalog.summary import count_anew, current

_CLASSED = ("tool_class", "severity", "confidence", "needs_review", "evidence", "signals", "search")


def seed() -> Report:
    report = Report()
    before = current()
    if (before.facts, before.classifier) == (facts_digest(), digest()):
        return report
    ingest(shipped(), report)
    if before.revision and before.classifier != digest():
        reclassify(report)
    if before.classifier != digest() or any(
        report.counts[what] for what in ("servers added", "tools added", "tools changed", "tools removed")
    ):
        count_anew()
    CatalogSummary.objects.filter(pk=1).update(facts=facts_digest())
    return report


def facts_digest() -> str:
    found = hashlib.sha256()
    for file in sorted(SHIPPED.glob("*.json")):
        found.update(file.read_bytes())
    return found.hexdigest()


def reclassify(report: Report) -> None:
    """Every tool under the newest rules; what comes out as before is not written."""
    for server in CatalogServer.objects.exclude(tool_count=0).defer("search").iterator(500):
        with transaction.atomic():
            _reclassify(server, report)


def _reclassify(server: CatalogServer, report: Report) -> None:
    rows = list(CatalogTool.objects.filter(server=server, removed_at=None).defer("search"))
    changed = []
    for row, found in zip(rows, _judged(rows), strict=True):
        if _stands(row, found):
            continue
        write_class(row, found)
        row.search = search_of_tool(server, row)
        changed.append(row)
    if changed:
        CatalogTool.objects.bulk_update(changed, _CLASSED, batch_size=200)
        recount(server, rows)
        report.counts["tools classed anew"] += len(changed)


def _judged(rows: list[CatalogTool]) -> list[Classification]:
    facts = [
        ToolFact(
            row.name,
            row.title,
            tuple((n, k, r) for n, k, r in row.params),
            row.annotations,
            Provenance(row.provenance),
        )
        for row in rows
    ]
    return [found for _, found in classified(facts)]


def _stands(row: CatalogTool, found: Classification) -> bool:
    return row.evidence == as_rows(found.evidence) and (row.tool_class, row.severity, row.confidence) == (
        str(found.tool_class),
        int(found.severity),
        found.confidence,
    )
