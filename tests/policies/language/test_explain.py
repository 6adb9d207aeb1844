"""A policy in plain sentences."""

import json
from typing import Any

import pytest

from policies.language.compile import ToolFacts, compile_policy
from policies.language.explain import explain
from policies.language.parse import parse_policy
from policies.language.phrases import value_words

TOOLS = [ToolFacts("pay", "Financial"), ToolFacts("get_user", "Read")]
LIMIT = {"counter": "c", "window": "minute", "max": 30, "scope": "grant"}


def words(tool: str, **policy: Any) -> list[str]:
    return explain(
        compile_policy(parse_policy(json.dumps({"version": "1", "default": "deny", **policy})), TOOLS), tool
    )


def when(path: str, op: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}], **more}


def test_a_tool_without_a_rule_is_denied_by_default() -> None:
    (sentence,) = words("pay")
    assert (
        sentence
        == "No rule names pay, so the default applies: agents do not see it, and every call is denied."
    )


def test_a_hidden_tool_is_not_there() -> None:
    assert words("pay", hide=["p*"], tools={"pay": {}}) == [
        "pay is hidden: agents do not see it, and every call is denied."
    ]


def test_a_rule_is_told_part_by_part() -> None:
    rule = {
        "require": [
            when("args.amount", "lte", 500),
            when("args.to[*]", "ends_with", "@acme.de", on_deny="No"),
        ],
        "approve_if": [when("args.amount", "gt", 100)],
        "limits": [LIMIT, {**LIMIT, "increment_from": "args.amount", "window": "day", "scope": "server"}],
    }
    assert words("pay", tools={"pay": rule}) == [
        "pay has a rule of its own.",
        "Calls are denied unless args.amount is at most 500.",
        "Calls are denied unless every args.to[*] is a text that ends with “@acme.de”. The agent reads: “No”",
        "Calls wait for a person’s approval if args.amount is more than 100.",
        "At most 30 calls per minute for each grant.",
        "args.amount adds up to at most 30 per day, all grants of the server together.",
    ]


@pytest.mark.parametrize(
    ("policy", "sentences"),
    [
        (
            {"classes": {"Financial": {"limits": [LIMIT]}}},
            [
                "pay is of the class Financial, and the rule of that class applies.",
                "At most 30 calls per minute for each grant, all tools of the class together.",
            ],
        ),
        (
            {"classes": {"Financial": {"limits": [{**LIMIT, "counter": "{tool}_rate"}]}}},
            [
                "pay is of the class Financial, and the rule of that class applies.",
                "At most 30 calls per minute for each grant, each tool by itself.",
            ],
        ),
        (
            {"tools": {"p*": {"action": "deny", "reason": "Frozen."}}},
            [
                "The rule for p* applies, the strongest pattern that matches pay.",
                "Every call is denied. The agent reads: “Frozen.”",
            ],
        ),
        (
            {"default": "allow", "all_tools": {"action": "require_approval", "limits": [LIMIT]}},
            [
                "No rule names pay, so the default applies, and the rule for all tools.",
                "For all tools: Every call waits for a person’s approval.",
                "For all tools: At most 30 calls per minute for each grant, all tools together.",
            ],
        ),
        (
            {"tools": {"pay": {"deny_if": [{"conditions": []}]}}},
            ["pay has a rule of its own.", "Every call is denied."],
        ),
        ({"tools": {"pay": {}}}, ["pay has a rule of its own.", "Every call is allowed."]),
    ],
)
def test_it_is_said_which_rule_applies(policy: dict[str, Any], sentences: list[str]) -> None:
    assert words("pay", **policy) == sentences


def test_without_a_policy_there_is_one_sentence() -> None:
    assert explain(None, "pay") == ["This grant has no policy, so every call is denied."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("main", "“main”"),
        ('say "no"', '“say "no"”'),
        ("a” and “b", '"a” and “b"'),
        ("line\nline", '"line\\nline"'),
        ("x" * 81, f"“{'x' * 79}…”"),
    ],
)
def test_a_text_of_the_policy_stands_in_a_sentence_as_in_prose(text: str, said: str) -> None:
    assert value_words(text) == said
    assert value_words([text, 1]).startswith('["'), "what is no text is read as JSON"
