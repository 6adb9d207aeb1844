"""Everything agents can call, over all servers: searched, filtered, in a file, and who reaches it."""

from __future__ import annotations

import re
from html import unescape

import pytest

from policies.services import publish_policy, save_draft
from servers.models import Tool
from tests.cast import Acme, Cast, inside
from tests.ladder import Door, SignedIn, climb
from tests.servers.screens import many_tools, page, reach


def test_the_inventory_says_which_grant_reaches_what(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    bob = signed_in(cast.bob)
    assert "nobody" in page(bob, "/servers/everything/")
    reach(acme, cast)
    shown = page(bob, "/servers/everything/?reach=yes")
    assert "create_access_key" in shown and "delete_user" not in shown
    assert "laptop" in shown and "1 of 3" in shown
    assert "30/min" in shown and "own rule" in shown


def test_what_only_a_default_lets_through_is_told_apart(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        policy = save_draft(cast.alice, acme.policy, '{"version": "1", "default": "allow"}')
        publish_policy(cast.alice, policy)
    shown = page(signed_in(cast.bob), "/servers/everything/?unruled=yes")
    assert shown.count("default: allow") == 3 and "3 of 3" in shown


def test_the_inventory_leaves_as_csv_under_the_same_filters(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    reach(acme, cast)
    climb(Door("/servers/everything/everything.csv", stranger=200), cast, signed_in)
    with inside(cast.alice):
        Tool.objects.filter(name="list_users").update(name="=cmd|x")
    lines = signed_in(cast.bob).get("/servers/everything/everything.csv").content.decode().splitlines()
    assert lines[0].startswith("tool,server,class") and len(lines) == 4
    assert any(line.startswith("'=cmd|x,") for line in lines)
    assert "create_access_key,AWS IAM,Write,High,limited,30/min,/tools/create_access_key,laptop" in lines
    answer = signed_in(cast.bob).get("/servers/everything/everything.csv?class=Write")
    assert len(answer.content.decode().splitlines()) == 2


@pytest.mark.parametrize(
    ("query", "tools"),
    [
        ("q=DELETE", {"delete_user"}),
        ("q=aws", {"create_access_key", "delete_user", "list_users"}),
        ("class=Read", {"list_users"}),
        ("severity=4", {"delete_user"}),
        ("server=AWS+IAM&class=Write", {"create_access_key"}),
        ("class=%00&severity=x", set()),
        ("effect=limited", {"create_access_key"}),
        ("effect=denied&grant=laptop", set()),
        ("grant=laptop", {"create_access_key"}),
        ("q=LAPTOP", {"create_access_key"}),
        ("unruled=yes", set()),
        ("page=99", {"create_access_key", "delete_user", "list_users"}),
        ("page=%F0%9F%92%A5", {"create_access_key", "delete_user", "list_users"}),
    ],
)
def test_filters_stand_in_the_address(
    query: str, tools: set[str], acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    reach(acme, cast)
    shown = page(signed_in(cast.bob), f"/servers/everything/?{query}")
    every = {"create_access_key", "delete_user", "list_users"}
    assert {name for name in every if f">{name}<" in shown} == tools
    assert ("No tool matches" in shown) == (not tools)


def test_more_than_fifty_tools_come_page_by_page(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    many_tools(acme, cast, 60)
    first, second = (page(signed_in(cast.bob), f"/servers/everything/?page={number}") for number in (1, 2))
    assert "1 to 50 of 63 tools" in first and "51 to 63 of 63 tools" in second


def test_every_count_of_the_inventory_is_grouped(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    many_tools(acme, cast, 1200)
    with inside(cast.alice):
        Tool.objects.update(severity=4)
        policy = save_draft(cast.alice, acme.policy, '{"version": "1", "default": "allow"}')
        publish_policy(cast.alice, policy)
    shown = page(signed_in(cast.bob), "/servers/everything/?q=e")
    assert "of 1,203" in shown
    assert re.findall(r">[^<]*\b\d{4}\b[^<]*<", shown) == []


def test_the_page_of_a_tool_leads_to_who_reaches_it(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    bob = signed_in(cast.bob)
    with inside(cast.alice):
        tool = acme.server.tools.get(name="delete_user")
    shown = page(bob, f"/servers/{acme.server.public_id}/tools/{tool.pk}/")
    [leads] = re.findall(r'href="(/servers/everything/[^"]+)"', shown)
    there = page(bob, unescape(leads))
    assert ">delete_user<" in there and ">list_users<" not in there


def test_arguments_nobody_describes_have_no_empty_column(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    bob = signed_in(cast.bob)
    for says, shown in ({}, False), ({"description": "Whom."}, True):
        with inside(cast.alice):
            tool = acme.server.tools.get(name="delete_user")
            tool.input_schema = {"properties": {"user_name": {"type": "string"} | says}}
            tool.save()
        assert ("says</th>" in page(bob, f"/servers/{acme.server.public_id}/tools/{tool.pk}/")) == shown
