"""The official registry's list: taken in page by page, whatever a page is like."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog.arrivals import arrival
from catalog.ingest import Report
from catalog.models import CatalogServer, SourceCheck
from catalog.registry import CursorRefused, PageInvalid, Walk, import_registry
from catalog.runs import OVERLAP, where_to_go_on
from catalog.selectors import known_server
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


def take_in(fetch: Callable[[str, str], Any], **more: Any) -> tuple[Report, Walk]:
    report = Report()
    with as_worker():
        return report, import_registry(fetch, report, **more)


def test_every_page_is_taken_in_and_again_changes_nothing() -> None:
    fetch = pages(page(entry("io.x/a"), entry("io.x/b"), following="1"), page(entry("io.x/c")))
    assert take_in(fetch)[1].ended
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
    report, walk = take_in(fetch)
    assert walk == Walk(ended=False, cursor="1")
    assert CatalogServer.objects.count() == 2
    assert report.counts["refused"] == 4
    mended = pages(page(), page(entry("io.x/c")))
    assert take_in(mended, cursor="1")[1].ended
    assert CatalogServer.objects.count() == 3


def test_pages_that_lead_round_in_a_circle_end_the_run_and_are_not_taken_for_the_whole_list() -> None:
    fetch = pages(page(entry("io.x/a"), following="1"), page(entry("io.x/b"), following="1"))
    report, walk = take_in(fetch)
    assert walk == Walk(ended=False) and CatalogServer.objects.count() == 2
    assert any("leads back" in why for _, why in report.refused)


def test_a_page_that_goes_back_in_time_changes_nothing() -> None:
    take_in(pages(page(entry("io.x/a", version="2.0.0", updated="2026-11-20T00:00:00Z"))))
    report, _ = take_in(
        pages(page(entry("io.x/a", version="1.0.0", status="deleted", updated="2026-11-02T00:00:00Z")))
    )
    server = CatalogServer.objects.get()
    assert (server.version, server.status) == ("2.0.0", "active")
    assert report.counts["older than what we have"] == 1


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("2026-11-02T00:00:00Z", "2026-11-02T00:00:00.5Z"),
        ("2026-11-02T00:00:00+02:00", "2026-11-01T23:00:00Z"),
        ("2026-11-02T00:00:00.123456Z", "2026-11-02T00:00:01Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("0999-12-31T23:59:59Z", "2026-11-02T00:00:00Z"),
        ("no date", "2026-11-02T00:00:00Z"),
        (7, "2026-11-02T00:00:00Z"),
    ],
)
def test_moments_are_compared_as_moments_and_none_lies_in_the_future(first: Any, then: str) -> None:
    take_in(pages(page(entry("io.x/a", version="1.0.0", updated=first))))
    take_in(pages(page(entry("io.x/a", version="2.0.0", updated=then))))
    assert CatalogServer.objects.get().version == "2.0.0"


def test_what_is_done_to_an_old_version_is_not_done_to_the_server() -> None:
    old = entry("io.x/a", version="0.9.0", status="deleted", updated="2026-11-05T00:00:00Z")
    old["_meta"]["io.modelcontextprotocol.registry/official"]["isLatest"] = False
    report, _ = take_in(pages(page(entry("io.x/a"), old)))
    server = CatalogServer.objects.get()
    assert (server.version, server.status) == ("1.0.0", "active")
    assert report.counts["of an older version"] == 1


def of_repository(url: str, subfolder: str = "", package: str = "p") -> dict[str, Any]:
    return {
        "repository": {"url": url, "subfolder": subfolder},
        "packages": [{"registryType": "npm", "identifier": package}],
    }


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        of_repository(f"https://github.com/{'a' * 250}/b"),
        of_repository(f"https://github.com/{'a' * 90}/{'b' * 90}", "s" * 200, "p" * 150),
        of_repository("https://github.com/" + "\u0130" * 120 + "/b"),
        of_repository("https://github.com/a/b", package="\u0130" * 149),
        {"remotes": [{"type": "sse", "url": "https://" + "h" * 492}]},
        {"remotes": [{"type": "sse", "url": f"https://h?{'q' * 490}"}]},
        {"remotes": [{"type": "sse", "url": "https://" + "\u0130" * 400}]},
    ],
)
def test_what_is_longer_than_any_such_thing_costs_nobody_else_their_entry(
    said: dict[str, Any], known: bool
) -> None:
    if known:
        take_in(pages(page(entry("io.x/a"))))
    for _ in range(2):
        assert take_in(pages(page(entry("io.x/a", **said), entry("io.x/b"))))[1].ended
    assert set(CatalogServer.objects.values_list("registry_name", flat=True)) == {"io.x/a", "io.x/b"}


@pytest.mark.parametrize("following", ["c" * 501, "a\0b", 7, {"a": 1}, [""]])
def test_a_way_on_that_is_no_cursor_is_said_and_not_taken_for_the_end(following: Any) -> None:
    report, walk = take_in(lambda cursor, since: page(entry("io.x/a"), following=following))
    assert walk == Walk(ended=False) and CatalogServer.objects.count() == 1
    assert [why for _, why in report.refused] == ["it leads on by something that is not a cursor"]


def test_a_cursor_the_registry_no_longer_takes_is_not_gone_on_with_for_ever() -> None:
    def fetch(cursor: str, since: str) -> Any:
        raise CursorRefused("the registry answered 400")

    assert take_in(fetch, cursor="of last year")[1] == Walk(ended=False, cursor="")


class Registry:
    """Three pages of three servers, as the command asks for them; `broken` is the page that fails."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.broken = ""

    def __call__(self, cursor: str, since: str) -> Any:
        self.asked.append((cursor, since))
        if self.broken and cursor == self.broken:
            raise PageInvalid("it could not be fetched (ReadTimeout)")
        number = int(cursor or 0)
        return page(entry(f"io.x/{number}"), following=str(number + 1) if number < 2 else "")


def run(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.management.commands.catalog.registry_at", lambda url: registry)
    with as_worker():
        call_command("catalog", "import", "https://registry.example", stdout=StringIO())


def test_a_walk_of_several_runs_loses_nothing_that_changed_while_it_went_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = Registry()
    registry.broken = "1"
    with pytest.raises(CommandError, match="run this again"):
        run(registry, monkeypatch)
    begun = SourceCheck.objects.get()
    assert (begun.cursor, begun.finished_at, begun.counts["refused"]) == ("1", None, 1)
    registry.broken = ""
    run(registry, monkeypatch)
    assert registry.asked == [("", ""), ("1", ""), ("1", ""), ("2", "")]
    assert CatalogServer.objects.count() == 3
    run(registry, monkeypatch)
    cursor, since = registry.asked[-3]
    assert (cursor, since) == ("", (begun.started_at - OVERLAP).isoformat())


def test_a_run_that_is_killed_goes_on_after_the_last_page_it_took_in(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()

    def killed(cursor: str, since: str) -> Any:
        if cursor == "2":
            raise KeyboardInterrupt
        return registry(cursor, since)

    monkeypatch.setattr("catalog.management.commands.catalog.registry_at", lambda url: killed)
    with as_worker(), pytest.raises(KeyboardInterrupt):
        call_command("catalog", "import", "https://registry.example", stdout=StringIO())
    assert where_to_go_on("https://registry.example") == ("", "2")


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
    assert take_in(lambda cursor, since: next(walk))[1].ended
    assert CatalogServer.objects.count() >= 240
    take_in(lambda cursor, since: recorded[3], since="2026-11-19T00:00:00Z")
    by_name = {server.registry_name: server for server in CatalogServer.objects.all()}
    assert by_name["io.example.ns1/srv-001"].version == "1.2.0"
    assert by_name["io.example.ns2/srv-002"].status == "deleted"
    assert by_name["io.example.ns3/srv-003"].status == "deprecated"
    assert by_name["io.example.ns3/srv-003"].package == "npm:@example/srv-003"


def remote(at: str, **repository: str) -> dict[str, Any]:
    """An entry without a package, reached at an address: nothing but its name is anybody's own."""
    return {
        "packages": [],
        "repository": {"url": "https://github.com/acme/tools", **repository},
        "remotes": [{"type": "streamable-http", "url": at}],
    }


@pytest.mark.parametrize("remotes", [[], [{"type": "streamable-http", "url": "http://acme.example/mcp"}]])
def test_an_address_that_an_entry_no_longer_names_is_not_kept(remotes: list[dict[str, str]]) -> None:
    named = {"type": "streamable-http", "url": "https://lapsed.example/mcp"}
    named_first = named | {"headers": [{"name": "X-Key", "isRequired": True}]}
    take_in(pages(page(entry("io.x/a", remotes=[named_first]))))
    before = CatalogServer.objects.get()
    assert (before.endpoint, before.headers) == ("https://lapsed.example/mcp", ["X-Key"])
    take_in(pages(page(entry("io.x/a", remotes=remotes, updated="2026-11-02T00:00:00Z"))))
    after = CatalogServer.objects.get()
    assert (after.endpoint, after.headers) == ("", [])
    assert (after.package, after.repository) == (before.package, before.repository)
    assert known_server("https://lapsed.example/mcp") is None


def test_the_address_of_a_withdrawn_server_is_brought_to_nobody() -> None:
    take_in(pages(page(entry("io.x/a", **remote("https://lapsed.example/mcp")))))
    slug = CatalogServer.objects.get().slug
    found = arrival(slug)
    assert found is not None and found.server.hosted_at == "https://lapsed.example/mcp"
    gone = entry(
        "io.x/a", status="deleted", updated="2026-11-02T00:00:00Z", **remote("https://lapsed.example/mcp")
    )
    take_in(pages(page(gone)))
    found = arrival(slug)
    assert found is not None and found.server.hosted_at == ""


@pytest.mark.parametrize(
    ("repository", "stranger"),
    [
        ({}, "io.github.acme-payments/mcp"),
        ({"subfolder": "src/pay"}, "io.github.stranger/pay"),
        ({"subfolder": "src/pay"}, "io.github.acme-payments/mcp"),
    ],
)
def test_nobody_comes_by_a_server_of_the_registry_by_naming_its_repository(
    repository: dict[str, str], stranger: str
) -> None:
    own, other = remote("https://acme.example/mcp", **repository), remote("https://x.example/", **repository)
    take_in(pages(page(entry("io.github.acme/payments-mcp", **own))))
    before = CatalogServer.objects.values().get()
    for status, updated in (("active", "2026-11-02T00:00:00Z"), ("deleted", "2026-11-03T00:00:00Z")):
        take_in(pages(page(entry(stranger, status=status, updated=updated, **other))))
    after = CatalogServer.objects.values().get(registry_name="io.github.acme/payments-mcp")
    assert after == before
    theirs = CatalogServer.objects.get(registry_name=stranger)
    assert (theirs.repository, theirs.subfolder) == ("acme/tools", repository.get("subfolder", ""))
    assert (theirs.endpoint, theirs.status) == ("https://x.example/", "deleted")
