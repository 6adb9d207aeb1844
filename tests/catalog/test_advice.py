"""Every policy the catalogue recommends parses, lints clean and passes the tests of what its page says."""

from __future__ import annotations

import json

import pytest

from catalog.advice import Listed, advise, advise_server, as_text, schema_of
from catalog.attack_pages import judged
from catalog.attack_shape import Attack
from catalog.attacks import ATTACKS
from catalog.classify import ToolInput, classify
from catalog.facts import ToolFact
from catalog.importing import shipped
from catalog.rules import classified
from policies.language.cases import PolicyTest, run_tests
from policies.language.compile import ToolFacts, compile_policy
from policies.language.decision import ToolCall
from policies.language.lint import lint
from policies.language.parse import parse_policy

SHIPPED = list(shipped())


def listed(tools: list[ToolFact]) -> list[Listed]:
    return [Listed(tool.name, tool.params, found) for tool, found in classified(tools)]


def facts_of(tools: list[Listed]) -> tuple[ToolFacts, ...]:
    return tuple(ToolFacts(tool.name, str(tool.found.tool_class), schema_of(tool.params)) for tool in tools)


def findings(text: str, tools: list[Listed]) -> tuple[object, ...]:
    """Warnings too: what we recommend gives its reader nothing to mend."""
    return tuple(lint(parse_policy(text), facts_of(tools)))


def test_the_shipped_facts_are_enough_and_each_was_served_by_its_server() -> None:
    assert len(SHIPPED) >= 25
    assert sum(len(tools) for _, tools in SHIPPED) >= 400
    for server, tools in SHIPPED:
        assert server.package and server.version and server.checked and tools
        assert {tool.provenance for tool in tools} == {"served"}
    assert len({server.identity for server, _ in SHIPPED}) == len(SHIPPED)


@pytest.mark.parametrize("number", range(len(SHIPPED)), ids=lambda n: SHIPPED[n][0].slug)
def test_the_policies_of_a_shipped_server_hold_what_its_pages_say(number: int) -> None:
    tools = listed(list(SHIPPED[number][1]))
    names = [tool.name for tool in tools]
    whole = advise_server(tools)
    assert findings(whole.text, tools) == ()
    for tool in tools:
        advice = advise(tool, [name for name in names if name != tool.name])
        assert advice.flaws == findings(advice.text, [tool]) == ()
        assert len(advice.checks) == 2
        assert advice.sentences
        assert json.loads(advice.text)["tools"].keys() == {tool.name}
        # What the page of the server says of it is what its own page says.
        assert whole.effects[tool.name] is advice.effect
    test = PolicyTest("what it has not listed", ToolCall("a_tool_that_came_later", {}), "deny")
    compiled = compile_policy(parse_policy(whole.text), facts_of(tools))
    assert [result.passed for result in run_tests(compiled, (test,))] == [True]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.key)
def test_the_policy_of_an_attack_parses_lints_clean_and_decides_as_its_page_says(attack: Attack) -> None:
    facts = [ToolFacts(name, tool_class, None) for name, tool_class in attack.tools.items()]
    assert lint(parse_policy(as_text(attack.policy)), facts) == ()
    results = judged(attack)
    assert [result.sentence for _, result in results if not result.passed] == []
    assert {"allow", "limited"} & {attempt.expect for attempt in attack.attempts}
    assert {"deny", "approval"} & {
        attempt.expect for attempt in attack.attempts
    } or attack.key == "runaway-loops"


@pytest.mark.parametrize(
    ("name", "verb", "effect"),
    [
        ("create_access_key", "Limit this tool", "limited"),
        ("start_security_scan", "Rate-limit this tool", "limited"),
        ("list_users", "Restrict this tool", "allowed"),
        ("delete_user", "Gate this tool", "needs_approval"),
        ("create_refund", "Cap this tool", "needs_approval"),
        ("xyzzy", "Gate this tool", "needs_approval"),
        ("🗑", "Gate this tool", "needs_approval"),
    ],
)
def test_the_button_says_what_the_policy_does(name: str, verb: str, effect: str) -> None:
    advice = advise(Listed(name, (), classify(ToolInput(name))), ["other"])
    assert (advice.verb, str(advice.effect)) == (verb, effect)
    assert advice.elsewhere == "The server’s other tool is denied."
    assert advice.flaws == ()


@pytest.mark.parametrize(
    ("name", "tool_class", "severity"),
    [
        ("create_access_key", "Write", 2),
        ("put_user_policy", "Write", 2),
        ("policy_generation_start", "Execute", 3),
        ("start_security_scan", "Execute", 3),
    ],
)
def test_the_badges_the_catalogue_began_with_hold(name: str, tool_class: str, severity: int) -> None:
    found = classify(ToolInput(name))
    assert found.tool_class == tool_class
    assert found.severity >= severity


def test_a_tool_whose_name_is_a_pattern_gets_a_policy_that_opens_nothing() -> None:
    advice = advise(Listed("*", (), classify(ToolInput("*"))), ["get_all"])
    assert advice.flaws == ()
    assert advice.effect == "denied"
    assert '"deny"' in advice.text


@pytest.mark.parametrize("name", ["*", "get_*", "*_user"])
def test_beside_a_tool_whose_name_is_a_pattern_no_class_gets_a_rule_that_never_decides(name: str) -> None:
    tools = [
        Listed(each, (), classify(ToolInput(each))) for each in (name, "get_user", "get_users", "add_user")
    ]
    assert findings(advise_server(tools).text, tools) == ()


def test_everything_destructive_waits_on_the_page_that_says_so() -> None:
    (attack,) = [one for one in ATTACKS if one.key == "destructive-autonomy"]
    facts = (ToolFacts("wipe_disk", "Destructive", None),)
    compiled = compile_policy(parse_policy(as_text(attack.policy)), facts)
    waits = PolicyTest("any other", ToolCall("wipe_disk", {}), "approval")
    assert [result.passed for result in run_tests(compiled, (waits,))] == [True]
