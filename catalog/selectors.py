"""Questions that other apps ask the index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from django.db.models import QuerySet

from catalog.models import CatalogServer
from catalog.naming import Naming, read_naming, root_of

MOST_NEAR = 50
By: TypeAlias = Literal["address", "host", "package", "repository"]


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A server of the index, and what it was recognized by. `key` is what `/policies/arrive/?for=` takes."""

    server: CatalogServer
    by: By

    @property
    def key(self) -> str:
        return self.server.slug

    @property
    def name(self) -> str:
        return self.server.title[:80]

    @property
    def endpoint(self) -> str:
        return self.server.endpoint

    @property
    def tool_count(self) -> int:
        return self.server.tool_count


def known_server(url_or_package: str) -> KnownServer | None:
    """The one server meant by an address, a package, or the command that starts it; None if it could be
    another. It is a suggestion from public facts, and says nothing about who answers at an address."""
    asked = read_naming(url_or_package)
    servers = CatalogServer.objects.exclude(status=CatalogServer.Status.DELETED).defer("search")
    if asked.endpoint:
        return _at_address(servers, asked.endpoint)
    if asked.packages:
        return _only(servers.filter(package__in=asked.packages), "package")
    return _of_repository(servers, asked) if asked.repository else None


def _at_address(servers: QuerySet[CatalogServer], endpoint: str) -> KnownServer | None:
    bare = endpoint.rstrip("/")
    if exact := _only(servers.filter(endpoint__in=[bare, f"{bare}/"]), "address"):
        return exact
    parts = urlsplit(endpoint)
    near = servers.filter(endpoint__startswith=f"{parts.scheme}://{parts.netloc}/").order_by("pk")[:MOST_NEAR]
    same = [one for one in near if root_of(one.endpoint) == root_of(endpoint)]
    return KnownServer(same[0], "host") if len(same) == 1 else None


def _of_repository(servers: QuerySet[CatalogServer], asked: Naming) -> KnownServer | None:
    """A repository may hold fifty servers: only a subfolder, or being the only one, tells which is meant."""
    there = servers.filter(repository=asked.repository)
    if asked.subfolder:
        return _only(there.filter(subfolder=asked.subfolder), "repository")
    return _only(there, "repository")


def _only(found: QuerySet[CatalogServer], by: By) -> KnownServer | None:
    rows = list(found.order_by("pk")[:2])
    return KnownServer(rows[0], by) if len(rows) == 1 else None
