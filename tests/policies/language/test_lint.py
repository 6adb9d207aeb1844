"""The linter, one finding at a time, and what it must stay silent about."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from policies.language.compile import ToolFacts
from policies.language.lint import LintFinding, Severity, lint
from policies.language.parse import parse_policy
from tests.examples import examples

from .cases import CASES
from .strategies import policies

FREE = {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}}
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "amount": {"type": "number"},
        "count": {"type": ["integer", "null"]},
        "force": {"type": "boolean"},
        "to": {
            "type": "array",
            "items": {"type": "object", "properties": {"mail": {"type": "string"}, "free": FREE}},
        },
        "kind": {"type": "string", "enum": ["soft", "hard"]},
        "tags": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["id", "amount"],
}
OPEN = {"type": "object"}
TOOLS = [
    ToolFacts("list_users", "Read", {"type": "object", "properties": {}, "additionalProperties": False}),
    ToolFacts("pay", "Financial", SCHEMA),
    ToolFacts("update_user", "Write", SCHEMA),
    ToolFacts("delete_user", "Destructive", SCHEMA),
]


def findings(policy: dict[str, Any], **options: Any) -> list[LintFinding]:
    document = parse_policy(json.dumps({"version": "1", "default": "deny", **policy}))
    return list(lint(document, TOOLS, **options))


def codes(policy: dict[str, Any], **options: Any) -> set[tuple[str, str, str]]:
    return {(finding.pointer, finding.code, str(finding.severity)) for finding in findings(policy, **options)}


def pay(**rule: Any) -> dict[str, Any]:
    return {"tools": {"pay": rule}}


def when(path: str, op: str, value: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}]}


def limit(counter: str = "c", window: Any = "day", most: int = 5, **more: Any) -> dict[str, Any]:
    return {"counter": counter, "window": window, "max": most, "scope": "grant", **more}


CONDITION = "/tools/pay/{}/0/conditions/0"

FOUND = [
    (
        {"tools": {"pay": {"require": [{"conditions": when("args.id", "eq", "a")["conditions"] * 1001}]}}},
        ("/tools/pay", "too_many_conditions", "error"),
    ),
    (
        {"tools": {"*_user": {"limits": [limit()]}, "delete_*": {"require": [when("args.id", "eq", "a")]}}},
        ("/tools/delete_*", "weaker_pattern", "error"),
    ),
    (
        {"tools": {"*_user": {"deny_if": [{"conditions": []}]}, "delete_*": {"limits": [limit()]}}},
        ("/tools/delete_*", "weaker_pattern", "error"),
    ),
    (
        pay(deny_if=[when("args.force", "eq", True)]),
        (CONDITION.format("deny_if"), "unguarded_optional", "error"),
    ),
    (
        {"tools": {"update_user": {"approve_if": [when("args.force", "eq", True)]}}},
        ("/tools/update_user/approve_if/0/conditions/0", "unguarded_optional", "warning"),
    ),
    (
        pay(require=[when("args.amount", "starts_with", "5")]),
        (CONDITION.format("require"), "impossible_operator", "error"),
    ),
    (
        pay(require=[when("args.id.part", "eq", "5")]),
        (CONDITION.format("require"), "impossible_operator", "error"),
    ),
    (
        pay(require=[when("args.to[*].mail", "gt", 5)]),
        (CONDITION.format("require"), "impossible_operator", "error"),
    ),
    (
        pay(limits=[limit("a"), limit("b", increment_from="args.id")]),
        ("/tools/pay/limits/1/increment_from", "impossible_operator", "error"),
    ),
    (
        pay(limits=[limit("a"), limit("b", key="args.to")]),
        ("/tools/pay/limits/1/key", "impossible_operator", "error"),
    ),
    (
        {"tools": {"*": {"limits": [limit("a"), limit("b", key="args.to")]}}},
        ("/tools/*/limits/1/key", "impossible_operator", "warning"),
    ),
    ({"tools": {"pey": {}}}, ("/tools/pey", "unknown_tool", "warning")),
    (
        pay(deny_if=[when("args.to[*].mial", "eq", "a")]),
        (CONDITION.format("deny_if") + "/path", "unknown_argument", "warning"),
    ),
    (
        pay(deny_if=[when("args.tags", "contains", "5")]),
        ("/tools/pay/deny_if/0", "constant_predicate", "warning"),
    ),
    (
        pay(require=[when("args.tags", "not_contains", "5")]),
        ("/tools/pay/require/0", "constant_predicate", "warning"),
    ),
    ({"hide": ["pey"], "default": "allow"}, ("/hide/0", "unknown_tool", "error")),
    (
        pay(require=[when("args.amuont", "lte", 5)]),
        (CONDITION.format("require") + "/path", "unknown_argument", "warning"),
    ),
    (
        {"tools": {"list_users": {"limits": [limit(key="args.x"), limit("d")]}}},
        ("/tools/list_users/limits/0/key", "unknown_argument", "error"),
    ),
    (
        pay(deny_if=[when("args.amount", "eq", "5")]),
        ("/tools/pay/deny_if/0", "constant_predicate", "warning"),
    ),
    (
        pay(require=[when("args.kind", "neq", "softt")]),
        ("/tools/pay/require/0", "constant_predicate", "warning"),
    ),
    ({"tools": {"pa*": {}, "pay": {"limits": [limit()]}}}, ("/tools/pa*", "shadowed_rule", "warning")),
    (
        {"tools": {"pay": {"limits": [limit()]}}, "classes": {"Financial": {}}},
        ("/classes/Financial", "shadowed_rule", "warning"),
    ),
    ({"hide": ["pa*"], **pay()}, ("/tools/pay", "hide_and_rule", "warning")),
    (
        pay(limits=[limit("a", "day", 10), limit("b", "hour", 20)]),
        ("/tools/pay/limits/1", "unreachable_limit", "warning"),
    ),
    (
        pay(limits=[limit("a", "minute", 1), limit("b", "hour", 60)]),
        ("/tools/pay/limits/1", "unreachable_limit", "warning"),
    ),
    (
        pay(action="require_approval", limits=[limit(window="minute")]),
        ("/tools/pay/limits/0", "approval_holds_limit", "warning"),
    ),
    (pay(), ("/tools/pay", "unguarded_tool", "warning")),
    ({"default": "allow"}, ("/default", "unguarded_tool", "warning")),
    (
        pay(limits=[limit()]) | {"classes": {"Financial": {"action": "require_approval"}}},
        ("/tools/pay", "approval_dropped", "warning"),
    ),
    (
        pay(deny_if=[when("args.id", "under_path", "/etc")]),
        (CONDITION.format("deny_if"), "path_in_deny", "warning"),
    ),
    (
        pay(limits=[limit(increment_from="args.amount")]),
        ("/tools/pay/limits/0", "value_limit_alone", "warning"),
    ),
    (pay(limits=[limit(key="args.id")]), ("/tools/pay/limits/0", "keyed_limit_alone", "warning")),
    (
        {
            "tools": {
                "pay": {"rate_limit": {"max": 1, "window": 60}},
                "update_user": {"limits": [limit("pay_rate")]},
            }
        },
        ("/tools/pay/limits/0", "shared_counter", "warning"),
    ),
    (
        pay(
            require=[
                {
                    "conditions": [
                        {"path": "args.to[*].mail", "op": "eq", "value": "a"},
                        {"path": "args.to[*].name", "op": "eq", "value": "b"},
                    ]
                }
            ]
        ),
        ("/tools/pay/require/0", "paired_elements", "warning"),
    ),
    ({"all_tools": {"action": "allow"}}, ("/all_tools/action", "all_tools_allow", "warning")),
    (
        {"default": "allow", "all_tools": {"require": [when("args.id", "exists", True)]}},
        ("/all_tools/require/0/conditions/0", "all_tools_argument", "warning"),
    ),
    (
        {"default": "allow", "all_tools": {"limits": [limit(increment_from="args.amount")]}},
        ("/all_tools/limits/0", "all_tools_argument", "warning"),
    ),
]


@pytest.mark.parametrize(
    ("policy", "finding"), FOUND, ids=[f"{finding[1]} {finding[0]}" for _, finding in FOUND]
)
def test_the_linter_finds(policy: dict[str, Any], finding: tuple[str, str, str]) -> None:
    assert finding in codes(policy)


QUIET = [
    (pay(deny_if=[when("args.amount", "gt", 500)], require=[when("args.id", "starts_with", "u_")]), None),
    (pay(require=[when("args.amount", "lte", 500)]), None),
    (pay(deny_if=[when("args.force", "exists", True)]), "unguarded_optional"),
    (pay(deny_if=[when("args.force", "neq", False)]), "unguarded_optional"),
    (
        pay(deny_if=[when("args.force", "eq", True)], require=[when("args.force", "exists", True)]),
        "unguarded_optional",
    ),
    (pay(require=[when("args.count", "gt", 5)]), "impossible_operator"),
    (pay(limits=[limit("a", "minute", 1), limit("b", "hour", 59)]), "unreachable_limit"),
    (pay(limits=[limit("a"), limit("b", increment_from="args.amount")]), None),
    (pay(limits=[limit("a"), limit("b", key="args.id")]), None),
    (pay(require=[when("args.tags", "contains", 5), when("args.to[*].free.b", "eq", "x")]), None),
    (pay(action="require_approval", limits=[limit(window="hour")]), None),
    ({"tools": {"*_user": {"action": "deny"}, "delete_*": {"limits": [limit()]}}}, "weaker_pattern"),
    (
        {
            "tools": {
                "*_user": {"limits": [limit("a")]},
                "delete_*": {"rate_limit": {"max": 5, "window": "week"}},
            }
        },
        "weaker_pattern",
    ),
    ({"classes": {"Financial": {"limits": [limit("{tool}_rate")]}}}, None),
]


@pytest.mark.parametrize(("policy", "code"), QUIET)
def test_the_linter_is_silent(policy: dict[str, Any], code: str | None) -> None:
    found = codes(policy)
    assert not found if code is None else code not in {each[1] for each in found}


def test_a_misspelt_tool_is_answered_with_the_right_one() -> None:
    (finding,) = findings({"tools": {"delete_usr": {"action": "deny"}}})
    assert finding.message == (
        'The server has no tool delete_usr, so this decides no call. Did you mean "delete_user"?'
    )


TWICE = [limit("a", "minute", 5), limit("b", "minute", 9)]
SAID = [
    (
        pay(deny_if=[when("args.force", "eq", True)]),
        "pay can be called without args.force, and such a call is not denied by this. "
        "Require that it is there (exists), or deny calls without it.",
    ),
    (
        pay(approve_if=[when("args.force", "eq", True)], deny_if=[when("args.amount", "gt", 5)]),
        "pay can be called without args.force, and such a call goes through without asking anyone. "
        "Require that it is there (exists), or deny calls without it.",
    ),
    (
        pay(require=[when("args.amuont", "lte", 5)]),
        'pay has no argument args.amuont, so every call is denied. Did you mean "args.amount"?',
    ),
    (
        pay(deny_if=[when("args.mail", "eq", "a")]),
        'pay has no argument args.mail, so no call is denied here. Did you mean "args.to[*].mail"?',
    ),
    (
        pay(approve_if=[when("args.other", "neq", "a")]),
        "pay has no argument args.other, so this always holds. "
        'It has "id", "amount", "count", "force", "to", "kind" and "tags".',
    ),
    (
        pay(require=[when("args.kind", "eq", "mild")]),
        "By the schema this never holds, so every call is denied. "
        "Compare the value with what the argument may be.",
    ),
    (
        pay(limits=TWICE),
        "This limit holds nothing back: limit 1 of this rule (at most 5 calls per minute for each grant) is "
        "always reached first. Take it out, or make it tighter.",
    ),
    (
        {"tools": {"pay": {"limits": [limit()]}}, "classes": {"Write": {"limits": [limit()]}}},
        "The Write rule counts in c too: what is busy there uses up what is left here. "
        "Give this limit a counter of its own, unless one count for both is meant.",
    ),
    (
        pay(action="require_approval", limits=[limit(window="minute")]),
        "A call that waits for a person keeps its place in this limit for up to 15 minutes, and holds others "
        "back meanwhile. Count in a window of 15 minutes or more.",
    ),
    (
        {"hide": ["pey"], "default": "allow", "classes": {"Financial": {"action": "deny"}}},
        "The server has no tool pey, so this hides nothing, and what is meant goes by the default, which "
        'allows. Did you mean "pay"?',
    ),
]


@pytest.mark.parametrize(("policy", "said"), SAID)
def test_a_finding_says_what_comes_of_it_and_what_to_do(policy: dict[str, Any], said: str) -> None:
    assert said in {finding.message for finding in findings(policy)}


def test_what_is_too_long_to_be_shown_whole_is_not_offered() -> None:
    schema = {"properties": {"a" * 60: {"properties": {"name": {"type": "string"}}}}}
    document = parse_policy(
        json.dumps({"version": "1", "default": "deny", **pay(require=[when("args.name", "eq", "a")])})
    )
    (finding,) = [
        each for each in lint(document, [ToolFacts("pay", "Read", schema)]) if each.code == "unknown_argument"
    ]
    assert finding.message.endswith(f'so every call is denied. It has "{"a" * 60}".')


def test_a_server_that_was_never_scanned_has_no_unknown_tools() -> None:
    document = parse_policy('{"version":"1","default":"allow","hide":["x"]}')
    assert lint(document, []) == ()


def test_a_counter_of_another_policy_is_told_when_it_is_shared() -> None:
    policy = {"tools": {"pay": {"limits": [{**limit("spend"), "scope": "organization"}]}}}
    assert codes(policy) == set()
    assert codes(policy, other_counters={("organization", "spend")}) == {
        ("/tools/pay/limits/0", "shared_counter", "warning")
    }


def test_a_tool_without_a_class_makes_an_open_default_worth_a_word() -> None:
    document = parse_policy('{"version":"1","default":"allow"}')
    assert [finding.code for finding in lint(document, [ToolFacts("new", None)])] == ["open_default"]


@pytest.mark.parametrize("seed", sorted((CASES / "seeds").glob("*.json")), ids=lambda seed: seed.stem)
def test_the_recommended_policies_have_no_finding(seed: Any) -> None:
    tool = seed.stem.split(".")[1]
    assert (
        lint(
            parse_policy(seed.read_text()), [ToolFacts(tool, "Execute", OPEN), ToolFacts("b", "Write", OPEN)]
        )
        == ()
    )


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": 5},
        {"type": "object", "properties": []},
        {"properties": {"id": 5, "amount": {"type": ["x"]}, "to": {"items": True}}},
        {"properties": {"id": {"$ref": "#"}}, "required": "id"},
        {"anyOf": [{}]},
    ],
)
def test_a_schema_that_is_none_yields_no_errors(schema: Any) -> None:
    document = parse_policy(
        json.dumps(
            {
                "version": "1",
                "default": "deny",
                **pay(
                    deny_if=[when("args.id", "lt", 5)],
                    require=[when("args.to[*].mail", "eq", "a"), when("args.amount", "eq", 1)],
                ),
            }
        )
    )
    found = lint(document, [ToolFacts("pay", "Write", schema)])
    assert Severity.ERROR not in {finding.severity for finding in found}


@given(policies)
@examples(50)
def test_every_policy_can_be_linted(policy: Any) -> None:
    document = parse_policy(json.dumps(policy))
    assert all(finding.message for finding in lint(document, TOOLS))


@pytest.mark.parametrize(
    ("path", "op", "mend"),
    [
        ("args.to.mail", "eq", "Write args.to[*].mail for each element of the list."),
        ("args.tags", "lte", "Write args.tags[*] for each element of the list."),
        ("args.tags", "starts_with", "Choose an operator for that type."),
        ("args.id.part", "eq", "Choose a path that leads to a value."),
    ],
)
def test_a_list_taken_for_a_single_value_is_told_from_a_wrong_operator(path: str, op: str, mend: str) -> None:
    value = 5 if op == "lte" else "a"
    found = [
        each for each in findings(pay(require=[when(path, op, value)])) if each.code == "impossible_operator"
    ]
    assert [each.message.endswith(mend) for each in found] == [True], found


def only_odd(known: list[ToolFacts], /, **policy: Any) -> list[tuple[str, str]]:
    document = parse_policy(json.dumps({"version": "1", "default": "deny", **policy}))
    return [
        (each.pointer, str(each.severity))
        for each in lint(document, known)
        if each.code in ("impossible_operator", "all_tools_argument")
    ]


@pytest.mark.parametrize("rules", ["all_tools", "classes", "tools"])
def test_one_tool_that_a_limit_cannot_count_is_worth_a_word_and_blocks_nothing(rules: str) -> None:
    def tool(name: str, kind: Any) -> ToolFacts:
        return ToolFacts(name, "Write", {"properties": {"to": {"type": kind}}})

    counted = {"limits": [limit("a"), limit("b", key="args.to")]}
    policy: dict[str, Any] = {"all_tools": counted, "tools": {"t*": {}}}
    at = "/all_tools"
    if rules != "all_tools":
        name = "Write" if rules == "classes" else "t*"
        policy, at = {rules: {name: counted}}, f"/{rules}/{name}"
    odd, good = tool("t_odd", "object"), tool("t_good", "string")
    assert only_odd([odd, good], **policy) == [(f"{at}/limits/1/key", "warning")]
    assert only_odd([good, odd], **policy) == [(f"{at}/limits/1/key", "warning")]
    assert only_odd([odd], **policy) == [(f"{at}/limits/1/key", "error")]
    assert only_odd([tool("t_none", [])], **policy) == []


def test_what_is_denied_anyway_needs_no_argument_that_fits_the_rule_for_all_tools() -> None:
    everywhere = {
        "require": [when("args.to", "starts_with", "a")],
        "limits": [limit("a"), limit("b", key="args.to")],
    }
    schema: dict[str, Any]
    for schema in ({"properties": {"to": {"type": "object"}}}, {"properties": {}}):
        tools = [
            ToolFacts("a", "Write", {"properties": {"to": {"type": "string"}}}),
            ToolFacts("b", "Read", schema),
        ]
        denied: list[dict[str, Any]] = [
            {"tools": {"a": {}, "b": {"action": "deny"}}},
            {"tools": {"a": {}}, "classes": {"Read": {"action": "deny"}}},
        ]
        for policy in denied:
            assert only_odd(tools, all_tools=everywhere, **policy) == []
        assert only_odd(tools, all_tools=everywhere, tools={"a": {}, "b": {}}) != []
    alone = {"b": {"action": "deny", "limits": everywhere["limits"]}}
    assert only_odd([ToolFacts("b", "Read", {"properties": {"to": {"type": "object"}}})], tools=alone) == []


class Watched(dict[str, Any]):
    """Counts the members that are looked at one by one."""

    looked_at = 0

    def __iter__(self) -> Iterator[str]:
        for each in super().__iter__():
            self.looked_at += 1
            yield each


def test_a_slip_inside_an_object_of_many_members_costs_a_bounded_look() -> None:
    members = Watched({f"quantity{number}": {} for number in range(5000)})
    inner = {"type": "object", "properties": members}
    slips = [when(f"args.line.quantty{number}", "eq", 1) for number in range(10)]
    document = parse_policy(json.dumps({"version": "1", "default": "deny", **pay(require=slips)}))
    found = lint(document, [ToolFacts("pay", "Read", {"type": "object", "properties": {"line": inner}})])
    assert [each.code for each in found].count("unknown_argument") == 10
    assert members.looked_at <= 10 * 200


def test_an_index_into_a_list_of_lists_is_kept_in_the_path_to_write() -> None:
    rows = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
    tool = ToolFacts("pay", "Read", {"type": "object", "properties": {"rows": rows}})
    asked = pay(require=[when("args.rows[0]", "lt", 1)])
    found = lint(parse_policy(json.dumps({"version": "1", "default": "deny", **asked})), [tool])
    (finding,) = [each for each in found if each.code == "impossible_operator"]
    assert finding.message.endswith("Write args.rows[0][*] for each element of the list.")


@pytest.mark.parametrize(("others", "is_found"), [({"type": "string"}, False), (True, False), (False, True)])
def test_an_object_that_may_hold_unevaluated_members_is_missing_none(others: Any, is_found: bool) -> None:
    line = {"type": "object", "properties": {"a": {}}, "unevaluatedProperties": others}
    tool = ToolFacts("pay", "Read", {"type": "object", "properties": {"line": line}})
    asked = pay(require=[when("args.line.b", "eq", 1)])
    found = lint(parse_policy(json.dumps({"version": "1", "default": "deny", **asked})), [tool])
    assert ("unknown_argument" in {each.code for each in found}) is is_found
