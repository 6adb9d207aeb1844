"""What is kept of everything callable is dropped by whatever changes it, and found by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Membership
from policies.models import Grant
from policies.services import create_policy, issue_grant, publish_policy, revoke_grant, save_draft
from servers import shelves as module
from servers.models import Server, Tool, ToolSet
from servers.services import change_server, retire_server
from servers.shelves import Shelf, shelves, totals_of
from tests.cast import Acme, Cast, inside
from tests.roles import as_owner, as_worker

OPEN = '{"version": "1", "default": "allow"}'
Change = Callable[[Acme, Cast], object]


def of(member: Membership) -> list[Shelf]:
    with inside(member):
        return shelves(member)


def said(member: Membership) -> list[object]:
    return [
        (row.tool, row.server.name, row.effect, row.grants, row.rule)
        for shelf in of(member)
        for row in shelf.rows
    ]


@pytest.fixture
def published(acme: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Acme:
    monkeypatch.setattr(module, "_kept", module._Kept(most=50_000))
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    return acme


def test_a_second_look_reads_no_tool_and_no_policy(published: Acme, cast: Cast) -> None:
    first = of(cast.bob)
    with inside(cast.bob), CaptureQueriesContext(connection) as asked:
        again = shelves(cast.bob)
    assert [id(shelf) for shelf in again] == [id(shelf) for shelf in first] != []
    assert len(asked) == 2
    assert not any(
        "servers_tool " in one["sql"] or '"document"' in one["sql"] for one in asked.captured_queries
    )


def _raw(statement: str) -> Change:
    def change(acme: Acme, cast: Cast) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return change


def _another(acme: Acme, cast: Cast) -> None:
    Tool.objects.create(
        organization_id=cast.alice.organization_id, server=acme.server, name="pay_invoice", digest="0" * 64
    )


def _in_bulk(acme: Acme, cast: Cast) -> None:
    tools = list(Tool.objects.filter(server=acme.server))
    for tool in tools:
        tool.severity = 1
    Tool.objects.bulk_update(tools, ["severity"])


def _by_a_worker(acme: Acme, cast: Cast) -> None:
    with as_worker():
        Tool.objects.filter(server=acme.server, name="list_users").update(
            tool_class="Financial", class_rank=0
        )


def _without_one(acme: Acme, cast: Cast) -> None:
    with as_owner():
        Tool.objects.filter(name="list_users").delete()


CHANGES: dict[str, Change] = {
    "a tool more": _another,
    "another severity of all": _in_bulk,
    "another class, from a worker": _by_a_worker,
    "another definition": _raw("UPDATE servers_tool SET digest = repeat('f', 64) WHERE name = 'list_users'"),
    "another name": _raw("UPDATE servers_tool SET name = 'list_people' WHERE name = 'list_users'"),
    "one that is gone": _raw("UPDATE servers_tool SET removed_at = now() WHERE name = 'list_users'"),
    "one that was deleted": _without_one,
    "another name of the server": lambda acme, cast: change_server(cast.alice, acme.server, name="Renamed"),
    "the server retired": lambda acme, cast: retire_server(cast.alice, acme.server),
    "the grant revoked": lambda acme, cast: revoke_grant(cast.alice, acme.grant),
    "the grant expired": lambda acme, cast: Grant.objects.update(
        expires_at=timezone.now() - timedelta(seconds=1)
    ),
    "the grant under another label": lambda acme, cast: Grant.objects.update(label="desk"),
    "a grant more": lambda acme, cast: issue_grant(cast.alice, acme.server, acme.policy, "phone"),
    "another revision": lambda acme, cast: publish_policy(
        cast.alice, save_draft(cast.alice, acme.policy, OPEN)
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_is_seen_at_once(change: Change, published: Acme, cast: Cast) -> None:
    before = said(cast.bob)
    with inside(cast.alice):
        change(published, cast)
    after = said(cast.bob)
    assert after != before
    module._kept._found.clear()
    assert said(cast.bob) == after


def test_what_is_no_change_of_what_is_shown_leaves_what_was_kept(published: Acme, cast: Cast) -> None:
    first = of(cast.bob)
    with inside(cast.alice):
        Tool.objects.filter(server=published.server).update(description="New words.", confidence=0.5)
        Tool.objects.filter(server=published.server).update(removed_at=None)
    assert [id(shelf) for shelf in of(cast.bob)] == [id(shelf) for shelf in first]


def test_a_change_that_is_taken_back_leaves_nothing_of_itself(published: Acme, cast: Cast) -> None:
    before = said(cast.bob)
    with pytest.raises(RuntimeError), inside(cast.alice):
        Tool.objects.filter(name="list_users").update(name="list_people")
        assert any(row.tool.name == "list_people" for shelf in shelves(cast.alice) for row in shelf.rows)
        raise RuntimeError("taken back")
    assert said(cast.bob) == before


def test_a_change_to_one_server_makes_no_other_anew(published: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        other = Server.objects.create(
            organization_id=cast.alice.organization_id, name="Zebra", upstream_url="https://z.example/mcp"
        )
        Tool.objects.create(
            organization_id=cast.alice.organization_id, server=other, name="pay", digest="0" * 64
        )
    first = {shelf.server.name: id(shelf) for shelf in of(cast.bob)}
    with inside(cast.alice):
        Tool.objects.filter(server=other).update(severity=4)
    again = {shelf.server.name: id(shelf) for shelf in of(cast.bob)}
    assert {name for name in first if first[name] != again[name]} == {"Zebra"}


def test_nobody_finds_what_is_kept_of_another(published: Acme, cast: Cast) -> None:
    assert of(cast.bob) != []
    assert of(cast.mallory) == []
    with inside(cast.mallory):
        assert not ToolSet.objects.exists()


def test_servers_from_before_changes_were_noted_are_kept_until_the_first(published: Acme, cast: Cast) -> None:
    with as_owner():
        ToolSet.objects.all().delete()
    first = of(cast.bob)
    assert [id(shelf) for shelf in of(cast.bob)] == [id(shelf) for shelf in first] != []
    with inside(cast.alice):
        Tool.objects.filter(name="list_users").update(name="list_people")
    assert {row.tool.name for shelf in of(cast.bob) for row in shelf.rows} >= {"list_people"}


def test_what_is_kept_is_bounded(published: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = module._Kept(most=4)
    monkeypatch.setattr(module, "_kept", kept)
    with inside(cast.alice):
        other = Server.objects.create(
            organization_id=cast.alice.organization_id, name="Zebra", upstream_url="https://z.example/mcp"
        )
        for name in ("pay", "refund"):
            Tool.objects.create(
                organization_id=cast.alice.organization_id, server=other, name=name, digest="0" * 64
            )
    assert said(cast.bob) == said(cast.bob)
    assert len(kept._found) == 1
    assert totals_of(of(cast.bob)).total == 5


def test_a_policy_published_while_it_is_read_is_not_kept_without_it(
    published: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module, "judged_by", lambda *given: {})
        assert all(row.effect is None for shelf in of(cast.bob) for row in shelf.rows)
    with inside(cast.alice):
        create_policy(cast.alice, published.server, "another", OPEN)
    assert all(row.effect is not None for shelf in of(cast.bob) for row in shelf.rows)
