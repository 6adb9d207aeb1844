"""Every row of the linter's table at each of its severities, and what a schema decides beforehand."""

import json
from typing import Any

import pytest

from policies.language.compile import ToolFacts
from policies.language.lint import lint
from policies.language.parse import parse_policy

from .test_lint import FOUND, codes, limit, pay, when

TABLE = {
    ("too_many_conditions", "error"),
    ("weaker_pattern", "error"),
    ("unguarded_optional", "error"),
    ("unguarded_optional", "warning"),
    ("impossible_operator", "error"),
    ("impossible_operator", "warning"),
    ("unknown_tool", "error"),
    ("unknown_tool", "warning"),
    ("unknown_argument", "error"),
    ("unknown_argument", "warning"),
    ("constant_predicate", "warning"),
    ("shadowed_rule", "warning"),
    ("hide_and_rule", "warning"),
    ("unreachable_limit", "warning"),
    ("approval_holds_limit", "warning"),
    ("unguarded_tool", "warning"),
    ("approval_dropped", "warning"),
    ("open_default", "warning"),
    ("path_in_deny", "warning"),
    ("value_limit_alone", "warning"),
    ("keyed_limit_alone", "warning"),
    ("shared_counter", "warning"),
    ("paired_elements", "warning"),
    ("all_tools_allow", "warning"),
    ("all_tools_argument", "warning"),
}


def test_every_row_of_the_table_is_tested_at_each_of_its_severities() -> None:
    # An open default needs a tool that was never classified, and has a test of its own.
    assert {(code, severity) for _, (_, code, severity) in FOUND} == TABLE - {("open_default", "warning")}


FORCE_AND_AMOUNT = {
    "conditions": [
        {"path": "args.force", "op": "exists", "value": False},
        {"path": "args.amount", "op": "gt", "value": 5},
    ]
}
ROWS = [
    # A class and the conditions for all tools add up, too.
    (
        {
            "classes": {"Financial": {"require": [_ := when("args.id", "eq", "a")]}},
            "all_tools": {"require": [{"conditions": _["conditions"] * 1000}]},
        },
        ("/classes/Financial", "too_many_conditions", "error"),
    ),
    (
        {"tools": {"delete_user": {"approve_if": [when("args.force", "eq", True)]}}},
        ("/tools/delete_user/approve_if/0/conditions/0", "unguarded_optional", "error"),
    ),
    (
        pay(require=[when("args.amount", "length_lte", 5)]),
        ("/tools/pay/require/0/conditions/0", "impossible_operator", "error"),
    ),
    (
        pay(require=[when("args.amount", "contains", "5")]),
        ("/tools/pay/require/0/conditions/0", "impossible_operator", "error"),
    ),
    (
        {"tools": {"d*user": {}, "delete_*": {"require": [when("args.id", "eq", "a")]}}},
        ("/tools/d*user", "shadowed_rule", "warning"),
    ),
    ({"hide": ["pay"], "tools": {"p*": {}}}, ("/tools/p*", "shadowed_rule", "warning")),
    (
        {"classes": {"Financial": {"action": "require_approval", "rate_limit": {"max": 1, "window": 60}}}},
        ("/classes/Financial/limits/0", "approval_holds_limit", "warning"),
    ),
    (
        {"default": "allow", "all_tools": {"limits": [limit(key="args.id"), limit("d")]}},
        ("/all_tools/limits/0", "all_tools_argument", "warning"),
    ),
    (
        {"tools": {"pay": {"limits": [limit()]}, "update_user": {"limits": [limit()]}}},
        ("/tools/update_user/limits/0", "shared_counter", "warning"),
    ),
    # A count for each tool lets both tools together through more often than one count for all of them.
    (
        {"tools": {"*_user": {"limits": [limit()]}, "*te_user": {"limits": [limit("{tool}")]}}},
        ("/tools/*te_user", "weaker_pattern", "error"),
    ),
    (
        {
            "tools": {"pay": {"limits": [limit("a", "minute", 100)]}},
            "all_tools": {"limits": [limit("b", "minute", 10)]},
        },
        ("/tools/pay/limits/0", "unreachable_limit", "warning"),
    ),
    (
        {
            "tools": {"pay": {"limits": [limit("a", "minute", 100)]}},
            "all_tools": {"limits": [limit("{tool}", "minute", 10)]},
        },
        ("/tools/pay/limits/0", "unreachable_limit", "warning"),
    ),
    (
        pay(limits=[limit("a", most=100), limit("b", most=10, scope="server")]),
        ("/tools/pay/limits/0", "unreachable_limit", "warning"),
    ),
    # Of the tools that a rule applies to, one lacks what it requires or counts by: its calls are all denied.
    (
        {"tools": {"*": {"require": [when("args.id", "starts_with", "u")]}}},
        ("/tools/*/require/0/conditions/0", "unknown_argument", "warning"),
    ),
    (
        {"tools": {"*": {"limits": [limit("a"), limit("b", key="args.id")]}}},
        ("/tools/*/limits/1", "unknown_argument", "warning"),
    ),
    # Asking a person where the argument is there, or where something else holds too, guards nothing.
    (
        pay(deny_if=[when("args.force", "eq", True)], approve_if=[when("args.force", "exists", True)]),
        ("/tools/pay/deny_if/0/conditions/0", "unguarded_optional", "error"),
    ),
    (
        pay(deny_if=[when("args.force", "eq", True), FORCE_AND_AMOUNT]),
        ("/tools/pay/deny_if/0/conditions/0", "unguarded_optional", "error"),
    ),
    # Small amounts, each with a key of its own, never end.
    (
        pay(limits=[limit("a", increment_from="args.amount"), limit("b", key="args.id")]),
        ("/tools/pay/limits/0", "value_limit_alone", "warning"),
    ),
]

OTHERWISE = [
    (
        {"tools": {"*_user": {"limits": [limit(most=10)]}, "*te_user": {"limits": [limit("{tool}")]}}},
        "weaker_pattern",
    ),
    (
        {"tools": {"*_user": {"limits": [limit("{tool}")]}, "*te_user": {"limits": [limit()]}}},
        "weaker_pattern",
    ),
    (
        {
            "tools": {"*_user": {"limits": [limit("a", "minute", 100)]}},
            "all_tools": {"limits": [limit("{tool}", "minute", 10)]},
        },
        "unreachable_limit",
    ),
    # Other grants count there too, or the other way round: this one may be full first.
    (pay(limits=[limit("a", most=100, scope="server"), limit("b", most=10)]), "unreachable_limit"),
    # By the day there are more keys than a counter has.
    (
        pay(
            limits=[
                limit("a", "minute", 9, key="args.id"),
                limit("b", "day", 99_999, key="args.id"),
                limit("c", "day", 99_999),
            ]
        ),
        "unreachable_limit",
    ),
    (
        pay(limits=[limit("a", increment_from="args.amount", key="args.id"), limit("b", key="args.id")]),
        "value_limit_alone",
    ),
    ({"tools": {"*": {"deny_if": [when("args.id", "starts_with", "u")]}}}, "unknown_argument"),
    ({"tools": {"*": {"require": [when("args.id", "neq", "u")]}}}, "unknown_argument"),
    (
        pay(approve_if=[when("args.force", "eq", True)], deny_if=[when("args.force", "exists", False)]),
        "unguarded_optional",
    ),
    (
        pay(
            deny_if=[
                {
                    "conditions": [
                        {"path": "args.force", "op": "exists", "value": True},
                        {"path": "args.force", "op": "eq", "value": True},
                    ]
                }
            ]
        ),
        "unguarded_optional",
    ),
    # Calls of one class are counted all together, of the other for each value of the same key.
    (
        {
            "classes": {
                "Write": {"limits": [limit("w")]},
                "Financial": {"limits": [limit("f", key="args.id")]},
            },
            "all_tools": {"limits": [limit("a", increment_from="args.amount", key="args.id")]},
        },
        "value_limit_alone",
    ),
]


@pytest.mark.parametrize(("policy", "finding"), ROWS, ids=[finding[1] for _, finding in ROWS])
def test_a_row_holds_in_its_other_forms_too(policy: dict[str, Any], finding: tuple[str, str, str]) -> None:
    assert finding in codes(policy)


@pytest.mark.parametrize(("policy", "code"), OTHERWISE)
def test_a_row_does_not_hold_of_what_only_looks_like_it(policy: dict[str, Any], code: str) -> None:
    assert code not in {each for _, each, _ in codes(policy)}


def test_invisible_characters_of_a_name_are_shown() -> None:
    document = parse_policy(
        '{"version": "1", "default": "deny", "tools": {"pay\\u200b": {"action": "deny"}}}'
    )
    (finding,) = lint(document, [ToolFacts("pay", "Read")])
    assert finding.message == (
        'The server has no tool "pay\\u{200b}", so this decides no call. Did you mean "pay"?'
    )


def test_a_class_does_not_shadow_what_a_pattern_was_meant_for() -> None:
    policy = {"tools": {"p*": {"limits": [limit()]}}, "classes": {"Destructive": {"limits": [limit("d")]}}}
    assert "shadowed_rule" not in {code for _, code, _ in codes(policy)}


# What a schema decides

PROPERTIES = {
    "kind": {"enum": ["soft", "hard"]},
    "fixed": {"const": 5},
    "flag": {"type": "boolean"},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "inside": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "code": {"type": "string", "minLength": 2, "maxLength": 4},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 5},
    "to": {
        "type": "object",
        "properties": {"mail": {"type": "string"}},
        "required": ["mail"],
    },
    "maybe": {"type": ["string", "null"]},
    "text": {"type": "string"},
}
LOOSE = {"type": "object", "properties": PROPERTIES}
STRICT = {**LOOSE, "required": list(PROPERTIES)}


def decided(section: str, path: str, op: str, value: Any, schema: Any = STRICT) -> str | None:
    """`always`, `never`, or None where the schema leaves it open."""
    rule = {section: [when(path, op, value)]}
    document = parse_policy(json.dumps({"version": "1", "default": "deny", "tools": {"t": rule}}))
    said = [
        one for one in lint(document, [ToolFacts("t", "Read", schema)]) if one.code == "constant_predicate"
    ]
    return None if not said else "always" if "always" in said[0].message else "never"


@pytest.mark.parametrize(
    ("path", "op", "value", "expected"),
    [
        ("args.kind", "eq", "mild", "never"),
        ("args.kind", "in", ["soft", "hard", "mild"], "always"),
        ("args.kind", "not_in", ["mild"], "always"),
        ("args.kind", "starts_with", "s", None),
        ("args.kind", "matches", "[a-z]+", "always"),
        ("args.kind", "contains", "z", "never"),
        ("args.fixed", "gt", 4, "always"),
        ("args.fixed", "eq", "5", "never"),
        ("args.flag", "in", [True, False], "always"),
        ("args.flag", "eq", True, None),
        ("args.flag", "eq", "true", "never"),
        ("args.share", "lte", 1, "always"),
        ("args.share", "lt", 1, None),
        ("args.share", "gt", 1, "never"),
        ("args.share", "gte", 1, None),
        ("args.share", "gte", 0, "always"),
        ("args.share", "gt", 0, None),
        ("args.share", "lt", 0, "never"),
        ("args.inside", "lt", 1, "always"),
        ("args.inside", "gt", 0, "always"),
        ("args.inside", "gte", 1, "never"),
        ("args.inside", "lte", 0, "never"),
        ("args.inside", "lte", 0.5, None),
        ("args.code", "length_lte", 4, "always"),
        ("args.code", "length_lte", 3, None),
        ("args.code", "length_lte", 1, "never"),
        ("args.code", "length_gte", 2, "always"),
        ("args.code", "length_gte", 5, "never"),
        ("args.tags", "length_lte", 5, "always"),
        ("args.to.mail", "exists", True, "always"),
        ("args.to.mail", "exists", False, "never"),
        ("args.maybe", "exists", True, None),
        ("args.text", "regex", "a", None),
        ("args.unlisted", "eq", "a", None),
    ],
)
def test_a_predicate_that_the_schema_decides_is_told(
    path: str, op: str, value: Any, expected: str | None
) -> None:
    assert decided("require", path, op, value) == expected
    assert decided("deny_if", path, op, value) == expected


@pytest.mark.parametrize(
    ("path", "op", "value", "expected"),
    [
        # An argument that may be missing is false to all of these but the negated ones.
        ("args.share", "lte", 1, None),
        ("args.share", "gt", 1, "never"),
        ("args.kind", "neq", "mild", "always"),
        ("args.to.mail", "exists", True, None),
    ],
)
def test_an_argument_that_may_be_missing_leaves_more_open(
    path: str, op: str, value: Any, expected: str | None
) -> None:
    assert decided("require", path, op, value, LOOSE) == expected


def test_an_empty_list_meets_every_requirement_and_no_denial() -> None:
    assert decided("require", "args.tags[*]", "length_lte", 3) == "always"
    assert decided("deny_if", "args.tags[*]", "length_lte", 3) is None
    assert decided("require", "args.tags[*]", "length_gte", 4) is None
    assert decided("deny_if", "args.tags[*]", "length_gte", 4) == "never"


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {"share": {"type": "number", "maximum": "1"}},
            "required": ["share"],
        },
        {
            "type": "object",
            "properties": {"share": {"type": "number", "maximum": True}},
            "required": ["share"],
        },
        {"type": "object", "properties": {"share": {"enum": []}}, "required": ["share"]},
        {"type": "object", "properties": {"share": {"$ref": "#/x", "maximum": 1}}, "required": ["share"]},
        {"type": "object", "properties": {"share": {"maximum": 1}}, "required": ["share"]},
    ],
)
def test_a_schema_that_bounds_nothing_decides_nothing(schema: Any) -> None:
    assert decided("require", "args.share", "lte", 1, schema) is None


# Work


def test_a_pattern_that_could_judge_one_text_for_seconds_is_not_published() -> None:
    costly = pay(require=[when("args.id", "matches", "(?s).{0,1000}" * 4)])
    assert ("/tools/pay/require/0/conditions/0/value", "costly_pattern", "error") in codes(costly)
    usual = pay(require=[when("args.id", "matches", r"[\w.+-]{1,64}@[a-z0-9.-]{1,255}")])
    assert "costly_pattern" not in {code for _, code, _ in codes(usual)}


def test_a_policy_too_large_to_be_checked_whole_says_so_and_takes_seconds_not_minutes() -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
    tools = [ToolFacts(f"tool_{number}", "Write", schema) for number in range(1000)]
    conditions = [{"path": "args.amount", "op": "lt", "value": number} for number in range(1000)]
    policy = {"version": "1", "default": "allow", "all_tools": {"require": [{"conditions": conditions}]}}
    assert "not_all_checked" in {finding.code for finding in lint(parse_policy(json.dumps(policy)), tools)}


ASKS = {"classes": {"Financial": {"action": "require_approval"}}}


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({**pay(limits=[limit()]), **ASKS}, True),
        ({"tools": {"p*": {"limits": [limit()]}}, **ASKS}, True),
        ({**pay(limits=[limit()]), "classes": {"Financial": {"approve_if": [FORCE_AND_AMOUNT]}}}, True),
        ({**pay(action="allow", limits=[limit()]), **ASKS}, False),
        ({**pay(action="require_approval"), **ASKS}, False),
        ({**pay(approve_if=[FORCE_AND_AMOUNT]), **ASKS}, False),
        ({**pay(limits=[limit()]), **ASKS, "all_tools": {"action": "require_approval"}}, False),
        ({**pay(limits=[limit()]), "classes": {"Write": {"action": "require_approval"}}}, False),
    ],
)
def test_a_rule_that_silently_asks_nobody_is_told(policy: dict[str, Any], told: bool) -> None:
    assert any(code == "approval_dropped" for _, code, _ in codes(policy)) == told
