"""The official registry's list: taken in page by page, whatever a page is like."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.ingest import Report
from catalog.models import CatalogServer
from catalog.registry import import_registry
from tests.roles import as_worker

pytestmark = pytest.mark.django_db


def entry(
    name: str, *, updated: str = "2026-11-01T00:00:00Z", status: str = "active", **server: Any
) -> dict[str, Any]:
    usual = {
        "name": name,
        "version": "1.0.0",
        "packages": [
            {"registryType": "npm", "identifier": f"@x/{name.split('/')[1]}", "transport": {"type": "stdio"}}
        ],
        "repository": {"url": "https://github.com/Example/Mono", "subfolder": f"src/{name.split('/')[1]}"},
    }
    official = {"status": status, "updatedAt": updated, "isLatest": True}
    return {"server": usual | server, "_meta": {"io.modelcontextprotocol.registry/official": official}}


def pages(*contents: Any) -> Callable[[str, str], Any]:
    return lambda cursor, since: contents[int(cursor or 0)]


def page(*entries: Any, following: str = "") -> dict[str, Any]:
    return {
        "servers": list(entries),
        "metadata": {"count": len(entries), **({"nextCursor": following} if following else {})},
    }


def take_in(fetch: Callable[[str, str], Any], **more: str) -> tuple[Report, str]:
    report = Report()
    with as_worker():
        return report, import_registry(fetch, report, **more)


def test_every_page_is_taken_in_and_again_changes_nothing() -> None:
    fetch = pages(page(entry("io.x/a"), entry("io.x/b"), following="1"), page(entry("io.x/c")))
    assert take_in(fetch)[1] == ""
    names = CatalogServer.objects.values_list("registry_name", flat=True)
    assert set(names) == {"io.x/a", "io.x/b", "io.x/c"}
    server = CatalogServer.objects.get(registry_name="io.x/a")
    assert (server.package, server.repository, server.subfolder) == ("npm:@x/a", "example/mono", "src/a")
    before = list(CatalogServer.objects.order_by("pk").values())
    report, _ = take_in(fetch)
    assert list(CatalogServer.objects.order_by("pk").values()) == before
    assert report.counts["servers unchanged"] == 3


def test_a_broken_page_or_entry_loses_nothing_else_and_says_where_to_go_on() -> None:
    fetch = pages(
        page(entry("io.x/a"), 7, {}, {"server": {"name": 1}}, entry("io.x/b"), following="1"), "<html>"
    )
    report, cursor = take_in(fetch)
    assert cursor == "1"
    assert CatalogServer.objects.count() == 2
    assert report.counts["refused"] == 4
    mended = pages(page(), page(entry("io.x/c")))
    assert take_in(mended, cursor="1")[1] == ""
    assert CatalogServer.objects.count() == 3


def test_pages_that_lead_round_in_a_circle_come_to_an_end() -> None:
    fetch = pages(page(entry("io.x/a"), following="1"), page(entry("io.x/b"), following="1"))
    report, cursor = take_in(fetch)
    assert cursor == "" and CatalogServer.objects.count() == 2
    assert any("leads back" in why for _, why in report.refused)


def test_a_page_that_goes_back_in_time_changes_nothing() -> None:
    take_in(pages(page(entry("io.x/a", version="2.0.0", updated="2026-11-20T00:00:00Z"))))
    report, _ = take_in(
        pages(page(entry("io.x/a", version="1.0.0", status="deleted", updated="2026-11-02T00:00:00Z")))
    )
    server = CatalogServer.objects.get()
    assert (server.version, server.status) == ("2.0.0", "active")
    assert report.counts["older than what we have"] == 1


def test_a_withdrawn_server_is_no_longer_found_and_is_found_again_when_it_returns() -> None:
    take_in(pages(page(entry("io.x/a"))))
    take_in(pages(page(entry("io.x/a", status="deleted", updated="2026-11-03T00:00:00Z"))))
    server = CatalogServer.objects.get()
    assert (server.status, server.search) == ("deleted", None)
    take_in(pages(page(entry("io.x/a", updated="2026-11-04T00:00:00Z"))))
    assert CatalogServer.objects.get().search


def test_an_older_entry_with_underscores_and_without_envelope_is_understood() -> None:
    old = {
        "name": "io.x/old",
        "status": "active",
        "version": "0.1.0",
        "packages": [{"registry_type": "pypi", "identifier": "old", "transport": {"type": "stdio"}}],
        "remotes": [{"transport_type": "sse", "url": "https://old.example/sse"}],
    }
    take_in(pages({"servers": [old], "metadata": {"next_cursor": None}}))
    server = CatalogServer.objects.get()
    assert (server.package, server.transports, server.endpoint) == (
        "pypi:old",
        ["stdio", "sse"],
        "https://old.example/sse",
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://x.example/mcp",
        "javascript:alert(1)",
        "https://user:pw@x/",
        "https://[::1",
        "https://{host}/",
        7,
        None,
    ],
)
def test_an_endpoint_that_nobody_should_copy_is_left_out(url: object) -> None:
    take_in(pages(page(entry("io.x/a", remotes=[{"type": "streamable-http", "url": url}]))))
    assert CatalogServer.objects.get().endpoint == ""


def test_the_recorded_pages_of_the_registry_are_taken_in() -> None:
    folder = os.environ.get("POLICYLAYER_TEST_DATA")
    if not folder:
        pytest.skip("POLICYLAYER_TEST_DATA is not set: the registry's recorded pages were not taken in")
    recorded = [
        json.loads((Path(folder) / "catalog" / "registry_fixture" / f"{name}.json").read_text())
        for name in ("page1", "page2", "page3", "delta_updated_since")
    ]
    walk = iter(recorded[:3])
    _, cursor = take_in(lambda cursor, since: next(walk))
    assert cursor == ""
    assert CatalogServer.objects.count() >= 240
    take_in(lambda cursor, since: recorded[3], since="2026-11-19T00:00:00Z")
    by_name = {server.registry_name: server for server in CatalogServer.objects.all()}
    assert by_name["io.example.ns1/srv-001"].version == "1.2.0"
    assert by_name["io.example.ns2/srv-002"].status == "deleted"
    assert by_name["io.example.ns3/srv-003"].status == "deprecated"
    assert by_name["io.example.ns3/srv-003"].package == "npm:@example/srv-003"
