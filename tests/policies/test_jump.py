"""Jumping to a place by a few letters of its name: what is found, for whom, and in how many questions."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from policies.services import issue_grant, publish_policy
from policies.views.jump import PAGES, VERBS
from servers.models import Tool
from servers.services import register_server
from tests.cast import Acme, Cast, inside
from tests.ladder import Door, SignedIn, climb, queries_of

JUMP = "/jump/"
PALETTE = {"X-Palette": "1"}


def found(client: Client, wanted: str) -> str:
    answer = client.get(JUMP, {"q": wanted}, headers=PALETTE)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_everybody_may_jump_and_nobody_to_what_is_anothers(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    climb(Door(JUMP, stranger=200), cast, signed_in)
    for name in ("create_access_key", "AWS", "agents", "laptop"):
        assert 'href="/' in found(signed_in(cast.bob), name)
        assert "Nothing is called" in found(signed_in(cast.mallory), name)


def test_without_words_every_page_and_what_one_may_do(cast: Cast, signed_in: SignedIn) -> None:
    shown = found(signed_in(cast.alice), "")
    assert all(words in shown for _, words in PAGES)
    assert all(words in shown for _, words, _ in VERBS)
    viewer = found(signed_in(cast.bob), "")
    assert "Issue a grant" not in viewer and "Create another organization" in viewer


def test_every_page_that_is_offered_is_there(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    from django.urls import reverse

    alice = signed_in(cast.alice)
    for name in [name for name, _ in PAGES] + [name for name, _, _ in VERBS]:
        assert alice.get(reverse(name)).status_code in {200, 302}, name


def test_a_tool_stands_with_what_happens_to_its_calls(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    alice = signed_in(cast.alice)
    assert 'data-o="limit"' not in found(alice, "create_access")
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    shown = found(alice, "create_access")
    assert 'data-o="limit"' in shown and "/log/?tool=create_access_key" in shown
    assert 'data-o="deny"' in found(alice, "delete_user") or 'data-o="hide"' in found(alice, "delete_user")


def test_the_closest_name_comes_first(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        for name in ("aws", "aws staging account"):
            register_server(cast.alice, name, "https://x.example/mcp")
    shown = found(signed_in(cast.alice), "aws")
    assert shown.index(">aws<") < shown.index(">AWS IAM<") < shown.index(">aws staging account<")


@pytest.mark.parametrize("wanted", ["%", "_", "\\", "'", "\x00", "x" * 5000, "\u202e", "<img src=x>", "💥"])
def test_odd_words_find_nothing_and_break_nothing(
    wanted: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    shown = signed_in(cast.alice).get(JUMP, {"q": wanted}).content.decode()
    assert "\u202e" not in shown.replace(f'value="{wanted}"', "") and "<img src=x>" not in shown


def test_names_of_strangers_are_text(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        Tool.objects.filter(name="delete_user").update(name="<b>odd</b>\u202e")
    raw = signed_in(cast.alice).get(JUMP, {"q": "odd"}, headers=PALETTE).content.decode()
    assert "<b>odd" not in raw and "\u202e" not in raw and "U+202E" in raw


def test_more_of_everything_is_not_more_questions(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    bob = signed_in(cast.bob)
    few = queries_of(bob, JUMP + "?q=e")
    with inside(cast.alice):
        for number in range(8):
            issue_grant(cast.alice, acme.server, acme.policy, f"one more {number}")
    assert queries_of(bob, JUMP + "?q=e") == few


def test_a_tool_under_a_policy_leads_to_a_tried_call(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    found = signed_in(cast.bob).get("/jump/", {"q": "create_access"}).content.decode()
    at = f"/policies/{acme.policy.public_id}/"
    assert "Try a call of create_access_key" in found and f'href="{at}?' in found and "#try-panel" in found
    led = re.search(rf'href="({at}\?[^"#]*)#try-panel"', found)
    assert led
    editor = signed_in(cast.bob).get(unescape(led[1])).content.decode()
    assert 'id="try-tool" value="create_access_key"' in editor
