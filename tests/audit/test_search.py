"""Looking for what hardly occurs, in a log that is longer than anybody reads."""

from __future__ import annotations

from uuid import UUID

import pytest

from audit import search
from audit.ingest import ingest
from audit.models import LoggedName
from audit.queries import Decisions, decisions
from audit.search import Filters, newest_first
from gateway_config.wire.messages import DecisionEntry, Record
from tests.audit.records import called, denied
from tests.cast import Acme, Cast, inside
from tests.ladder import SignedIn
from tests.roles import as_worker


def store(*records: Record) -> None:
    with as_worker():
        ingest("gw-1", records)


def ids(found: Decisions) -> list[UUID]:
    return [row.record.id for row in found.rows]


@pytest.fixture
def needle(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> DecisionEntry:
    """The oldest of many records, further back than one look reaches."""
    entry = called(acme, "wipe_disk_7", rule="/tools/wipe_*")
    store(entry, *(denied(acme, f"get_{number}") for number in range(12)))
    monkeypatch.setattr(search, "STRETCH", 5)
    return entry


@pytest.mark.parametrize(
    "filters",
    [
        Filters(tool="disk_7"),
        Filters(tool="WIPE"),
        Filters(rule="wipe"),
        Filters(words="Wipe_"),
        Filters(words="disk", rule="wipe_"),
        Filters(tool="disk", outcome="allow"),
    ],
)
def test_what_hardly_occurs_is_found_at_once_however_old(
    filters: Filters, needle: DecisionEntry, cast: Cast
) -> None:
    with inside(cast.bob):
        found = decisions(cast.bob, filters)
    assert (ids(found), found.older, found.reached) == ([UUID(needle.id)], None, None)


def test_a_name_nobody_called_is_known_not_to_be_there(needle: DecisionEntry, cast: Cast) -> None:
    with inside(cast.bob):
        found = decisions(cast.bob, Filters(words="nothing-is-called-so"))
    assert (found.rows, found.older, found.reached) == ([], None, None)


@pytest.mark.parametrize("bound", ["RARE", "MOST_NAMES", "MOST_COMPARED"])
def test_what_is_not_known_to_be_rare_is_sought_a_stretch_at_a_time(
    bound: str, needle: DecisionEntry, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, bound, 0)
    with inside(cast.bob):
        found = decisions(cast.bob, Filters(tool="disk"))
        looks = 1
        while not found.rows:
            assert found.reached is not None and found.older is not None
            found = decisions(cast.bob, Filters(tool="disk"), before=found.older)
            looks += 1
    assert (ids(found), found.older, looks) == ([UUID(needle.id)], None, 3)


@pytest.mark.parametrize("outcome", ["allow", "hidden", "limit"])
def test_an_outcome_that_hardly_occurs_is_sought_a_stretch_at_a_time(
    outcome: str, needle: DecisionEntry, cast: Cast
) -> None:
    with inside(cast.bob):
        found = decisions(cast.bob, Filters(outcome=outcome))
        seen = ids(found)
        while found.older is not None:
            found = decisions(cast.bob, Filters(outcome=outcome), before=found.older)
            seen += ids(found)
    assert seen == ([UUID(needle.id)] if outcome == "allow" else [])


def test_the_page_says_how_far_it_looked_and_leads_further_back(
    needle: DecisionEntry, cast: Cast, signed_in: SignedIn
) -> None:
    browser = signed_in(cast.bob)
    shown = browser.get("/log/?outcome=allow").content.decode()
    assert "No call matches so far" in shown and "wipe_disk_7" not in shown
    for _ in range(2):
        further = shown.split("Look further back")[0].rsplit('href="?', 1)[1].split('"')[0]
        shown = browser.get("/log/?" + further.replace("&amp;", "&")).content.decode()
    assert "wipe_disk_7" in shown and "Look further back" not in shown


def test_an_export_holds_also_what_is_far_back(
    needle: DecisionEntry, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    with inside(cast.bob):
        rare = list(newest_first(cast.bob, Filters(tool="disk")))
        monkeypatch.setattr(search, "RARE", 0)
        assert rare == list(newest_first(cast.bob, Filters(tool="disk")))
    assert [record.id for record in rare] == [UUID(needle.id)]


def test_a_page_of_what_is_rare_leads_to_the_next(acme: Acme, cast: Cast) -> None:
    entries = [called(acme) for _ in range(5)]
    store(*entries)
    with inside(cast.bob):
        first = decisions(cast.bob, Filters(tool="access"), limit=3)
        second = decisions(cast.bob, Filters(tool="access"), limit=3, before=first.older)
    assert ids(first) + ids(second) == [UUID(entry.id) for entry in reversed(entries)]
    assert second.older is None


def test_names_are_counted_once_whatever_is_sent_twice(acme: Acme, cast: Cast) -> None:
    entries = [called(acme), called(acme), denied(acme, "x" * 2048, rule="(default deny)")]
    store(*entries)
    store(*entries)
    with inside(cast.bob):
        counted = {name.name: name.calls for name in LoggedName.objects.visible_to(cast.bob)}
    assert counted == {
        "create_access_key": 2,
        "/tools/create_access_key": 2,
        "x" * 2048: 1,
        "(default deny)": 1,
    }


def test_nobody_learns_anothers_names(needle: DecisionEntry, cast: Cast) -> None:
    with inside(cast.mallory):
        assert not LoggedName.objects.exists()
        assert decisions(cast.mallory, Filters(tool="disk")).rows == []


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"]
)
def test_no_moment_is_too_far_away(
    moment: str, needle: DecisionEntry, cast: Cast, signed_in: SignedIn
) -> None:
    for name in ("since", "until"):
        answer = signed_in(cast.bob).get("/log/", {name: moment})
        assert answer.status_code == 200
