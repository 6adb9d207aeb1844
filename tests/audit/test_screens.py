"""The screens that read the log: who may open which, what stands beside the list, what goes into a file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from accounts.services.members import remove_member
from audit.counts import count as count_them
from audit.models import DecisionRecord
from audit.views import export
from common.errors import NotAllowed
from common.ids import new_uuid
from policies.services import issue_grant, publish_policy, revoke_grant, save_draft
from servers.models import Server
from tests.cast import Acme, Cast, inside
from tests.ladder import Door, SignedIn, climb, queries_of
from tests.roles import as_worker

TOGETHER = {"counter": "merges", "max": 1000, "window": "hour", "scope": "server"}
PAID = {"counter": "paid", "max": 500, "window": 900, "scope": "grant", "increment_from": "args.amount"}
LIMITED = json.dumps(
    {
        "version": "1",
        "default": "deny",
        "tools": {"merge": {"limits": [TOGETHER]}, "pay": {"limits": [PAID]}},
    }
)
MARKUP = "<script>alert(1)</script>\u202e"
_sequences = count(1)


def happened(acme: Acme, **fields: Any) -> DecisionRecord:
    """One record, as the worker would have written it."""
    given: dict[str, Any] = {
        "id": new_uuid(),
        "organization_id": acme.server.organization_id,
        "worker": "gw-1",
        "sequence": next(_sequences),
        "at": timezone.now() - timedelta(seconds=5),
        "server_id": acme.server.pk,
        "grant_id": acme.grant.pk,
        "method": "tools/call",
        "tool": "delete_user",
        "outcome": "deny",
        "code": "default_deny",
        "rule": "(default deny)",
        "reason": "No tool named delete_user is available here.",
        "config_revision": 1,
        "argument_names": ["user_name"],
        "added_us": 240,
    }
    with as_worker():
        record = DecisionRecord.objects.create(**{**given, **fields})
        count_them([record])
    return record


def allowed(acme: Acme, **fields: Any) -> DecisionRecord:
    given = {"tool": "create_access_key", "outcome": "allow", "code": None, "reason": ""}
    return happened(acme, **{**given, "rule": "/tools/create_access_key", "total_us": 3_000, **fields})


def page(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return unescape(answer.getvalue().decode())


def sent(client: Client, path: str) -> Iterator[bytes]:
    answer: Any = client.get(path)
    return iter(answer.streaming_content)


# ---- who may
@pytest.mark.parametrize(
    "path", ["/overview/?stay=1", "/log/", "/get-started/", "/get-started/steps/", "/log/export.csv"]
)
def test_everybody_of_the_organization_may_look(
    path: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    happened(acme)
    climb(Door(path, stranger=200), cast, signed_in)
    assert page(signed_in(cast.bob), path)
    strange = page(signed_in(cast.mallory), path)
    assert "delete_user" not in strange and "AWS IAM" not in strange


def test_one_decision_is_shown_to_its_organization_only(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    record = happened(acme)
    climb(Door(f"/log/{record.public_id}/"), cast, signed_in)
    for junk in ("x", "dec_", "dec_" + "0" * 26, "srv_" + "0" * 26):
        assert signed_in(cast.alice).get(f"/log/{junk}/").status_code == 404


# ---- the log
def test_the_log_says_what_came_of_each_call_and_why(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    happened(acme)
    happened(acme, tool="merge", reason="These arguments of merge are not allowed: args.owner.")
    happened(acme, tool="drop", reason="This call of drop is not allowed.", rule="/classes/Destructive")
    allowed(acme)
    allowed(acme, tool="list_users", rule="/classes/Read")
    shown = page(signed_in(cast.bob), "/log/")
    for said in ("no rule", "not allowed: args.owner.", "Destructive rule", "own rule", "Read rule"):
        assert f"{said}</bdi>" in shown, "the tool and the outcome stand beside it"
    assert "laptop" in shown and "3.0 ms" in shown


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("outcome=allow", {"create_access_key"}),
        ("outcome=deny", {"delete_user"}),
        ("outcome=nonsense", set()),
        ("tool=delete", {"delete_user"}),
        ("outcome=stopped", {"delete_user"}),
        ("q=DELETE_", {"delete_user"}),
        ("q=/tools/create", {"create_access_key"}),
        ("q=dec_" + "0" * 26, set()),
        ("q=%00x", set()),
        ("last=15m", {"create_access_key", "delete_user"}),
        ("last=junk", {"create_access_key", "delete_user"}),
        ("until=2020-01-01T00:00:00Z", set()),
        ("since=2020-01-01T00:00:00.000Z&rule=create", {"create_access_key"}),
        ("server=srv_junk", set()),
        ("grant=%00", set()),
        ("before=junk", {"create_access_key", "delete_user"}),
        ("before=99999999999999999999999", {"create_access_key", "delete_user"}),
        ("before=1", set()),
        ("open=dec_junk", {"create_access_key", "delete_user"}),
    ],
)
def test_filters_stand_in_the_address(
    query: str, seen: set[str], acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    happened(acme)
    allowed(acme)
    shown = page(signed_in(cast.bob), f"/log/?{query}")
    rows = shown[shown.index('id="rows"') :]
    assert {tool for tool in ("create_access_key", "delete_user") if f">{tool}</bdi>" in rows} == seen


def test_a_decision_is_found_by_its_id(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    record = happened(acme)
    allowed(acme)
    shown = page(signed_in(cast.bob), f"/log/?q={record.public_id}")
    rows = shown[shown.index('id="rows"') :]
    assert ">delete_user</bdi>" in rows and "create_access_key" not in rows


def test_a_filter_no_field_shows_is_a_chip_that_takes_it_away(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    happened(acme)
    query = "rule=/tools/x&since=2026-11-21T13:00:00Z&until=2026-11-21T13:30:00Z&outcome=deny"
    shown = page(signed_in(cast.bob), f"/log/?{query}")
    assert 'aria-label="Remove the filter 21 Nov 13:00 to 13:30 UTC"' in shown
    assert 'href="?rule=%2Ftools%2Fx&outcome=deny"' in shown
    assert 'type="hidden" name="rule" value="/tools/x"' in shown


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-11-21", "since=2026-11-21T13:00:00"])
def test_a_time_that_cannot_be_read_matches_nothing_and_is_a_chip(
    query: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    happened(acme)
    shown = page(signed_in(cast.bob), f"/log/?{query}")
    assert ">delete_user</bdi>" not in shown
    assert 'aria-label="Remove the filter A time that cannot be read"' in shown


def test_a_rule_is_made_from_a_call_by_who_may_edit(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    record = happened(acme, tool="a/b~c")
    path = f"/log/{record.public_id}/"
    place = f'/policies/{acme.policy.public_id}/?open=%2Ftools%2Fa~1b~0c"'
    assert place in page(signed_in(cast.carol), path)
    assert "Make a rule" not in page(signed_in(cast.bob), path)


def test_an_opened_call_stands_beside_the_list_also_after_a_reload(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    record = happened(acme)
    shown = page(signed_in(cast.bob), f"/log/?outcome=deny&open={record.public_id}")
    assert f'data-opened="{record.public_id}"' in shown
    assert 'href="/log/?outcome=deny" data-close-opened' in shown


def test_the_list_asks_for_the_opened_call_alone_and_learns_its_address(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    record = happened(acme)
    asked = {
        "HX-Request": "true",
        "HX-Target": "opened",
        "HX-Current-URL": "http://x/log/?outcome=deny&open=y",
    }
    answer = signed_in(cast.bob).get(f"/log/{record.public_id}/", headers=asked)
    shown = answer.content.decode()
    assert answer.headers["HX-Push-Url"] == f"/log/?outcome=deny&open={record.public_id}"
    assert "<html" not in shown and f'data-opened="{record.public_id}"' in shown


def test_the_rule_that_decided_is_shown_in_the_revision_that_was_live(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        revision = publish_policy(cast.alice, acme.policy)
    record = happened(
        acme,
        tool="create_access_key",
        code="limit_exceeded",
        rule="/tools/create_access_key/limits/0",
        reason="create_access_key has reached a limit; try again in 12 s.",
        retry_after_seconds=12,
        limit=30,
        remaining_micros=0,
        policy_revision_id=revision.pk,
    )
    shown = page(signed_in(cast.bob), f"/log/{record.public_id}/")
    for said in (
        "Rule, in revision 1",
        "create_access_key_rate",
        "A limit is used up",
        "30, with 0 left",
        "12 s",
        "Held back",
    ):
        assert said in shown
    assert "[POLICY DENIED] create_access_key has reached a limit; try again in 12 s." in shown


def test_what_a_record_names_may_be_long_gone(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    gone = {"server_id": uuid4(), "grant_id": uuid4(), "policy_revision_id": uuid4()}
    record = happened(acme, rule="/tools/x/action", **gone)
    assert "srv_" in page(signed_in(cast.bob), f"/log/{record.public_id}/")
    assert page(signed_in(cast.bob), "/log/")


def test_a_strangers_words_stay_words(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    record = happened(
        acme, tool=MARKUP, method=MARKUP, reason=MARKUP, argument_names=[MARKUP], rule=f"/tools/{MARKUP}"
    )
    for path in ("/log/", f"/log/{record.public_id}/", f"/log/?open={record.public_id}", "/overview/"):
        raw = signed_in(cast.bob).get(path).content.decode()
        assert "<script>alert" not in raw and "\u202e" not in raw
        assert "alert(1)" in raw


# ---- files
def test_the_log_leaves_as_ndjson_under_the_same_filters(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    happened(acme)
    allowed(acme)
    answer = signed_in(cast.bob).get("/log/export.ndjson?outcome=allow")
    (line,) = [json.loads(line) for line in answer.getvalue().decode().splitlines()]
    assert (line["tool"], line["grant"], line["took_ms"]) == ("create_access_key", "laptop", 3.0)
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="calls-')
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_file_that_does_not_hold_every_call_says_so_in_its_name(
    acme: Acme, cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST", 2)
    bob = signed_in(cast.bob)
    for calls, part in ((1, ""), (2, ""), (3, "-newest-2")):
        allowed(acme)
        answer = bob.get("/log/export.ndjson")
        assert len(answer.getvalue().splitlines()) == min(calls, 2)
        assert re.search(rf"-\d{{4}}{part}\.ndjson", answer.headers["Content-Disposition"])


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
@pytest.mark.parametrize("calls", [0, 2, 4, 5])
def test_a_file_is_the_same_in_however_many_pieces_it_is_read(
    kind: str, calls: int, acme: Acme, cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(calls):
        allowed(acme, tool=f"tool_{number}")
    path, bob = f"/log/export.{kind}", signed_in(cast.bob)
    whole = bob.get(path).getvalue()
    assert [int(found) for found in re.findall(rb"tool_(\d)", whole)] == [*reversed(range(calls))]
    monkeypatch.setattr(export, "PIECE", 2)
    pieces = list(sent(bob, path))
    assert (b"".join(pieces), max(piece.count(b"tool_") for piece in pieces) <= 2) == (whole, True)


def test_a_file_that_cannot_be_read_to_its_end_breaks_off(
    acme: Acme, cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        allowed(acme)
    monkeypatch.setattr(export, "PIECE", 2)
    file = sent(signed_in(cast.bob), "/log/export.ndjson")
    assert next(file).count(b"\n") == 2
    with connection.execute_wrapper(_lost), pytest.raises(OperationalError):
        next(file)


@pytest.mark.parametrize("how", ["removed", "signed out"])
def test_a_file_breaks_off_where_who_takes_it_may_not_look_any_more(
    how: str, acme: Acme, cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        allowed(acme)
    monkeypatch.setattr(export, "PIECE", 2)
    bob = signed_in(cast.bob)
    file = sent(bob, "/log/export.ndjson")
    assert next(file).count(b"\n") == 2
    if how == "removed":
        with inside(cast.alice):
            remove_member(cast.alice, cast.bob)
    else:
        bob.logout()
    with pytest.raises(NotAllowed):
        next(file)


def _lost(*_: Any) -> None:
    raise OperationalError("the connection is lost")


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "＝1+1"])
def test_no_cell_of_the_csv_is_taken_for_a_formula(
    formula: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    happened(acme, tool=formula, argument_names=[formula, "b"])
    text = signed_in(cast.bob).get("/log/export.csv").getvalue().decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["tool"] == f"'{formula}" and row["argument_names"] == f"'{formula} b"


# ---- overview and first steps
def test_a_newcomer_is_led_to_the_first_steps(cast: Cast, signed_in: SignedIn) -> None:
    assert signed_in(cast.mallory).get("/overview/").headers["Location"] == "/get-started/"


def test_the_overview_without_calls_says_what_comes_next(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    alice, bob = signed_in(cast.alice), signed_in(cast.bob)
    assert "Register the first server" in page(signed_in(cast.mallory), "/overview/?stay=1")

    def shown() -> tuple[str, str]:
        return page(alice, "/overview/"), page(bob, "/overview/")

    mine, theirs = shown()
    assert "has not listed its tools yet" in mine and "Steps, 1 of 4 done" in mine
    assert f'href="/servers/{acme.server.public_id}/connection/"' in mine
    assert "Changing it needs the admin role." in theirs and "/connection/" not in theirs
    with inside(cast.alice):
        Server.objects.filter(pk=acme.server.pk).update(status=Server.Status.READY)
    mine, theirs = shown()
    assert "Say what agents may call on" in mine and f"/policies/new/?server={acme.server.public_id}" in mine
    assert "Writing policies needs the policy manager role." in theirs
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    mine, theirs = shown()
    assert f'href="/grants/{acme.grant.public_id}/"' in mine and "Steps, 3 of 4 done" in mine
    with inside(cast.alice):
        revoke_grant(cast.alice, acme.grant)
    mine, theirs = shown()
    assert "Give an agent its own way in" in mine and "Issuing grants needs the admin role." in theirs
    happened(acme)
    assert "Calls by outcome" in page(bob, "/overview/")


def test_a_time_without_calls_leads_to_one_with_some(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    happened(acme, at=timezone.now() - timedelta(days=3))
    shown = page(signed_in(cast.bob), "/overview/?span=1h")
    assert "No calls in this period" in shown and "The last one was" in shown
    assert 'href="?span=7d">Show the last 7 days<' in shown


@pytest.mark.parametrize("span", ["1h", "24h", "7d", "30d", "nonsense"])
def test_the_overview_counts_by_outcome(span: str, acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    for _ in range(3):
        allowed(acme)
    happened(acme)
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    shown = page(signed_in(cast.bob), f"/overview/?span={span}")
    assert "Calls by outcome: 3 allowed, 0 held back, 0 asked a person, 1 denied, 0 hidden" in shown
    assert "1 publication" in shown and "agents, revision 1, published" in shown
    assert "0.23" in shown, "to within a tenth"


def test_what_is_stopped_most_says_why_the_last_of_its_calls_was(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, LIMITED)
        revision = publish_policy(cast.alice, acme.policy)
    held = {"code": "limit_exceeded", "policy_revision_id": revision.pk, "retry_after_seconds": 12}
    again = "has reached a limit; try again in 12 s."
    happened(acme, tool="merge", reason="An older reason.")
    happened(acme, tool="merge", reason="Open a pull request instead.")
    happened(acme, tool="merge", rule="/tools/merge/limits/0", reason=f"merge {again}", **held)
    happened(acme, tool="pay", rule="/tools/pay/limits/0", reason=f"pay {again}", **held)
    gone = {**held, "policy_revision_id": new_uuid()}
    happened(acme, tool="list", rule="/tools/list/limits/0", reason=f"list {again}", **gone)
    happened(acme, tool="drop", reason="This call of drop is not allowed.", rule="/classes/Destructive")
    happened(acme, tool="x\u202e<b>", reason="<img src=x>\u202e")
    shown = page(signed_in(cast.bob), "/overview/")
    stopped = re.sub(
        r"<[^>]+>|\s+|&nbsp;", " ", shown[shown.index("Most stopped") : shown.index("Most called")]
    )
    stopped = re.sub(" +", " ", stopped)
    assert "2 denied: Open a pull request instead" in stopped
    assert "1 held back: over 1,000 calls per hour, all grants of the server together" in stopped
    assert "held back: args.amount over 500 every 15 minutes" in stopped
    assert "held back: own rule" in stopped and "try again in" not in stopped
    assert "denied: Destructive rule" in stopped and "An older reason" not in stopped
    written = signed_in(cast.bob).get("/overview/").content.decode()
    assert "&lt;img src=x&gt;" in written and "<img src=x>" not in written and "\u202e" not in written


def test_the_overview_names_what_somebody_should_look_at(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        Server.objects.filter(pk=acme.server.pk).update(status=Server.Status.FAILING)
        issue_grant(
            cast.alice, acme.server, acme.policy, "short", expires_at=timezone.now() + timedelta(days=2)
        )
    shown = page(signed_in(cast.bob), "/overview/")
    for said in ("is not reachable", "can call nothing", "expires"):
        assert said in shown


def test_what_the_overview_has_no_room_to_name_is_counted_and_led_to(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        organization = cast.alice.organization
        for number in range(5):
            Server.objects.create(
                organization=organization,
                name=f"Away {number}",
                upstream_url="https://a.example/mcp",
                status=Server.Status.FAILING,
            )
    shown = page(signed_in(cast.bob), "/overview/")
    assert "Away 2" in shown and "Away 3" not in shown
    assert re.search(r'href="/servers/">\s*2 more servers are not reachable<', shown)
    listed = page(signed_in(cast.bob), "/servers/")
    assert listed.index("Away 4") < listed.index(acme.server.name)


def test_each_step_is_ticked_by_what_really_happened(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    alice = signed_in(cast.alice)

    def steps() -> tuple[str, str]:
        shown = page(alice, "/get-started/steps/")
        return shown[shown.index("Steps, ") :][:18], "hx-trigger" if "hx-trigger" in shown else ""

    assert steps() == ("Steps, 1 of 4 done", "hx-trigger")
    began = page(alice, "/get-started/steps/")
    assert "has not listed its tools yet" in began
    assert f'href="/servers/{acme.server.public_id}/connection/"' in began
    with inside(cast.alice):
        Server.objects.filter(pk=acme.server.pk).update(status=Server.Status.READY)
        publish_policy(cast.alice, acme.policy)
    happened(acme)
    assert steps() == ("Steps, 4 of 4 done", "")


def test_a_viewer_is_offered_no_step_that_is_not_theirs(cast: Cast, signed_in: SignedIn) -> None:
    shown = page(signed_in(cast.bob), "/get-started/")
    assert "Registering servers needs the admin role." in shown
    assert 'href="/servers/register/"' not in shown


def test_the_next_step_is_also_a_call_of_the_api(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    assert "/api/v1/servers/" in page(signed_in(cast.mallory), "/get-started/")
    with inside(cast.alice):
        Server.objects.filter(pk=acme.server.pk).update(status=Server.Status.READY)
    assert f'"server": "{acme.server.public_id}"' in page(signed_in(cast.bob), "/get-started/")


# ---- how often the database is asked
# Four of them are the test's: within its transaction, a request is one within another.
MOST_QUESTIONS_OF_THE_OVERVIEW = 25


def test_more_calls_are_not_more_questions(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        revision = publish_policy(cast.alice, acme.policy)
    allowed(acme, policy_revision_id=revision.pk)
    happened(acme)
    bob = signed_in(cast.bob)
    paths = ("/log/", "/log/?outcome=deny", "/overview/", "/log/export.ndjson", "/get-started/steps/")
    few = [queries_of(bob, path) for path in paths]
    assert few[2] <= MOST_QUESTIONS_OF_THE_OVERVIEW
    with inside(cast.alice):
        grants = [issue_grant(cast.alice, acme.server, acme.policy, f"g {n}")[0] for n in range(5)]
        revisions = [publish_policy(cast.alice, acme.policy) for _ in range(4)]
    for number in range(60):
        allowed(
            acme,
            tool=f"tool_{number}",
            grant_id=grants[number % 5].pk,
            policy_revision_id=revisions[number % 4].pk,
            at=datetime.now(UTC) - timedelta(minutes=number),
        )
    assert [queries_of(bob, path) for path in paths] == few


def test_in_the_log_what_is_of_another_day_stands_below_its_day(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    noon = timezone.now().replace(hour=12)
    for days_ago, tool in ((2, "first_tool"), (2, "second_tool"), (1, "third_tool")):
        at = noon - timedelta(days=days_ago)
        made = UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | next(_sequences))
        happened(acme, id=made, at=at, tool=tool)
    happened(acme, tool="latest_tool")
    shown = signed_in(cast.alice).get("/log/").content.decode()
    days = [f"{noon - timedelta(days=ago):%-d %b %Y}, UTC</p>" for ago in (0, 1, 2)]
    order = ("latest_tool", days[1], "third_tool", days[2], "second_tool", "first_tool")
    assert [shown.index(each) for each in order] == sorted(shown.index(each) for each in order)
    assert days[0] not in shown and shown.count(days[2]) == 1
