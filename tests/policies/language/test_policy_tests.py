"""Policy tests: calls with the outcome their writer expects."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.language.cases import (
    MOST_TESTS,
    PolicyTest,
    TestResult,
    TestsInvalid,
    name_of,
    read_tests,
    run_tests,
)
from policies.language.compile import CompiledPolicy, compile_policy
from policies.language.decide import decide
from policies.language.decision import MISSING, Outcome, ToolCall
from policies.language.parse import parse_policy
from tests.examples import examples

from .strategies import arguments, called, junk, policies

REFUND = {"tool": "refund", "arguments": {"amount": 5}}


def compiled(policy: Any = None) -> CompiledPolicy:
    document = policy or {
        "version": "1",
        "default": "deny",
        "tools": {
            "look": {},
            "refund": {
                "require": [{"conditions": [{"path": "args.amount", "op": "lte", "value": 100}]}],
                "rate_limit": {"max": 1, "window": "minute"},
            },
            "merge": {"action": "require_approval", "rate_limit": {"max": 1, "window": "minute"}},
        },
    }
    return compile_policy(parse_policy(json.dumps(document)), ())


def run(**test: Any) -> TestResult:
    (result,) = run_tests(compiled(), read_tests(json.dumps([{"name": "it", "call": REFUND, **test}])))
    return result


@pytest.mark.parametrize(
    ("tool", "expect", "passed"),
    [
        ("look", "allow", True),
        ("look", "limited", False),
        ("refund", "allow", True),
        ("refund", "limited", True),
        ("refund", "deny", False),
        ("merge", "approval", True),
        ("merge", "limited", False),
        ("other", "deny", True),
    ],
)
def test_a_test_passes_when_the_call_meets_what_is_expected(tool: str, expect: str, passed: bool) -> None:
    assert run(call={"tool": tool, "arguments": {"amount": 5}}, expect=expect).passed is passed


def test_a_test_may_name_the_rule_that_decides() -> None:
    too_much = {"tool": "refund", "arguments": {"amount": 101}}
    assert run(call=too_much, expect="deny", rule="/tools/refund/require/0").passed
    failed = run(call=too_much, expect="deny", rule="(default deny)")
    assert not failed.passed
    assert failed.sentence == "refund is denied by /tools/refund/require/0; expected by (default deny)."


def test_a_failed_test_says_what_became_of_the_call() -> None:
    assert run(expect="deny").sentence == "refund is allowed by /tools/refund; expected to be denied."


def test_tests_do_not_use_up_each_others_limits() -> None:
    several = [{"name": str(index), "call": REFUND, "expect": "limited"} for index in range(3)]
    assert all(result.passed for result in run_tests(compiled(), read_tests(json.dumps(several))))


def test_numbers_of_a_test_are_judged_as_they_are_spelt() -> None:
    call = '{"tool": "refund", "arguments": {"amount": 100.00000000000000001}}'
    text = f'[{{"name": "n", "call": {call}, "expect": "deny"}}]'
    (result,) = run_tests(compiled(), read_tests(text))
    assert result.decision.code == "undecidable"


def test_without_arguments_a_test_calls_without_arguments() -> None:
    (test,) = read_tests('[{"name": "n", "call": {"tool": "look"}, "expect": "allow"}]')
    assert test == PolicyTest("n", ToolCall("look", MISSING), "allow")


def test_every_slip_in_a_list_of_tests_is_told_with_its_place() -> None:
    text = (
        '[{"nme": "a", "call": {"tool": 5}, "expect": "denied"},\n'
        ' {"name": "b", "call": {"tool": "t", "arguments": {"x": 1, "x": 2}}, "expect": "deny", "rule": 1}]'
    )
    with pytest.raises(TestsInvalid) as invalid:
        read_tests(text)
    found = [(problem.code, problem.pointer, problem.line) for problem in invalid.value.problems]
    assert found == [
        ("missing_key", "/0", 1),
        ("unknown_key", "/0/nme", 1),
        ("wrong_type", "/0/call/tool", 1),
        ("bad_value", "/0/expect", 1),
        ("duplicate_key", "/1/call/arguments/x", 2),
        ("wrong_type", "/1/rule", 2),
    ]


@pytest.mark.parametrize("text", ["", "{}", "[5]", "[{}]", b"\xff", "\ufeff[]", "[" * 300, "x" * 1_048_577])
def test_a_text_that_holds_no_tests_is_refused(text: str | bytes) -> None:
    with pytest.raises(TestsInvalid):
        read_tests(text)


def test_there_are_only_so_many_tests() -> None:
    one = {"name": "n", "call": {"tool": "t"}, "expect": "deny"}
    assert len(read_tests(json.dumps([one] * MOST_TESTS))) == MOST_TESTS
    with pytest.raises(TestsInvalid, match="at most"):
        read_tests(json.dumps([one] * (MOST_TESTS + 1)))


def test_a_name_is_safe_to_print() -> None:
    (test,) = read_tests('[{"name": "a\\nb \u202e", "call": {"tool": "t"}, "expect": "deny"}]')
    assert name_of(test).isprintable()


@given(policies, called, arguments)
@examples(20)
def test_a_test_agrees_with_the_decision(policy: Any, tool: str, given_arguments: Any) -> None:
    judge = compiled(policy)
    call = {"tool": tool, "arguments": given_arguments}
    outcome = decide(judge, ToolCall(tool, given_arguments)).outcome
    tests = [
        {"name": each, "call": call, "expect": each} for each in ("allow", "deny", "approval", "limited")
    ]
    passed = {result.test.name for result in run_tests(judge, read_tests(json.dumps(tests))) if result.passed}
    assert passed - {"limited"} == {str(outcome)}
    assert "limited" not in passed or outcome is Outcome.ALLOW


@given(
    st.one_of(junk, st.lists(st.dictionaries(st.sampled_from(["name", "call", "expect"]), junk, max_size=3)))
)
@examples(35)
def test_any_json_is_a_list_of_tests_or_has_problems(value: Any) -> None:
    try:
        read_tests(json.dumps(value).replace("Infinity", "1e400"))
    except TestsInvalid as invalid:
        assert all(problem.message and problem.line for problem in invalid.problems)
