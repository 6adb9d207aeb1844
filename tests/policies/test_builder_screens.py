"""The builder's pages: one act at a time, to the text that came with it, and nothing else changes."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from policies.models import Policy
from policies.services import publish_policy, save_draft
from servers.models import Tool
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import HTMX, SignedIn, page, words

KEY = "/tools/create_access_key"


def draft(cast: Cast, acme: Acme) -> str:
    with inside(cast.alice):
        return Policy.objects.get(pk=acme.policy.pk).draft


@pytest.mark.parametrize("view", ["", "?view=json", "?view=words", "?view=x&page=0&show=1", f"?open={KEY}"])
def test_every_view_shows(view: str, cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    for who in (cast.carol, cast.bob):
        answer = signed_in(who).get(reverse("policies:editor", args=[acme.policy.public_id]) + view)
        assert answer.status_code == 200
        assert "If you publish this" in words(answer)


def test_a_verb_changes_its_row_and_nothing_else(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    answer = signed_in(cast.carol).post(
        reverse("policies:builder", args=[acme.policy.public_id]),
        {"do": "verb", "row": KEY, "verb": "approval", "version": "1", "document": POLICY},
        headers=HTMX,
    )
    assert answer.status_code == 200
    wanted = POLICY.replace(
        '"create_access_key": {', '"create_access_key": {\n      "action": "require_approval",'
    )
    assert draft(cast, acme) == wanted
    assert 'id="board"' in page(answer)


def test_a_limit_is_offered_no_argument_inside_a_list(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    items = {"type": "object", "properties": {"sku": {"type": "string"}}}
    schema = {"type": "object", "properties": {"name": {}, "lines": {"type": "array", "items": items}}}
    with inside(cast.alice):
        Tool.objects.filter(server=acme.server, name="create_access_key").update(input_schema=schema)
    answer = signed_in(cast.carol).get(
        reverse("policies:editor", args=[acme.policy.public_id]) + f"?open={KEY}"
    )
    (offered,) = re.findall(r'<datalist id="largs-[^"]*">(.*?)</datalist>', page(answer))
    assert re.findall(r'value="([^"]*)"', offered) == ["args.name", "args.lines"]


@pytest.mark.parametrize(
    ("takes_arguments", "hide", "first", "then"),
    [(True, [], True, True), (False, [], True, False), (True, ["create_*"], False, False)],
)
def test_a_closed_row_says_only_what_can_be_done_about_it(
    takes_arguments: bool,
    hide: list[str],
    first: bool,
    then: bool,
    cast: Cast,
    acme: Acme,
    signed_in: SignedIn,
) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}} if takes_arguments else {}}
    with inside(cast.alice):
        Tool.objects.filter(server=acme.server, name="create_access_key").update(input_schema=schema)
        save_draft(cast.alice, acme.policy, json.dumps({"version": "1", "default": "deny", "hide": hide}))
    answer = signed_in(cast.carol).get(
        reverse("policies:editor", args=[acme.policy.public_id]) + f"?open={KEY}"
    )
    assert ("Set what it does first." in words(answer)) == first
    assert ("starts with a condition that no call meets" in words(answer)) == then


def builder(acme: Acme) -> str:
    return reverse("policies:builder", args=[acme.policy.public_id])


def test_without_a_script_the_stored_draft_is_meant(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    answer = signed_in(cast.carol).post(
        builder(acme), {"do": "verb", "row": KEY, "verb": "hide", "version": "1", "show": "all"}
    )
    assert answer.status_code == 302
    assert answer["Location"].endswith("?show=all&open=%2Ftools%2Fcreate_access_key")
    assert json.loads(draft(cast, acme))["hide"] == ["create_access_key"]


def test_a_stale_act_is_said_and_nothing_is_lost(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, POLICY + "\n")
    client = signed_in(cast.carol)
    sent = {"do": "verb", "row": KEY, "verb": "approval", "version": "1", "document": POLICY}
    answer = client.post(builder(acme), sent, headers=HTMX)
    assert answer.status_code == 412
    assert "Someone saved this policy while you were editing." in words(answer)
    assert 'name="version" value="1"' in page(answer), "another act by itself must not overwrite theirs"
    assert "require_approval" in words(answer), "mine stands in the page"
    assert draft(cast, acme) == POLICY + "\n"


def test_what_cannot_be_done_is_said_in_place_and_changes_nothing(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    sent = {"do": "verb", "row": "/default", "verb": "limit", "version": "1", "document": POLICY}
    answer = signed_in(cast.carol).post(builder(acme), sent, headers=HTMX)
    assert answer.status_code == 422
    assert "can only be allowed or denied" in words(answer)
    assert draft(cast, acme) == POLICY


def test_line_ends_of_another_kind_stay_where_nothing_was_done(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    text = POLICY.replace("\n", "\r\n")
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, text)
    sent = {"do": "verb", "row": "/default", "verb": "allow", "version": "2", "document": POLICY}
    assert signed_in(cast.carol).post(builder(acme), sent, headers=HTMX).status_code == 200
    assert draft(cast, acme) == text.replace('"default": "deny"', '"default": "allow"')


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "nul", '{"tools": [1]}', '{"tools": {"a": 5, "\\ud800": {}}, "a": "\\ud800"}']
)
def test_the_builder_shows_what_it_can_of_any_text(
    text: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, text)
    for view in ("", "?view=words", "?view=json", f"?open={KEY}", "?open=/tools/a", "?open=/resources"):
        answer = signed_in(cast.carol).get(reverse("policies:editor", args=[acme.policy.public_id]) + view)
        assert answer.status_code == 200, view
    if not text.startswith('{"'):
        shown = words(signed_in(cast.carol).get(reverse("policies:editor", args=[acme.policy.public_id])))
        assert "The text is not JSON that can be read." in shown
        assert "create_access_key" in shown, "the last version that could be read"
        back = {"do": "text", "text": POLICY, "version": "2"}
        assert signed_in(cast.carol).post(builder(acme), back).status_code == 302
        assert draft(cast, acme) == POLICY


def test_the_names_of_resources_come_back_from_their_fields_as_they_are(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    access = {"default": "deny", "allow": ["repo://acme/*", "a <b>"], "deny": ["repo://acme/keys/*"]}
    with inside(cast.alice):
        save_draft(
            cast.alice, acme.policy, json.dumps({"version": "1", "default": "deny", "prompts": access})
        )
    client = signed_in(cast.carol)
    shown = page(client.get(reverse("policies:editor", args=[acme.policy.public_id]) + "?open=/resources"))
    fields = re.findall(
        r'name="(allow|deny)" id="access-\w+-prompts"[^>]*>\n?(.*?)</textarea>', shown, re.DOTALL
    )
    typed = {name: unescape(text) for name, text in fields}
    assert typed == {name: "\n".join(access[name]) for name in ("allow", "deny")}
    sent = {"do": "access", "section": "prompts", "default": "allow", **typed, "version": "2"}
    assert client.post(builder(acme), sent).status_code == 302
    assert json.loads(draft(cast, acme))["prompts"] == {**access, "default": "allow"}


def test_a_tried_call_is_judged_and_nothing_is_kept(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    path = reverse("policies:try", args=[acme.policy.public_id])
    for arguments, expected in [
        ("user: bob", "Allowed."),
        ('{"user": "bob", "user": "eve"}', "The arguments are not JSON"),
        ("no argument at all", 'Write "name: value"'),
    ]:
        sent = {"tool": "create_access_key", "arguments": arguments}
        assert expected in words(signed_in(cast.bob).post(path, sent, headers=HTMX)).replace("&quot;", '"')
    sent = {"tool": "delete_user", "arguments": "", "document": "{"}
    assert "Once they are mended" in words(signed_in(cast.carol).post(path, sent, headers=HTMX))
    stored = words(signed_in(cast.bob).post(path, sent, headers=HTMX))
    assert "Denied." in stored, "a viewer tries the stored text and no other"
    denied = words(signed_in(cast.bob).post(path, {"tool": "<b>", "arguments": ""}, headers=HTMX))
    assert "Denied." in denied


def test_a_tried_call_that_a_gateway_denies_all_the_same_is_not_called_allowed(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    rule = {"require": [{"conditions": [{"path": "args.user", "op": "eq", "value": "ada"}]}]}
    sent = {
        "tool": "create_access_key",
        "arguments": "user: ada\nUser: root",
        "document": json.dumps({"version": "1", "default": "deny", "tools": {"create_access_key": rule}}),
    }
    path = reverse("policies:try", args=[acme.policy.public_id])
    said = words(signed_in(cast.carol).post(path, sent, headers=HTMX))
    assert "although the policy allows it. The agent reads:" in said and "differs by case" in said
    assert "<b>Allowed.</b>" not in said


def test_a_tried_call_of_an_unlisted_tool_that_the_policy_denies_reads_the_gateways_words(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    rule = {"action": "deny", "reason": "ask Bob"}
    document = json.dumps({"version": "1", "default": "deny", "tools": {"del_*": rule}})
    sent = {"tool": "del_x", "arguments": "", "document": document}
    path = reverse("policies:try", args=[acme.policy.public_id])
    said = words(signed_in(cast.carol).post(path, sent, headers=HTMX))
    assert "before the policy, which denies it too. The agent reads:" in said
    assert "No tool named del_x is available here." in said
    assert "ask Bob" not in said and "although" not in said


def test_a_tried_call_becomes_a_test_and_leaves_again(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.carol)
    keep = reverse("policies:keep-test", args=[acme.policy.public_id])
    sent = {"tool": "delete_user", "arguments": "", "expect": "deny", "name": "No deleting"}
    assert "1 passes" in words(client.post(keep, sent, headers=HTMX))
    assert client.post(keep, sent, headers=HTMX).status_code == 422, "a name is there once"
    failing = client.post(keep, {**sent, "name": "Yes", "expect": "allow"}, headers=HTMX)
    assert "1 of 2 fails" in words(failing)
    drop = reverse("policies:drop-test", args=[acme.policy.public_id])
    assert "1 passes" in words(client.post(drop, {"name": "Yes"}, headers=HTMX))
    assert client.post(drop, {"name": "Yes"}, headers=HTMX).status_code == 200, "it is gone already"


@pytest.mark.parametrize("view", ["builder", "json", "words"])
def test_a_failing_tests_finding_carries_the_button_that_changes_its_expectation(
    cast: Cast, acme: Acme, signed_in: SignedIn, view: str
) -> None:
    client = signed_in(cast.carol)
    sent = {"tool": "delete_user", "arguments": "", "expect": "allow", "name": "Is <b> free"}
    client.post(reverse("policies:keep-test", args=[acme.policy.public_id]), sent, headers=HTMX)
    editor = reverse("policies:editor", args=[acme.policy.public_id]) + f"?view={view}"
    assert words(client.get(editor)).count("Change expectation to denied<") == 2, "a problem, and a test"
    assert "Change expectation" not in words(signed_in(cast.bob).get(editor))
    change = reverse("policies:expect", args=[acme.policy.public_id])
    pressed = {"name": "Is <b> free", "expect": "deny", "rule": "", "view": view}
    answer = client.post(change, pressed, headers=HTMX)
    assert "1 passes" in words(answer)
    assert answer["HX-Trigger"] == "layer:tests-changed"
    assert "Change expectation" not in words(client.get(editor))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"name": "gone", "expect": "deny"}, "has no test with this name"),
        ({"name": "gone", "expect": "perhaps"}, "Say what the call must come to"),
        ({}, "Say what the call must come to"),
    ],
)
def test_an_expectation_that_cannot_be_changed_says_why(
    cast: Cast, acme: Acme, signed_in: SignedIn, sent: dict[str, str], said: str
) -> None:
    change = reverse("policies:expect", args=[acme.policy.public_id])
    answer = signed_in(cast.carol).post(change, sent, headers=HTMX)
    assert answer.status_code == 422
    assert said in words(answer)


@pytest.mark.parametrize(
    ("more", "followed"),
    [
        ({"classes": {"Destructive": {"action": "deny"}}}, "the Destructive rule"),
        ({"tools": {"delete_*": {"action": "deny"}}}, "the rule for delete_*"),
        ({"hide": ["del*"]}, "a hidden pattern"),
        ({}, "Anything else"),
    ],
)
def test_an_own_rule_names_whose_rule_the_tool_would_follow_without_it(
    cast: Cast, acme: Acme, signed_in: SignedIn, more: dict[str, Any], followed: str
) -> None:
    tools = {"delete_user": {"action": "require_approval"}, **more.get("tools", {})}
    text = json.dumps({"version": "1", "default": "deny", **more, "tools": tools})
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, text)
    client, path = signed_in(cast.carol), reverse("policies:editor", args=[acme.policy.public_id])
    page = words(client.get(f"{path}?open=/tools/delete_user"))
    assert re.search(rf"Follow <bdi[^>]*>{re.escape(followed)}</bdi> again", page)
    assert "</bdi> again" not in words(client.get(f"{path}?open=/classes/Destructive"))


def test_the_builder_asks_the_database_the_same_for_any_number_of_tools(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    client, path = signed_in(cast.carol), reverse("policies:editor", args=[acme.policy.public_id])

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path + "?show=all").status_code == 200
        return len(asked)

    before = queries()
    with inside(cast.alice):
        Tool.objects.bulk_create(
            Tool(organization=cast.alice.organization, server=acme.server, name=f"t{n}", digest="x")
            for n in range(200)
        )
    assert queries() == before
    shown = page(client.get(path + "?show=all"))
    assert "Page 1 of 2" in words(client.get(path + "?show=all"))
    assert shown.count('role="radiogroup"') < 170


def test_a_policy_from_elsewhere_is_shown_as_understood_before_it_is_kept(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    client, path = signed_in(cast.carol), reverse("policies:create")
    older = "version: '1'\ntools:\n  delete_user:\n    rules:\n      - action: deny\n        reason: No.\n"
    sent = {"server": acme.server.public_id, "name": "brought", "start": "paste", "document": older}
    answer = client.post(path, sent)
    assert answer.status_code == 422
    assert "Read as an older rule file." in words(answer)
    with inside(cast.alice):
        assert not Policy.objects.filter(name="brought").exists()
    shown = unescape(page(answer)).partition('name="document"')[2]
    understood = shown.partition(">")[2].partition("</textarea>")[0].strip()
    assert json.loads(understood)["tools"]["delete_user"]["action"] == "deny"
    assert client.post(path, {**sent, "document": understood}).status_code == 302


def test_an_empty_text_in_a_list_is_seen_and_can_be_removed(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    asked = {"conditions": [{"path": "args.name", "op": "not_in", "value": [""]}]}
    rules = {"create_access_key": {"require": [asked]}}
    with inside(cast.alice):
        text = json.dumps({"version": "1", "default": "deny", "tools": rules})
        Policy.objects.filter(pk=acme.policy.pk).update(draft=text)
    answer = signed_in(cast.carol).get(
        reverse("policies:editor", args=[acme.policy.public_id]) + f"?open={KEY}"
    )
    assert ">“”</bdi>" in page(answer) and 'aria-label="Remove “”"' in page(answer)


@pytest.mark.parametrize(
    ("before", "op", "after"),
    [
        (("exists", True), "in", []),
        (("exists", True), "not_in", []),
        (("in", []), "starts_with", ""),
        (("exists", True), "under_path", "/"),
    ],
)
def test_a_condition_whose_new_operator_has_no_value_yet_asks_for_one(
    cast: Cast, acme: Acme, signed_in: SignedIn, before: tuple[str, object], op: str, after: object
) -> None:
    """In its row, in the rail, and where the policy is published."""
    asked = {"conditions": [{"path": "args.name", "op": before[0], "value": before[1]}]}
    rules = {"create_access_key": {"require": [asked]}}
    with inside(cast.alice):
        text = json.dumps({"version": "1", "default": "deny", "tools": rules})
        Policy.objects.filter(pk=acme.policy.pk).update(draft=text)
    carol, policy = signed_in(cast.carol), acme.policy.public_id
    fields = {"do": "predicate", "row": KEY, "section": "require", "index": "0", "open": KEY}
    fields |= {"path": "args.name", "op": op, "value": "", "on_deny": "", "version": "1"}
    fields |= {"control": "tokens" if before[0] == "in" else "yesno"}
    carol.post(reverse("policies:builder", args=[policy]), fields)
    with inside(cast.alice):
        (rule,) = json.loads(Policy.objects.get(pk=acme.policy.pk).draft)["tools"].values()
    assert rule["require"][0]["conditions"][0]["value"] == after
    opened = page(carol.get(reverse("policies:editor", args=[policy]) + f"?open={KEY}"))
    assert "Nothing to compare with yet" in opened
    said = "Every path is below /." if op == "under_path" else "No value is written here, so"
    said = "The value is empty, and every text starts with it." if op == "starts_with" else said
    assert said in opened
    assert said in page(carol.get(reverse("policies:review", args=[policy])))
