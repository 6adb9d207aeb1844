"""Imports the official registry's list of servers, page by page: what is new, what is withdrawn, what moved.

It lists servers, not tools. A broken entry is refused alone; one that is older than what we have is ignored;
a page that repeats or points back ends the walk, which would otherwise loop for ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import transaction

from catalog.crawling.packages import repository_of
from catalog.facts import ServerFact, slug_of
from catalog.ingest import Report, ingest, search_of_server, take_out
from catalog.lines import line_of
from catalog.models import CatalogServer
from catalog.naming import package_name, plain_endpoint
from catalog.turns import take_turn

# Fetches the page for a cursor ("" is the first) and a moment ("" is the beginning).
Fetch = Callable[[str, str], object]
MOST_PAGES: Final = 2_000
LONGEST_CURSOR: Final = 500
_ROUND: Final = "it leads back to a page that was read"
_NO_WAY_ON: Final = "it leads on by something that is not a cursor"
LONGEST_ENDPOINT: Final = 500
MOST_HEADERS: Final = 3
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}\Z")
_MOVING: Final = ("version", "package", "repository", "subfolder")
_META: Final = "io.modelcontextprotocol.registry/official"
_KINDS: Final = {"npm": "npm", "pypi": "pypi", "oci": "oci", "nuget": "nuget", "mcpb": "mcpb"}
_TRANSPORTS: Final = ("stdio", "streamable-http", "sse")


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    fact: ServerFact
    status: str
    updated: str
    is_latest: bool


class PageInvalid(Exception):  # noqa: N818
    """Why a page or an entry is invalid, in one sentence."""


class CursorRefused(PageInvalid):
    """The registry answered and refused the cursor: it will refuse it tomorrow, too."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a walk got. One that did not end resumes at `cursor`, or starts again if that is empty."""

    ended: bool
    cursor: str = ""


def import_registry(
    fetch: Fetch,
    report: Report,
    *,
    since: str = "",
    cursor: str = "",
    told: Callable[[str], None] = lambda cursor: None,
) -> Walk:
    """Walk the list. After each page `told` is given the cursor to resume at if the walk is interrupted."""
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        seen.add(cursor)
        try:
            entries, following = read_page(fetch(cursor, since), report)
        except PageInvalid as why:
            report.refuse(f"page after {cursor or 'the beginning'}", str(why))
            return Walk(ended=False, cursor="" if isinstance(why, CursorRefused) else cursor)
        take_in(entries, report)
        report.counts["pages"] += 1
        if following == "":
            return Walk(ended=True)
        if following is None or following in seen:
            # The rest was not read. Resuming here would lead round again; only a new walk may get further.
            report.refuse(
                f"page after {cursor or 'the beginning'}", _NO_WAY_ON if following is None else _ROUND
            )
            return Walk(ended=False)
        cursor = following
        told(cursor)
    return Walk(ended=False, cursor=cursor)


def read_page(page: object, report: Report) -> tuple[list[Entry], str | None]:
    if not isinstance(page, Mapping) or not isinstance(page.get("servers"), list):
        raise PageInvalid("the page is not a list of servers")
    entries = []
    for number, said in enumerate(page["servers"]):
        try:
            entry = read_entry(said)
        except PageInvalid as why:
            report.refuse(f"entry {number}", str(why))
            continue
        if entry.is_latest:
            entries.append(entry)
        else:
            report.counts["of an older version"] += 1
    metadata = page.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return entries, _cursor(metadata.get("nextCursor", metadata.get("next_cursor")))


def _cursor(said: object) -> str | None:
    """The next cursor: empty at the end of the list, None if it cannot be asked for."""
    if said is None:
        return ""
    return said if isinstance(said, str) and said.isprintable() and len(said) <= LONGEST_CURSOR else None


def read_entry(said: object) -> Entry:
    """Read an entry of today's form, or of the older one: underscores everywhere, and no envelope."""
    if not isinstance(said, Mapping):
        raise PageInvalid("an entry that is not an object")
    inner = said.get("server")
    server: Mapping[str, Any] = inner if isinstance(inner, Mapping) else said
    name = line_of(server.get("name"), 200)
    if not name or "/" not in name:
        raise PageInvalid("an entry without a name of the form namespace/name")
    official = _official(said)
    status = line_of(official.get("status") or server.get("status"), 12) or "active"
    return Entry(
        name=name,
        fact=_fact(name, server),
        status=status if status in ("active", "deprecated", "deleted") else "active",
        updated=_moment(official.get("updatedAt") or official.get("updated_at")),
        # What is done to an old version, such as withdrawing it, says nothing about the server.
        is_latest=official.get("isLatest", official.get("is_latest")) is not False,
    )


def _moment(said: object) -> str:
    """The moment as a text that sorts by time; empty if it is not one. A moment in the future becomes now:
    an entry dated there would keep every later one out."""
    try:
        moment = datetime.fromisoformat(line_of(said, 40))
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return min(moment, datetime.now(UTC)).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _official(said: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = said.get("_meta")
    found = meta.get(_META) if isinstance(meta, Mapping) else None
    if not isinstance(found, Mapping):
        found = said.get("x-io.modelcontextprotocol.registry")
    return found if isinstance(found, Mapping) else {}


def _fact(name: str, server: Mapping[str, Any]) -> ServerFact:
    repository = server.get("repository")
    repository = repository if isinstance(repository, Mapping) else {}
    packages = [one for one in _list(server.get("packages")) if isinstance(one, Mapping)]
    remotes = [one for one in _list(server.get("remotes")) if isinstance(one, Mapping)]
    return ServerFact(
        slug=slug_of(name),
        title=line_of(server.get("title"), 160) or name.rpartition("/")[2],
        vendor=line_of(name.partition("/")[0], 80),
        repository=repository_of(line_of(repository.get("url"), 300)),
        subfolder=line_of(repository.get("subfolder"), 200),
        package=_package(packages),
        version=line_of(server.get("version"), 80),
        listed_as=name,
        registered=True,
        transports=_transports(packages, remotes),
        **_reached_at(remotes),
    )


def _reached_at(remotes: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The first address that is fit to be copied, and the headers it must be sent."""
    for one in remotes:
        if url := _endpoint(one.get("url")):
            asked = [each for each in _list(one.get("headers")) if isinstance(each, Mapping)]
            needed = [each.get("name") for each in asked if each.get("isRequired") or each.get("is_required")]
            return {"endpoint": url, "headers": tuple(n for n in needed if _is_header(n))[:MOST_HEADERS]}
    return {}


def _is_header(name: object) -> bool:
    return isinstance(name, str) and _HEADER.match(name) is not None


def _list(said: object) -> list[Any]:
    return said[:50] if isinstance(said, list) else []


def _package(packages: list[Mapping[str, Any]]) -> str:
    for one in packages:
        kind = line_of(one.get("registryType") or one.get("registry_type") or one.get("registry_name"), 12)
        identifier = line_of(one.get("identifier") or one.get("name"), 150)
        if kind in _KINDS and identifier:
            return line_of(f"{_KINDS[kind]}:{package_name(kind, identifier)}", 200)
    return ""


def _transports(packages: list[Mapping[str, Any]], remotes: list[Mapping[str, Any]]) -> tuple[str, ...]:
    said: set[str] = set()
    for one in packages:
        transport = one.get("transport")
        said.add(line_of(transport.get("type"), 20) if isinstance(transport, Mapping) else "stdio")
    for one in remotes:
        said.add(line_of(one.get("type") or one.get("transport_type"), 20))
    return tuple(kind for kind in _TRANSPORTS if kind in said)


def _endpoint(url: object) -> str:
    """The address as it is shown and copied; empty if it is not fit for that. We never connect to it here;
    registering it as a server means passing the egress guard."""
    text = line_of(url, LONGEST_ENDPOINT)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme != "https" or not host or "@" in parts.netloc or port == 0 or "{" in text:
        return ""
    query = f"?{parts.query}" if parts.query else ""
    whole = plain_endpoint(host, port, parts.scheme, parts.path) + query
    return whole if len(whole) <= LONGEST_ENDPOINT else ""


@transaction.atomic
def take_in(entries: list[Entry], report: Report) -> None:
    """The newest entry for each name counts, whatever order the pages come in."""
    take_turn()
    known = {
        server.registry_name: server
        for server in CatalogServer.objects.filter(registry_name__in=[e.name for e in entries]).defer(
            "search"
        )
    }
    newest: dict[str, Entry] = {}
    for entry in entries:
        before = known.get(entry.name)
        last = newest.get(entry.name)
        if (before and entry.updated < before.registry_updated) or (last and entry.updated < last.updated):
            report.counts["older than what we have"] += 1
            continue
        newest[entry.name] = entry
    for entry in newest.values():
        _settle(entry, known.get(entry.name), report)


def _settle(entry: Entry, server: CatalogServer | None, report: Report) -> None:
    if server is None:
        server = _listed_first(entry, report)
    else:
        _move(server, entry, report)
    was = server.status
    server.status, server.registry_updated = entry.status, entry.updated
    if server.registry_name is None:
        server.registry_name = entry.name
    server.search = search_of_server(server)
    server.save(update_fields=["status", "registry_updated", "registry_name", "search"])
    if was != server.status and CatalogServer.Status.DELETED in (was, server.status):
        take_out(server)
        report.counts[f"servers {server.status}"] += 1


def _listed_first(entry: Entry, report: Report) -> CatalogServer:
    """The server for a name that is new. A name is its publisher's alone, but anyone may write any repository
    or package under it: so no entry gets the row of a server that the registry lists under another name."""
    fact = entry.fact
    if CatalogServer.objects.filter(identity=fact.identity, registry_name__isnull=False).exists():
        fact = replace(fact, subfolder="", package="")
    ingest([(fact, ())], report)
    server = CatalogServer.objects.defer("search").get(identity=fact.identity)
    if fact is not entry.fact:
        _move(server, entry, report)
    return server


def _move(server: CatalogServer, entry: Entry, report: Report) -> None:
    """Write what the registry says about a server it named before. What it leaves out stays, except endpoint
    and headers: an address that its publisher gave up may be anyone's by now, and keys are sent there."""
    fact = entry.fact
    changed = False
    for name in _MOVING:
        value = getattr(fact, name)
        if value and value != getattr(server, name):
            setattr(server, name, value)
            changed = True
    if fact.transports and list(fact.transports) != server.transports:
        server.transports, changed = list(fact.transports), True
    if (fact.endpoint, list(fact.headers)) != (server.endpoint, server.headers):
        server.endpoint, server.headers, changed = fact.endpoint, list(fact.headers), True
    report.counts["servers changed" if changed else "servers unchanged"] += 1
    if changed:
        server.save(update_fields=[*_MOVING, "transports", "endpoint", "headers"])
