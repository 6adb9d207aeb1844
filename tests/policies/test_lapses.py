"""A server that changed its tools under a policy in use: people are told until that is published again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from policies.lapses import lapses
from policies.models import Policy
from policies.services import create_policy, issue_grant, publish_policy
from servers.models import Server
from servers.scanning import run_scan
from servers.services import register_server, start_scan
from tests.cast import Cast, inside
from tests.fixtures.servers.listing import listing
from tests.roles import as_owner

BY_CLASS = {"version": "1", "default": "deny", "classes": {"Read": {}}}
BY_NAME = {"version": "1", "default": "deny", "tools": {"list_customers": {}}}


def _tool(name: str, *arguments: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {each: {"type": "string"} for each in arguments}}
    return {"name": name, "description": f"{name}.", "inputSchema": schema}


@pytest.fixture
def tools() -> list[dict[str, Any]]:
    return [_tool("list_customers", "limit"), _tool("get_invoice", "id")]


@pytest.fixture
def payments(cast: Cast, tools: list[dict[str, Any]]) -> Iterator[Server]:
    with listing(tools, "payments") as url, inside(cast.alice):
        server = register_server(cast.alice, "Payments", url)
        run_scan(start_scan(cast.alice, server).pk)
        yield server


def _used(cast: Cast, server: Server, document: object) -> Policy:
    policy = create_policy(cast.alice, server, "agents", json.dumps(document))
    publish_policy(cast.alice, policy)
    issue_grant(cast.alice, server, policy, "laptop")
    return policy


def _changes(cast: Cast, server: Server, tools: list[dict[str, Any]], *now: dict[str, Any]) -> None:
    tools[:] = now
    run_scan(start_scan(cast.alice, server).pk)


def _told(client: Client, path: str) -> str:
    return client.get(path).content.decode()


def test_whoever_looks_is_told_what_changed_until_it_is_published_again(
    cast: Cast, payments: Server, tools: list[dict[str, Any]], signed_in: Callable[..., Client]
) -> None:
    policy = _used(cast, payments, BY_CLASS)
    assert lapses(cast.alice) == []
    _changes(cast, payments, tools, _tool("list_customers", "limit", "include_secret"), tools[1])
    carol, bob = signed_in(cast.carol), signed_in(cast.bob)
    places = {
        "/overview/": "agents",
        f"/servers/{payments.public_id}/": "agents",
        f"/policies/{policy.public_id}/": "this policy",
        f"/policies/{policy.public_id}/review/": "this policy",
    }
    for path in places:
        said = _told(carol, path)
        assert "list_customers gained the argument include_secret." in said, path
        assert "Rules for classes no longer cover it until" in said, path
    review = f'href="/policies/{policy.public_id}/review/">Compare</a>'
    assert review in _told(carol, "/overview/") and review not in _told(bob, "/overview/")
    publish_policy(cast.alice, policy)
    assert lapses(cast.alice) == []
    for path in places:
        assert "include_secret" not in _told(carol, path).partition("<main")[2].partition("Last scan")[0], (
            path
        )


def test_a_tool_that_is_new_or_gone_or_changed_and_changed_back_covers_what_it_did(
    cast: Cast, payments: Server, tools: list[dict[str, Any]]
) -> None:
    _used(cast, payments, BY_CLASS)
    before = list(tools)
    _changes(cast, payments, tools, before[0], _tool("delete_customer", "id"))
    assert lapses(cast.alice) == []
    _changes(cast, payments, tools, _tool("list_customers"), before[1])
    assert [lapse.tools for lapse in lapses(cast.alice)] == [("list_customers",)]
    _changes(cast, payments, tools, *before)
    assert lapses(cast.alice) == []


def test_rules_that_name_their_tools_hold_whatever_those_become(
    cast: Cast, payments: Server, tools: list[dict[str, Any]]
) -> None:
    _used(cast, payments, BY_NAME)
    _changes(cast, payments, tools, _tool("list_customers", "all"), tools[1])
    assert lapses(cast.alice) == []


def test_a_policy_that_no_agent_is_under_is_nobodys_concern_and_a_strangers_is_not_told(
    cast: Cast, payments: Server, tools: list[dict[str, Any]]
) -> None:
    policy = create_policy(cast.alice, payments, "unused", json.dumps(BY_CLASS))
    publish_policy(cast.alice, policy)
    _changes(cast, payments, tools, _tool("list_customers", "all"), tools[1])
    assert lapses(cast.alice) == []
    issue_grant(cast.alice, payments, policy, "laptop")
    assert len(lapses(cast.alice)) == 1
    assert lapses(cast.mallory) == []


def test_what_a_hostile_server_calls_its_tools_is_text(
    cast: Cast, tools: list[dict[str, Any]], signed_in: Callable[..., Client]
) -> None:
    name = "list_<b>x</b>\u202e"
    with listing(tools, "payments") as url, inside(cast.alice):
        tools[:] = [_tool(name, "limit")]
        server = register_server(cast.alice, "<i>Payments</i>", url)
        run_scan(start_scan(cast.alice, server).pk)
        _used(cast, server, BY_CLASS)
        _changes(cast, server, tools, _tool(name, "<script>alert(1)</script>"))
    said = _told(signed_in(cast.alice), "/overview/")
    assert "gained the argument" in said
    assert not any(raw in said for raw in ("<b>x</b>", "<script>alert", "<i>Payments", "\u202e"))


def test_what_scans_found_before_it_was_kept_is_found_in_the_scans(
    cast: Cast, payments: Server, tools: list[dict[str, Any]]
) -> None:
    _used(cast, payments, BY_CLASS)
    _changes(cast, payments, tools, _tool("list_customers", "all"), tools[1])
    _changes(cast, payments, tools, *tools, _tool("new_one"))
    Server.objects.filter(pk=payments.pk).update(drifted_at=None)
    assert lapses(cast.alice) == []
    migration = import_module("servers.migrations.0005_drift_of_before")
    with as_owner(), connection.cursor() as cursor:
        for statement in ("SET CONSTRAINTS ALL IMMEDIATE", *migration.FIND_WHAT_IS_THERE):
            cursor.execute(statement)
    assert [lapse.tools for lapse in lapses(cast.alice)] == [("list_customers",)]
