"""Facts into the index: again changes nothing, hostile lists lose nothing but what is bad in them."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.db import OperationalError, connection, transaction

from catalog import ingest as ingesting
from catalog.crawling.crawl import read_tools
from catalog.facts import MOST_TOOLS, Provenance, ServerFact, ToolFact, params_of_schema
from catalog.importing import digest_of, listed_in
from catalog.ingest import Report, ingest
from catalog.lines import MOST_PARAMS
from catalog.listing import LONGEST_LINE, lines_of
from catalog.models import CatalogServer, CatalogSummary, CatalogTool, SourceCheck
from catalog.registry import take_in as take_in_entries
from catalog.rules import digest
from catalog.seeding import reclassify, reindex, seed
from catalog.summary import count_anew, current
from catalog.turns import _TURN
from common.alone import IMPORTING
from tests.catalog.index import BIDI, HOSTILE, fill
from tests.roles import another_session, as_worker, elsewhere

pytestmark = pytest.mark.django_db


def line(**said: Any) -> bytes:
    usual = {"server": "acme-tools", "tool": "list_users", "repo": "Acme/Tools", "extraction": "data"}
    return json.dumps(usual | said).encode() + b"\n"


def take_in(lines: Iterable[bytes]) -> Report:
    report = Report()
    with as_worker():
        ingest(listed_in(lines, report), report)
    return report


def facts(package: str = "npm:acme", *names: str, provenance: Provenance = Provenance.SERVED) -> Report:
    server = ServerFact("acme", "Acme", repository="acme/tools", package=package, transports=("stdio",))
    report = Report()
    with as_worker():
        ingest([(server, [ToolFact(name, provenance=provenance) for name in names])], report)
    return report


def test_taking_in_the_same_again_changes_nothing() -> None:
    first, again = fill(), fill()
    assert first.counts["tools added"] == CatalogTool.objects.count() == 49
    assert again.counts["tools unchanged"] == 49
    assert not again.counts["tools changed"] and not again.counts["tools added"]


def test_only_what_changed_changes() -> None:
    facts("npm:acme", "list_users", "delete_user")
    report = facts("npm:acme", "list_users", "create_user")
    assert report.counts["tools added"] == 1
    assert report.counts["tools removed"] == 1
    assert report.counts["tools unchanged"] == 1
    server = CatalogServer.objects.get()
    assert (server.tool_count, server.worst) == (2, 3)
    assert CatalogTool.objects.get(name="delete_user").removed_at is not None


def test_servers_of_one_repository_are_not_credited_with_each_others_tools() -> None:
    facts("npm:one", "list_users")
    facts("npm:two", "delete_user")
    tools = {
        server.package: [tool.name for tool in server.tools.all()] for server in CatalogServer.objects.all()
    }
    assert tools == {"npm:one": ["list_users"], "npm:two": ["delete_user"]}


def test_servers_of_one_repository_whose_names_make_one_slug_are_two() -> None:
    lines = [line(server="GitHub", tool="read"), line(server="github", tool="read")]
    for _ in range(2):
        assert take_in(lines).counts["refused"] == 0
        tools = CatalogTool.objects.filter(removed_at=None).order_by("server__slug")
        assert list(tools.values_list("server__slug", "name")) == [("github", "read"), ("github-2", "read")]


def test_only_one_name_of_a_list_can_mean_a_server_known_by_its_package() -> None:
    facts("npm:acme", "list_users", provenance=Provenance.PARSED)
    take_in([line(server="Acme", tool="read"), line(server="acme", tool="write")])
    tools = CatalogTool.objects.filter(removed_at=None).order_by("server__slug")
    assert list(tools.values_list("server__slug", "name")) == [("acme", "read"), ("acme-2", "write")]


def test_a_list_of_somebody_elses_never_replaces_what_the_server_itself_said() -> None:
    facts("npm:acme", "list_users")
    report = facts("npm:acme", "something_else", provenance=Provenance.PARSED)
    assert report.counts["kept, known better"] == 1
    assert [tool.name for tool in CatalogTool.objects.filter(removed_at=None)] == ["list_users"]


def test_a_list_of_somebody_elses_renames_no_server_that_spoke_for_itself() -> None:
    facts("npm:acme", "list_users")
    repository = {"server": "acme", "server_title": "All of Acme", "vendor": "acme-inc", "repo": "acme/tools"}
    take_in([line(**repository, tool="list_users", extraction="source-code", transport="sse")])
    server = CatalogServer.objects.get()
    assert (server.title, server.vendor, server.transports) == ("Acme", "acme-inc", ["stdio"])


def test_a_title_that_a_list_gives_to_several_servers_of_a_repository_names_no_other_than_its_own() -> None:
    shared = {"server_title": "Servers of Acme", "repo": "acme/servers"}
    lines = [
        line(**shared, server="acme-mail"),
        line(**shared, server="acme-files"),
        line(**shared, server="servers-of-acme"),
        line(server="acme-own", server_title="Acme’s own", repo="acme/servers"),
        line(server="elsewhere", server_title="Servers of Acme", repo="other/servers"),
    ]
    for _ in range(2):
        take_in(lines)
        assert dict(CatalogServer.objects.values_list("slug", "title")) == {
            "acme-mail": "acme-mail",
            "acme-files": "acme-files",
            "servers-of-acme": "Servers of Acme",
            "acme-own": "Acme’s own",
            "elsewhere": "Servers of Acme",
        }


def test_a_bad_line_is_refused_by_itself_with_its_place_and_why() -> None:
    report = take_in(
        [
            line(),
            b"{not json}\n",
            b"[1]\n",
            b"[" * 100_000 + b"\n",
            line(server=None),
            line(tool=""),
            line(tool=7),
            line(tool="x" * 500),
            line(tool="nul\u0000"),
            line(),
            b"\n",
            line(tool="create_user", params="no list", annotations=[1], title={"a": 1}),
        ]
    )
    assert [tool.name for tool in CatalogTool.objects.order_by("name")] == ["create_user", "list_users"]
    assert report.counts["refused"] == 9
    assert ("line 2", "not well-formed JSON") in report.refused
    assert ("line 10", "a tool listed twice") in report.refused
    assert "nul" not in str(report.refused)


def test_what_can_be_chosen_is_kept_heard_and_heard_again() -> None:
    params, choices = [["action", "string", True]], {"action": ["get", "delete"], "colour": ["red"]}
    lines = [line(tool="issues", params=params, choices=choices), line(tool="labels", params=params)]
    take_in(lines)
    issues, labels = CatalogTool.objects.order_by("name")
    assert (issues.tool_class, issues.evidence[0][0]) == ("Destructive", "params.choice")
    assert issues.choices == [["action", ["get", "delete"]], ["colour", ["red"]]]
    assert (labels.tool_class, labels.choices) == ("Write", [])
    assert take_in(lines).counts["tools unchanged"] == 2
    with as_worker():
        reclassify(report := Report())
    assert report.counts["tools classed anew"] == 0
    again = take_in([line(tool="issues", params=params, choices={"action": ["get"]}), lines[1]])
    assert (again.counts["tools changed"], again.counts["tools unchanged"]) == (1, 1)
    assert CatalogTool.objects.get(name="issues").tool_class == "Read"


@pytest.mark.parametrize(
    "choices", ["x", 7, ["action"], {"action": "delete"}, {"action": [{"a": 1}, None, 7]}, {"": ["delete"]}]
)
def test_choices_that_are_none_cost_a_line_nothing(choices: object) -> None:
    report = take_in([line(tool="issues", choices=choices)])
    assert (report.counts["refused"], CatalogTool.objects.get().choices) == (0, [])


def test_choices_a_database_cannot_hold_are_kept_as_text() -> None:
    take_in(
        [line(tool="issues", choices={"act\u0000ion": ["de\u0000lete", "\ud800get", HOSTILE, "x" * 500]})]
    )
    assert CatalogTool.objects.get().choices == [["act ion", ["de lete", "get", HOSTILE]]]


def test_a_name_that_grows_in_lower_case_costs_nobody_else_their_line() -> None:
    assert take_in([line(repo="\u0130" * 200), line(server="other")]).counts["tools added"] == 2


def test_hostile_text_is_kept_as_text_and_found_again() -> None:
    take_in(
        [
            line(tool=HOSTILE, server_title=HOSTILE, vendor="'; DROP TABLE x; --"),
            line(tool=BIDI),
            line(tool="*"),
        ]
    )
    assert {tool.name for tool in CatalogTool.objects.all()} == {HOSTILE, BIDI, "*"}
    assert len({tool.slug for tool in CatalogTool.objects.all()}) == 3


def test_a_list_is_read_packed_or_not_and_an_endless_line_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "list.jsonl.gz"
    packed.write_bytes(gzip.compress(line() + b"x" * (2 * LONGEST_LINE) + b"\n" + line(tool="create_user")))
    report = take_in(lines_of(packed))
    assert CatalogTool.objects.count() == 2
    assert report.counts["refused"] == 1


def test_lines_of_one_server_may_stand_apart() -> None:
    take_in([line(), line(server="other", tool="get_time"), line(tool="create_user")])
    tools = {server.slug: server.tool_count for server in CatalogServer.objects.all()}
    assert tools == {"acme-tools": 2, "other": 1}


def test_a_server_of_more_tools_than_anybody_has_keeps_as_many_as_are_taken() -> None:
    server, tools = next(listed_in((line(tool=f"t{n}") for n in range(MOST_TOOLS + 3)), report := Report()))
    assert (server.slug, len(tools)) == ("acme-tools", MOST_TOOLS)
    assert report.counts["refused"] == 3


def test_a_list_is_read_holding_one_server_of_it_at_a_time() -> None:
    """The same list, ten times as long, takes no more memory."""
    most = []
    for servers in (50, 500):
        lines = (line(server=f"s{n % servers}", tool=f"t{n}", title="x" * 160) for n in range(servers * 40))
        tracemalloc.start()
        assert sum(len(tools) for _, tools in listed_in(lines, Report())) == servers * 40
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert most[1] < most[0] * 2, most


def test_an_import_that_was_interrupted_goes_on_after_the_last_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "list.jsonl"
    file.write_bytes(b"".join(line(server=f"server-{n}", tool=f"get_{n}") for n in range(9)))
    monkeypatch.setattr("catalog.ingest.BATCH", 2)
    batches = []

    def interrupted(taken: list[Any], *rest: Any) -> None:
        batches.append([fact.slug for fact, _ in taken])
        if len(batches) == 3:
            raise KeyboardInterrupt
        in_truth(taken, *rest)

    in_truth = ingesting._ingest_batch
    monkeypatch.setattr(ingesting, "_ingest_batch", interrupted)
    with as_worker(), pytest.raises(KeyboardInterrupt):
        call_command("catalog", "import", file, stdout=StringIO(), stderr=StringIO())
    assert CatalogServer.objects.count() == 4
    with as_worker():
        call_command("catalog", "import", file, stdout=StringIO(), stderr=StringIO())
    assert [len(batch) for batch in batches] == [2, 2, 2, 2, 2, 1]
    assert batches[2] == batches[3] == ["server-4", "server-5"]
    assert CatalogServer.objects.count() == 9
    with as_worker():
        call_command("catalog", "import", file, stdout=StringIO(), stderr=StringIO())
    assert batches[6] == ["server-0", "server-1"], "one that ended begins anew"


def test_a_tool_of_a_withdrawn_server_is_not_found_whoever_lists_it() -> None:
    facts("npm:acme", "list_users")
    with as_worker():
        CatalogServer.objects.update(status=CatalogServer.Status.DELETED)
    facts("npm:acme", "list_users", "get_time")
    with as_worker():
        CatalogTool.objects.update(evidence=[])
        reclassify(Report())
    assert list(CatalogTool.objects.values_list("search", flat=True)) == [None, None]


def test_a_schema_that_leads_to_itself_or_never_ends_gives_what_can_be_read() -> None:
    loop = {
        "$defs": {"a": {"$ref": "#/$defs/a"}},
        "properties": {"x": {"$ref": "#/$defs/a"}},
        "required": ["x", 1],
    }
    assert list(params_of_schema(loop)) == [("x", "any", True)]
    huge = {
        "properties": {
            f"p{number}": {"type": "string", "description": "x" * 1000} for number in range(10_000)
        }
    }
    assert len(list(params_of_schema(huge))) == MOST_PARAMS
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(50_000):
        deep = {"type": "object", "properties": {"x": deep}}
    assert list(params_of_schema(deep)) == [("x", "object", False)]
    oddities: list[Any] = [None, [], "x", {"properties": []}]
    for odd in [*oddities, {"properties": {"a": 7, "b": {"type": {"c": 1}}}}]:
        assert all(kind == "any" for _, kind, _ in params_of_schema(odd))


def test_what_a_server_lists_twice_or_without_a_name_is_refused_and_the_rest_kept() -> None:
    tools, refused = read_tools(
        [{"name": "a"}, {"name": "a"}, {}, {"name": ""}, {"name": ["x"]}, {"name": "b"}], "npm:x 1"
    )
    assert [tool.name for tool in tools] == ["a", "b"]
    assert len(refused) == 4


def test_no_sentence_of_a_server_is_kept() -> None:
    said = {
        "name": "a",
        "description": "A secret sentence.",
        "inputSchema": {"properties": {"x": {"description": "Another."}}},
    }
    (tool,), _ = read_tools([said], "npm:x 1")
    assert "sentence" not in repr(tool) and "Another" not in repr(tool)


def test_tools_are_classed_anew_when_the_rules_change() -> None:
    facts("npm:acme", "delete_user", "list_users")
    with as_worker():
        count_anew()
        CatalogTool.objects.filter(name="delete_user").update(tool_class="Read", severity=1, evidence=[])
        report = Report()
        reclassify(report)
    assert report.counts["tools classed anew"] == 1
    tool = CatalogTool.objects.get(name="delete_user")
    assert (tool.tool_class, tool.severity) == ("Destructive", 4)
    assert CatalogServer.objects.get().worst == 4
    assert CatalogSummary.objects.get().figures["tools"] == 2


def test_figures_are_right_after_a_run_that_ended_before_it_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    with as_worker():
        seed()
        CatalogTool.objects.filter(server__slug="mcp-server-time").delete()
        count_anew()
        CatalogSummary.objects.update(facts="of the release before")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("catalog.seeding.count_anew", killed)
            seed()
        seed()
        assert current().figures["tools"] == CatalogTool.objects.filter(removed_at=None).count()
        revision = current().revision
        seed()
    assert current().revision == revision


@pytest.mark.parametrize(
    "write", [reclassify, reindex, lambda report: take_in_entries([], report)], ids=["class", "find", "list"]
)
def test_whoever_writes_the_index_waits_for_whoever_is_writing_it(write: Callable[[Report], None]) -> None:
    with as_worker(), another_session() as other:
        CatalogServer.objects.create(slug="acme", identity="acme", title="Acme")
        other.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])
        with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
            write(Report())


@pytest.mark.parametrize("url", [False, True])
def test_a_source_is_not_taken_in_beside_itself(tmp_path: Path, url: bool) -> None:
    file = tmp_path / "list.jsonl"
    file.write_bytes(line())
    source = "https://registry.invalid" if url else f"list.jsonl {digest_of(file)}"
    with (
        elsewhere(IMPORTING, source),
        as_worker(),
        pytest.raises(CommandError, match="already being imported"),
    ):
        call_command("catalog", "import", source if url else file, stdout=StringIO(), stderr=StringIO())
    assert not SourceCheck.objects.exists() and not CatalogServer.objects.exists()


def test_a_list_is_imported_into_the_product_that_runs_on_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "list.jsonl"
    file.write_bytes(line())
    with as_worker():
        call_command("catalog", "import", file, "--data-dir", tmp_path, stdout=StringIO(), stderr=StringIO())
    assert CatalogServer.objects.filter(slug="acme-tools").exists()


def by_older_rules(name: str) -> None:
    CatalogTool.objects.filter(name=name).update(tool_class="Read", severity=1, evidence=[])
    CatalogSummary.objects.update(classifier="of the release before")


def test_an_import_before_the_seeding_does_not_pass_what_was_classed_before_for_classed_anew() -> None:
    with as_worker():
        seed()
    facts("npm:acme", "delete_acme_user")
    with as_worker():
        count_anew()
        by_older_rules("delete_acme_user")
    take_in([line()])
    with as_worker():
        count_anew()
        assert seed().counts["tools classed anew"] == 1
    assert CatalogTool.objects.get(name="delete_acme_user").tool_class == "Destructive"
    assert current().classifier == digest()


def test_what_an_older_release_takes_in_while_all_is_classed_anew_is_classed_anew_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(report: Report) -> None:
        reclassify(report)
        with monkeypatch.context() as older:
            older.setattr("catalog.turns.digest", lambda: "of the release before")
            facts("npm:acme", "delete_acme_user")
        CatalogTool.objects.filter(name="delete_acme_user").update(tool_class="Read", severity=1, evidence=[])

    with as_worker():
        seed()
        by_older_rules("nothing")
        with monkeypatch.context() as patch:
            patch.setattr("catalog.seeding.reclassify", interrupted)
            seed()
        assert current().classifier != digest()
        assert seed().counts["tools classed anew"] == 1
        assert current().classifier == digest()
        assert not seed().counts


def test_the_index_of_a_product_that_runs_from_a_folder_can_be_filled(tmp_path: Path) -> None:
    """manage.py reads the option before any setting, and says to give it where there are none."""
    for act in (["seed"], ["crawl", "npm:-"], ["import", str(tmp_path / "none.jsonl")]):
        command = load_command_class("catalog", "catalog")
        read = command.create_parser("manage.py", "catalog").parse_args([*act, "--data-dir", str(tmp_path)])
        assert read.data_dir == str(tmp_path)
