"""Writes facts into the index. Doing it again writes only what has changed, whatever was imported before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db import transaction

from catalog.classifier.vocabulary import WORST_LAST
from catalog.classify import Classification
from catalog.facts import Provenance, ServerFact, ToolFact, tool_slug
from catalog.lexemes import facet_terms, glued, vector, vendor_term, words_in
from catalog.models import CatalogServer, CatalogTool
from catalog.rows import insert_rows, update_rows
from catalog.rules import as_rows, classified
from catalog.turns import take_turn
from catalog.words import name_key

# A batch is one transaction; neither many small servers nor a few huge ones make it long.
BATCH: Final = 200
BATCH_TOOLS: Final = 4_000
_STRENGTH: Final = {provenance.value: rank for rank, provenance in enumerate(Provenance)}
_COMPARED: Final = (
    "title", "params", "choices", "annotations", "provenance", "source", "tool_class", "severity",
    "confidence", "needs_review", "evidence", "signals",
)  # fmt: skip
_DESCRIBED: Final = ("title", "vendor", "version", "transports", "endpoint", "headers")
_WRITTEN: Final = (*_COMPARED, "name_key", "checked_at", "changed_at", "removed_at", "search")
Listed = tuple[ServerFact, Sequence[ToolFact]]


@dataclass(frozen=True, slots=True)
class _Taken:
    """One fact with its row. `moved`: the server is new or has changed, so its tools are indexed again."""

    server: CatalogServer
    fact: ServerFact
    tools: Sequence[ToolFact]
    moved: bool


@dataclass(slots=True)
class _Changes:
    new: list[CatalogTool] = field(default_factory=list)
    changed: list[CatalogTool] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What an import did. `refused` says where and why, and repeats nothing of what it refused."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, where: str, why: str) -> None:
        self.counts["refused"] += 1
        if len(self.refused) < 1000:
            self.refused.append((where, why))


def ingest(
    listed: Iterable[Listed],
    report: Report,
    today: date | None = None,
    done: Callable[[ServerFact], None] = lambda last: None,
) -> Report:
    """Every list is complete: a tool that it no longer names is gone from its server. Only an empty list says
    nothing about tools.

    `done` is given the last server of each batch inside the batch's transaction: what it writes is committed
    with the batch or not at all.
    """
    day = today or datetime.now(UTC).date()
    for batch in _batches(listed):
        with transaction.atomic():
            _ingest_batch(batch, report, day)
            done(batch[-1][0])
    return report


def _batches(listed: Iterable[Listed]) -> Iterator[list[Listed]]:
    batch: list[Listed] = []
    tools = 0
    for one in listed:
        if batch and (len(batch) == BATCH or tools + len(one[1]) > BATCH_TOOLS):
            yield batch
            batch, tools = [], 0
        batch.append(one)
        tools += len(one[1])
    if batch:
        yield batch


def _ingest_batch(batch: list[Listed], report: Report, day: date) -> None:
    # Two imports at once would give one slug to two servers.
    take_turn()
    taken = _servers(batch, report, day)
    existing: dict[int, dict[str, CatalogTool]] = {each.server.pk: {} for each in taken}
    for tool in CatalogTool.objects.filter(server__in=existing).defer("search"):
        existing[tool.server_id][tool.slug] = tool
    changes = _Changes()
    for each in taken:
        known = existing[each.server.pk]
        if each.tools and not _is_weaker(each.tools[0], known):
            _compare(each, known, changes, report, day)
        elif each.tools:
            report.counts["kept, known better"] += 1
    insert_rows(changes.new)
    update_rows(changes.changed, _WRITTEN)
    _write_servers([each.server for each in taken])


def _is_weaker(tool: ToolFact, known: dict[str, CatalogTool]) -> bool:
    """True if better is known already: a third party's list never replaces what the server itself said."""
    best = max((_STRENGTH[t.provenance] for t in known.values() if t.removed_at is None), default=-1)
    return _STRENGTH[tool.provenance] < best


def _servers(batch: list[Listed], report: Report, day: date) -> list[_Taken]:
    """Each fact with its row, which is created if missing. Of two facts about one server the last counts."""
    last = {fact.identity: (fact, tools) for fact, tools in batch}
    report.counts["repeated"] += len(batch) - len(last)
    facts = [fact for fact, _ in last.values()]
    known = {s.identity: s for s in CatalogServer.objects.filter(identity__in=last).defer("search")}
    by_slug = {
        s.slug: s for s in CatalogServer.objects.filter(slug__in=[f.slug for f in facts]).defer("search")
    }
    best = _best_of([*known.values(), *by_slug.values()])
    spoken_for = {s.slug for s in known.values()}
    made: list[CatalogServer] = []
    rows: list[_Taken] = []
    for fact, tools in last.values():
        server = known.get(fact.identity) or _same_server(by_slug.get(fact.slug), fact, spoken_for)
        if server is None:
            server = CatalogServer(
                identity=fact.identity, slug=_free_slug(fact.slug, by_slug), first_seen=day
            )
            by_slug[server.slug] = server
            made.append(server)
            report.counts["servers added"] += 1
        spoken_for.add(server.slug)
        if tools and _STRENGTH[tools[0].provenance] < best.get(server.pk, -1):
            fact = _what_is_missing(server, fact)
        moved = not server.pk or _is_news(server, fact)
        if moved:
            _describe(server, fact)
            server.changed_at = day
        rows.append(_Taken(server, fact, tools, moved))
    for server in made:
        server.checked_at = day
    CatalogServer.objects.bulk_create(made)
    report.counts["servers"] += len(rows)
    return rows


def _best_of(servers: Iterable[CatalogServer]) -> dict[int, int]:
    """By server, how sure the best of what we know about its tools is."""
    tools = CatalogTool.objects.filter(server__in=servers, removed_at=None)
    best: dict[int, int] = {}
    for pk, provenance in tools.values_list("server", "provenance").distinct():
        best[pk] = max(best.get(pk, -1), _STRENGTH[provenance])
    return best


def _what_is_missing(server: CatalogServer, fact: ServerFact) -> ServerFact:
    """The fact without what is known: a list of many servers calls all of one repository by its name."""
    known = {name: type(getattr(fact, name))() for name in _DESCRIBED if getattr(server, name)}
    return replace(fact, **known)


def _same_server(
    server: CatalogServer | None, fact: ServerFact, spoken_for: Container[str]
) -> CatalogServer | None:
    """A server we know by its package, if a list that knows no package means it: same slug, same repository.

    Never for a registry: whoever publishes an entry there may write any repository into it.
    """
    if server is None or fact.registered or fact.package or fact.subfolder or not fact.repository:
        return None
    if server.slug in spoken_for or not (server.package or server.subfolder):
        return None
    return server if server.repository == fact.repository else None


def _free_slug(wanted: str, taken: dict[str, CatalogServer]) -> str:
    # These two addresses belong to pages for people who have signed in.
    slug, number = f"{wanted}-server" if wanted in ("register", "everything") else wanted, 2
    # The wanted slug was already looked up with its batch.
    while slug in taken or (slug != wanted and CatalogServer.objects.filter(slug=slug).exists()):
        slug, number = f"{wanted[:90]}-{number}", number + 1
    return slug


def _is_news(server: CatalogServer, fact: ServerFact) -> bool:
    return any(
        given and given != getattr(server, name)
        for name, given in (
            ("title", fact.title), ("vendor", fact.vendor), ("version", fact.version),
            ("transports", list(fact.transports)), ("endpoint", fact.endpoint), ("package", fact.package),
            ("headers", list(fact.headers)),
        )
    )  # fmt: skip


def _describe(server: CatalogServer, fact: ServerFact) -> None:
    """Write what the fact says into the server; what it leaves out stays."""
    server.title = fact.title or server.title
    server.vendor = fact.vendor or server.vendor
    server.repository = fact.repository or server.repository
    server.subfolder = fact.subfolder or server.subfolder
    server.package = fact.package or server.package
    server.version = fact.version or server.version
    server.transports = list(fact.transports) or server.transports
    server.endpoint = fact.endpoint or server.endpoint
    server.headers = list(fact.headers) or server.headers


def _compare(
    taken: _Taken, known: dict[str, CatalogTool], changes: _Changes, report: Report, day: date
) -> None:
    server = taken.server
    said_on = date.fromisoformat(taken.fact.checked) if taken.fact.checked else day
    rows = dict(known)
    present: set[str] = set()
    for tool, found in classified(taken.tools, server.slug):
        row = _row(server, tool, found, said_on)
        if row.slug in present:
            report.refuse(server.slug, "a tool listed twice")
            continue
        present.add(row.slug)
        old = known.get(row.slug)
        if old is not None and old.removed_at is None and not taken.moved and not _differs(old, row):
            report.counts["tools unchanged"] += 1
            continue
        row.pk = old.pk if old else None
        (changes.changed if old else changes.new).append(row)
        report.counts["tools changed" if old else "tools added"] += 1
        rows[row.slug] = row
    for old in known.values():
        if old.slug not in present and old.removed_at is None:
            old.removed_at, old.search = day, None
            changes.changed.append(old)
            report.counts["tools removed"] += 1
    server.checked_at = said_on
    _count(server, rows.values())


def _differs(old: CatalogTool, new: CatalogTool) -> bool:
    return any(getattr(old, name) != getattr(new, name) for name in _COMPARED)


def _row(server: CatalogServer, tool: ToolFact, found: Classification, day: date) -> CatalogTool:
    row = CatalogTool(
        server=server,
        name=tool.name,
        slug=tool_slug(tool.name),
        name_key=name_key(tool.name),
        title=tool.title,
        params=[list(param) for param in tool.params],
        choices=[[name, list(values)] for name, values in tool.choices],
        annotations=dict(tool.annotations),
        provenance=tool.provenance.value,
        source=tool.source[:300],
        checked_at=day,
        changed_at=day,
    )
    write_class(row, found)
    row.search = search_of_tool(server, row)
    return row


def write_class(row: CatalogTool, found: Classification) -> None:
    row.tool_class = str(found.tool_class)
    row.severity = int(found.severity)
    row.confidence = found.confidence
    row.needs_review = found.needs_review
    row.evidence = as_rows(found.evidence)
    row.signals = list(found.signals)


def search_of_tool(server: CatalogServer, tool: CatalogTool) -> str | None:
    """The lexemes of a tool; None if its server is withdrawn: it keeps its page, but is not found."""
    if server.is_withdrawn:
        return None
    return vector(
        [
            *words_in(tool.name, server.title, server.vendor),
            glued(tool.name_key),
            *facets_of_server(server),
        ]
    )


def facets_of_server(server: CatalogServer) -> list[str]:
    return [*([vendor_term(server.vendor)] if server.vendor else []), *facet_terms(server.transports)]


def _count(server: CatalogServer, rows: Iterable[CatalogTool]) -> None:
    present = [tool for tool in rows if tool.removed_at is None]
    severities = Counter(tool.severity for tool in present)
    classes = Counter(tool.tool_class for tool in present)
    server.tool_count = len(present)
    server.by_severity = [severities[level] for level in (1, 2, 3, 4)]
    server.by_class = [classes[str(tool_class)] for tool_class in WORST_LAST]
    server.worst = max(severities, default=0)


def recount(server: CatalogServer, rows: Iterable[CatalogTool]) -> None:
    _count(server, rows)
    server.search = search_of_server(server)
    server.save(update_fields=["tool_count", "by_severity", "by_class", "worst", "search"])


def take_out(server: CatalogServer) -> None:
    """Index a server's tools again: no longer found if it is withdrawn, found again if it has come back."""
    tools = list(CatalogTool.objects.filter(server=server, removed_at=None).defer("search"))
    for tool in tools:
        tool.search = search_of_tool(server, tool)
    update_rows(tools, ["search"])


def _write_servers(servers: list[CatalogServer]) -> None:
    for server in servers:
        server.search = search_of_server(server)
    fields: list[Any] = [
        "title", "vendor", "repository", "subfolder", "package", "version", "transports", "endpoint",
        "headers", "search", "tool_count", "by_severity", "by_class", "worst", "checked_at", "changed_at",
    ]  # fmt: skip
    update_rows(servers, fields)


def search_of_server(server: CatalogServer) -> str | None:
    if server.is_withdrawn:
        return None
    words = words_in(server.title, server.vendor, server.slug, server.package, server.repository)
    return vector([*words, *facets_of_server(server)])
