import json

import pytest

from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.parse import parse_policy
from policies.language.rules_digest import rules_digest

POLICY: dict[str, object] = {
    "version": "1",
    "default": "deny",
    "tools": {"pay": {"action": "require_approval"}, "read": {}, "p*": {"reason": "Patterns."}},
    "classes": {"Write": {"action": "require_approval"}},
}


def compiled(**changed: object) -> CompiledPolicy:
    facts = [ToolFacts("pay", None), ToolFacts("write", "Write"), ToolFacts("put", None)]
    return compile_policy(parse_policy(json.dumps(POLICY | changed)), facts)


def test_a_policy_that_says_the_same_in_another_spelling_has_the_same_digest() -> None:
    tools = {"read": {}, "pay": {"limits": [], "action": "require_approval"}, "p*": {"reason": "Patterns."}}
    assert rules_digest(compiled(tools=tools), "pay") == rules_digest(compiled(), "pay")
    assert rules_digest(compiled(description="Nothing new."), "pay") == rules_digest(compiled(), "pay")


def test_what_another_tool_may_do_changes_nothing_for_this_one() -> None:
    tools = {"pay": {"action": "require_approval"}, "read": {"action": "deny"}}
    assert rules_digest(compiled(tools=tools), "pay") == rules_digest(compiled(), "pay")


@pytest.mark.parametrize(
    "changed",
    [
        {"hide": ["other"]},
        {"all_tools": {"rate_limit": {"max": 1, "window": "day"}}},
        {"tools": {"pay": {"action": "require_approval", "reason": "New."}}},
        {"tools": {"pay*": {"action": "require_approval"}}},
        {"default": "allow", "tools": {}},
    ],
)
def test_any_rule_that_judges_the_call_changes_the_digest(changed: dict[str, object]) -> None:
    assert rules_digest(compiled(**changed), "pay") != rules_digest(compiled(), "pay")


def test_a_rule_of_the_class_is_part_of_it() -> None:
    stricter = {"Write": {"action": "require_approval", "reason": "Carol looks."}}
    assert rules_digest(compiled(classes=stricter), "write") != rules_digest(compiled(), "write")
