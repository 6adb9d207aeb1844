"""What stands around the three views: how a text reads, what is pasted into it, what was found in it."""

from __future__ import annotations

from html import unescape

import pytest
from django.urls import reverse

from policies.models import Policy
from policies.services import create_policy, save_draft
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import HTMX, SignedIn, page, words

pytestmark = pytest.mark.django_db

OLDER = "tools:\n  delete_user:\n    rules:\n      - rate_limit: 5/minute\n      - spend: 3\n"
OPEN = '{"version": "1", "default": "allow"}'
BROKEN = '{"version": "1", "default": "deny", "tols": {}}'


def path(acme: Acme) -> str:
    return reverse("policies:paste", args=[acme.policy.public_id])


def draft(acme: Acme, cast: Cast) -> str:
    with inside(cast.alice):
        return Policy.objects.get(pk=acme.policy.pk).draft


def test_the_page_and_the_dialog_ask_for_a_text(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    carol = signed_in(cast.carol)
    whole, dialog = carol.get(path(acme)), carol.get(path(acme), headers=HTMX)
    assert "<html" in page(whole) and "<html" not in page(dialog)
    for each in (whole, dialog):
        assert "See what it does" in words(each)
        assert "Put it in the editor" not in words(each), "what was not looked at is not taken"
    editor = carol.get(reverse("policies:editor", args=[acme.policy.public_id]), {"view": "json"})
    assert f'href="{path(acme)}"' in page(editor)


def test_a_policy_is_taken_as_it_stands_and_its_effects_are_shown(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    typed = f"\n  {OPEN}\n\n"
    carol = signed_in(cast.carol)
    answer = carol.post(path(acme), {"document": typed.replace("\n", "\r\n")}, headers=HTMX)
    assert answer.status_code == 200
    assert f">\n{typed}</textarea>" in unescape(page(answer))
    assert "3 allowed" in words(answer) and "Compare with the draft" in words(answer)
    assert draft(acme, cast) == POLICY, "looking keeps nothing"
    taken = carol.post(
        reverse("policies:save", args=[acme.policy.public_id]),
        {"document": typed.replace("\n", "\r\n"), "version": "1", "view": "json", "then": "json"},
    )
    assert taken.status_code == 302 and taken["Location"].endswith("?view=json")
    assert draft(acme, cast) == typed


def test_an_older_rule_file_becomes_a_policy_and_what_was_left_out_is_told(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    answer = signed_in(cast.carol).post(path(acme), {"document": OLDER}, headers=HTMX)
    shown = words(answer)
    assert "Read as an older rule file." in shown and "Not carried over, 1." in shown
    assert "/tools/delete_user/rules/1/spend" in shown
    assert '"version": "1"' in unescape(page(answer))
    assert OLDER in unescape(page(answer)), "what was pasted is not lost"


def test_problems_are_named_and_do_not_stand_in_the_way(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    for text, place in ((BROKEN, "Line 1, column 37"), ("{,", "Line 1")):
        shown = words(signed_in(cast.carol).post(path(acme), {"document": text}, headers=HTMX))
        assert "1 problem to mend" in shown and place in shown
        assert "Put it in the editor" in shown and "Read as" not in shown


def test_nothing_pasted_is_said_in_place(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    for sent in ({}, {"document": " \r\n"}):
        answer = signed_in(cast.carol).post(path(acme), sent)
        assert answer.status_code == 422
        assert "Paste a policy first, choose a file, or copy another policy." in words(answer)


def test_the_text_of_another_policy_is_copied_and_what_was_typed_stays(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        other = create_policy(cast.alice, acme.server, "open", OPEN)
    carol, sent = signed_in(cast.carol), {"from": "copy", "document": "{typed by hand"}
    shown = unescape(page(carol.post(path(acme), sent | {"copy": other.public_id})))
    assert f">\n{OPEN}</textarea>" in shown and "{typed by hand</textarea>" in shown
    for odd in ("pol_0", "x", "\x00", ""):
        assert carol.post(path(acme), sent | {"copy": odd}).status_code == 404
    assert signed_in(cast.mallory).post(path(acme), sent | {"copy": other.public_id}).status_code == 404


def test_hostile_texts_are_text(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    hostile = "</textarea><script>alert(1)</script>\u202e\x00{{ 7|add:7 }}"
    carol = signed_in(cast.carol)
    for text in (
        hostile,
        f'{{"version": "1", "default": "allow", "{hostile}": 1}}',
        f"tools:\n  '{hostile}': 1",
    ):
        answer = carol.post(path(acme), {"document": text, "before": hostile})
        assert answer.status_code == 200
        assert "<script>alert" not in page(answer) and "</textarea><script" not in page(answer)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (POLICY, "Reads as JSON. No problems."),
        (POLICY[:-3], "Not JSON yet: line "),
        (BROKEN, "Reads as JSON. 1 problem, line 1."),
        (
            BROKEN.replace(', "tols"', ',\n"odd": 1,\n"tols"'),
            "Reads as JSON. 2 problems, the first on line 2.",
        ),
        (
            '{"version": "1", "default": "deny", "tools": {\n"no_such_tool": {}}}',
            "Reads as JSON. 1 to know, line 2.",
        ),
    ],
)
def test_the_head_of_the_text_says_how_it_reads_as_it_is_typed(
    text: str, sentence: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    carol = signed_in(cast.carol)
    check = reverse("policies:check", args=[acme.policy.public_id])
    answer = carol.post(check, {"document": text}, headers=HTMX)
    assert sentence in words(answer)
    assert 'id="reads"' in page(answer) and page(answer).count("hx-swap-oob") == 1
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, text)
    stored = carol.get(reverse("policies:editor", args=[acme.policy.public_id]), {"view": "json"})
    assert sentence in words(stored)


def test_plain_words_say_what_was_found_where_it_stands(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    text = '{"version": "1", "default": "deny", "tools": {"no_such_tool": {}, "delete_user": {}}}'
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, text)
    editor = reverse("policies:editor", args=[acme.policy.public_id])
    shown = words(signed_in(cast.carol).get(editor, {"view": "words"}))
    told = shown.split('id="words"')[1].split("Anything not named")[0]
    assert (
        "Every call is allowed." in told
        and 'The server has no tool <span class="mono">no_such_tool</span>, so this decides no call.' in told
    )
