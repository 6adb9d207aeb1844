"""Which tools stand beside a tool: those about the same things."""

from __future__ import annotations

from django.test import Client

from catalog.ingest import Report
from catalog.kin import looks_first, nearest
from tests.catalog.index import index

__all__ = ["index"]

CHAT = ("send_message", "get_messages", "get_gmail_message_content", "get_events", "delete_calendar")
IAM = "/tools/awslabs-iam-mcp-server/{}/"


def test_tools_about_the_same_things_are_nearest_and_those_that_add_least_come_first() -> None:
    others = [name for name in CHAT if name != "send_message"]
    assert nearest("send_message", others) == ["get_messages", "get_gmail_message_content"]


def test_what_most_tools_of_a_server_name_does_not_make_them_alike() -> None:
    wiki = [
        f"wiki_{verb}_{thing}" for verb in ("get", "delete") for thing in ("page", "label", "space", "user")
    ]
    assert nearest("wiki_move_page", wiki) == ["wiki_delete_page", "wiki_get_page"]
    assert nearest("wiki_delete", wiki) == sorted(wiki), "unless its name says nothing else"


def test_one_and_many_are_the_same_thing() -> None:
    assert nearest("put_user_policy", ["list_user_policies", "list_roles"]) == ["list_user_policies"]


def test_an_agent_looks_first_at_what_reads_the_very_thing() -> None:
    group = ["list-group-members", "get-group", "get-group-calendar-view"]
    near = nearest("remove-group-member", group)
    assert looks_first("remove-group-member", near, set(group)) == ["list-group-members"]
    assert looks_first("remove-group-member", near, set()) == []
    far = nearest("forward_bound_port_range", ["get_port"])
    assert looks_first("forward_bound_port_range", far, {"get_port"}) == []


def test_a_tool_page_names_its_kin(index: Report, client: Client) -> None:
    page = client.get(IAM.format("put_user_policy")).content.decode()
    related = page[page.index("Related tools and policies") :]
    assert f'href="{IAM.format("delete_user_policy")}"' in related
    assert f'href="{IAM.format("attach_user_policy")}"' in related
    assert f'href="{IAM.format("delete_group")}"' not in related

    assert 'wants to look first has <span class="mono">get_user_policy</span>' in page
