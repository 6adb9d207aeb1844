"""The policy's pages: nothing typed is lost, nothing hostile runs, nothing happens until it is published."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Membership
from policies.kept_tests import keep_test
from policies.language.cases import PolicyTest
from policies.language.decision import ToolCall
from policies.models import Policy, PolicyRevision
from policies.services import create_policy, publish_policy, save_draft
from policies.views import editor
from servers.models import Tool
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import HTMX, SignedIn, page, words

BROKEN = """{
  "version": "1",
  "default": "deny",
  "tools": {
    "create_access_key": { "limits": [{ "counter": "x", "windw": "minute", "max": 1, "scope": "grant" }] },
    "delete_user": { "action": "denny" }
  }
}"""
LOOSER = POLICY.replace('"tools": {', '"tools": {\n    "delete_user": {},')
HOSTILE = "<script>alert('x')</script>\u202e{{ x }}\"'"


def test_the_editor_shows_the_text_and_what_it_does(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    answer = signed_in(cast.carol).get(reverse("policies:editor", args=[acme.policy.public_id]))
    assert POLICY in words_kept(answer)
    shown = words(answer)
    assert "If you publish this" in shown
    assert "1 limited, 2 denied" in shown
    assert "Nothing is in force yet" in shown


def test_a_check_keeps_nothing_and_names_every_problem_with_its_place(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    path = reverse("policies:check", args=[acme.policy.public_id])
    answer = signed_in(cast.carol).post(path, {"document": BROKEN}, headers=HTMX)
    shown = words(answer)
    assert answer.status_code == 200
    assert "3 to mend" in shown
    assert '"windw" isn\'t a key here. Did you mean "window"?' in shown
    assert "/tools/delete_user/action" in shown
    assert "Line 6, column" in shown
    assert "<html" not in page(answer)
    assert draft(cast) == POLICY


def test_a_check_without_a_script_answers_the_page_with_the_typed_text(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    path = reverse("policies:check", args=[acme.policy.public_id])
    answer = signed_in(cast.carol).post(path, {"document": BROKEN.replace("\n", "\r\n")})
    assert BROKEN in words_kept(answer)
    assert "3 to mend" in words(answer)


def test_a_draft_saves_itself_with_its_problems(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    path = reverse("policies:save", args=[acme.policy.public_id])
    answer = signed_in(cast.carol).post(path, {"document": BROKEN, "version": "1"}, headers=HTMX)
    assert answer.status_code == 200
    assert answer["ETag"] == '"2"'
    assert 'name="version" value="2"' in page(answer)
    assert draft(cast) == BROKEN


def test_publishing_is_offered_loudly_only_where_something_changed(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    client, here = signed_in(cast.carol), [acme.policy.public_id]
    editor, review = reverse("policies:editor", args=here), reverse("policies:review", args=here)
    loud, quiet = '<button class="btn btn-primary" form="', '<button class="btn" form="'
    for path in (editor, review):
        assert loud in page(client.get(path)), "nothing is in force yet"
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    shown = page(client.get(editor))
    assert f'{quiet}policy-form" name="then" value="review"' in shown and loud not in shown
    assert 'aria-describedby="draft-stands"' in shown
    shown = page(client.get(review))
    assert f"{quiet}publish" in shown and loud not in shown
    assert "The draft is revision 1, which is in force: there is nothing to publish." in shown
    for path, sent in (
        (reverse("policies:save", args=here), {"document": LOOSER}),
        (reverse("policies:builder", args=here), {"document": POLICY, "do": "tidy"}),
    ):
        version = page(client.get(editor)).partition('name="version" value="')[2].partition('"')[0]
        saved = page(client.post(path, {**sent, "version": version}, headers=HTMX))
        assert 'id="review" hx-swap-oob="true"' in saved and loud in saved


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_a_stale_edit_is_said_and_kept_and_can_go_on_top(
    headers: dict[str, Any], cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, POLICY + "\n")
    client = signed_in(cast.carol)
    path = reverse("policies:save", args=[acme.policy.public_id])
    answer = client.post(path, {"document": LOOSER, "version": "1"}, headers=headers)
    assert answer.status_code == 412
    assert "Someone saved this policy while you were editing." in words(answer)
    assert 'name="on_top" value="2"' in page(answer)
    assert 'name="version" value="1"' in page(answer), "another save by itself must not overwrite theirs"
    assert draft(cast) == POLICY + "\n"
    if not headers:
        assert LOOSER in words_kept(answer)
    assert client.post(path, {"document": LOOSER, "version": "1", "on_top": "2"}).status_code == 302
    assert draft(cast) == LOOSER


@pytest.mark.parametrize("version", ["", "x", "-1", "1e3", "²", "99999999999999999999"])
def test_a_save_without_a_good_version_overwrites_nothing(
    version: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    path = reverse("policies:save", args=[acme.policy.public_id])
    answer = signed_in(cast.carol).post(path, {"document": "{}", "version": version})
    assert answer.status_code == 412
    assert draft(cast) == POLICY


def test_saving_what_is_stored_already_is_no_stale_edit(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, LOOSER)
    path = reverse("policies:save", args=[acme.policy.public_id])
    answer = signed_in(cast.carol).post(path, {"document": LOOSER, "version": "1", "then": "review"})
    assert answer["Location"] == reverse("policies:review", args=[acme.policy.public_id])


def test_the_same_text_saved_between_reading_and_storing_is_no_stale_edit(
    cast: Cast, acme: Acme, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crossed(member: Membership, policy: Policy, text: str, *, if_version: int | None) -> Policy:
        save_draft(member, Policy.objects.get(pk=policy.pk), text)  # as the page itself does meanwhile
        return save_draft(member, policy, text, if_version=if_version)

    monkeypatch.setattr(editor, "save_draft", crossed)
    path = reverse("policies:save", args=[acme.policy.public_id])
    answer = signed_in(cast.carol).post(path, {"document": LOOSER, "version": "1", "then": "review"})
    assert answer["Location"] == reverse("policies:review", args=[acme.policy.public_id])
    assert draft(cast) == LOOSER


def test_a_text_that_cannot_be_stored_is_handed_back(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    path = reverse("policies:save", args=[acme.policy.public_id])
    answer = signed_in(cast.carol).post(path, {"document": "{\x00}", "version": "1"}, headers=HTMX)
    assert answer.status_code == 422
    assert "The draft was not saved. The text holds a NUL character" in words(answer).replace("</b>", "")


def test_the_draft_can_go_back_to_what_is_in_force(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    path = reverse("policies:discard", args=[acme.policy.public_id])
    client = signed_in(cast.carol)
    assert client.post(path).status_code == 409
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
        save_draft(cast.alice, acme.policy, LOOSER)
    theirs = client.post(path, {"version": "1"})
    assert theirs.status_code == 412
    assert "Someone saved this policy while you were editing" in words(theirs)
    assert draft(cast) == LOOSER
    assert client.post(path, {"version": "2"}).status_code == 302
    assert draft(cast) == POLICY


@pytest.mark.parametrize("meanwhile", ["saved", "published"])
def test_a_restore_takes_the_place_of_nothing_that_its_page_did_not_tell_of(
    meanwhile: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
        publish_policy(cast.alice, acme.policy, LOOSER)
        policy = save_draft(cast.alice, acme.policy, LOOSER + " ")
    seen = {"version": str(policy.version), "live": "2"}
    with inside(cast.alice):
        save_draft(cast.alice, policy, BROKEN) if meanwhile == "saved" else publish_policy(cast.alice, policy)
        before = Policy.objects.get(pk=policy.pk)
    path, client = reverse("policies:restore", args=[policy.public_id, 1]), signed_in(cast.alice)
    answer = client.post(path, seen)
    assert answer.status_code == 412
    assert "Nothing was restored" in words(answer)
    with inside(cast.alice):
        after = Policy.objects.get(pk=policy.pk)
    assert (after.draft, after.published_revision_id) == (before.draft, before.published_revision_id)
    fields = dict(re.findall(r'name="(version|live)" value="([0-9]+)"', page(answer)))
    assert client.post(path, fields).status_code == 302


def test_the_review_says_what_becomes_looser_before_what_becomes_tighter(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
        save_draft(cast.alice, acme.policy, LOOSER.replace('"limits"', '"action": "deny", "limits"'))
    shown = words(signed_in(cast.carol).get(reverse("policies:review", args=[acme.policy.public_id])))
    assert "Publish revision 2 of agents" in shown
    assert "It replaces revision 1 for 1 grant: " in shown
    looser, tighter = shown.index("Looser, 1"), shown.index("Tighter, 1")
    assert looser < shown.index(">delete_user<") < tighter < shown.rindex(">create_access_key<")


def test_a_default_that_opens_is_part_of_the_review(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
        save_draft(cast.alice, acme.policy, POLICY.replace('"default": "deny"', '"default": "allow"'))
    shown = words(signed_in(cast.carol).get(reverse("policies:review", args=[acme.policy.public_id])))
    assert "Beyond today's tools, 3" in shown
    assert "Any other tool" in shown


def test_publishing_a_draft_with_problems_says_why_and_keeps_it(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, BROKEN)
    client = signed_in(cast.carol)
    shown = client.get(reverse("policies:review", args=[acme.policy.public_id]))
    assert "This draft cannot be published: 3 problems." in words(shown)
    answer = client.post(reverse("policies:publish", args=[acme.policy.public_id]), {"version": "2"})
    assert answer.status_code == 422
    assert "Did you mean" in words(answer)
    assert draft(cast) == BROKEN
    with inside(cast.alice):
        assert not PolicyRevision.objects.exists()


def test_much_that_was_found_is_scrolled_in_its_place(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    """The note and the button below are not pushed away by three hundred findings of one kind."""
    path = reverse("policies:review", args=[acme.policy.public_id])
    for many, has_its_own_bar in ((2, False), (30, True)):
        tools: dict[str, object] = {f"no_tool_{number}": {} for number in range(many)}
        with inside(cast.alice):
            save_draft(
                cast.alice, acme.policy, json.dumps({"version": "1", "default": "deny", "tools": tools})
            )
        shown = page(signed_in(cast.carol).get(path))
        assert shown.count('data-severity="warning"') == many
        assert ('tabindex="0" role="group" aria-label="Everything found"' in shown) is has_its_own_bar


def test_a_review_that_is_blocked_shows_what_would_change_and_why_it_cannot_be_published(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        keep_test(cast.alice, acme.policy, PolicyTest("no deleting", ToolCall("delete_user"), "deny"))
        save_draft(cast.alice, acme.policy, LOOSER)
    client = signed_in(cast.carol)
    shown = words(client.get(reverse("policies:review", args=[acme.policy.public_id])))
    assert "This draft cannot be published: 1 failing test." in shown
    assert "Looser, " in shown
    assert "1 of 1 test fails" in shown
    assert 'aria-disabled="true" aria-describedby="publish-how"' in shown
    assert 'form="publish"' not in shown, "nothing there publishes"
    path = reverse("policies:publish", args=[acme.policy.public_id])
    refused = client.post(path, {"version": "2", "note": "Kept", "opens_critical": "on"})
    assert refused.status_code == 422
    assert 'value="Kept"' in page(refused)
    with inside(cast.alice):
        assert not PolicyRevision.objects.exists()


def test_publishing_leads_to_the_page_of_its_rollout(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.carol)
    path = reverse("policies:publish", args=[acme.policy.public_id])
    answer = client.post(path, {"version": "1", "note": "First rules"})
    live = reverse("policies:live", args=[acme.policy.public_id, 1])
    assert answer["Location"] == live
    shown = client.get(live)
    assert "Revision 1 of agents is published" in words(shown)
    assert "every 1s" in page(shown), "no gateway runs it yet, so the page goes on asking"
    with inside(cast.alice):
        assert PolicyRevision.objects.get(policy=acme.policy).note == "First rules"


def test_publishing_what_somebody_changed_meanwhile_publishes_nothing(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, LOOSER)
    path = reverse("policies:publish", args=[acme.policy.public_id])
    answer = signed_in(cast.carol).post(path, {"version": "1", "note": "Mine"})
    assert answer.status_code == 412
    assert "Someone saved this policy while you were reading." in words(answer)
    assert 'value="Mine"' in page(answer)
    with inside(cast.alice):
        assert not PolicyRevision.objects.exists()


def test_opening_a_critical_tool_asks_for_one_tick(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, LOOSER)
    client = signed_in(cast.carol)
    path = reverse("policies:publish", args=[acme.policy.public_id])
    answer = client.post(path, {"version": "2", "note": "Kept"})
    assert answer.status_code == 422
    assert "delete_user becomes callable" in words(answer)
    assert 'value="Kept"' in page(answer)
    assert client.post(path, {"version": "2", "opens_critical": "on"}).status_code == 302


def test_history_compares_and_restores_as_a_new_revision(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy, note="One")
        publish_policy(cast.alice, acme.policy, LOOSER, note="Two")
    client = signed_in(cast.carol)
    ids = [acme.policy.public_id]
    listed = words(client.get(reverse("policies:history", args=ids)))
    assert "2 revisions of agents" in listed
    assert listed.index("Two") < listed.index("One")
    compared = words(client.get(reverse("policies:compare", args=ids), {"old": "1", "new": "2"}))
    assert "Looser, 1" in compared
    assert "1 line added, 0 removed" in compared
    back = words(client.get(reverse("policies:compare", args=ids), {"old": "2", "new": "1"}))
    assert "Tighter, 1" in back
    now = {"version": "2", "live": "2"}
    answer = client.post(reverse("policies:restore", args=[*ids, 1]), now)
    assert answer["Location"] == reverse("policies:live", args=[*ids, 3])
    with inside(cast.alice):
        third = PolicyRevision.objects.get(policy=acme.policy, number=3)
        assert (third.text, third.note) == (POLICY, "Restores revision 1.")


@pytest.mark.parametrize(
    ("wanted", "found", "left_out"),
    [
        ("refunds", "Refunds wait", "First try"),
        ("REVISION 1", "First try", "Refunds wait"),
        ("2", "Refunds wait", "First try"),
        ("alice@", "First try", "No revision matches"),
        ("refnuds", "Did you mean", "First try"),
        ("%", "No revision matches", "First try"),
        ("9" * 400, "No revision matches", "First try"),
        ("\x00", "First try", "No revision matches"),
    ],
)
def test_history_is_searched(
    wanted: str, found: str, left_out: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy, note="First try")
        publish_policy(cast.alice, acme.policy, LOOSER, note="Refunds wait")
    path = reverse("policies:history", args=[acme.policy.public_id])
    shown = words(signed_in(cast.bob).get(path, {"q": wanted}))
    assert found in shown and left_out not in shown
    assert "2 revisions of agents" in shown


@pytest.mark.parametrize("query", [{}, {"old": "1"}, {"old": "x", "new": "1"}, {"old": "0", "new": "1"}])
def test_a_comparison_of_nothing_shows_the_list_again(
    query: dict[str, str], cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    answer = signed_in(cast.bob).get(reverse("policies:compare", args=[acme.policy.public_id]), query)
    assert answer.status_code == 422
    assert "Choose two revisions." in words(answer)


def test_a_number_that_is_no_revision_is_404(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.alice)
    for name in ("policies:revision", "policies:live", "policies:rollout"):
        assert client.get(reverse(name, args=[acme.policy.public_id, 7])).status_code == 404
    query = {"old": "1", "new": "999999999999999999999"}
    assert client.get(reverse("policies:compare", args=[acme.policy.public_id]), query).status_code == 404


@pytest.mark.parametrize("start", ["recommended", "ask", "read-only", "empty"])
def test_every_start_makes_a_draft_without_problems(
    start: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    client = signed_in(cast.carol)
    sent = {"server": acme.server.public_id, "name": "mine", "start": start}
    answer = client.post(reverse("policies:create"), sent)
    assert answer.status_code == 302
    shown = words(client.get(answer["Location"]))
    assert "to mend" not in shown
    assert "Agents feel nothing until you publish." in shown


def test_a_pasted_policy_is_kept_as_pasted_problems_and_all(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    pasted = "\n  " + BROKEN + "\n\n"
    sent = {"server": acme.server.public_id, "name": "pasted", "start": "paste"}
    answer = signed_in(cast.carol).post(
        reverse("policies:create"), {**sent, "document": pasted.replace("\n", "\r\n")}
    )
    assert answer.status_code == 302
    with inside(cast.alice):
        assert Policy.objects.get(name="pasted").draft == pasted


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "agents"}, "AWS IAM already has a policy named agents."),
        ({"name": ""}, "Give the policy a name of 1 to 80 ordinary characters."),
        ({"name": "a\u202eb"}, "Give the policy a name of 1 to 80 ordinary characters."),
        ({"start": "nothing"}, "Choose where the policy starts."),
        ({"document": " "}, "Paste the policy first, or choose a start above."),
    ],
)
def test_a_start_that_fails_keeps_what_was_typed(
    change: dict[str, str], sentence: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    sent = {"server": acme.server.public_id, "name": "kept name", "start": "paste", "document": BROKEN}
    answer = signed_in(cast.carol).post(reverse("policies:create"), sent | change)
    assert answer.status_code == 422
    assert sentence in words(answer)
    if "document" not in change:
        assert BROKEN in words_kept(answer)
    if "name" not in change:
        assert 'value="kept name"' in page(answer)


def test_a_start_copies_another_policy_and_keeps_what_was_typed(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    carol, create = signed_in(cast.carol), reverse("policies:create")
    shown = carol.get(create, {"server": acme.server.public_id})
    assert f'<option value="{acme.policy.public_id}">agents, AWS IAM</option>' in page(shown)
    sent = {
        "server": acme.server.public_id,
        "name": "kept name",
        "start": "copy",
        "document": "{typed by hand",
    }
    copied = carol.post(create, sent | {"copy": acme.policy.public_id})
    assert copied.status_code == 200
    assert unescape(page(copied)).count(POLICY) == 1
    assert 'value="kept name"' in page(copied) and "{typed by hand" in unescape(page(copied))
    empty = carol.post(create, sent | {"copy": acme.policy.public_id, "document": " "})
    assert "data-before open hidden" in page(empty)
    again = carol.post(create, sent | {"start": "paste", "name": "", "document": "{", "before": "once typed"})
    assert again.status_code == 422 and "once typed" in page(again)
    others = signed_in(cast.mallory).post(create, sent | {"copy": acme.policy.public_id})
    assert others.status_code == 404
    for odd in ("pol_0", "x", "\x00", ""):
        assert carol.post(create, sent | {"copy": odd}).status_code == 404
    assert signed_in(cast.bob).post(create, sent | {"copy": acme.policy.public_id}).status_code == 403


def test_a_start_is_not_chosen_over_a_text_that_was_typed(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    sent = {
        "server": acme.server.public_id,
        "name": "agents-2",
        "start": "empty",
        "document": "{typed by hand",
    }
    answer = signed_in(cast.carol).post(reverse("policies:create"), sent)
    assert answer.status_code == 422
    assert "That start does not use this text." in words(answer) and "{typed by hand" in words_kept(answer)


@pytest.mark.parametrize("view", ["builder", "json", "words"])
def test_effects_tests_and_trying_a_call_stand_beside_every_view(
    view: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    carol, at = signed_in(cast.carol), f"/policies/{acme.policy.public_id}/"
    shown = page(carol.get(f"{at}?view={view}"))
    for panel in ('id="effects"', 'id="tests-panel"', 'id="try-panel"'):
        assert panel in shown, panel
    tried = carol.post(f"{at}try/", {"view": view, "tool": "create_access_key", "arguments": ""})
    assert tried.status_code == 200
    assert "Allowed." in words(tried) and f'name="view" value="{view}"' in page(tried)


def test_hostile_names_are_text_everywhere(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        Tool.objects.filter(name="list_users").update(name=HOSTILE, description=HOSTILE)
        named = "<script>alert('x')</script>\"'"
        policy = create_policy(cast.alice, acme.server, named, POLICY.replace('"create_access_key":', '"*":'))
        publish_policy(cast.alice, policy, note=HOSTILE)
        save_draft(cast.alice, policy, POLICY.replace('"create_access_key":', f'"{HOSTILE[:27]}":'))
    client = signed_in(cast.carol)
    ids = [policy.public_id]
    paths = [
        reverse("policies:list"),
        reverse("policies:list") + "?q=%3Cscript%3E",
        *(reverse(f"policies:{name}", args=ids) for name in ("editor", "review", "history")),
        *(reverse(f"policies:{name}", args=[*ids, 1]) for name in ("revision", "live")),
        reverse("policies:compare", args=ids) + "?old=1&new=1",
        reverse("policies:create") + f"?server={acme.server.public_id}",
    ]
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in page(answer), path
        assert "\u202e" not in page(answer), path
    assert "U+202E" in page(client.get(reverse("policies:editor", args=ids)))


def test_a_viewer_reads_and_is_told_who_can_help(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    sentence = "Editing policies needs the policy manager role. Yours is viewer; 3 people can help."
    client = signed_in(cast.bob)
    shown = client.get(reverse("policies:editor", args=[acme.policy.public_id]), {"view": "json"})
    assert sentence in words(shown)
    assert "readonly" in page(shown)
    text = page(shown).partition('id="id_document"')[2].partition("</textarea>")[0]
    assert text and "hx-post" not in text
    assert sentence in words(client.get(reverse("policies:list")))


def test_the_list_says_how_each_draft_stands(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.bob)
    assert "never published" in words(client.get(reverse("policies:list")))
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    assert "1 policy, 1 in force" in words(client.get(reverse("policies:list")))
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, LOOSER)
    assert "not published yet" in words(client.get(reverse("policies:list")))
    found = words(client.get(reverse("policies:list"), {"q": "nope"}))
    assert "No policy matches" in found


def test_the_list_asks_no_more_for_many_than_for_one(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.bob)
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    few = count_queries(lambda: client.get(reverse("policies:list")))
    with inside(cast.alice):
        for number in range(7):
            publish_policy(
                cast.alice, create_policy(cast.alice, acme.server, f"more {number}", POLICY), note="x"
            )
    assert count_queries(lambda: client.get(reverse("policies:list"))) == few


def count_queries(ask: Any) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert ask().status_code == 200
    return len(asked)


def draft(cast: Cast) -> str:
    with inside(cast.alice):
        return Policy.objects.get(name="agents").draft


def words_kept(answer: Any) -> str:
    """What stands in the text area, to the character."""
    whole = page(answer)
    start = whole.index(">\n", whole.index('name="document"')) + 2
    return unescape(whole[start : whole.index("</textarea>", start)])
