"""What the screens say a text would do is what the language says."""

from __future__ import annotations

import json

import pytest

from policies.models import PolicyRevision
from policies.outlook import outlook, tools_of
from policies.services import publish_policy
from policies.starts import starts
from policies.textdiff import text_diff
from policies.together import together
from servers.models import Tool
from tests.cast import Acme, Cast, inside

BY_CLASS = '{"version": "1", "default": "deny", "classes": {"Write": {}}}'


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("recommended", {"limited": 1, "needs_approval": 1, "allowed": 1}),
        ("ask", {"needs_approval": 2, "allowed": 1}),
        ("read-only", {"denied": 2, "allowed": 1}),
        ("empty", {"denied": 3}),
    ],
)
def test_a_start_does_what_its_bar_shows(
    start: str, expected: dict[str, int], cast: Cast, acme: Acme
) -> None:
    with inside(cast.alice):
        documents = {each.key: each.document for each in starts(tools_of(acme.server))}
        seen = outlook(acme.server, documents[start], None)
    assert seen.problems == ()
    assert dict(seen.counts) == expected


def test_a_tool_we_are_not_sure_of_waits_for_a_person(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        Tool.objects.filter(name="list_users").update(needs_review=True)
        document = starts(tools_of(acme.server))[0].document
        seen = outlook(acme.server, document, None)
    assert seen.counts["needs_approval"] == 2


def test_tools_come_worst_first(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        seen = outlook(acme.server, BY_CLASS, None)
    assert [row.tool.name for row in seen.tools] == ["delete_user", "create_access_key", "list_users"]


def test_a_class_counts_in_force_only_for_the_definition_it_was_given_for(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        live = publish_policy(cast.alice, acme.policy, BY_CLASS)
        assert _before(acme, live) == "allowed"
        Tool.objects.filter(name="create_access_key").update(digest="f" * 64)
        assert _before(acme, live) == "denied"


def test_a_limit_of_another_size_is_a_change(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        live = publish_policy(cast.alice, acme.policy)
        seen = outlook(acme.server, acme.policy.draft.replace('"max": 30', '"max": 300'), live)
    assert [row.tool.name for row in seen.altered] == ["create_access_key"]
    assert (seen.looser, seen.tighter) == ([], [])
    assert not seen.changes_nothing
    (row,) = seen.altered
    assert (row.before_value, row.after_value) == ("30/min", "300/min")
    assert all((row.before_value, row.after_value) == ("", "") for row in seen.tools if not row.changed)


def test_another_spelling_of_the_same_rules_changes_nothing(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        live = publish_policy(cast.alice, acme.policy)
        seen = outlook(acme.server, live.document, live)
    assert seen.changes_nothing


def ruled(value: str, counter: str = "c", reason: str = "No.") -> str:
    """A policy of one rule, whose words are clipped."""
    limit = (
        f'{{"counter": "{counter}", "window": "minute", "max": 5, "scope": "grant", "on_deny": "{reason}"}}'
    )
    condition = f'{{"path": "args.x", "op": "in", "value": [1, 2, 3, 4, 5, 6, {value}]}}'
    rule = f'{{"require": [{{"conditions": [{condition}]}}], "limits": [{limit}]}}'
    return f'{{"version": "1", "default": "deny", "tools": {{"list_users": {rule}}}}}'


@pytest.mark.parametrize(
    "draft",
    [
        ruled("8"),
        ruled("true"),
        ruled('{"a": [2, 2]}'),
        ruled('{"a": [true]}'),
        ruled("7", counter="d"),
        ruled("7", reason="Never."),
    ],
)
def test_what_the_words_of_a_rule_leave_out_is_a_change_too(draft: str, cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        for value in ("7", "1", '{"a": [1]}'):
            live = publish_policy(cast.alice, acme.policy, ruled(value))
            seen = outlook(acme.server, draft, live)
            assert [row.tool.name for row in seen.altered] == ["list_users"]
            assert not seen.changes_nothing


@pytest.mark.parametrize(
    ("rules", "whom"),
    [
        ('"tools": {"drop_*": {}}', "whatever drop_* matches"),
        ('"tools": {"drop_all": {}}', "drop_all"),
        ('"classes": {"Execute": {}}', "other Execute tools"),
        ('"all_tools": {"action": "deny"}', "any other tool"),
    ],
)
def test_what_changes_for_tools_that_may_come_is_a_change_too(
    rules: str, whom: str, cast: Cast, acme: Acme
) -> None:
    default = "allow" if "all_tools" in rules else "deny"
    start = f'{{"version": "1", "default": "{default}", "hide": ["create_*", "delete_*", "list_*"]}}'
    with inside(cast.alice):
        Tool.objects.update(tool_class="Read")
        live = publish_policy(cast.alice, acme.policy, start)
        seen = outlook(acme.server, start[:-1] + f", {rules}}}", live)
        same = outlook(acme.server, start, live)
    assert [change.whom for change in seen.beyond] == [whom]
    assert (seen.unchanged, seen.changes_nothing) == (3, False)
    assert same.changes_nothing


def test_a_text_diff_numbers_and_marks_its_lines() -> None:
    found = text_diff("a\nb\nc", "a\nB\nc\nd")
    assert [(line.kind, line.text, line.number) for line in found.lines] == [
        ("same", "a", 1),
        ("removed", "b", 2),
        ("added", "B", 2),
        ("same", "c", 3),
        ("added", "d", 4),
    ]
    assert (found.added, found.removed, found.whole) == (2, 1, True)


def test_texts_too_long_to_compare_are_said_to_be() -> None:
    assert text_diff("\n" * 6000, "x").whole is False
    assert text_diff("", "") == text_diff("same", "same")


def _before(acme: Acme, live: PolicyRevision) -> str:
    seen = outlook(acme.server, BY_CLASS, live)
    return next(str(row.before) for row in seen.tools if row.tool.name == "create_access_key")


def test_a_tool_that_no_longer_shares_its_counter_has_changed(cast: Cast, acme: Acme) -> None:
    def limited(counter: str) -> dict[str, object]:
        return {"limits": [{"counter": counter, "window": "day", "max": 5, "scope": "grant"}]}

    def policy(counter: str) -> str:
        tools = {"create_access_key": limited("keys"), "list_users": limited(counter)}
        return json.dumps({"version": "1", "default": "deny", "tools": tools})

    with inside(cast.alice):
        before = PolicyRevision(number=1, text=policy("keys"), document=policy("keys"), classes=[])
        (stays, moves) = sorted(
            outlook(acme.server, policy("users"), before).altered, key=lambda row: row.tool.name
        )
    assert stays.counting == ("No longer shares the counter keys with list_users.",)
    assert moves.counting == (
        "Counted as users now, before as keys; what was used before does not carry over.",
    )
    (told, _) = together([stays, moves])
    assert told.counting == stays.counting and not told.shows_was and not told.says_too_little


@pytest.mark.parametrize("section", ["tools", "classes"])
def test_a_counter_with_another_name_is_said_instead_of_the_same_words(
    cast: Cast, acme: Acme, section: str
) -> None:
    def policy(counter: str, most: int = 5, reason: str = "Slowly.") -> str:
        limit = {"counter": counter, "window": "day", "max": most, "scope": "grant", "on_deny": reason}
        rules = {"list_users" if section == "tools" else "Read": {"limits": [limit]}}
        return json.dumps({"version": "1", "default": "deny", section: rules})

    with inside(cast.alice):
        frozen = [[tool.name, tool.tool_class, tool.digest] for tool in tools_of(acme.server)]
        before = PolicyRevision(number=1, text=policy("a"), document=policy("a"), classes=frozen)
        renamed, both, only_words = (
            outlook(acme.server, text, before).altered
            for text in (policy("b"), policy("b", 6), policy("a", reason="Later."))
        )
    said = "Counted as b now, before as a; what was used before does not carry over."
    assert {row.counting for row in renamed} == {(said,)} and not any(row.otherwise for row in renamed)
    assert not any(row.otherwise for row in both)
    assert not any(row.counting for row in only_words)
