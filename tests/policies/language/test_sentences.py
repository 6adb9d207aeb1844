"""What an agent reads."""

import json
from typing import Any

import pytest

from policies.language import sentences
from policies.language.compile import ToolFacts, compile_policy
from policies.language.decide import decide, is_listed, names_exactly
from policies.language.decision import Decision, PromptGet, ResourceRead, TakeQuota, ToolCall
from policies.language.parse import parse_policy


def ask(rule: Any, arguments: Any, **policy: Any) -> Decision:
    text = json.dumps({"version": "1", "default": "deny", "tools": {"pay": rule}, **policy})
    return decide(
        compile_policy(parse_policy(text), [ToolFacts("pay", "Financial")]), ToolCall("pay", arguments)
    )


def condition(path: str, op: str, value: Any) -> Any:
    return {"conditions": [{"path": path, "op": op, "value": value}]}


def test_a_failed_requirement_names_the_path_and_explains_only_when_asked_to() -> None:
    decision = ask({"require": [condition("args.amount", "lte", 500)]}, {"amount": 977})
    assert decision.reason == "These arguments of pay are not allowed: args.amount."
    assert decision.explained == "These arguments of pay are not allowed: args.amount must be at most 500."


def test_a_denied_call_names_what_decided_only_when_asked_to() -> None:
    decision = ask({"deny_if": [condition("args.to[*]", "eq", "mallory")]}, {"to": ["bob", "mallory"]})
    assert decision.reason == "This call of pay is not allowed."
    assert decision.explained == "This call of pay is not allowed: args.to[*]."


@pytest.mark.parametrize(
    ("path", "op", "value", "arguments", "reason"),
    [
        ("args.amount", "lte", 5, {"amount": "9"}, "args.amount cannot be judged: it must be a number."),
        ("args.a.b", "eq", 5, {"a": [1]}, "args.a cannot be judged: it must be an object."),
        ("args.l[*].k", "eq", 5, {"l": [{"k": 5}, "s"]}, "args.l[*] cannot be judged: it must be an object."),
        ('args["x y"][0]', "eq", 5, {"x y": {}}, 'args["x y"] cannot be judged: it must be a list.'),
        ("args.n", "contains", "a", {"n": 1}, "args.n cannot be judged: it must be a text or a list."),
    ],
)
def test_what_cannot_be_judged_says_what_it_must_be(
    path: str, op: str, value: Any, arguments: Any, reason: str
) -> None:
    assert ask({"require": [condition(path, op, value)]}, arguments).reason == reason


def test_the_explicit_text_goes_out_as_it_was_written() -> None:
    decision = ask(
        {"reason": "R", "require": [{**condition("args.n", "eq", 1), "on_deny": "Ask Dave."}]}, {"n": 2}
    )
    assert (decision.reason, decision.explained) == ("Ask Dave.", "Ask Dave.")


def test_too_much_text_for_patterns_is_undecidable_and_says_so() -> None:
    decision = ask({"deny_if": [condition("args.t", "regex", "x")]}, {"t": "a" * 70_000})
    assert decision.code == "undecidable"
    assert decision.reason == (
        "args.t cannot be judged: the texts that patterns read must be at most 65,536 bytes together, "
        "fewer where patterns are large."
    )


def test_too_much_text_to_search_is_undecidable_and_says_so() -> None:
    rule = {"deny_if": [condition("args.t", "contains", f"x{number}") for number in range(17)]}
    assert ask(rule, {"t": "a" * (2**24 // 17)}).code is None
    decision = ask(rule, {"t": "a" * (2**24 // 17 + 1)})
    assert decision.code == "undecidable"
    assert decision.reason == (
        "args.t cannot be judged: the texts that are searched must be at most 16,777,216 characters "
        "together, counted for each condition."
    )


def test_too_many_values_are_undecidable_and_say_so() -> None:
    rule = {"deny_if": [condition("args.l[*]", "eq", 1), condition("args.l[*]", "eq", 2)]}
    assert ask(rule, {"l": [0] * 10_000}).code is None
    decision = ask(rule, {"l": [0] * 10_001})
    assert decision.reason == "args.l[*] cannot be judged: it must name at most 20,000 values."


def test_hidden_and_default_denied_tools_are_answered_alike() -> None:
    hidden, denied = ask({}, {}, hide=["pay"]), ask({}, {}, tools={})
    assert (hidden.code, denied.code) == ("hidden", "default_deny")
    assert hidden.reason == denied.reason == "No tool named pay is available here."
    assert sentences.wire_code("hidden") == sentences.wire_code("default_deny") == "not_available"
    assert sentences.wire_code("not_listed") == "not_available"
    assert sentences.wire_code("limit_exceeded") == "limit_exceeded"


def test_a_resource_and_a_prompt_are_refused_by_their_own_names() -> None:
    policy = compile_policy(parse_policy('{"version":"1","default":"deny"}'), [])
    assert (
        decide(policy, ResourceRead("file:///x")).reason == "No resource named file:///x is available here."
    )
    assert decide(policy, PromptGet("p")).reason == "No prompt named p is available here."


def test_a_grant_without_a_policy_says_so() -> None:
    assert decide(None, ToolCall("pay")).reason == "This grant has no policy, so every call is denied."
    assert not is_listed(None, "pay")
    assert not names_exactly(None, "pay")


def test_a_limit_says_when_to_come_back() -> None:
    assert sentences.limit_exceeded_sentence("pay", 12) == "pay has reached a limit; try again in 12 s."
    explained = sentences.limit_explained_sentence("pay", 30, 60, 12)
    assert explained == "pay is limited to 30 calls per minute; try again in 12 s."
    assert "ever" in sentences.limit_exceeded_sentence("pay", None)


def test_a_limit_on_a_sum_does_not_speak_of_calls() -> None:
    explained = sentences.limit_explained_sentence("pay", 500, 86_400, 12, "args.amount")
    assert explained == "args.amount of pay adds up to at most 500 per day; try again in 12 s."


@pytest.mark.parametrize(
    ("seconds", "said", "window"),
    [
        (1, "a second", "per second"),
        (60, "a minute", "per minute"),
        (3600, "an hour", "per hour"),
        (90, "90 seconds", "every 90 seconds"),
        (900, "15 minutes", "every 15 minutes"),
        (5400, "90 minutes", "every 90 minutes"),
        (7200, "2 hours", "every 2 hours"),
        (172_800, "2 days", "every 2 days"),
        (3601, "1 hour and 1 second", "every 1 hour and 1 second"),
        (100_000, "1 day, 3 hours, 46 minutes and 40 seconds", None),
        (604_800, "a week", "per week"),
    ],
)
def test_a_span_is_said_in_the_units_people_count_in(seconds: int, said: str, window: str | None) -> None:
    assert sentences.a_span(seconds) == said
    if window is not None:
        assert sentences.window_words(seconds) == window


def test_a_quota_carries_the_words_for_when_it_is_full() -> None:
    limit = {
        "counter": "c",
        "window": "minute",
        "max": 3,
        "scope": "grant",
        "increment_from": "args.n",
        "key": "args.k",
    }
    decision = ask({"reason": "Slow.", "limits": [limit]}, {"n": 0.5, "k": "x"})
    assert decision.quotas == (
        TakeQuota("c", "x", "grant", 60, 3, 500_000, "/tools/pay/limits/0", "Slow.", "args.n"),
    )


def test_a_missing_argument_of_a_limit_says_what_is_missing() -> None:
    limit = {"counter": "c", "window": "minute", "max": 3, "scope": "grant", "increment_from": "args.n"}
    decision = ask({"limits": [limit]}, {})
    assert (decision.code, decision.rule) == ("undecidable", "/tools/pay/limits/0")
    assert (
        decision.reason
        == "args.n cannot be judged: it must be a number from 0 that 64-bit computers read exactly."
    )
