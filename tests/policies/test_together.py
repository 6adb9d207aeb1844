"""What becomes of tools is told once for all that change alike, and never of one that does not."""

from __future__ import annotations

from policies.language.compile import ToolFacts, compile_policy
from policies.language.effects import effects
from policies.language.explain import explanation
from policies.language.parse import parse_policy
from policies.outlook import ToolOutlook
from policies.together import together
from servers.models import Tool

CLASSES = {
    "get_a": "Read",
    "get_b": "Read",
    "make": "Write",
    "find_a": "Read",
    "find_b": "Read",
    "Each": "Write",
}


def rows(before: str, after: str) -> list[ToolOutlook]:
    facts = [ToolFacts(name, of) for name, of in CLASSES.items()]
    was, now = (compile_policy(parse_policy(text), facts) for text in (before, after))
    then, there = effects(was, CLASSES), effects(now, CLASSES)
    return [
        ToolOutlook(Tool(name=n), then[n], explanation(was, n), there[n], explanation(now, n))
        for n in CLASSES
    ]


def policy(rest: str, default: str = "deny") -> str:
    return f'{{"version": "1", "default": "{default}", {rest}}}'


def test_tools_of_one_rule_are_one_change() -> None:
    now = policy(
        '"classes": {"Read": {"rate_limit": {"max": 3, "window": "hour"}}},'
        '"tools": {"find_*": {"rate_limit": {"max": 3, "window": "hour"}}, "make": {}}'
    )
    told = together(rows(policy('"tools": {}'), now))
    names = [[row.tool.name for row in each.rows] for each in told]
    assert names == [["get_a", "get_b"], ["make"], ["find_a", "find_b"], ["Each"]]
    assert told[0].words[0] == "Each is of the class Read, and the rule of that class applies."
    assert told[1].words == ("Every call is allowed.",)
    assert told[2].words[0] == "The rule for find_* applies, the strongest pattern that matches each."
    assert told[3].was[0].startswith("No rule names Each, so the default applies")


def test_the_same_limit_by_another_rule_is_told_apart() -> None:
    limit = '{"rate_limit": {"max": 3, "window": "hour"}}'
    now = policy(f'"tools": {{"get_a": {limit}, "get_b": {limit}, "find_*": {limit}}}', "allow")
    told = together(rows(policy('"tools": {}'), now))
    assert [len(each.rows) for each in told] == [2, 2, 2]
    assert told[0].words[0].startswith("At most 3 calls")
    assert told[1].was[0].startswith("No rule names any of these, so the default applies")


def test_what_was_different_is_not_told_together() -> None:
    before = policy('"tools": {"get_a": {}, "get_b": {"action": "require_approval"}}')
    told = together(rows(before, policy('"tools": {"get_*": {"action": "deny"}}')))
    assert all(len(each.rows) == 1 for each in told if each.rows[0].tool.name.startswith("get_"))
