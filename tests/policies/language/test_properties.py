"""What holds for every text, every policy and every call."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.language.canonical import canonical_text
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.convert import convert
from policies.language.decide import decide, is_listed
from policies.language.decision import Call, Decision, Outcome, PromptGet, ResourceRead, TakeQuota, ToolCall
from policies.language.effects import Effect, effects
from policies.language.explain import explain
from policies.language.parse import find_problems, parse_policy
from policies.language.problems import PolicyInvalid
from tests.examples import examples

from .strategies import arguments, called, damaged, policies, rules

TOOLS = [
    ToolFacts("a", "Read"),
    ToolFacts("b", "Write"),
    ToolFacts("c", "Financial"),
    ToolFacts("get_x", None),
]
MOST = examples(70)
STRICTNESS = {Outcome.ALLOW: 0, Outcome.APPROVAL: 1, Outcome.DENY: 2}
calls = st.one_of(
    st.builds(ToolCall, called, st.one_of(arguments, st.just([1]))),
    st.builds(ResourceRead, st.sampled_from(["a", "get_a", "file:///srv/../x"])),
    st.builds(PromptGet, st.sampled_from(["a", "get_a"])),
)


def compiled(text: str) -> CompiledPolicy:
    return compile_policy(parse_policy(text), TOOLS)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200), damaged().map(str.encode)))
@MOST
def test_any_text_is_a_policy_or_has_problems_with_places(text: str | bytes) -> None:
    try:
        parse_policy(text)
    except PolicyInvalid as invalid:
        assert invalid.problems == find_problems(text)
        assert all(
            problem.line >= 1 and problem.column >= 1 and problem.message for problem in invalid.problems
        )
    else:
        assert find_problems(text) == ()


@given(damaged(), st.integers(0, 400), st.integers(0, 400))
@MOST
def test_a_policy_with_a_hole_in_its_text_never_breaks_the_parser(text: str, start: int, length: int) -> None:
    find_problems(text[:start] + text[start + length :])


@given(policies, calls)
@MOST
def test_the_canonical_text_is_its_own_and_decides_alike(policy: Any, call: Call) -> None:
    text = json.dumps(policy)
    canonical = canonical_text(parse_policy(text))
    assert canonical_text(parse_policy(canonical)) == canonical
    assert decide(compiled(text), call) == decide(compiled(canonical), call)


@given(policies, rules, st.builds(ToolCall, called, arguments))
@MOST
def test_a_rule_for_all_tools_never_allows_more(policy: Any, rule: Any, call: ToolCall) -> None:
    policy = {key: value for key, value in policy.items() if key != "all_tools"}
    without = decide(compiled(json.dumps(policy)), call)
    with_rule = decide(compiled(json.dumps({**policy, "all_tools": rule})), call)
    assert STRICTNESS[with_rule.outcome] >= STRICTNESS[without.outcome]
    if with_rule.outcome is not Outcome.DENY:
        assert quotas(without) <= quotas(with_rule)


def quotas(decision: Decision) -> set[TakeQuota]:
    return set(decision.quotas)


@given(policies, st.builds(ToolCall, called, arguments))
@MOST
def test_the_order_of_conditions_and_keys_never_matters(policy: Any, call: ToolCall) -> None:
    turned = copy.deepcopy(policy)
    for rule in [*turned.get("tools", {}).values(), *turned.get("classes", {}).values()]:
        for section in ("require", "deny_if", "approve_if"):
            for predicate in rule.get(section, []):
                predicate["conditions"].reverse()
    if "tools" in turned:
        turned["tools"] = dict(reversed(turned["tools"].items()))
    first, second = decide(compiled(json.dumps(policy)), call), decide(compiled(json.dumps(turned)), call)
    assert (first.outcome, first.code, first.rule) == (second.outcome, second.code, second.rule)


@given(policies, called, st.lists(arguments, max_size=3))
@MOST
def test_an_effect_never_promises_more_than_a_decision(policy: Any, tool: str, several: list[Any]) -> None:
    policy = compiled(json.dumps(policy))
    effect = effects(policy, [tool])[tool]
    assert explain(policy, tool)
    for given_arguments in several:
        decision = decide(policy, ToolCall(tool, given_arguments))
        assert is_listed(policy, tool) is (decision.code not in ("hidden", "default_deny"))
        if effect in (Effect.HIDDEN, Effect.DENIED):
            assert decision.outcome is Outcome.DENY
        if effect is Effect.NEEDS_APPROVAL:
            assert decision.outcome is not Outcome.ALLOW
        if effect is Effect.ALLOWED:
            assert decision == Decision(Outcome.ALLOW, None, decision.rule, None)


@given(policies, st.builds(ToolCall, called, arguments))
@MOST
def test_whatever_is_not_allowed_says_why_without_naming_a_value(policy: Any, call: ToolCall) -> None:
    decision = decide(compiled(json.dumps(policy)), ToolCall(call.tool, {**_secret(call.arguments)}))
    if decision.outcome is not Outcome.ALLOW:
        assert decision.reason
        assert decision.explained
        assert "s3cret" not in decision.reason + decision.explained


def _secret(value: Any) -> Any:
    if isinstance(value, str):
        return "s3cret" + value
    if isinstance(value, list):
        return [_secret(inner) for inner in value]
    return {key: _secret(inner) for key, inner in value.items()} if isinstance(value, dict) else value


yaml_rules = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.sampled_from(["deny", "evaluate", "5/minute", "args.x", "lt", "state.a.n", "eq", "n", "day", ""]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "action",
                    "conditions",
                    "path",
                    "op",
                    "value",
                    "state",
                    "counter",
                    "window",
                    "rate_limit",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["a", "*", "get_*"]), st.fixed_dictionaries({"rules": yaml_rules}), min_size=1
    )
)
@MOST
def test_a_conversion_yields_a_policy_or_problems_and_what_is_not_kept_denies(tools: Any) -> None:
    made = convert(json.dumps({"default": "deny", "tools": tools}), TOOLS)
    assert made.dialect == "yaml"
    assert (made.policy_text is None) is bool(made.problems)
    if made.policy_text is None:
        return
    policy = parse_policy(made.policy_text)
    for note in made.not_kept:
        tool = note.pointer.split("/")[2].replace("~1", "/")
        rule = policy.all_tools if tool == "*" else policy.tools[tool]
        assert rule is not None
        assert rule.action == "deny"


def _rule(most: int | None, **state: object) -> dict[str, object]:
    conditions = [{"path": "state.a.n", "op": "lte", "value": most}] if most else []
    return {"conditions": conditions, "state": {"counter": "n", "window": "day", **state}}


@pytest.mark.parametrize(
    ("rules", "pointers"),
    [
        ([_rule(10), _rule(5)], ["/tools/a/rules/1/state"]),
        ([_rule(None, increment=9), _rule(10)], ["/tools/a/rules/1/state"]),
        (
            [_rule(10, increment_from="args.x"), _rule(None, increment_from="args.n")],
            ["/tools/a/rules/1/state"],
        ),
        (
            [_rule(10), {**_rule(5), "state": {"counter": "m", "window": "day"}}],
            ["/tools/a/rules/1/conditions/0"],
        ),
        ([_rule(None), _rule(None)], []),
        ([_rule(10)], []),
    ],
)
def test_a_counter_that_several_rules_add_to_is_not_taken_for_one_that_the_largest_charges(
    rules: list[object], pointers: list[str]
) -> None:
    made = convert(json.dumps({"default": "allow", "tools": {"a": {"rules": rules}}}), TOOLS)
    assert made.policy_text is not None
    assert [note.pointer for note in made.not_kept] == pointers
    assert (parse_policy(made.policy_text).tools["a"].action == "deny") is bool(pointers)


@given(st.one_of(st.text(max_size=120), st.binary(max_size=120), damaged()))
@MOST
def test_any_text_can_be_offered_for_conversion(text: str | bytes) -> None:
    made = convert(text, TOOLS)
    assert (made.policy_text is None) is bool(made.problems)
