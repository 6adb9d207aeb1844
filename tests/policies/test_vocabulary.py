"""What the JSON editor completes is what the language and the server have, and nothing a stranger may see."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from policies.language.grammar import KEYS
from policies.language.operand import OPERATORS
from policies.vocabulary import of_language, of_rule, of_server
from servers.models import Tool
from tests.cast import Acme, Cast, inside
from tests.policies.screens import SignedIn


def test_every_key_of_the_language_is_explained() -> None:
    told = of_language()["keys"]
    known = {key for part in told.values() for key in part}
    assert known - {"$schema"} == KEYS - {"$schema"}
    assert all(means for part in told.values() for means in part.values())


def test_words_are_those_of_the_schema() -> None:
    words = of_language()["words"]
    assert words["policy"]["default"] == ["allow", "deny"]
    assert words["rule"]["action"] == ["allow", "deny", "require_approval"]
    assert words["limit"]["window"] == ["second", "minute", "hour", "day", "week"]
    assert words["limit"]["scope"] == ["grant", "server", "organization"]
    assert set(of_language()["operators"]) == set(OPERATORS)


def test_arguments_are_those_of_the_rules_tools() -> None:
    choice = {"type": "object", "properties": {"mode": {"type": "string", "enum": ["a", "b"]}}}
    tools = [
        Tool(name="one", tool_class="Read", input_schema=choice),
        Tool(name="two", tool_class="Write", input_schema={"properties": {"n": {"type": "integer"}}}),
    ]
    assert [(each["path"], each["choices"]) for each in of_rule(tools, name="one")] == [
        ("args.mode", ["a", "b"])
    ]
    assert [each["path"] for each in of_rule(tools, tool_class="Write")] == ["args.n"]
    assert {each["path"] for each in of_rule(tools)} == {"args.mode", "args.n"}
    assert of_rule(tools, name="nobody") == []


def test_names_that_cannot_be_seen_are_not_offered() -> None:
    tools = [Tool(name=name, tool_class="Read") for name in ("plain", "safe\u202egnp", "a\nb", "x" * 300)]
    assert of_server(tools) == [["plain", "Read"]]


@pytest.fixture
def path(acme: Acme) -> str:
    return reverse("policies:vocabulary", args=[acme.policy.public_id])


def test_the_editor_asks_for_it(cast: Cast, acme: Acme, signed_in: SignedIn, path: str) -> None:
    client = signed_in(cast.carol)
    assert (
        path
        in client.get(
            reverse("policies:editor", args=[acme.policy.public_id]) + "?view=json"
        ).content.decode()
    )
    names = [name for name, _ in client.get(path).json()["tools"]]
    assert sorted(names) == ["create_access_key", "delete_user", "list_users"]
    for wanted in ("tool:list_users", "class:Read", "all"):
        assert client.get(path, {"for": wanted}).json()["arguments"][0]["path"] == "args.user_name"
    assert client.get(path, {"for": "tool:\x00"}).json() == {"arguments": []}


def test_the_ladder(cast: Cast, acme: Acme, signed_in: SignedIn, path: str) -> None:
    assert signed_in(cast.bob).get(path).status_code == 200
    assert signed_in(cast.mallory).get(path).status_code == 404
    assert Client().get(path).status_code == 302
    assert signed_in(cast.carol).post(path).status_code == 405


def test_a_removed_tool_is_not_offered(cast: Cast, acme: Acme, signed_in: SignedIn, path: str) -> None:
    with inside(cast.alice):
        Tool.objects.filter(name="list_users").update(removed_at=timezone.now())
    assert "list_users" not in signed_in(cast.carol).get(path).content.decode()
