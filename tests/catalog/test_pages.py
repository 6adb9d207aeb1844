"""The public pages: the same for everybody, true to their own badges, safe with any text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import Membership
from catalog.attacks import ATTACKS
from catalog.facts import Provenance, ServerFact, ToolFact
from catalog.ingest import Report, ingest, take_out
from catalog.models import CatalogServer, CatalogTool
from catalog.picks import picks
from catalog.public import release
from catalog.summary import count_anew, current
from catalog.views.machines import _fixed
from tests.cast import Cast
from tests.catalog.index import BIDI, HOSTILE, fill, index, server_named, tool_named
from tests.roles import as_worker

__all__ = ["index"]
IAM = "/servers/awslabs-iam-mcp-server/"
KEY = "/tools/awslabs-iam-mcp-server/create_access_key/"


def every_page() -> Iterator[str]:
    yield from _fixed()
    yield from ("/catalogue/?q=create", "/catalogue/?class=Write&severity=3&transport=stdio&vendor=AWS")
    yield from ("/catalog.json", "/llms.txt", "/robots.txt", "/sitemap.xml", "/sitemaps/tools-0.xml")
    yield from (IAM, IAM[:-1] + ".json", KEY, KEY[:-1] + ".json", "/servers/hostile-server/")
    yield "/catalogue/compare/?a=awslabs-iam-mcp-server&b=mcp-server-time"
    yield from (tool.get_absolute_url() for tool in CatalogTool.objects.select_related("server").all())


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def test_a_page_is_the_same_bytes_for_everybody_and_sets_nothing(
    index: Report, cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    for path in every_page():
        nobody, alice = Client().get(path), signed_in(cast.alice).get(path)
        assert nobody.status_code == 200, path
        assert nobody.content == alice.content, path
        for answer in (nobody, alice):
            assert not answer.cookies
            assert "Cookie" not in answer.headers.get("Vary", "")
            assert answer.headers["Cache-Control"].startswith("public")


PARAMS = (("action", "string", True), ("id", "string", False))


def other_server() -> ServerFact:
    return ServerFact(
        slug="mill",
        title="Mill",
        vendor="Mill",
        repository="mill/mill",
        subfolder="",
        package="npm:mill",
        transports=("stdio",),
        checked="2026-11-01",
    )


def test_the_home_page_shows_tools_of_different_servers(index: Report) -> None:
    """The small index has one server that is sure to destroy: here comes another."""
    mill = other_server()
    removes = [
        ToolFact(name, "Deletes a wheel of the mill.", (), {}, Provenance.SERVED, "")
        for name in ("batch_delete_mlw2_wheels", "delete_wheel")
    ]
    with as_worker():
        ingest([(mill, removes)], Report())
    shown = CatalogTool.objects.filter(pk__in=picks()["home"], tool_class="Destructive")
    assert "delete_wheel" in {tool.name for tool in shown}, "of its tools the one with the plainest name"
    assert {tool.server.slug for tool in shown.select_related("server")} == {"mill", "awslabs-iam-mcp-server"}


def test_an_unchanged_page_is_not_sent_twice_and_a_changed_index_is(index: Report, client: Client) -> None:
    etag = client.get(KEY).headers["ETag"]
    again = client.get(KEY, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    fill()
    assert client.get(KEY, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    "file",
    [
        *("templates/catalog/llms.txt", "static/dist/app.css", "catalog/views/tools.py"),
        *("common/templatetags/ui.py", "policies/language/lint.py", "config/middleware.py"),
    ],
)
def test_no_page_is_unchanged_for_a_release_that_makes_pages_by_other_code(
    tmp_path: Path, settings: Any, file: str
) -> None:
    settings.ROOT = tmp_path
    (part := tmp_path / file).parent.mkdir(parents=True)
    part.write_text("one release")
    before = release.__wrapped__()
    part.write_text("another")
    assert release.__wrapped__() != before


@pytest.mark.parametrize("path", ["/tools/nobody/nothing/", "/servers/nobody/", "/attacks/nothing/"])
def test_what_is_not_in_the_index_is_not_found(index: Report, client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_who_comes_for_a_tool_that_is_none_is_led_to_those_there_are(index: Report, client: Client) -> None:
    gone = f"{IAM.replace('/servers/', '/tools/')}create_acces_key/"
    answer = client.get(gone)
    assert answer.status_code == 404 and "ETag" not in answer.headers
    shown = answer.content.decode()
    assert f'href="{IAM}"' in shown and 'href="/catalogue/?q=create_acces_key"' in shown
    assert '<meta name="robots" content="noindex">' in shown and "application/json" not in shown


def test_a_tool_asked_for_by_a_name_like_its_own_is_found(index: Report, client: Client) -> None:
    for like in ("CreateAccessKey", "create-access-key", "CREATE_ACCESS_KEY"):
        answer = client.get(f"{IAM.replace('/servers/', '/tools/')}{like}/")
        assert (answer.status_code, answer.headers["Location"]) == (301, KEY)
    misspelt = client.get(f"{IAM.replace('/servers/', '/tools/')}create_acces_key/").content.decode()
    assert f'Did you mean <a class="link mono" href="{KEY}">' in misspelt


def test_the_address_of_a_tool_cut_short_leads_to_its_server(index: Report, client: Client) -> None:
    answer = client.get(IAM.replace("/servers/", "/tools/"))
    assert (answer.status_code, answer.headers["Location"]) == (301, IAM)
    assert client.get("/tools/nobody/").status_code == 404


def test_a_search_engine_shows_the_page_and_not_its_facts_for_programs(index: Report, client: Client) -> None:
    assert "X-Robots-Tag" not in client.get(KEY).headers
    for path in (f"{KEY[:-1]}.json", f"{IAM[:-1]}.json", "/catalogue.json", "/attacks.json", "/catalog.json"):
        assert client.get(path).headers["X-Robots-Tag"] == "noindex"


def test_what_machines_are_told_needs_no_key_needs_none(index: Report, client: Client) -> None:
    told = re.findall(r"https?://[^/]+(/api/v1/catalog/\S*)", text_of(client, "/llms.txt"))
    assert len(told) == 2
    assert {client.get(path).status_code for path in told} == {200}


def test_both_that_are_compared_lead_on_to_their_tools_and_a_policy(index: Report, client: Client) -> None:
    shown = text_of(client, "/catalogue/compare/?a=awslabs-iam-mcp-server&b=mcp-server-time")
    for slug in ("awslabs-iam-mcp-server", "mcp-server-time"):
        assert f'<a class="btn" href="/servers/{slug}/">' in shown
        assert f'href="/accounts/signup/?next=/policies/arrive/%3Ffor%3D{slug}"' in shown


def test_a_search_that_finds_nothing_leads_to_registering_ones_own(index: Report, client: Client) -> None:
    assert 'href="/accounts/signup/?next=/servers/register/"' in text_of(client, "/catalogue/?q=zzzzzz")


@pytest.mark.parametrize("path", [KEY, IAM, "/catalogue/", "/attacks/", "/catalog.json", "/sitemap.xml"])
def test_a_public_page_only_reads(index: Report, path: str) -> None:
    client = Client()
    assert {getattr(client, method)(path).status_code for method in ("post", "put", "delete")} == {405}


def test_a_list_that_names_no_arguments_is_not_taken_to_say_that_there_are_none(
    index: Report, client: Client
) -> None:
    told, untold = (
        ToolFact(name, provenance=p)
        for name, p in (("run", Provenance.SERVED), ("play", Provenance.PUBLISHED))
    )
    with as_worker():
        ingest(
            [(other_server(), [told]), (replace(other_server(), slug="list", package="npm:list"), [untold])],
            Report(),
        )
    page = text_of(client, "/tools/mill/run/")
    assert "It takes no arguments" in page and "It takes none." in page
    page = text_of(client, "/tools/list/play/")
    assert "takes no arguments" not in page and "It takes none." not in page
    assert "does not say which arguments it takes" in page and "From a published list" in page


def test_the_preview_of_a_link_says_what_the_page_says(index: Report, client: Client, settings: Any) -> None:
    page = text_of(client, KEY)
    said = dict(re.findall(r'property="og:([a-z_]+)" content="([^"]*)"', page))
    assert said["title"] == "create_access_key, AWS IAM MCP Server · PolicyLayer"
    assert f"<title>{said['title']}</title>" in page
    assert said["description"].startswith("create_access_key of AWS IAM MCP Server: Write, High.")
    assert said["url"].endswith(KEY) and f'rel="canonical" href="{said["url"]}"' in page
    assert said["image"].startswith("http") and "/static/preview.png" in said["image"]
    assert (Path(settings.ROOT) / "static/preview.png").is_file()


def test_a_tool_page_holds_what_the_specification_lists(index: Report, client: Client) -> None:
    page = text_of(client, KEY)
    for words in (
        "raised from Medium",
        "What it does on this server",
        "Why it needs a policy",
        "Read from the tool’s definition",
        "Attacks that want exactly this",
        "How to control",
        "What it does, computed:",
        "Limit this tool",
        "Parameters",
        "Related tools and policies",
        "The other 28 tools of this server are denied.",
    ):
        assert words in page, words
    assert page.count("<details") == 6
    assert '<link rel="canonical" href="http' in page


def test_a_call_of_an_attack_has_the_outcome_the_log_would_name(index: Report, client: Client) -> None:
    ticket, autonomy = (
        text_of(client, f"/attacks/{key}/") for key in ("prompt-injection", "destructive-autonomy")
    )
    assert "It can still answer" in ticket and ">Limited<" not in ticket
    assert "</svg>Waiting</span>" in autonomy and "Needs approval" not in autonomy


def test_a_long_name_in_a_list_ends_its_line_behind_a_word(index: Report, client: Client) -> None:
    page = text_of(client, IAM)
    assert ">get_<wbr>managed_<wbr>policy_<wbr>document</bdi>" in page
    assert ">create_access_key</bdi>" in page


def test_a_tool_page_and_its_json_say_what_can_be_chosen(index: Report, client: Client) -> None:
    mill = [ToolFact("wheels", "", PARAMS, {}, Provenance.SERVED, "", (("action", ("get", "delete")),))]
    with as_worker():
        ingest([(other_server(), mill)], Report())
    page = text_of(client, "/tools/mill/wheels/")
    assert '<bdi class="mono">get</bdi>, <bdi class="mono">delete</bdi></span>' in page
    assert "“delete” can be chosen as “action”" in page
    assert "“action” decides what a call does. Some of its values remove" in page
    assert "Each call" not in page
    assert "Only what your agents are there for: use “is one of”" in page
    for path in ("/tools/mill/wheels.json", "/servers/mill.json", "/api/v1/catalog/tools/?q=wheels"):
        found = json.loads(text_of(client, path))
        tool = found if "tool" in found else (found.get("tools") or found["results"])[0]
        assert tool["class"] == "Destructive"
        assert [one["choices"] for one in tool["params"]] == [["get", "delete"], []]


def test_of_many_that_can_be_chosen_the_first_are_shown(index: Report, client: Client) -> None:
    page = text_of(client, tool_named(HOSTILE).get_absolute_url())
    assert "&lt;b&gt;9</bdi> and 10 more" in page and "&lt;b&gt;10" not in page


class _Blocks(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag == "script" and dict(attrs).get("type") == "application/ld+json"

    def handle_data(self, data: str) -> None:
        if self._within:
            self.blocks.append(data)
            self._within = False


def parsed(page: str) -> _Blocks:
    found = _Blocks()
    found.feed(page)
    return found


def test_nothing_of_a_stranger_comes_to_life_on_any_page(index: Report, client: Client) -> None:
    pages = [
        tool.get_absolute_url() for tool in server_named("hostile-server").tools.select_related("server")
    ]
    for path in [*pages, "/servers/hostile-server/", "/catalogue/?q=img", "/catalogue/risk/critical/"]:
        page = text_of(client, path)
        found = parsed(page)
        assert not [
            tag for tag, attributes in found.tags if any(name.startswith("on") for name in attributes)
        ]
        assert not [a for tag, a in found.tags if tag == "img" and a.get("src") == "x"]
        assert all(a.get("src") or a.get("type") for tag, a in found.tags if tag == "script")
        assert "\u202e" not in page
        for block in found.blocks:
            json.loads(block)
    assert len(found.blocks) >= 1


def test_a_name_that_cannot_stand_in_an_address_still_has_a_page(index: Report, client: Client) -> None:
    for name in (HOSTILE, BIDI, "a/b?c#d%2e", "../../accounts/login", "*"):
        path = tool_named(name).get_absolute_url()
        assert path.startswith("/tools/hostile-server/")
        assert client.get(path).status_code == 200, path


def test_a_page_never_says_another_severity_than_its_badge(index: Report, client: Client) -> None:
    for tool in CatalogTool.objects.select_related("server"):
        page = text_of(client, tool.get_absolute_url())
        badges = set(re.findall(r'class="sev" data-s="(\d)"', page.split("</h1>")[0]))
        assert badges == {str(tool.severity)}
        assert f"{tool.tool_class}, {tool.level.label}." in page


def test_every_attack_has_a_page_of_its_own_with_its_policy_decided(index: Report, client: Client) -> None:
    assert len(ATTACKS) >= 8
    for attack in ATTACKS:
        page = text_of(client, f"/attacks/{attack.key}/")
        for words in ("How it works", "An example", "What stops it here", "policy.json"):
            assert words in page


def test_the_examples_of_an_attack_are_tools_of_different_names(index: Report) -> None:
    """The small index has one server: here comes another with the same tools."""
    twins = [
        ToolFact(name, "Deletes it.", (), {}, Provenance.SERVED, "")
        for name in ("delete_user", "delete_group", "delete_wheel")
    ]
    with as_worker():
        ingest([(other_server(), twins)], Report())
    for key, shown in picks().items():
        names = [tool.name_key for tool in CatalogTool.objects.filter(pk__in=shown)]
        assert key == "home" or len(names) == len(set(names)), key


def test_what_is_told_to_machines_may_be_read_by_them(index: Report, client: Client) -> None:
    told = client.get("/llms.txt").content.decode()
    rules = client.get("/robots.txt").content.decode().splitlines()
    for path in ("/api/docs/", "/api/v1/catalog/"):
        assert path in told and f"Allow: {path}" in rules


def test_a_page_of_a_server_filters_its_tools(index: Report, client: Client) -> None:
    assert "9 of 29" in text_of(client, IAM + "?q=policy") or "of 29, worst first" in text_of(
        client, IAM + "?q=policy"
    )
    assert "No tool matches" in text_of(client, IAM + "?q=zzzz")
    assert "29, worst first" in text_of(client, IAM)


def test_a_withdrawn_server_keeps_its_pages_and_says_so_and_nobody_is_led_to_it(
    index: Report, client: Client
) -> None:
    server = server_named("awslabs-iam-mcp-server")
    with as_worker():
        server.status = CatalogServer.Status.DELETED
        server.search = None
        server.save()
        take_out(server)
        count_anew()
    for path in (IAM, KEY):
        page = text_of(client, path)
        assert "Deleted by its publisher." in page and '<meta name="robots" content="noindex">' in page
    listed = "".join(text_of(client, f"/sitemaps/{part}-0.xml") for part in ("servers", "tools"))
    assert "awslabs-iam-mcp-server" not in listed and "mcp-server-time" in listed
    assert "Nothing found" in text_of(client, "/catalogue/?q=create_access_key")
    assert current().figures["tools"] == 20


def test_each_block_for_search_engines_says_what_its_kind_has_to(index: Report, client: Client) -> None:
    needed = {
        "BreadcrumbList": "itemListElement",
        "TechArticle": "headline",
        "FAQPage": "mainEntity",
        "SoftwareApplication": "name",
        "WebSite": "url",
        "DefinedTermSet": "hasDefinedTerm",
    }
    seen: set[str] = set()
    paths = (
        "/",
        KEY,
        IAM,
        "/servers/hostile-server/",
        "/attacks/prompt-injection/",
        "/attacks/",
        "/glossary/",
    )
    for path in (*paths, "/catalogue/", "/contact/"):
        page = text_of(client, path)
        found = parsed(page)
        for block in map(json.loads, found.blocks):
            assert block["@context"] == "https://schema.org" and block[needed[block["@type"]]], (path, block)
            assert "" not in block.values(), (path, block)
            assert block["@type"] != "BreadcrumbList" or len(block["itemListElement"]) > 1, path
            assert block["@type"] != "DefinedTermSet" or block["name"], path
            seen.add(block["@type"])
        assert page.count("<title>") == page.count('rel="canonical"') == page.count('name="description"') == 1
        assert page.count("<h1") == 1, path
    assert seen == set(needed)


def test_the_sitemap_leads_to_every_page(index: Report, client: Client) -> None:
    parts = re.findall(r"<loc>([^<]+)</loc>", text_of(client, "/sitemap.xml"))
    places = {
        place
        for part in parts
        for place in re.findall(r"<loc>([^<]+)</loc>", text_of(client, "/" + part.split("/", 3)[3]))
    }
    assert len(places) == len(_fixed()) + 4 + CatalogTool.objects.count()
    for place in places:
        assert client.get("/" + place.split("/", 3)[3]).status_code == 200, place


def test_the_sitemap_names_no_part_that_is_not_there(
    index: Report, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.views.machines.PART", 5)
    with as_worker():
        gone = CatalogTool.objects.filter(server__slug="awslabs-iam-mcp-server")
        gone.update(removed_at="2026-11-02", search=None)
        count_anew()
    parts = re.findall(r"<loc>([^<]+)</loc>", text_of(client, "/sitemap.xml"))
    answers = [client.get("/" + part.split("/", 3)[3]).status_code for part in parts]
    assert len(parts) > 3 and set(answers) == {200}


def test_the_index_is_served_as_json_and_every_page_has_its_own(index: Report, client: Client) -> None:
    body = json.loads(text_of(client, "/catalog.json"))
    assert [one["server"] for one in body["servers"]] == sorted(one["server"] for one in body["servers"])
    assert body["next"] is None
    tool = json.loads(text_of(client, KEY[:-1] + ".json"))
    assert (tool["class"], tool["severity"]) == ("Write", "High")
    assert json.loads(tool["policy"])["default"] == "deny"


def test_every_page_of_the_catalogue_leads_to_itself_as_json(index: Report, client: Client) -> None:
    pages = {page for page in every_page() if page.split("?")[0].endswith("/")}
    pages -= {"/", "/contact/", "/catalogue/compare/"}
    for page in pages:
        found = re.findall(r'rel="alternate" type="application/json" href="([^"]+)"', text_of(client, page))
        assert len(found) == 1, page
        answer = client.get("/" + html.unescape(found[0]).split("/", 3)[3])
        assert answer.status_code == 200 and answer.json(), page
        assert answer.headers["Cache-Control"].startswith("public")
    assert "/attacks/prompt-injection/" in pages and "/catalogue/risk/low/" in pages


def test_the_json_of_a_page_says_what_the_page_says(index: Report, client: Client) -> None:
    risky = client.get("/catalogue/risk/critical.json").json()
    assert risky["count"] == len(risky["tools"]) and {t["severity"] for t in risky["tools"]} == {"Critical"}
    searched = client.get("/catalogue.json?q=create_access_key&class=Write").json()
    assert searched["found"] == 1 and searched["tools"][0]["tool"] == "create_access_key"
    attack = client.get("/attacks/destructive-autonomy.json").json()
    assert {call["outcome"] for call in attack["calls"]} & {"deny", "approval"} and attack["policy"]
    pair = client.get("/catalogue/compare.json?a=awslabs-iam-mcp-server&b=mcp-server-time").json()
    assert [one["tools"] for one in pair["servers"]] == [29, 2] and pair["servers"][0]["policy_does"]
    tool, page = client.get(f"{KEY[:-1]}.json").json(), text_of(client, KEY)
    assert tool["policy_does"][-1] == "The other 28 tools of this server are denied."
    assert all(sentence in page for sentence in tool["policy_does"])
    assert [url.split("/", 3)[3] for url in tool["attacks"]] == re.findall(
        r'href="/(attacks/[a-z-]+/)" c', page
    )


@pytest.mark.parametrize(
    "path",
    [
        *("/catalogue/risk/none.json", "/attacks/none.json", "/catalogue/compare.json"),
        *("/catalogue/compare.json?a=mcp-server-time&b=nobody", "/catalogue/compare.json?a=%00&b=%00"),
    ],
)
def test_json_of_what_is_none_is_not_found(index: Report, client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_tool_of_a_withdrawn_server_is_not_shown_as_the_same_elsewhere(
    index: Report, client: Client
) -> None:
    tool = tool_named("get_current_time")
    twin = CatalogTool.objects.exclude(server=tool.server).order_by("pk").select_related("server")[0]
    with as_worker():
        CatalogTool.objects.filter(pk=twin.pk).update(name_key=tool.name_key)
        count_anew()
    assert f'href="{twin.get_absolute_url()}"' in text_of(client, tool.get_absolute_url())
    with as_worker():
        CatalogTool.objects.filter(pk=twin.pk).update(search=None)
        count_anew()
    assert f'href="{twin.get_absolute_url()}"' not in text_of(client, tool.get_absolute_url())


@pytest.mark.parametrize("path", ["/catalogue/", "/catalogue.json"])
def test_a_page_of_the_index_that_is_none_is_not_found(index: Report, client: Client, path: str) -> None:
    assert client.get(path, {"page": "99"}).status_code == 404
    assert client.get(path, {"q": "create", "page": "2"}).status_code == 404
    assert client.get(path, {"q": "zzzzzz"}).status_code == 200
    assert client.get(path, {"page": "nonsense"}).status_code == 200
