"""The page of a server of very many tools, and two servers beside each other."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from catalog import advice
from catalog.facts import Provenance, ServerFact, ToolFact
from catalog.ingest import Report, ingest, take_out
from catalog.models import CatalogServer, CatalogTool
from catalog.summary import count_anew
from catalog.views._wanted import PER_PAGE
from policies.language.compile import ToolFacts
from policies.language.document import Document
from policies.language.lint import LintFinding, lint
from tests.catalog.index import HOSTILE, index, server_named
from tests.catalog.test_pages import text_of
from tests.roles import as_worker

__all__ = ["index"]
LARGE = "/servers/large/"
READING, DELETING = 190, 40


@pytest.fixture
def large(index: Report) -> CatalogServer:
    names = [f"get_thing_{n:03}" for n in range(READING)] + [f"delete_thing_{n:03}" for n in range(DELETING)]
    server = ServerFact(slug="large", title="Large", package="npm:large", checked="2026-11-01")
    with as_worker():
        ingest([(server, [ToolFact(name, "", (), {}, Provenance.SERVED) for name in names])], Report())
        count_anew()
    return server_named("large")


def shown(page: str) -> list[str]:
    return re.findall(r'href="/tools/large/([^"/]+)/"', page)


def canonical(page: str) -> str:
    (found,) = re.findall(r'<link rel="canonical" href="https?://[^/]+(/[^"]*)">', page)
    return str(found)


def test_every_tool_of_a_large_server_stands_on_exactly_one_of_its_pages_the_worst_first(
    large: CatalogServer, client: Client
) -> None:
    path, seen, places = LARGE, list[str](), list[str]()
    while path:
        page = text_of(client, path)
        seen += shown(page)
        places.append(path)
        assert canonical(page) == path
        assert 'name="robots"' not in page
        path = next(iter(re.findall(r'rel="next" href="([^"]+)"', page)), "")
    assert places == [LARGE, f"{LARGE}?page=2", f"{LARGE}?page=3"]
    assert len(seen) == len(set(seen)) == READING + DELETING
    assert all(name.startswith("delete_") for name in seen[:DELETING])
    assert f"{PER_PAGE + 1} to {2 * PER_PAGE} of 230" in text_of(client, places[1])
    assert f'rel="prev" href="{LARGE}"' in text_of(client, places[1])


def test_a_page_of_a_filter_keeps_the_filter_and_is_not_for_search_engines(
    large: CatalogServer, client: Client
) -> None:
    page = text_of(client, f"{LARGE}?class=Read&q=thing")
    assert "190 of 230, worst first" in page
    assert 'href="/servers/large/?q=thing&amp;class=Read&amp;page=2"' in page
    assert 'aria-label="Remove the filter Read"' in page and 'href="/servers/large/?q=thing"' in page
    assert canonical(page) == LARGE and '<meta name="robots" content="noindex,follow">' in page
    assert len(shown(text_of(client, f"{LARGE}?q=thing&class=Read&page=2"))) == READING - PER_PAGE
    assert "40 of 230, worst first" in text_of(client, f"{LARGE}?class=Destructive&severity=4&signal=none")


@pytest.mark.parametrize("page", ["4", "99999", "0000004", "1" * 5000])
def test_a_page_that_is_none_is_not_found(large: CatalogServer, client: Client, page: str) -> None:
    assert client.get(f"{LARGE}?page={page}").status_code == 404
    assert client.get(f"/servers/large.json?page={page}").status_code == 404


@pytest.mark.parametrize("page", ["0", "-1", "two", "1.0", "١", ""])
def test_what_is_not_the_number_of_a_page_shows_the_first(
    large: CatalogServer, client: Client, page: str
) -> None:
    assert canonical(text_of(client, f"{LARGE}?page={page}")) == LARGE
    assert client.get(f"/servers/large.json?page={page}").status_code == 200


def test_the_json_of_a_large_server_leads_through_all_of_its_tools(
    large: CatalogServer, client: Client
) -> None:
    path, names, policies = "/servers/large.json", list[str](), set[str]()
    while path:
        body = json.loads(text_of(client, path))
        names += [tool["tool"] for tool in body["tools"]]
        policies.add(body["policy"])
        assert body["tools"][0]["evidence"] and body["by_class"]["Destructive"] == DELETING
        path = "/" + body["next"].split("/", 3)[3] if body["next"] else ""
    assert len(names) == len(set(names)) == READING + DELETING
    assert len(policies) == 1


def test_the_policy_of_a_large_server_is_of_all_its_tools_on_every_page(
    large: CatalogServer, client: Client
) -> None:
    for page in ("", "?page=3", "?class=Read"):
        text = text_of(client, LARGE + page)
        assert "A policy for all 230" in text and "Destructive tools wait for a person" in text


def test_the_short_way_to_an_address_is_the_address(index: Report) -> None:
    for tool in CatalogTool.objects.select_related("server"):
        named = reverse("catalog:tool", args=[tool.server.slug, tool.slug])
        assert tool.get_absolute_url() == named
        assert tool.server.get_absolute_url() == reverse("catalog:server", args=[tool.server.slug])


def test_a_line_of_a_list_shows_a_strangers_text_and_runs_none(index: Report, client: Client) -> None:
    page = text_of(client, "/servers/hostile-server/")
    assert "&lt;img src=x onerror=alert(1)&gt;" in page and HOSTILE not in page
    assert page.count('<bdi class="line">') > 5 and "U+202E" in page


def test_no_page_of_risk_leads_to_what_was_withdrawn(index: Report, client: Client) -> None:
    server = server_named("awslabs-iam-mcp-server")
    paths = [f"/catalogue/risk/{level}/" for level in ("critical", "high", "medium", "low")]
    assert any("/tools/awslabs-iam-mcp-server/" in text_of(client, path) for path in paths)
    with as_worker():
        server.status, server.search = CatalogServer.Status.DELETED, None
        server.save()
        take_out(server)
        count_anew()
    assert not any("/tools/awslabs-iam-mcp-server/" in text_of(client, path) for path in paths)


def test_no_page_of_a_withdrawn_server_shows_an_address_that_may_be_anybodys_by_now(
    large: CatalogServer, client: Client
) -> None:
    shown = [LARGE, "/servers/large.json", "/api/v1/catalog/servers/large/"]
    of_it = CatalogServer.objects.filter(slug="large")
    with as_worker():
        of_it.update(endpoint="https://lapsed.example/mcp", headers=["X-Lapsed-Key"])
    assert all({"https://lapsed.example/mcp", "X-Lapsed-Key"} <= words(client, path) for path in shown)
    with as_worker():
        of_it.update(status=CatalogServer.Status.DELETED)
    for path in [*shown, "/catalogue/compare.json?a=large&b=large"]:
        assert "lapsed" not in text_of(client, path).lower()
    assert "by now the address may be somebody else’s" in text_of(client, LARGE)


def words(client: Client, path: str) -> set[str]:
    return set(re.split(r"[\s<>\",\[\]]+", text_of(client, path)))


def test_two_servers_stand_beside_each_other_by_slug_or_title(index: Report, client: Client) -> None:
    for a in ("awslabs-iam-mcp-server", server_named("awslabs-iam-mcp-server").title):
        page = client.get("/catalogue/compare/", {"a": a, "b": "mcp-server-time"})
        assert page.status_code == 200
        shown = page.content.decode()
        assert "AWS IAM MCP Server and " in shown
        assert '<label for="server-a">First server</label>' in shown
        assert 'value="AWS IAM MCP Server"' in shown, "nobody has to know the slug"


def test_who_names_no_server_is_helped_to_one(index: Report, client: Client) -> None:
    answer = client.get("/catalogue/compare/", {"a": "iam", "b": "mcp-server-time"})
    page = answer.content.decode()
    assert answer.status_code == 404 and "Did you mean" in page
    assert "?a=awslabs-iam-mcp-server&amp;b=mcp-server-time" in page
    nothing = client.get("/catalogue/compare/", {"a": HOSTILE, "b": "\0"})
    assert nothing.status_code == 404 and HOSTILE not in nothing.content.decode()


def test_whatever_is_asked_of_a_large_server_its_policy_is_judged_once_for_each_state_of_it(
    large: CatalogServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = []

    def counted(document: Document, facts: tuple[ToolFacts, ...]) -> tuple[LintFinding, ...]:
        judged.append(len(facts))
        return lint(document, facts)

    monkeypatch.setattr(advice, "lint", counted)
    for path in ("?q=get", "?q=thing_01", "?class=Read&page=2", ".json?q=delete"):
        assert client.get(f"/servers/large{'' if path[0] == '.' else '/'}{path}").status_code == 200
    assert client.get("/catalogue/compare/?a=large&b=large").status_code == 200
    assert judged == [READING + DELETING]
    server = ServerFact(slug="large", title="Large", package="npm:large", checked="2026-11-02")
    names = [f"get_thing_{n:03}" for n in range(READING)]
    with as_worker():
        ingest([(server, [ToolFact(name, "", (), {}, Provenance.SERVED) for name in names])], Report())
        count_anew()
    assert "190, worst first" in text_of(client, LARGE)
    assert judged == [READING + DELETING, READING]


def test_the_policy_of_a_server_stands_on_its_first_page_alone(large: CatalogServer, client: Client) -> None:
    assert 'id="json"' in text_of(client, LARGE)
    for asked in ("?page=2", "?q=get", "?class=Read", "?q=nothing+of+the+kind"):
        page = text_of(client, f"{LARGE}{asked}")
        assert 'id="json"' not in page and f'href="{LARGE}#json"' in page


def test_a_part_of_a_name_is_found_as_it_is_typed(large: CatalogServer, client: Client) -> None:
    assert shown(text_of(client, f"{LARGE}?q=GET_thing_007%00")) == ["get_thing_007"]
    for typed in ("%25", "get%25thing", "_____"):
        assert not shown(text_of(client, f"{LARGE}?q={typed}"))


def test_a_server_page_says_what_starts_it_unless_it_was_withdrawn(index: Report, client: Client) -> None:
    iam = "/servers/awslabs-iam-mcp-server/"
    assert b">uvx awslabs.iam-mcp-server</dd>" in client.get(iam).content
    with as_worker():
        CatalogServer.objects.filter(slug="awslabs-iam-mcp-server").update(status="deleted")
        count_anew()
    assert b"uvx" not in client.get(iam).content


def test_the_json_of_a_server_says_what_its_policy_does(index: Report, client: Client) -> None:
    server = client.get("/servers/awslabs-iam-mcp-server.json").json()
    assert server["policy_does"] == {"needs_approval": 5, "limited": 12, "allowed": 12}


@pytest.mark.parametrize(
    ("typed", "leads_to"),
    [
        ("/servers/LARGE/", "/servers/large/"),
        ("/servers/Large/?q=thing&page=2", "/servers/large/?q=thing&page=2"),
        ("/servers/Large.json", "/servers/large.json"),
        ("/tools/larGe/", "/tools/large/"),
        ("/tools/Large/delete_00/", "/tools/large/delete_00/"),
        ("/tools/Large/delete_00.json", "/tools/large/delete_00.json"),
    ],
)
def test_an_address_with_capitals_leads_to_the_one_that_the_server_has(
    large: CatalogServer, client: Client, typed: str, leads_to: str
) -> None:
    answer = client.get(typed)
    assert (answer.status_code, answer.headers["Location"]) == (301, leads_to)
    assert not answer.cookies


@pytest.mark.parametrize(
    "typed",
    ["/servers/NO-SUCH/", "/servers/Register/", "/tools/NO-SUCH/", "/tools/NO-SUCH/x/", "/servers/NO.json"],
)
def test_a_server_that_there_is_not_is_not_found_however_it_is_typed(
    large: CatalogServer, client: Client, typed: str
) -> None:
    assert client.get(typed).status_code == 404


def test_a_page_too_far_says_how_many_there_are(large: CatalogServer, client: Client) -> None:
    said = client.get(f"{LARGE}?page=4").content.decode()
    assert "There is no page 4" in said and "This list has 3 pages now." in said
    assert f'href="{LARGE}">First page</a>' in said and 'href="?page=3">Last page</a>' in said
