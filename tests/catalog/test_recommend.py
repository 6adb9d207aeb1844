"""The rule we recommend does what its class asks, and passes through the language that enforces it."""

import json

import pytest

from catalog.classify import Classification, ToolInput, classify
from catalog.recommend import recommended_policy, recommended_rule, short_form
from policies.language.compile import ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.decision import ToolCall
from policies.language.parse import parse_policy


def classed(*names: str) -> list[tuple[str, Classification]]:
    return [(name, classify(ToolInput(name))) for name in names]


def a_minute(counter: str, most: int) -> dict[str, object]:
    return {"limits": [{"counter": counter, "window": "minute", "max": most, "scope": "grant"}]}


APPROVAL = {"action": "require_approval"}


@pytest.mark.parametrize(
    ("tool", "rule"),
    [
        ("list_users", {}),
        ("create_access_key", a_minute("create_access_key_rate", 30)),
        ("create a key", a_minute("t-618d0396d25ab0d4_rate", 30)),
        ("policy_generation_start", a_minute("policy_generation_start_rate", 10)),
        ("delete_user", APPROVAL),
        ("create_refund", APPROVAL),
        ("get_secret_value", APPROVAL),
        ("xyzzy", APPROVAL),
    ],
)
def test_each_class_has_its_rule(tool: str, rule: dict[str, object]) -> None:
    assert recommended_rule(tool, classify(ToolInput(tool))) == rule


def test_the_short_form_of_a_name_that_is_a_pattern_denies_as_its_rule_does() -> None:
    for name in ("list_*", "delete_*"):
        found = classify(ToolInput(name))
        assert recommended_rule(name, found)["action"] == "deny"
        assert short_form(name, found) == ("denied", "Deny")
    assert short_form("list_users", classify(ToolInput("list_users"))) == ("allowed", "Allow")


def test_a_servers_policy_has_classes_and_entries_for_what_they_would_treat_too_lightly() -> None:
    policy = recommended_policy(classed("list_users", "add_user", "delete_user", "get_secret_value", "xyzzy"))
    assert policy == {
        "version": "1",
        "default": "deny",
        "tools": {"get_secret_value": APPROVAL, "xyzzy": APPROVAL},
        "classes": {
            "Read": {},
            "Write": a_minute("{tool}_rate", 30),
            "Execute": a_minute("{tool}_rate", 10),
            "Destructive": APPROVAL,
            "Financial": APPROVAL,
        },
    }


def test_every_recommended_policy_parses() -> None:
    names = ["list_users", "create_access_key", "delete_user", "xyzzy", "a*b", "🗑"]
    whole = recommended_policy(classed(*names))
    single = [
        {"version": "1", "default": "deny", "tools": {name: recommended_rule(name, found)}}
        for name, found in classed(*names)
    ]
    for policy in [whole, *single]:
        parse_policy(json.dumps(policy))


def test_a_class_whose_tools_all_wait_by_name_gets_no_rule_that_would_never_apply() -> None:
    policy = recommended_policy(classed("list_users", "xyzzy"))
    assert policy["tools"] == {"xyzzy": APPROVAL}
    assert set(policy["classes"]) == {"Read", "Execute", "Destructive", "Financial"}


@pytest.mark.parametrize("name", ["*", "list_*", "delete*"])
def test_a_name_that_is_a_pattern_opens_nothing(name: str) -> None:
    closed = recommended_rule(name, classify(ToolInput(name)))
    assert closed["action"] == "deny"
    policy = recommended_policy(classed(name, "xyzzy", "list_users"))
    compiled = compile_policy(parse_policy(json.dumps(policy)), [ToolFacts("list_users", "Read")])
    asked = decide(compiled, ToolCall("of_no_class", {}))
    assert asked.outcome == "deny"
