"""The linter where tools disagree about an argument, and where a schema leaves its type open."""

import json
from typing import Any

import pytest

from policies.language.compile import ToolFacts
from policies.language.lint import lint
from policies.language.lint_schema import but_null, types
from policies.language.parse import parse_policy

TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
YES_NO: dict[str, Any] = {"type": "boolean"}
NOTHING: dict[str, Any] = {"type": "null"}


def tool(name: str = "find", **arguments: Any) -> ToolFacts:
    return ToolFacts(name, "Write", {"type": "object", "properties": arguments, "required": [*arguments]})


def when(path: str, op: str, value: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}]}


def keyed(path: str) -> dict[str, Any]:
    calls = {"window": "day", "max": 5, "scope": "grant"}
    return {"limits": [{"counter": "a", **calls, "key": path}, {"counter": "b", **calls}]}


def found(rule: dict[str, Any], *tools: ToolFacts, of: str = "*") -> list[tuple[str, str, str]]:
    text = json.dumps({"version": "1", "default": "deny", "tools": {of: rule}})
    return [(each.code, str(each.severity), each.message) for each in lint(parse_policy(text), tools)]


@pytest.mark.parametrize(
    ("schema", "section", "op", "value", "said"),
    [
        ({"anyOf": [TEXT, WHOLE]}, "require", "eq", "5", "the number 5, which never equals the text “5”"),
        ({"oneOf": [TEXT, WHOLE]}, "deny_if", "in", ["x", "5"], "a call with it is not denied by this"),
        ({"type": ["string", "integer"]}, "deny_if", "neq", 5, "a call with it is denied"),
        ({"type": ["string", "integer"]}, "approve_if", "eq", 5, "a call with it asks nobody"),
        (
            {"type": ["string", "boolean"]},
            "require",
            "not_in",
            [True],
            'Write "not_in" with both in its list.',
        ),
        (
            {"type": "array", "items": {"type": ["string", "number"]}},
            "deny_if",
            "contains",
            5,
            "the text “5”",
        ),
    ],
)
def test_a_value_that_may_also_come_in_another_type_is_told(
    schema: Any, section: str, op: str, value: Any, said: str
) -> None:
    ((code, severity, message),) = found({section: [when("args.id", op, value)]}, tool(id=schema))
    assert (code, severity) == ("other_type", "warning")
    assert said in message


@pytest.mark.parametrize(
    ("schema", "op", "value"),
    [
        ({"anyOf": [TEXT, WHOLE]}, "in", ["5", 5]),
        ({"anyOf": [TEXT, WHOLE]}, "eq", "five"),
        ({"anyOf": [TEXT, WHOLE]}, "eq", "05"),
        ({"anyOf": [TEXT, WHOLE]}, "eq", "9007199254740993"),
        ({"anyOf": [TEXT, WHOLE]}, "neq", None),
        ({"anyOf": [TEXT, WHOLE], "enum": ["5", "6"]}, "eq", "5"),
        ({"anyOf": [TEXT, NOTHING]}, "eq", "5"),
        ({"type": ["string", "array"]}, "contains", "5"),
        ({}, "eq", "5"),
        ({"anyOf": [TEXT, {"$ref": "#/$defs/Id"}]}, "eq", "5"),
        ({"anyOf": [WHOLE] * 2000}, "neq", "a"),
    ],
)
def test_a_value_that_can_come_in_one_type_only_is_not_told(schema: Any, op: str, value: Any) -> None:
    assert "other_type" not in {
        code for code, *_ in found({"require": [when("args.id", op, value)]}, tool(id=schema))
    }


EITHER: dict[str, Any] = {"type": ["string", "integer"]}


@pytest.mark.parametrize(
    ("schema", "section", "op", "value", "said"),
    [
        (
            EITHER,
            "require",
            "gte",
            5,
            "may also be a text, which gte cannot judge: a call with that is denied.",
        ),
        ({"anyOf": [TEXT, WHOLE, NOTHING]}, "deny_if", "lt", 5, "may also be a text, which lt cannot judge"),
        (EITHER, "approve_if", "starts_with", "5", "may also be a number, which starts_with cannot judge"),
        ({"type": ["string", "array"]}, "require", "contains", 5, "may also be a text, which contains"),
        (
            {"type": ["array", "boolean"]},
            "require",
            "length_lte",
            5,
            "may also be yes or no, which length_lte",
        ),
    ],
)
def test_a_type_that_the_operator_cannot_judge_is_told(
    schema: Any, section: str, op: str, value: Any, said: str
) -> None:
    ((code, severity, message),) = found({section: [when("args.id", op, value)]}, tool(id=schema))
    assert (code, severity) == ("other_type", "warning")
    assert said in message
    assert found({"action": "deny", section: [when("args.id", op, value)]}, tool(id=schema)) == []


def test_what_cannot_be_judged_is_not_always_denied_beside_another_condition() -> None:
    two = {"conditions": [*when("args.id", "gte", 5)["conditions"], *when("args.n", "eq", "a")["conditions"]]}
    ((code, _, message),) = found({"deny_if": [two]}, tool(id=EITHER, n=TEXT))
    assert code == "other_type" and "a call with that can be denied" in message


@pytest.mark.parametrize(
    ("schema", "op", "value"),
    [
        ({"type": ["integer", "number", "null"]}, "gte", 5),
        ({"anyOf": [TEXT, NOTHING]}, "starts_with", "5"),
        ({"type": ["string", "array"]}, "contains", "5"),
        ({}, "gte", 5),
    ],
)
def test_a_type_that_the_operator_can_judge_is_not_told(schema: Any, op: str, value: Any) -> None:
    assert found({"require": [when("args.id", op, value)]}, tool(id=schema)) == []


def test_tools_that_take_the_same_value_in_different_types_are_told_from_each_other() -> None:
    rule = {"deny_if": [when("args.id", "eq", "5")]}
    ((code, _, message),) = found(rule, tool("a", id=TEXT), tool("b", id=WHOLE))
    assert code == "other_type" and message.startswith("In b, args.id may also be the number 5")
    assert [code for code, *_ in found(rule, tool("b", id=WHOLE))] == ["constant_predicate"]


@pytest.mark.parametrize("schema", [{"anyOf": [WHOLE, NOTHING]}, {"oneOf": [NOTHING, WHOLE]}])
def test_an_argument_that_may_be_left_out_as_null_is_judged_by_its_type(schema: Any) -> None:
    assert [
        code for code, *_ in found({"require": [when("args.n", "starts_with", "5")]}, tool(n=schema))
    ] == ["impossible_operator"]
    assert [code for code, *_ in found({"require": [when("args.n", "eq", "5")]}, tool(n=schema))] == [
        "constant_predicate"
    ]
    assert found({"require": [when("args.n", "lte", 5)]}, tool(n=schema)) == []


def test_what_is_inside_an_argument_that_may_be_null_is_known() -> None:
    lines = {"type": "array", "items": {"type": "object", "properties": {"n": WHOLE}}}
    schema = {"anyOf": [lines, NOTHING]}
    ((code, *_),) = found({"require": [when("args.lines[*].n", "starts_with", "5")]}, tool(lines=schema))
    assert code == "impossible_operator"
    assert found({"require": [when("args.lines[*].n", "lte", 5)]}, tool(lines=schema)) == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"anyOf": [TEXT, WHOLE, NOTHING]}, {"string", "integer", "null"}),
        ({"anyOf": [TEXT, {}]}, None),
        ({"anyOf": [TEXT, 5]}, None),
        ({"anyOf": []}, None),
        ({"anyOf": 5}, None),
        ({"anyOf": [TEXT], "$ref": "#"}, None),
        ({"anyOf": [TEXT], "type": 7}, None),
        ({"anyOf": [{"anyOf": [TEXT]}]}, None),
    ],
)
def test_the_types_of_alternatives_are_known_only_if_each_says_its_own(schema: Any, expected: Any) -> None:
    assert types(schema) == expected


@pytest.mark.parametrize("more", [{"type": "string"}, {"enum": ["a"]}, {"properties": {}}, {"$ref": "#"}])
def test_an_alternative_that_is_narrowed_elsewhere_is_not_taken_for_the_whole(more: Any) -> None:
    schema = {"anyOf": [TEXT, NOTHING], **more}
    assert but_null(schema) is schema
    assert but_null({"anyOf": [TEXT, NOTHING], "default": None}) is TEXT


@pytest.mark.parametrize("path", ["args.lines.sku", "args.id.part", "args.id[0]"])
def test_a_limit_whose_path_leads_nowhere_denies_every_call_and_cannot_be_published(path: str) -> None:
    lines = {"type": "array", "items": {"type": "object", "properties": {"sku": TEXT}}}
    ((code, severity, message),) = found(keyed(path), tool(lines=lines, id=TEXT))
    assert (code, severity) == ("impossible_operator", "error")
    assert message == (
        f"In find, {path} leads nowhere, so every call is denied. Choose a single value, outside of any list."
    )
    assert found(keyed("args.lines[0].sku"), tool(lines=lines, id=TEXT)) == []


def test_a_limit_is_told_of_a_list_that_may_also_be_null() -> None:
    lines = {"type": "array", "items": {"type": "object", "properties": {"id": TEXT}}}
    ((code, severity, message),) = found(
        keyed("args.lines.id"), tool(lines={"anyOf": [lines, NOTHING]}), of="find"
    )
    assert (code, severity) == ("impossible_operator", "error")
    assert message.startswith("In find, args.lines.id leads nowhere")
    inside = {"anyOf": [{"type": "object", "properties": {"id": TEXT}}, NOTHING]}
    assert found(keyed("args.to.id"), tool(to=inside), of="find") == []


def test_one_tool_whose_argument_is_of_another_type_does_not_block_a_condition_for_the_others() -> None:
    rule = {"require": [when("args.n", "lte", 5)]}
    odd, good = tool("odd", n=TEXT), tool("good", n=WHOLE)
    for tools in ((odd, good), (good, odd)):
        ((code, severity, message),) = found(rule, *tools)
        assert (code, severity) == ("impossible_operator", "warning")
        assert message.startswith("In odd, ") and message.endswith("Give that tool a rule of its own.")
    assert [each[:2] for each in found(rule, odd)] == [("impossible_operator", "error")]


@pytest.mark.parametrize(
    "rule",
    [
        {"require": [when("args.n", "lte", 5)]},
        {"deny_if": [when("args.n", "exists", False)]},
        keyed("args.n"),
    ],
)
def test_a_tool_that_lacks_what_its_pattern_demands_is_told(rule: dict[str, Any]) -> None:
    odd, good = tool("odd", id=TEXT), tool("good", n=WHOLE)
    ((code, severity, message),) = found(rule, good, odd)
    assert (code, severity) == ("unknown_argument", "warning")
    assert message == (
        "odd has no argument args.n, so every call of it is denied by this. Give that tool a rule of its own."
    )
    assert found({**rule, "action": "deny"}, good, odd) == []
    assert found(rule, good, ToolFacts("unknown", "Write", None)) == []


@pytest.mark.parametrize(
    "rule", [{"deny_if": [when("args.n", "gt", 5)]}, {"require": [when("args.n", "neq", 5)]}]
)
def test_a_tool_that_lacks_what_its_pattern_only_looks_at_is_not_told(rule: dict[str, Any]) -> None:
    assert found(rule, tool("good", n=WHOLE), tool("odd", id=TEXT)) == []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"anyOf": [WHOLE, {"type": "string", "enum": ["latest"]}]}, 5),
        ({"oneOf": [WHOLE, {"const": "latest"}]}, 5),
        ({"anyOf": [{"type": "integer", "enum": [1, 2]}, TEXT]}, "5"),
        ({"type": ["integer", "string"], "const": 5}, 5),
    ],
)
def test_a_value_that_the_schema_rules_out_is_not_told_of(schema: dict[str, Any], value: Any) -> None:
    told = found({"require": [when("args.id", "eq", value)]}, tool(id=schema))
    assert "other_type" not in {code for code, _, _ in told}


def test_what_becomes_of_a_call_is_not_said_where_other_conditions_decide_too() -> None:
    other = {"path": "args.x", "op": "eq", "value": "force"}
    several = {"conditions": [{"path": "args.n", "op": "not_in", "value": [5, 6]}, other]}
    both = {"anyOf": [TEXT, WHOLE]}
    (said,) = [
        words
        for code, _, words in found({"deny_if": [several]}, tool(n=both, x=TEXT))
        if code == "other_type"
    ]
    assert "a call with it meets this." in said
    denied = found({"action": "deny", "deny_if": [several]}, tool(n=both, x=TEXT))
    assert "other_type" not in {code for code, _, _ in denied}


def test_a_rule_for_all_tools_is_not_mended_by_a_tools_own_rule() -> None:
    policy = {"version": "1", "default": "allow", "all_tools": {"require": [when("args.id", "lt", 5)]}}
    document = parse_policy(json.dumps({**policy, "tools": {"b": {}}}))
    (said,) = [
        each.message
        for each in lint(document, [tool("a", id=WHOLE), tool("b", id=TEXT)])
        if each.code == "impossible_operator"
    ]
    assert said.endswith("Put it in the rules of the tools that have it.")
