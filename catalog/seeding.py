"""Brings the shipped facts and the classifier's newest rules into the index. Safe to run twice."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

from django.db import transaction

from catalog.classify import Classification
from catalog.facts import Provenance, ToolFact
from catalog.importing import SHIPPED, shipped
from catalog.ingest import BATCH, Report, ingest, recount, search_of_server, search_of_tool, write_class
from catalog.models import CatalogServer, CatalogSummary, CatalogTool
from catalog.rows import update_rows
from catalog.rules import as_rows, choices_of_row, classified
from catalog.summary import count_anew, current
from catalog.turns import begin, end, ours, take_turn

_CLASSED = ("tool_class", "severity", "confidence", "needs_review", "evidence", "signals", "search")


def seed() -> Report:
    report = Report()
    before = current()
    due = [name for name, own in ours().items() if getattr(before, name) != own]
    if before.facts == facts_digest() and not due:
        return report
    begin(due)
    ingest(shipped(), report)
    if before.revision and "classifier" in due:
        reclassify(report)
    if before.revision and "lexemes" in due:
        reindex(report)
    # Even if this run changed nothing: the previous one may have ended before it counted what it changed.
    count_anew()
    end(due)
    CatalogSummary.objects.filter(pk=1).update(facts=facts_digest())
    return report


def facts_digest() -> str:
    found = hashlib.sha256()
    for file in sorted(SHIPPED.glob("*.json")):
        found.update(file.read_bytes())
    return found.hexdigest()


def reclassify(report: Report) -> None:
    """Classify every tool by the newest rules; a result that is the same as before is not written."""
    for keys in _batches():
        with transaction.atomic():
            _reclassify(_in_turn(keys), report)


def reindex(report: Report) -> None:
    """Write the search lexemes of every row again, by the newest rules."""
    for keys in _batches():
        with transaction.atomic():
            _reindex(_in_turn(keys), report)


def _batches() -> Iterator[list[int]]:
    keys = list(CatalogServer.objects.order_by("pk").values_list("pk", flat=True))
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))


def _in_turn(keys: list[int]) -> dict[int, CatalogServer]:
    """The servers, read when nobody else may change them, so that what an import did meanwhile is kept."""
    take_turn()
    return {server.pk: server for server in CatalogServer.objects.filter(pk__in=keys).defer("search")}


def _reindex(servers: dict[int, CatalogServer], report: Report) -> None:
    tools = list(CatalogTool.objects.filter(server__in=servers, removed_at=None).defer("search"))
    for tool in tools:
        tool.search = search_of_tool(servers[tool.server_id], tool)
    for server in servers.values():
        server.search = search_of_server(server)
    update_rows(tools, ["search"])
    update_rows(list(servers.values()), ["search"])
    report.counts["tools indexed anew"] += len(tools)


def _reclassify(servers: dict[int, CatalogServer], report: Report) -> None:
    tools = CatalogTool.objects.filter(server__in=servers, removed_at=None).defer("search").order_by("pk")
    by_server: dict[int, list[CatalogTool]] = defaultdict(list)
    for tool in tools:
        by_server[tool.server_id].append(tool)
    changed = []
    for pk, rows in by_server.items():
        anew = [
            row
            for row, found in zip(rows, _judged(rows, servers[pk].slug), strict=True)
            if _moved(servers[pk], row, found)
        ]
        if anew:
            recount(servers[pk], rows)
        changed += anew
    update_rows(changed, _CLASSED)
    report.counts["tools classed anew"] += len(changed)


def _moved(server: CatalogServer, row: CatalogTool, found: Classification) -> bool:
    if _stands(row, found):
        return False
    write_class(row, found)
    row.search = search_of_tool(server, row)
    return True


def _judged(rows: list[CatalogTool], server: str) -> list[Classification]:
    facts = [
        ToolFact(
            row.name,
            row.title,
            tuple((n, k, r) for n, k, r in row.params),
            row.annotations,
            Provenance(row.provenance),
            choices=choices_of_row(row),
        )
        for row in rows
    ]
    return [found for _, found in classified(facts, server)]


def _stands(row: CatalogTool, found: Classification) -> bool:
    return row.evidence == as_rows(found.evidence) and (row.tool_class, row.severity, row.confidence) == (
        str(found.tool_class),
        int(found.severity),
        found.confidence,
    )
