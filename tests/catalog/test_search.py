"""One box over servers and tools: what is asked is found, worst first, and never by reading everything."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog import search, summary
from catalog.candidates import _by_index
from catalog.facts import ServerFact, ToolFact
from catalog.ingest import Report, ingest
from catalog.lexemes import asked_words
from catalog.models import CatalogServer, CatalogTerm, CatalogTool
from catalog.nearmiss import near_miss
from catalog.order import Order
from catalog.search import Found, find, find_servers, read_question
from catalog.seeding import reindex
from catalog.summary import count_anew, current
from catalog.views._wanted import read_wanted
from tests.roles import as_worker

pytestmark = pytest.mark.django_db

VERBS = ("delete", "run", "create", "get")


def fill(servers: int = 12, names: Iterable[str] = ("user", "issue", "repository")) -> None:
    listed = []
    for number in range(servers):
        tools = [ToolFact(f"{verb}_{noun}") for verb in VERBS for noun in (*names, f"thing{number}")]
        fact = ServerFact(
            slug=f"s{number}",
            title=f"Number {number} MCP",
            vendor=("Acme", "Globex")[number % 2],
            package=f"npm:s{number}",
            transports=("stdio",) if number % 3 else ("sse",),
        )
        listed.append((fact, tools))
    with as_worker():
        ingest(listed, Report())
        count_anew()


def ask(question: str) -> Found:
    return find(read_question(QueryDict(question)), current().figures)


def names(found: Found) -> list[str]:
    return [tool.name for tool in found.tools]


def test_the_worst_stand_first_and_the_exact_name_before_them() -> None:
    fill()
    found = ask("q=get+user")
    assert set(names(found)) == {"get_user"} and found.total == 12
    found = ask("q=user")
    order = [tool.severity for tool in found.tools]
    assert order == sorted(order, reverse=True) and found.total == 48
    with as_worker():
        ingest(
            [
                (
                    ServerFact("exact", "Exact", package="npm:e"),
                    [ToolFact("user"), ToolFact("search_user_get")],
                )
            ],
            Report(),
        )
    assert names(ask("q=user"))[0] == "user"


def test_a_name_is_found_however_it_is_written() -> None:
    fill()
    for typed in (
        "create_issue",
        "create-issue",
        "createIssue",
        "CreateIssue",
        "create issue",
        "createissue",
        "creat iss",
    ):
        assert set(names(ask(f"q={typed}"))) == {"create_issue"}, typed


def test_facets_narrow_what_is_found_and_count_it() -> None:
    fill()
    found = ask("q=user&class=Write&class=Read&transport=sse&vendor=Acme")
    assert {tool.server.slug for tool in found.tools} == {"s0", "s6"}
    assert sorted(set(names(found))) == ["create_user", "get_user"]
    counts = {
        facet: {o.value: o.count for o in options if o.count} for facet, options in found.facets.items()
    }
    assert counts["class"] == {"Write": 2, "Read": 2}
    assert counts["transport"] == {"sse": 4} and counts["vendor"] == {"acme": 4}
    assert ask("severity=4&transport=sse").total == 16
    assert ask("severity=9&class=Nothing").total == 12 * 16


@pytest.mark.parametrize(
    "typed",
    ["q=user", "q=u", "q=get", "q=ge", "q=get+user", "q=zzz", "q=thing1", "q=1", "q=thing1+get", "q=gett"]
    + [f"q=user&{facet}" for facet in ("class=Write", "severity=4&severity=1", "vendor=acme&transport=sse")]
    + ["vendor=acme", "transport=sse&class=Read", "class=Financial", "q=create+issue&class=Write"],
)
def test_what_is_read_off_the_order_is_what_full_text_search_finds(
    typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    plain = ask(typed)
    monkeypatch.setattr(summary, "COMMON", {"tool": 1, "server": 1})
    with as_worker():
        count_anew()
    assert current().revision == 2 and summary.common_words("tool")["user"] == 48
    ranked = ask(typed)
    assert (ranked.total, names(ranked)) == (plain.total, names(plain))
    assert [tool.pk for tool in ranked.tools] == [tool.pk for tool in plain.tools]
    assert ranked.facets == plain.facets
    assert [s.slug for s in ranked.servers] == [s.slug for s in plain.servers]


@pytest.mark.parametrize("common", [1, 500])
def test_of_more_than_are_shown_the_worst_are(common: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "COMMON", {"tool": common, "server": common})
    monkeypatch.setattr(search, "MOST_FOUND", 15)
    fill()
    found = ask("q=user")
    assert [tool.severity for tool in found.tools] == [4] * 12 + [3] * 3
    assert found.is_capped and found.pages == 1
    assert (found.total, found.is_counted) == ((48, True) if common == 1 else (15, False))


def test_the_facets_of_a_common_word_are_counted_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "COMMON", {"tool": 1, "server": 1})
    monkeypatch.setattr(search, "MOST_FOUND", 15)
    fill()
    counts = {o.value: o.count for o in ask("q=user").facets["class"]}
    assert counts == {"Financial": 0, "Destructive": 12, "Execute": 12, "Write": 12, "Read": 12}


@pytest.mark.parametrize("common", [1, 500])
def test_a_facet_that_is_not_counted_over_everything_says_so(
    common: int, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    monkeypatch.setattr(summary, "COMMON", {"tool": common, "server": common})
    monkeypatch.setattr(search, "MOST_FOUND", 15)
    fill()
    found = ask("q=user")
    least = {facet for facet, options in found.facets.items() if any(o.is_least for o in options)}
    assert least == ({"vendor"} if common == 1 else set(search.FACETS))
    assert 'num">8+</span>' in client.get("/catalogue/?q=user").content.decode()
    assert not any(o.is_least for options in ask("q=thing1").facets.values() for o in options)


@pytest.mark.parametrize("common", [1, 500])
@pytest.mark.parametrize("question", ["", "q=user"])
def test_a_vendor_is_counted_once_however_its_servers_spell_it(
    question: str, common: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "COMMON", {"tool": common, "server": common})
    spelt = [
        (f"s{number}", name) for number, name in enumerate(("Acme Inc", "acme-inc", "ACME, Inc.", "Zed"))
    ]
    with as_worker():
        ingest(
            [(ServerFact(s, s, vendor=v), [ToolFact("get_user"), ToolFact(s)]) for s, v in spelt], Report()
        )
        count_anew()
    vendors = [(o.value, o.count) for o in ask(question).facets["vendor"]]
    each = 1 if question else 2
    assert vendors == [("acme-inc", 3 * each), ("zed", each)]
    for slug, count in vendors:
        assert ask(f"{question}&vendor={slug}").total == count


def test_an_order_nobody_reads_any_more_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "COMMON", {"tool": 1, "server": 1})
    fill(2)
    first = current().order
    with as_worker():
        for _ in range(3):
            count_anew()
    kept = set(CatalogTerm.objects.values_list("order", flat=True))
    assert len(kept) == 2 and current().order in kept and first not in kept
    assert Order("tool", first).all_of([["get"]]) is None
    assert ask("q=user").total == 8


def test_a_tool_that_was_taken_out_since_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "COMMON", {"tool": 1, "server": 1})
    fill(2)
    with as_worker():
        CatalogTool.objects.filter(server__slug="s0").update(search=None, removed_at="2026-11-02")
    assert {tool.server.slug for tool in ask("q=user").tools} == {"s1"}


def test_nothing_is_read_through_and_the_planner_is_itself_again_afterwards() -> None:
    fill()
    question = "SELECT id FROM catalog_catalogtool WHERE search @@ '''user'':*'::tsquery LIMIT 10"
    plan = " ".join(row[0] for row in _by_index(f"EXPLAIN {question}", []))
    assert "Seq Scan" not in plan, plan
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_seqscan")
        assert cursor.fetchone() == ("on",)


@pytest.mark.parametrize("common", [1, 500])
def test_a_question_costs_few_statements(common: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "COMMON", {"tool": common, "server": common})
    fill()
    for most in (9, 7):  # the second time common terms are known
        with CaptureQueriesContext(connection) as asked:
            ask("q=user&class=Write&severity=2&transport=stdio")
        assert len(asked) <= most, [one["sql"][:80] for one in asked]


@pytest.mark.parametrize(
    "typed",
    [
        *("'", "\\", "''' | 'a", "a:*", "!a & b", "(", "<->", "a\0b", "%", "_", "~", "=", "class=read", "🗑"),
        *("'; DROP TABLE x; --", "x" * 5000, " ".join("abcdefghijkl")),
    ],
)
def test_no_text_is_an_operator(typed: str, client: Client) -> None:
    fill(2)
    assert client.get("/catalogue/", {"q": typed, "vendor": typed, "page": typed}).status_code == 200
    assert client.get("/api/v1/catalog/search/", {"q": typed, "vendor": typed}).status_code in (200, 400)


def test_servers_are_found_by_their_words_the_largest_first() -> None:
    fill()
    with as_worker():
        ingest(
            [(ServerFact("big", "Big MCP", package="npm:big"), [ToolFact(f"get_{n}") for n in range(200)])],
            Report(),
        )
        ingest([(ServerFact("none", "Empty MCP", package="npm:none"), [])], Report())
    assert [server.slug for server in find_servers("mcp", 3)] == ["big", "s0", "s1"]
    assert [server.slug for server in find_servers("empty mcp")] == ["none"]
    assert find_servers("") == []


def test_where_nothing_is_found_a_part_that_finds_something_is_named() -> None:
    fill()
    assert near_miss(["repository", "nonsense"]) == "repository"
    assert near_miss(["nonsense", "delete", "repository"]) == "delete repository"
    assert near_miss(["qqqqqq"]) == near_miss([]) == ""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("usery", "user"),
        ("delete repositories", "delete repository"),
        ("create isue", "create issue"),
        ("delete users", "delete user"),
        ("or 1", ""),
        ("globx", "globex"),
    ],
)
def test_a_misspelt_word_is_named_as_tools_and_servers_spell_it_however_rare(typed: str, meant: str) -> None:
    fill()
    assert near_miss(typed.split()) == meant


def test_a_plural_is_no_word_with_an_s_too_many() -> None:
    with as_worker():
        tools = [ToolFact(name) for name in ("get_address_key", "list_keys")]
        ingest([(ServerFact("keys", "Keys", package="npm:keys"), tools)], Report())
    assert near_miss(["address", "keys"]) in ("address key", "address")


def test_where_more_words_are_unknown_than_anyone_misspells_nothing_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill()
    monkeypatch.setattr("catalog.nearmiss.words_that_begin", lambda _: pytest.fail("looked for words"))
    assert near_miss(["repositroy", "isue", "usre"]) == ""


def test_where_only_servers_are_found_it_is_not_said_that_nothing_is(client: Client) -> None:
    fill()
    with as_worker():
        ingest([(ServerFact("none", "Empty MCP", package="npm:none"), [])], Report())
    page = client.get("/catalogue/", {"q": "empty mcp"}).content.decode()
    assert "Servers found</h1>" in page and 'href="/servers/none/"' in page
    assert "Nothing found" not in page and "0 tools found" not in page


@pytest.mark.parametrize(
    "typed",
    [
        "https://github.com/acme/issue-mcp",
        "github.com/acme/issue-mcp.git",
        "https://www.npmjs.com/package/@acme/issue-mcp",
        "https://gitlab.com/acme/tree/main/src/issue-mcp",
    ],
)
def test_the_address_of_a_repository_asks_for_what_it_holds(typed: str) -> None:
    assert asked_words(typed) == ["acme", "issue", "mcp"]


def test_a_misspelt_word_is_named_as_common_ones_are_spelt(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "COMMON", {"tool": 1, "server": 1})
    fill()
    for typed, meant in (("repositroy", "repository"), ("delete isue", "delete issue"), ("qqqqqq", "")):
        assert near_miss(typed.split()) == meant
    page = client.get("/catalogue/", {"q": "creaet"}).content.decode()
    assert '<a class="link" href="?q=create">create</a>' in page
    assert 'name="severity"' not in page and 'name="severity"' in client.get("/catalogue/").content.decode()


def test_rows_are_found_anew_when_what_they_are_found_by_changes() -> None:
    fill(2)
    with as_worker():
        CatalogTool.objects.update(search="'nothing'")
        CatalogServer.objects.update(search=None)
    assert ask("q=user").total == 0
    report = Report()
    with as_worker():
        reindex(report)
    assert ask("q=user").total == 8 and len(find_servers("number")) == 2
    assert report.counts["tools indexed anew"] == 32


def test_short_words_that_begin_very_many_common_ones_find_what_they_begin(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "COMMON", {"tool": 2, "server": 2})
    words = [f"co{first}{second}" for first in "abcdefghij" for second in "klmnopq"]
    tools = [ToolFact(f"{word}_re{n}") for word in words for n in "xyz"]
    with as_worker():
        ingest([(ServerFact("s", "S", package="npm:s"), tools)], Report())
        count_anew()
    for typed, total in (("coak", 3), ("coa", 21), ("re", 210)):
        assert (ask(f"q={typed}").total, ask(f"q={typed}").is_counted) == (total, True)
    for typed in ("co", "co re"):
        found = ask(f"q={typed}")
        assert 50 < found.total < 210 and not found.is_counted and len(found.tools) == 50


@pytest.mark.parametrize("page", ["5", "9999", "99999", "1" * 5000])
@pytest.mark.parametrize("asked", ["", "q=user", "class=Read", "q=nothing-of-the-kind"])
def test_a_page_that_there_is_not_is_not_found(page: str, asked: str) -> None:
    fill()
    for address in ("/catalogue/", "/catalogue.json"):
        assert Client().get(f"{address}?{asked}&page={page}").status_code == 404


def test_a_page_too_far_says_how_many_there_are_and_leads_to_them() -> None:
    fill()
    assert Client().get("/catalogue/?class=Write&class=Read&page=1").status_code == 200
    said = Client().get("/catalogue/?page=9999").content.decode()
    assert said.count("There is no page 9,999") >= 2
    assert "There is no page 9999" not in said and "This list has 4 pages now." in said
    assert 'href="/catalogue/">First page</a>' in said and 'href="?page=4">Last page</a>' in said
    said = Client().get("/catalogue/?q=user&page=7").content.decode()
    assert "This list has 1 page now." in said and 'href="/catalogue/?q=user">Show the list</a>' in said
    assert '<meta name="robots" content="noindex">' in said


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("1000001", "There is no page 1,000,001"),
        ("0000007", "There is no page 7"),
        ("999999999", "There is no page 999,999,999"),
        ("1000000000", "There is no page with so high a number"),
        ("1" * 5000, "There is no page with so high a number"),
    ],
)
@pytest.mark.parametrize("address", ["/catalogue/", "/servers/s0/"])
def test_a_page_that_there_is_not_is_named_as_it_was_asked_for(page: str, words: str, address: str) -> None:
    fill()
    answer = Client().get(f"{address}?page={page}")
    said = answer.content.decode()
    assert answer.status_code == 404
    assert f"<title>{words} · PolicyLayer</title>" in said and f">{words}</h1>" in said
    assert "First page" in said or "Show the list" in said


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        *(("0000002", 2), ("2", 2), ("1", 1), ("0001", 1), ("10", 10)),
        *(("", 1), ("0", 1), ("000", 1), ("-1", 1), ("two", 1), ("1.0", 1), ("+2", 1), (" 2", 1), ("٢", 1)),
    ],
)
def test_a_page_is_read_alike_in_every_list(typed: str, number: int) -> None:
    given = QueryDict(mutable=True)
    given["page"] = typed
    assert read_question(given).page == read_wanted(given).page == number
