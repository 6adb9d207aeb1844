"""Builder and text are one document: what blocks say is what stands there, and editing touches one place."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.language.blocks import (
    AccessBlock,
    ConditionBlock,
    LimitBlock,
    Number,
    PredicateBlock,
    RuleBlock,
    Source,
    read_blocks,
    read_rule,
    write_blocks,
)
from policies.language.board import Address, Row, Verb, rate_pill, read_board
from policies.language.board_edit import (
    CannotEdit,
    add_limit,
    add_predicate,
    change_limit,
    change_predicate,
    follow,
    put_rule,
    remove_limit,
    remove_predicate,
    set_access,
    set_default,
    set_description,
    set_hidden,
    set_reason,
    set_verb,
    verbs_of,
)
from policies.language.canonical import canonical_text
from policies.language.compile import ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.decision import ToolCall
from policies.language.parse import parse_policy
from policies.language.problems import PolicyInvalid
from policies.language.text_tree import TextTree, members
from tests.examples import examples
from tests.steps import grows_no_faster_than_its_size

from .cases import policy_texts
from .strategies import arguments, called, damaged, names, policies, rules

TOOLS = [ToolFacts("a", "Read"), ToolFacts("b", "Write"), ToolFacts("get_x", None)]
SHAPES = [
    {},
    {"indent": 2},
    {"indent": 4},
    {"indent": "\t"},
    {"separators": (",", ":")},
    {"separators": (" ,  ", " :")},
]
TYPED = """{
    "default": "deny",   "version": "1",
    "tools": {
        "b": {"limits": [{"scope": "grant", "counter": "b", "max": 3e1, "window": 60}]},

        "a": {
            "require": [
                {"conditions": [{"op": "in", "path": "args.x", "value": ["one",  "two"]}]},
                {"conditions": [{"op": "lte", "path": "args.n", "value": 1.50}], "on_deny": "Too much."}
            ],
            "reason": "Ask Alice."
        }
    },
    "hide": ["z"]
}
"""
A, B = Address("tools", "a"), Address("tools", "b")
ONE = PredicateBlock((ConditionBlock("args.x", "eq", Number("1")),))
LIMIT = LimitBlock("n", "minute", Number("5"), "grant")
texts = st.builds(
    lambda policy, shape, seed: json.dumps(_shuffled(policy, random.Random(seed)), **shape),
    policies,
    st.sampled_from(SHAPES),
    st.integers(0, 99),
)
predicates = st.builds(
    PredicateBlock,
    st.tuples(
        st.builds(ConditionBlock, st.sampled_from(["args.x", "args.l[*]"]), st.just("eq"), st.just("é"))
    ),
    st.one_of(st.none(), st.just("No.")),
)


def _shuffled(value: Any, chance: random.Random) -> Any:
    """The same JSON with its keys in another order."""
    if isinstance(value, list):
        return [_shuffled(element, chance) for element in value]
    if not isinstance(value, dict):
        return value
    keys = sorted(value)
    chance.shuffle(keys)
    return {key: _shuffled(value[key], chance) for key in keys}


# Lossless both ways


@given(texts, called, arguments)
@examples(85)
def test_what_is_read_and_written_back_is_the_same_text(text: str, tool: str, given_arguments: Any) -> None:
    _round_trip(text, tool, given_arguments)


@pytest.mark.slow
@pytest.mark.timeout(900)
@given(texts, called, arguments)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_ten_thousand_policies_come_back_as_they_were(text: str, tool: str, given_arguments: Any) -> None:
    _round_trip(text, tool, given_arguments)


def _round_trip(text: str, tool: str, given_arguments: Any) -> None:
    blocks = read_blocks(text)
    assert write_blocks(text, blocks) == text
    anew = write_blocks("{}", blocks)
    assert parse_policy(anew) == parse_policy(text)
    _judge_alike(text, anew, tool, given_arguments)


def _judge_alike(one: str, other: str, tool: str, given_arguments: Any) -> None:
    call = ToolCall(tool, given_arguments)
    decisions = [decide(compile_policy(parse_policy(text), TOOLS), call) for text in (one, other)]
    assert decisions[0] == decisions[1]


@pytest.mark.parametrize("text", policy_texts())
def test_every_policy_of_the_cases_is_built_of_blocks(text: str) -> None:
    blocks = read_blocks(text)
    assert write_blocks(text, blocks) == text
    assert canonical_text(parse_policy(write_blocks("{}", blocks))) == canonical_text(parse_policy(text))


@given(damaged())
@examples(70)
def test_what_is_no_block_is_kept_as_it_stands(text: str) -> None:
    try:
        blocks = read_blocks(text)
    except PolicyInvalid as invalid:
        assert invalid.problems
        return
    assert write_blocks(text, blocks) == text
    read_board(text, TOOLS)


@pytest.mark.parametrize("text", ["", "[]", "5", "{", '{"a": "\ud800"}', "\ufeff{}", "x" * 2_000_000])
def test_a_text_that_is_no_object_has_no_blocks(text: str) -> None:
    for ask in (read_blocks, lambda text: read_board(text, TOOLS), lambda text: set_default(text, "deny")):
        with pytest.raises(PolicyInvalid) as invalid:
            ask(text)
        assert invalid.value.problems


# One edit, one place


@given(texts, names, rules)
@examples(85)
def test_editing_one_rule_changes_nothing_else(text: str, name: str, rule: Any) -> None:
    edited = put_rule(text, Address("tools", name), read_rule(json.dumps(rule)))
    before, after = json.loads(text), json.loads(edited)
    tools = before.setdefault("tools", {})
    assert _said(after["tools"][name]) == _said(rule)
    after["tools"].pop(name)
    tools.pop(name, None)
    assert after == before
    parse_policy(edited)
    for other, body in _written_rules(text).items():
        if other != name:
            assert body in edited


def _said(rule: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if value != []}


def _written_rules(text: str) -> dict[str, str]:
    """Each entry of `tools` exactly as it was typed."""
    tree = TextTree(text)
    tools = tree.find("tools")
    return {m.key: tree.text[m.at : tree.end(m.node)] for m in members(tools)} if tools else {}


@given(texts, st.sampled_from(list(Verb)), st.sampled_from(["a", "b", "get_x", "get_*"]))
@examples(85)
def test_a_row_shows_the_verb_it_was_set_to(text: str, verb: Verb, name: str) -> None:
    address = Address("tools", name)
    try:
        edited = set_verb(text, address, verb, recommended=RuleBlock(require=(ONE,)))
    except CannotEdit:
        assert any("*" in hidden for hidden in json.loads(text)["hide"])
        return
    assert row(edited, name).verb is verb
    parse_policy(edited)
    before, after = json.loads(text), json.loads(edited)
    for each in (before, after):
        each.get("tools", {}).pop(name, None)
        each.pop("hide", None)
    assert {**before, "tools": {}} | {"tools": before.get("tools", {})} == {
        **after,
        "tools": after.get("tools", {}),
    }


@given(texts, st.sampled_from(["require", "deny_if", "approve_if"]), predicates)
@examples(50)
def test_what_is_added_and_taken_out_again_was_never_there(text: str, section: Any, predicate: Any) -> None:
    at = next(iter(json.loads(text).get("tools", {})), None)
    if at is None:
        return
    address = Address("tools", at)
    added = add_predicate(text, address, section, predicate)
    written = json.loads(added)["tools"][at][section]
    removed = remove_predicate(added, address, section, len(written) - 1)
    assert parse_policy(removed) == parse_policy(text)
    if len(written) > 1:
        assert removed == text


def row(text: str, name: str) -> Row:
    board = read_board(text, TOOLS)
    return next(row for row in (*board.tools, *board.patterns) if row.address.name == name)


def lines_changed(old: str, new: str) -> list[str]:
    before, after = old.split("\n"), new.split("\n")
    return [line for line in after if line not in before]


def test_a_changed_value_changes_its_line_alone() -> None:
    wider = PredicateBlock((ConditionBlock("args.n", "lte", Number("2")),), "Too much.")
    edited = change_predicate(TYPED, A, "require", 1, wider)
    assert edited == TYPED.replace("1.50", "2")
    same = PredicateBlock((ConditionBlock("args.n", "lte", Number("1.5")),), "Too much.")
    assert change_predicate(TYPED, A, "require", 1, same) == TYPED


def test_a_new_row_stands_like_its_neighbours() -> None:
    assert lines_changed(TYPED, add_predicate(TYPED, A, "deny_if", ONE)) == [
        '            "deny_if": [',
        "                {",
        '                    "conditions": [',
        "                        {",
        '                            "path": "args.x",',
        '                            "op": "eq",',
        '                            "value": 1',
        "                        }",
        "                    ]",
        "                }",
    ]
    inline = add_limit(TYPED, B, LIMIT)
    assert lines_changed(TYPED, inline) == [
        '        "b": {"limits": [{"scope": "grant", "counter": "b", "max": 3e1, "window": 60}, '
        '{"counter": "n", "window": "minute", "max": 5, "scope": "grant"}]},'
    ]
    assert remove_limit(inline, B, 1) == TYPED
    assert change_limit(TYPED, B, 0, LIMIT) == TYPED.replace(
        '{"scope": "grant", "counter": "b", "max": 3e1, "window": 60}',
        '{"scope": "grant", "counter": "n", "max": 5, "window": "minute"}',
    )


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        ("{}", '{"tools": {"a": {"action": "deny"}}}'),
        ('{"version":"1"}', '{"version":"1","tools":{"a":{"action":"deny"}}}'),
        (
            '{\r\n\t"prompts": {"default": "deny"}\r\n}',
            '{\r\n\t"tools": {\r\n\t\t"a": {\r\n\t\t\t"action": "deny"\r\n\t\t}\r\n\t},'
            '\r\n\t"prompts": {"default": "deny"}\r\n}',
        ),
        (
            '{\n  "tools": {},\n  "hide": []\n}',
            '{\n  "tools": {\n    "a": {\n      "action": "deny"\n    }\n  },\n  "hide": []\n}',
        ),
        ('{"tools": {"a": 5, "a": {}}}', '{"tools": {"a": {"action": "deny"}, "a": {}}}'),
    ],
)
def test_a_text_of_any_shape_is_edited_in_its_own_shape(text: str, edited: str) -> None:
    assert set_verb(text, A, Verb.DENY) == edited


def test_a_place_that_is_no_object_is_not_written_into() -> None:
    with pytest.raises(CannotEdit):
        set_verb('{"tools": []}', A, Verb.DENY)


def test_parts_that_are_no_blocks_survive_an_edit_beside_them() -> None:
    text = '{"tools": {"a": {"windw": 1, "limits": {}, "require": [5, {"conditions": [], "x": 1}]}}}'
    edited = add_predicate(text, A, "require", ONE)
    assert edited.replace(', {"conditions": [{"path": "args.x", "op": "eq", "value": 1}]}', "") == text
    rule = read_board(text, TOOLS).blocks.tools
    assert rule is not None
    assert rule["a"] == RuleBlock(
        require=(Source("5"), Source('{"conditions": [], "x": 1}')),
        extra=(("windw", Source("1")), ("limits", Source("{}"))),
    )


# The board


def test_rows_say_what_they_do_and_whom_they_follow() -> None:
    text = json.dumps(
        {
            "version": "1",
            "default": "deny",
            "hide": ["b"],
            "tools": {"get_*": {"limits": [{"counter": "g", "window": 3600, "max": 1500, "scope": "grant"}]}},
            "classes": {"Read": {"approve_if": [{"conditions": []}]}},
            "all_tools": {"rate_limit": {"max": 5, "window": 90}},
        }
    )
    board = read_board(text, [*TOOLS, ToolFacts("later", None)])
    assert [(r.address.name, r.verb, r.pill, r.own, r.follows) for r in board.tools] == [
        ("a", Verb.APPROVAL, "", False, "/classes/Read"),
        ("b", Verb.HIDE, "", True, "/hide/0"),
        ("get_x", Verb.LIMIT, "1,500/hour", False, "/tools/get_*"),
        ("later", Verb.DENY, "", False, "(default deny)"),
    ]
    assert [(r.address.name, r.verb, r.own) for r in board.classes][:2] == [
        ("Read", Verb.APPROVAL, True),
        ("Write", Verb.ALLOW, False),
    ]
    assert (board.all_tools.verb, board.all_tools.pill) == (Verb.LIMIT, "5/90 s")
    pills = {900: "5/15 min", 7200: "5/2 hours", 60: "5/min", 86_400: "5/day", 0: "5/? s", None: "5/? s"}
    assert {seconds: rate_pill("5", seconds) for seconds in pills} == pills
    assert (board.patterns[0].verb, board.default.verb) == (Verb.LIMIT, Verb.DENY)


def test_a_verb_keeps_what_fits_it() -> None:
    limited = set_verb(TYPED, A, Verb.LIMIT)
    assert json.loads(limited)["tools"]["a"] == {
        "limits": [{"counter": "a_rate", "window": "minute", "max": 30, "scope": "grant"}],
        "reason": "Ask Alice.",
    }
    assert row(limited, "a").pill == "30/min"
    denied = set_verb(TYPED, A, Verb.DENY, reason="Closed.")
    assert json.loads(set_verb(denied, A, Verb.RULES))["tools"]["a"].keys() == {"require"}
    assert json.loads(set_verb(TYPED, B, Verb.ALLOW))["tools"]["b"] == {}
    hidden = set_verb(TYPED, A, Verb.HIDE)
    assert hidden == TYPED.replace('["z"]', '["z", "a"]')
    assert set_verb(hidden, A, Verb.APPROVAL) == set_verb(TYPED, A, Verb.APPROVAL)


def test_a_rule_without_a_condition_asks_for_one() -> None:
    with pytest.raises(CannotEdit, match="needs a condition"):
        set_verb(TYPED, B, Verb.RULES)
    assert row(set_verb(TYPED, B, Verb.RULES, recommended=RuleBlock(require=(ONE,))), "b").verb is Verb.RULES


def test_what_a_pattern_hides_can_be_hidden_by_its_own_name_too() -> None:
    hidden = set_verb('{"hide": ["*"]}', Address("tools", "get_*"), Verb.HIDE)
    assert hidden == '{"hide": ["*", "get_*"]}'
    assert row(hidden, "get_*").verb is Verb.HIDE


def test_what_a_pattern_hides_is_not_shown_by_taking_out_a_name() -> None:
    with pytest.raises(CannotEdit, match="get_"):
        set_verb('{"hide": ["get_*"]}', Address("tools", "get_x"), Verb.ALLOW)


def test_classes_all_tools_and_the_default_are_rows_too() -> None:
    text = set_verb("{}", Address("classes", "Write"), Verb.LIMIT)
    assert json.loads(text)["classes"]["Write"]["limits"][0]["counter"] == "class:Write_rate"
    assert json.loads(set_verb("{}", Address("all_tools"), Verb.LIMIT))["all_tools"]["limits"]
    hidden = set_verb("{}", Address("classes", "Write"), Verb.HIDE, tools_of_class=["b", "c"])
    assert json.loads(hidden) == {"hide": ["b", "c"]}
    with pytest.raises(CannotEdit):
        set_verb("{}", Address("classes", "Write"), Verb.HIDE)
    everything = set_verb("{}", Address("all_tools"), Verb.HIDE)
    assert read_board(everything, TOOLS).all_tools.verb is Verb.HIDE
    assert json.loads(set_verb(everything, Address("all_tools"), Verb.APPROVAL)) == {
        "all_tools": {"action": "require_approval"}
    }
    default = Address("default")
    assert verbs_of(default) == (Verb.ALLOW, Verb.DENY)
    assert [set_verb("{}", default, verb) for verb in (Verb.ALLOW, Verb.DENY, Verb.HIDE)] == [
        '{"default": "allow"}',
        '{"default": "deny"}',
        '{"default": "deny"}',
    ]
    with pytest.raises(CannotEdit, match="allowed or denied"):
        set_verb("{}", default, Verb.LIMIT)


def test_a_row_follows_its_class_again() -> None:
    assert follow(TYPED, B) == TYPED.replace(TYPED[TYPED.index('"b"') : TYPED.index('"a": {')], "")
    assert json.loads(follow(set_hidden(TYPED, "b", True), B))["hide"] == ["z"]
    assert follow("{}", A) == "{}"
    last = follow(follow(TYPED, A), B)
    assert json.loads(last)["tools"] == {}


def test_reasons_access_and_description_are_edited_in_place() -> None:
    assert set_reason(TYPED, A, "Ask Bob.") == TYPED.replace("Alice", "Bob")
    assert "reason" not in json.loads(set_reason(TYPED, A, None))["tools"]["a"]
    opened = set_access(TYPED, "resources", AccessBlock("deny", ("repo://*",)))
    assert json.loads(opened)["resources"] == {"default": "deny", "allow": ["repo://*"]}
    assert set_access(opened, "resources", None) == TYPED
    described = set_description(TYPED, "For Acme.")
    assert json.loads(described)["description"] == "For Acme."
    assert set_description(described, None) == TYPED
    assert set_default(TYPED, "deny") == TYPED
    assert set_hidden(TYPED, "z", False) == TYPED.replace(',\n    "hide": ["z"]', "")


def test_a_row_that_is_gone_is_said_so() -> None:
    acts: list[Callable[[], str]] = [
        lambda: remove_predicate(TYPED, A, "require", 2),
        lambda: change_predicate(TYPED, A, "deny_if", 0, ONE),
        lambda: remove_limit(TYPED, A, 0),
        lambda: change_limit(TYPED, B, -1, LIMIT),
    ]
    for act in acts:
        with pytest.raises(CannotEdit, match="not there any more"):
            act()


def test_the_work_for_an_edit_grows_with_the_policy_only() -> None:
    assert grows_no_faster_than_its_size(_edit_of_a_large_policy, 100)


def _edit_of_a_large_policy(rules: int) -> None:
    tools = {
        f"tool_{index}": {"limits": [{"counter": "n", "window": "minute", "max": 1, "scope": "grant"}]}
        for index in range(rules)
    }
    hosts: list[Any] = ["a.example"] * rules * 5
    tools["hosts"] = {"require": [{"conditions": [{"path": "args.u", "op": "host_in", "value": hosts}]}]}
    text = json.dumps({"version": "1", "default": "deny", "tools": tools}, indent=1)
    others = ["b.example"] * rules * 2
    fewer = PredicateBlock((ConditionBlock("args.u", "host_in", hosts[: rules // 40] + others),))
    assert len(change_predicate(text, Address("tools", "hosts"), "require", 0, fewer)) < len(text)
