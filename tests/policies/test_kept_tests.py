"""Tests kept beside a policy: run with every judgement of its text, and in the way of publishing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, Membership
from common.errors import Conflict, InvalidInput, NotAllowed, NotFound
from policies.beside import Beside
from policies.kept_tests import (
    MOST_KEPT,
    change_expectation,
    drop_test,
    keep_test,
    kept_tests,
    replace_tests,
)
from policies.language.cases import PolicyTest
from policies.language.cases import tests_text as text_of
from policies.language.decision import ToolCall
from policies.language.problems import PolicyInvalid
from policies.models import Policy
from policies.services import judge, publish_policy, restore_revision, save_draft, tool_facts
from tests.cast import Acme, Cast, inside

OPEN = '{\n  "version": "1",\n  "default": "deny",\n  "tools": {\n    "create_access_key": {}\n  }\n}'
NEVER = PolicyTest("keys of root", ToolCall("create_access_key", {"user": "root"}), "deny")
LIMITED = PolicyTest("keys are counted", ToolCall("create_access_key"), "limited")


def verbs(member: Membership) -> list[tuple[str, dict[str, Any]]]:
    with inside(member):
        events = AuditEvent.objects.visible_to(member).filter(verb__startswith="policy.").order_by("at", "pk")
        return [(event.verb, event.details) for event in events]


def test_a_failing_test_keeps_a_policy_from_being_published_and_is_named_at_the_rule_that_decided(
    cast: Cast, acme: Acme
) -> None:
    with inside(cast.carol):
        keep_test(cast.carol, acme.policy, LIMITED)
        keep_test(cast.carol, acme.policy, NEVER)
        policy = save_draft(cast.carol, acme.policy, OPEN)
        with pytest.raises(PolicyInvalid) as refused:
            publish_policy(cast.carol, policy)
        policy.refresh_from_db()
        assert policy.published_revision is None
    first, second = (problem for problem in refused.value.problems if problem.code == "test_failed")
    assert "keys are counted" in first.message
    assert "keys of root" in second.message
    assert "create_access_key is allowed by /tools/create_access_key; expected to be denied" in second.message
    assert (second.pointer, second.line, second.column) == ("/tools/create_access_key", 5, 5)


def test_tests_that_pass_let_it_be_published_and_one_that_fails_by_then_blocks_restoring_too(
    cast: Cast, acme: Acme
) -> None:
    with inside(cast.alice):
        opened = publish_policy(cast.alice, acme.policy, OPEN)
        keep_test(cast.alice, acme.policy, NEVER)
        denied = OPEN.replace("{}", '{"action": "deny"}')
        assert publish_policy(cast.alice, acme.policy, denied).number == 2
        with pytest.raises(PolicyInvalid):
            restore_revision(cast.alice, opened)


def test_a_judgement_tells_of_every_test(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        judged = judge(OPEN, tool_facts(acme.server), Beside(tests=(NEVER, LIMITED)))
        broken = judge("{", tool_facts(acme.server), Beside(tests=(NEVER,)))
    assert [(result.test.name, result.passed) for result in judged.tests] == [
        ("keys of root", False),
        ("keys are counted", False),
    ]
    assert [problem.code for problem in broken.blocking] == ["bad_json"]


def test_what_is_kept_comes_back_with_every_number_as_it_was_spelt(cast: Cast, acme: Acme) -> None:
    numbers = ("1.10", "1e400", "0.10000000000000001", "123456789012345678901234567890")
    arguments = f'{{"x": [{", ".join(numbers)}], "\\u2028\\u0000": null, "": [[], {{}}]}}'
    call = f'{{"tool": "a", "arguments": {arguments}}}'
    text = f'[{{"name": "n", "call": {call}, "expect": "deny", "rule": "/tools/a"}}]'
    with inside(cast.alice):
        policy = replace_tests(cast.alice, acme.policy, text)
        policy.refresh_from_db()
        kept = kept_tests(policy)
        again = replace_tests(cast.alice, policy, policy.tests)
    assert all(number in policy.tests for number in numbers)
    assert again.tests == policy.tests
    assert kept[0].rule == "/tools/a"
    assert [verb for verb, _ in verbs(cast.alice)].count("policy.tests_changed") == 1


def test_every_change_of_the_tests_is_told_in_the_audit_log(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        keep_test(cast.alice, acme.policy, NEVER)
        keep_test(cast.alice, acme.policy, LIMITED)
        changed = [
            {"name": "keys of root", "call": {"tool": "create_access_key"}, "expect": "approval"},
            {"name": "a third", "call": {"tool": "list_users"}, "expect": "allow"},
        ]
        replace_tests(cast.alice, acme.policy, json.dumps(changed))
        policy = drop_test(cast.alice, acme.policy, "a third")
    assert [test.name for test in kept_tests(policy)] == ["keys of root"]
    told = [details for verb, details in verbs(cast.alice) if verb == "policy.tests_changed"]
    assert told == [
        {"added": 1, "removed": 0, "changed": 0},
        {"added": 1, "removed": 0, "changed": 0},
        {"added": 1, "removed": 1, "changed": 1},
        {"added": 0, "removed": 1, "changed": 0},
    ]


def test_tests_that_someone_changed_meanwhile_are_not_written_over(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        before = acme.policy.tests
        keep_test(cast.alice, acme.policy, NEVER)
        with pytest.raises(Conflict):
            replace_tests(cast.carol, acme.policy, "[]", seen=before)
        policy = Policy.objects.get(pk=acme.policy.pk)
        assert [test.name for test in kept_tests(policy)] == ["keys of root"]
        assert kept_tests(replace_tests(cast.carol, policy, "[]", seen=policy.tests)) == ()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("{}", ["wrong_type"]),
        ("[", ["bad_json"]),
        ('[{"name": "a"}]', ["missing_key", "missing_key"]),
        ('[{"name": "a", "call": {"tool": "t"}, "expect": "alow"}]', ["bad_value"]),
        (
            '[{"name": "a", "call": {"tool": "t", "arguments": {"x": 1, "x": 2}}, "expect": "deny"}]',
            ["duplicate_key"],
        ),
        ("\ufeff[]", ["bom"]),
        ('["\\ud800"]', ["lone_surrogate"]),
        ("\x00", ["bad_json"]),
    ],
)
def test_a_text_that_holds_no_tests_is_refused_with_every_problem(
    text: str, codes: list[str], cast: Cast, acme: Acme
) -> None:
    with inside(cast.alice), pytest.raises(PolicyInvalid) as refused:
        replace_tests(cast.alice, acme.policy, text)
    assert [problem.code for problem in refused.value.problems] == codes


def _many(count: int, name: Callable[[int], str] = str) -> str:
    call = {"tool": "t", "arguments": {}}
    return json.dumps([{"name": name(number), "call": call, "expect": "deny"} for number in range(count)])


def test_no_more_tests_are_kept_than_are_run_in_time_and_each_has_a_name_of_its_own(
    cast: Cast, acme: Acme
) -> None:
    # Within the bound as it is typed, over it as it would be kept.
    values = "1," * 500_000
    dense = f'[{{"name":"n","call":{{"tool":"t","arguments":{{"x":[{values}1]}}}},"expect":"deny"}}]'
    with inside(cast.alice):
        replace_tests(cast.alice, acme.policy, _many(MOST_KEPT))
        for text in (_many(MOST_KEPT + 1), _many(2, lambda _: "same"), dense):
            with pytest.raises(InvalidInput):
                replace_tests(cast.alice, acme.policy, text)
        with pytest.raises(InvalidInput):
            keep_test(cast.alice, acme.policy, NEVER)
        for name in ("", "a\x00b", "x" * 1001):
            with pytest.raises(PolicyInvalid):
                keep_test(cast.alice, acme.policy, replace(NEVER, name=name))


def test_a_viewer_changes_no_test_and_one_that_is_not_there_cannot_be_dropped(cast: Cast, acme: Acme) -> None:
    with inside(cast.bob):
        with pytest.raises(NotAllowed):
            keep_test(cast.bob, acme.policy, NEVER)
        with pytest.raises(NotAllowed):
            replace_tests(cast.bob, acme.policy, "[]")
        with pytest.raises(NotAllowed):
            drop_test(cast.bob, acme.policy, "keys of root")
        with pytest.raises(NotAllowed):
            change_expectation(cast.bob, acme.policy, "keys of root", "allow", "")
    with inside(cast.carol):
        with pytest.raises(NotFound):
            drop_test(cast.carol, acme.policy, "keys of root")
        with pytest.raises(NotFound):
            change_expectation(cast.carol, acme.policy, "keys of root", "allow", "")


RULED = PolicyTest(
    "by its own rule", ToolCall("create_access_key"), "allow", "/tools/create_access_key/deny_if/0"
)


@pytest.mark.parametrize(
    ("test", "rule", "expected", "came_to"),
    [
        (NEVER, "{}", ("allow", None), "allowed"),
        (LIMITED, '{"action": "deny"}', ("deny", None), "denied"),
        (LIMITED, '{"action": "require_approval"}', ("approval", None), "left to a person"),
        (LIMITED, "{}", ("allow", None), "allowed"),
        (RULED, "{}", ("allow", "/tools/create_access_key"), ""),
        (RULED, '{"action": "deny"}', ("deny", "/tools/create_access_key/action"), "denied"),
    ],
)
def test_a_failing_test_set_to_what_happens_passes_and_leaves_the_others_as_they_are(
    cast: Cast,
    acme: Acme,
    test: PolicyTest,
    rule: str,
    expected: tuple[str, str | None],
    came_to: str,
) -> None:
    others = (replace(NEVER, name="before"), replace(LIMITED, name="after"))
    text = OPEN.replace("{}", rule)
    with inside(cast.carol):
        replace_tests(cast.carol, acme.policy, text_of([others[0], test, others[1]]))
        acme.policy.refresh_from_db()
        (result,) = judge(text, tool_facts(acme.server), Beside(tests=(test,))).tests
        assert result.came_to == came_to
        wanted = result.as_it_is
        policy = change_expectation(cast.carol, acme.policy, test.name, wanted.expect, result.decision.rule)
    assert kept_tests(policy) == (others[0], wanted, others[1])
    assert (wanted.expect, wanted.rule) == expected
    (again,) = judge(text, tool_facts(acme.server), Beside(tests=(wanted,))).tests
    assert again.passed


def test_the_screens_say_which_test_is_in_the_way(
    cast: Cast, acme: Acme, signed_in: Callable[[Membership], Client]
) -> None:
    with inside(cast.alice):
        keep_test(cast.alice, acme.policy, NEVER)
        save_draft(cast.alice, acme.policy, OPEN)
    client = signed_in(cast.alice)
    for page in ("", "review/"):
        shown = client.get(f"/policies/{acme.policy.public_id}/{page}").content.decode()
        assert "keys of root" in shown
        assert "expected to be denied" in shown


def test_the_api_tells_the_tests_as_they_are_kept_however_their_numbers_are_spelt(
    cast: Cast, acme: Acme, api_key: Callable[..., str]
) -> None:
    call = '{"tool": "create_access_key", "arguments": {"x": [1e400, 1.10, 0.10000000000000001]}}'
    with inside(cast.alice):
        replace_tests(cast.alice, acme.policy, f'[{{"name": "n", "call": {call}, "expect": "deny"}}]')
    headers = {"Authorization": f"Bearer {api_key(cast.alice, 'policies:read')}"}
    answer = Client().get(f"/api/v1/policies/{acme.policy.public_id}/tests/", headers=headers)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert call in answer.content.decode()
    assert [result["passed"] for result in answer.json()["results"]] == [False]
