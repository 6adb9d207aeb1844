"""What changes for calls when one policy follows another."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.language.changes import (
    AccessChange,
    ApprovalChange,
    Change,
    Changes,
    Direction,
    LimitChange,
    PredicateChange,
    ReachChange,
    WordsChange,
)
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.decision import Call, Decision, Outcome, PromptGet, ResourceRead, ToolCall
from policies.language.diff import changes_value, diff
from policies.language.effects import Effect
from policies.language.parse import parse_policy
from tests.examples import examples
from tests.steps import grows_no_faster_than_its_size

from .strategies import arguments, policies

TOOLS = [
    ToolFacts("a", "Read"),
    ToolFacts("b", "Write"),
    ToolFacts("c", "Financial"),
    ToolFacts("get_x", None),
]
NAMES = [tool.name for tool in TOOLS]
STRICTNESS = {Outcome.ALLOW: 0, Outcome.APPROVAL: 1, Outcome.DENY: 2}
MINUTE = {"counter": "n", "window": "minute", "max": 30, "scope": "grant"}
AMOUNT = {"path": "args.x", "op": "lte", "value": 100}


def compiled(policy: Any) -> CompiledPolicy:
    return compile_policy(parse_policy(json.dumps({"version": "1", "default": "deny", **policy})), TOOLS)


def changes(old: Any, new: Any) -> Changes:
    return diff(compiled(old), compiled(new), NAMES)


def of_a(old: Any, new: Any) -> list[Change]:
    """What changes when the rule of one tool does."""
    made = changes({"tools": {"a": old}}, {"tools": {"a": new}})
    assert {"b", "c", "get_x"} <= set(made.unchanged)
    return [*made.looser, *made.tighter, *made.reworded]


def said(found: list[Change]) -> list[tuple[str, str]]:
    return [(str(change.direction), change.sentence) for change in found]


def test_tools_that_become_callable_are_named_together() -> None:
    made = changes({}, {"tools": {"a": {}, "b": {}, "c": {"action": "require_approval"}}})
    first, second = made.looser
    assert isinstance(first, ReachChange)
    assert (first.title, first.sentence) == ("a and b", "Becomes callable: every call is allowed.")
    assert isinstance(second, ReachChange)
    assert (second.tools, second.after) == (("c",), Effect.NEEDS_APPROVAL)
    assert made.becomes_callable == ("a", "b", "c")
    assert made.headline == ("3 tools become callable",)
    assert made.unchanged == ("get_x",)


@pytest.mark.parametrize(
    ("rule", "details"),
    [
        ({}, ()),
        ({"action": "require_approval"}, ()),
        (
            {"action": "require_approval", "limits": [MINUTE]},
            ("At most 30 calls per minute for each grant.",),
        ),
    ],
)
def test_what_becomes_callable_says_nothing_twice(rule: Any, details: tuple[str, ...]) -> None:
    (change,) = changes({}, {"tools": {"a": rule}}).looser
    assert isinstance(change, ReachChange)
    assert change.details == details


SHARED = {"limits": [MINUTE]}
APART = {"limits": [MINUTE | {"counter": "own"}]}


def test_a_tool_that_leaves_a_counter_is_told_of_those_that_stay() -> None:
    shared, apart = dict.fromkeys("abc", SHARED), {"a": APART, "b": SHARED, "c": SHARED}
    made = changes({"tools": shared}, {"tools": apart})
    (stayed,) = [change for change in made.looser if "b" in change.tools]
    assert (stayed.title, said([stayed])) == (
        "b and c",
        [("looser", "No longer shares the counter n with a.")],
    )
    back = changes({"tools": apart}, {"tools": shared})
    (joined,) = back.tighter
    assert (joined.title, said([joined])) == ("b and c", [("tighter", "Shares the counter n with a now.")])
    assert made.unchanged == back.unchanged == ("get_x",)


@pytest.mark.parametrize("closed", [{}, {"a": {"action": "deny"}}, {"a": SHARED | {"action": "deny"}}])
def test_a_tool_that_can_be_called_only_before_or_after_is_told_to_those_it_shares_with(closed: Any) -> None:
    both, alone = dict.fromkeys("abc", SHARED), {"b": SHARED, "c": SHARED} | closed
    opens = changes({"tools": alone}, {"tools": both})
    (shared,) = opens.tighter
    assert (shared.title, said([shared])) == ("b and c", [("tighter", "Shares the counter n with a now.")])
    assert opens.headline == ("a becomes callable", "1 other change is tighter")
    closes = changes({"tools": both}, {"tools": alone})
    (freed,) = closes.looser
    assert (freed.title, said([freed])) == (
        "b and c",
        [("looser", "No longer shares the counter n with a.")],
    )
    assert closes.headline == ("1 other change is looser", "a is no longer callable")
    assert opens.unchanged == closes.unchanged == ("get_x",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": SHARED, "b": SHARED}, {"a": {"action": "deny"}, "b": APART}),
        ({"b": SHARED}, {"a": SHARED}),
        ({"a": APART, "b": SHARED}, {"a": SHARED | {"reason": "Ask Alice."}, "b": APART}),
        (
            {"a": SHARED, "b": {"limits": [MINUTE | {"scope": "server"}]}},
            {"a": APART, "b": {"limits": [MINUTE | {"scope": "server"}]}},
        ),
        ({"*": {"limits": [MINUTE | {"counter": "{tool}"}]}}, {"*": SHARED}),
    ],
)
def test_a_counter_is_said_to_be_shared_only_where_tools_stay_in_it(old: Any, new: Any) -> None:
    made = changes({"tools": old}, {"tools": new})
    assert not [change for change in (*made.looser, *made.tighter) if "hares the counter" in change.sentence]


def test_a_tool_that_becomes_callable_says_under_what() -> None:
    (change,) = changes({}, {"tools": {"a": {"limits": [MINUTE]}}}).looser
    assert isinstance(change, ReachChange)
    assert change.sentence == "Becomes callable, within limits."
    assert change.details == ("At most 30 calls per minute for each grant.",)


def test_a_tool_that_can_no_longer_be_called_is_tighter_seen_or_not() -> None:
    made = changes({"tools": {"a": {}, "b": {}}}, {"hide": ["a"], "tools": {"b": {"action": "deny"}}})
    assert said(list(made.tighter)) == [
        ("tighter", "No longer callable: agents do not even see it."),
        ("tighter", "No longer callable: every call is denied."),
    ]
    assert made.no_longer_callable == ("a", "b")


def test_hiding_what_was_denied_is_tighter_and_showing_it_looser() -> None:
    denied, hidden = {"tools": {"a": {"action": "deny"}}}, {"hide": ["a"], "tools": {"a": {"action": "deny"}}}
    assert [c.sentence for c in changes(denied, hidden).tighter] == ["Agents no longer see that it exists."]
    assert [c.sentence for c in changes(hidden, denied).looser] == [
        "Agents see it now; every call is still denied."
    ]


def test_a_first_policy_is_compared_with_no_policy_at_all() -> None:
    made = diff(None, compiled({"tools": {"a": {}}}), NAMES)
    assert made.becomes_callable == ("a",)
    assert not made.tighter


def test_the_default_is_said_of_the_tools_it_opens_and_of_those_to_come() -> None:
    (change,) = changes(
        {}, {"default": "allow", "resources": {"default": "deny"}, "prompts": {"default": "deny"}}
    ).looser
    assert (change.tools, change.title) == (tuple(NAMES), "a, b, c, get_x and any other tool")


def test_a_class_rule_is_said_of_its_tools_and_of_those_to_come() -> None:
    (change,) = changes({"classes": {"Write": {}}}, {"classes": {"Write": {"limits": [MINUTE]}}}).tighter
    assert isinstance(change, LimitChange)
    assert (change.title, change.sentence) == (
        "b and other Write tools",
        "A new limit: at most 30 calls per minute for each grant.",
    )


def test_a_rule_for_all_tools_is_said_once() -> None:
    before: Any = {"tools": {"a": {}, "b": {}}}
    made = changes(
        before, {**before, "all_tools": {"limits": [MINUTE], "deny_if": [{"conditions": [AMOUNT]}]}}
    )
    assert [(change.title, change.tools) for change in made.tighter] == [("Every call", ("a", "b"))] * 2


def test_a_pattern_without_a_known_tool_is_compared_too() -> None:
    (change,) = changes({"tools": {"zip_*": {}}}, {"tools": {"zip_*": {"action": "deny"}}}).tighter
    assert (change.title, change.tools) == ("whatever zip_* matches", ())


@pytest.mark.parametrize(
    ("old", "new", "direction", "sentence"),
    [
        (
            {"max": 10},
            {},
            "looser",
            "At most 30 calls per minute for each grant; before: at most 10 calls per minute for each grant.",
        ),
        (
            {},
            {"max": 10},
            "tighter",
            "At most 10 calls per minute for each grant; before: at most 30 calls per minute for each grant.",
        ),
        (
            {},
            {"window": "hour"},
            "tighter",
            "At most 30 calls per hour for each grant; before: at most 30 calls per minute for each grant.",
        ),
        ({}, {"max": 1800, "window": "hour"}, "looser", None),
        (
            {},
            {"max": 60, "window": "hour"},
            "both",
            "Up to 60 within a minute now, where it was 30; up to 60 within an hour, where it was 1,800.",
        ),
        ({}, {"scope": "organization"}, "tighter", "The whole organization shares the count now."),
        ({"scope": "server"}, {}, "looser", "Each grant has a count of its own now."),
        ({}, {"counter": "{tool}_n"}, "looser", "Each tool has a count of its own now."),
        ({"counter": "{tool}_n"}, {}, "tighter", "All tools of the rule share one count now."),
        (
            {},
            {"counter": "m"},
            "both",
            "Counted as m now, before as n; what was used before does not carry over.",
        ),
    ],
)
def test_a_limit_that_changes_says_which_way(
    old: Any, new: Any, direction: str, sentence: str | None
) -> None:
    (change,) = of_a({"limits": [{**MINUTE, **old}]}, {"limits": [{**MINUTE, **new}]})
    assert isinstance(change, LimitChange)
    assert change.direction == direction
    assert sentence in (None, change.sentence)


def test_limits_find_their_counterparts_and_what_counts_otherwise_is_another() -> None:
    day, spent = {**MINUTE, "window": "day", "max": 99}, {**MINUTE, "increment_from": "args.x"}
    assert said(of_a({"limits": [MINUTE, day]}, {"limits": [{**day, "max": 100}, MINUTE]})) == [
        (
            "looser",
            "At most 100 calls per day for each grant; before: at most 99 calls per day for each grant.",
        )
    ]
    assert said(of_a({"limits": [MINUTE]}, {"limits": [spent]})) == [
        ("looser", "No longer limited: at most 30 calls per minute for each grant."),
        ("tighter", "A new limit: args.x adds up to at most 30 per minute for each grant."),
    ]


def condition(op: str, value: Any, path: str = "args.x") -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}]}


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (condition("in", ["a", "b"]), condition("in", ["b"])),
        (condition("in", ["a", "b"]), condition("eq", "a")),
        (condition("not_in", ["a"]), condition("not_in", ["a", "b"])),
        (condition("neq", "a"), condition("not_in", ["b", "a"])),
        (condition("lte", 10), condition("lt", 10)),
        (condition("lt", 10), condition("lte", 9.5)),
        (condition("gte", 1), condition("gt", 1)),
        (condition("length_lte", 9), condition("length_lte", 8)),
        (condition("length_gte", 1), condition("length_gte", 2)),
        (condition("starts_with", "a"), condition("starts_with", "ab")),
        (condition("ends_with", "b"), condition("ends_with", "ab")),
        (condition("host_in", ["a.example", "b.example"]), condition("host_in", ["A.example"])),
        (condition("under_path", "/srv"), condition("under_path", "/srv/./data")),
        (condition("lte", 10), {"conditions": [AMOUNT | {"value": 10}, AMOUNT | {"path": "args.y"}]}),
    ],
)
def test_a_predicate_that_asks_for_more_is_tighter_or_looser_by_its_place(wide: Any, narrow: Any) -> None:
    def directions(section: str, old: Any, new: Any) -> list[str]:
        return [str(change.direction) for change in of_a({section: [old]}, {section: [new]})]

    assert directions("require", wide, narrow) == ["tighter"]
    assert directions("require", narrow, wide) == ["looser"]
    assert directions("deny_if", wide, narrow) == ["looser"]
    assert directions("deny_if", narrow, wide) == ["tighter"]


def test_asking_about_more_elements_may_ask_a_person_where_a_call_was_denied() -> None:
    few, many = condition("gte", 500, "args.x[*]"), condition("gte", 100, "args.x[*]")
    before, after = (compiled({"tools": {"a": {"approve_if": [each]}}}) for each in (few, many))
    call = ToolCall("a", {"x": [200, "much"]})
    assert [decide(each, call).outcome for each in (before, after)] == ["deny", "approval"]
    (change,) = of_a({"approve_if": [few]}, {"approve_if": [many]})
    assert change.direction == Direction.BOTH
    (change,) = of_a({"deny_if": [few]}, {"deny_if": [many]})
    assert change.direction == Direction.TIGHTER


def test_predicates_that_come_and_go_are_said_in_words() -> None:
    assert said(
        of_a({"require": [condition("eq", 1)]}, {"deny_if": [condition("contains", "x", "args.y[*]")]})
    ) == [
        ("looser", "No longer required: args.x is 1."),
        ("tighter", "Denied if any args.y[*] is something that contains “x”."),
    ]
    (change,) = of_a({"require": [condition("eq", 1)]}, {"require": [condition("eq", 2)]})
    assert isinstance(change, PredicateChange)
    assert (change.direction, change.sentence) == (
        Direction.BOTH,
        "Only calls where args.x is 2; before: args.x is 1.",
    )


def test_asking_a_person_each_time_is_tighter_however_it_is_written() -> None:
    (change,) = of_a({}, {"approve_if": [{"conditions": []}]})
    assert isinstance(change, ApprovalChange)
    assert change.sentence == "Every call waits for a person."
    assert of_a({"approve_if": [{"conditions": []}]}, {"action": "require_approval"}) == []
    assert said(of_a({"action": "require_approval"}, {})) == [
        ("looser", "Calls no longer wait for a person each time.")
    ]


def test_other_words_for_agents_are_told_apart_from_what_calls_meet() -> None:
    made = changes(
        {"tools": {"a": {"action": "deny"}}}, {"tools": {"a": {"action": "deny", "reason": "No."}}}
    )
    assert [type(change) for change in made.reworded] == [WordsChange]
    assert not made.looser + made.tighter
    assert made.unchanged == tuple(NAMES)
    assert said(of_a({"limits": [MINUTE]}, {"limits": [{**MINUTE, "on_deny": "Wait."}]})) == [
        ("words", "The same calls get through; agents read other words when one does not.")
    ]


def test_a_part_that_moves_to_the_rule_for_all_tools_changes_nothing_for_its_tool() -> None:
    predicate = condition("eq", 1)
    assert changes(
        {"tools": {"a": {"require": [predicate]}}},
        {"tools": {"a": {}}, "all_tools": {"require": [predicate]}},
    ).nothing


def test_resources_and_prompts_are_compared_by_what_opens() -> None:
    old = {"resources": {"default": "deny", "allow": ["x", "y"]}}
    new = {
        "resources": {"default": "deny", "allow": ["y", "z"], "deny": ["z1"]},
        "prompts": {"default": "allow"},
    }
    made = changes(old, new)
    assert [(change.title, change.sentence) for change in (*made.looser, *made.tighter)] == [
        ("Resources", "Allowed now: z."),
        ("Prompts", "What no name in the policy matches is allowed now."),
        ("Resources", "No longer allowed: x."),
        ("Resources", "Denied now: z1."),
    ]
    (guarded,) = changes({}, {"resources": {"default": "deny"}}).tighter
    assert isinstance(guarded, AccessChange)
    assert "segment are now denied" in guarded.sentence


calls = st.one_of(
    st.builds(ToolCall, st.sampled_from(["a", "b", "c", "get_x", "b_x", "zzz"]), arguments),
    st.builds(ResourceRead, st.sampled_from(["a", "get_a", "file:///srv/../x"])),
    st.builds(PromptGet, st.sampled_from(["a", "get_a"])),
)


@given(policies, policies, calls)
@examples(85)
def test_a_call_that_gets_further_or_less_far_is_never_left_unsaid(old: Any, new: Any, call: Call) -> None:
    before, after = compiled(old), compiled(new)
    made = diff(before, after, NAMES)
    was, now = decide(before, call), decide(after, call)
    if STRICTNESS[now.outcome] < STRICTNESS[was.outcome]:
        assert _about(made.looser, call)
    if STRICTNESS[now.outcome] > STRICTNESS[was.outcome]:
        assert _about([*made.tighter, *made.looser], call)
    if isinstance(call, ToolCall) and call.tool in made.unchanged:
        assert _limits(was) == _limits(now)


def _about(found: Any, call: Call) -> bool:
    if not isinstance(call, ToolCall):
        thing = "resource" if isinstance(call, ResourceRead) else "prompt"
        return any(isinstance(change, AccessChange) and change.thing == thing for change in found)
    if call.tool in NAMES:
        return any(call.tool in change.tools for change in found)
    return any(not isinstance(change, AccessChange) for change in found)


def _limits(decision: Decision) -> set[tuple[Any, ...]]:
    taken = decision.quotas
    return {(t.counter, str(t.key), t.scope, t.window_seconds, t.max, t.cost_micros) for t in taken}


@given(policies, policies)
@examples(30)
def test_what_is_looser_one_way_is_tighter_the_other(old: Any, new: Any) -> None:
    there, back = changes(old, new), changes(new, old)
    assert there.nothing is back.nothing
    assert there.unchanged == back.unchanged
    assert set(there.becomes_callable) == set(back.no_longer_callable)
    assert bool(there.tighter) is any(change.direction is Direction.LOOSER for change in back.looser)
    json.dumps(changes_value(there))


@given(policies)
@examples(20)
def test_a_policy_does_not_differ_from_itself(policy: Any) -> None:
    assert changes(policy, policy).nothing


@pytest.mark.parametrize("kind", ["patterns", "predicates", "limits", "names"])
def test_the_work_of_comparing_two_policies_grows_with_their_size_only(kind: str) -> None:
    def policy(salt: int, rules: int) -> Any:
        several = range(salt, salt + rules)
        match kind:
            case "patterns":
                return {"tools": {f"t{index}_*": {} for index in several}}
            case "predicates":
                return {"tools": {"a": {"require": [condition("eq", index) for index in several]}}}
            case "limits":
                return {"tools": {"a": {"limits": [{**MINUTE, "counter": f"n{index}"} for index in several]}}}
            case _:
                return {"tools": {f"t{index}": {"deny_if": [condition("eq", index)]} for index in several}}

    pairs = {rules: (compiled(policy(0, rules)), compiled(policy(rules, rules))) for rules in (250, 1_000)}
    assert not any(diff(old, new, NAMES).nothing for old, new in pairs.values())
    assert grows_no_faster_than_its_size(lambda rules: diff(*pairs[rules], NAMES), 250)
