"""The builder where a schema leaves open which type a value has: a person chooses between them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.builder.acts import act
from policies.builder.arguments import arguments_of, shared_arguments
from policies.builder.card import ConditionRow, card_of
from policies.builder.fields import Fields
from policies.language.board import read_board
from policies.language.text_edit import CannotEdit
from policies.outlook import facts_of
from servers.models import Tool

TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer", "minimum": 1}
NOTHING: dict[str, Any] = {"type": "null"}
ARGUMENTS = {
    "id": {"anyOf": [TEXT, WHOLE]},
    "name": TEXT,
    "ids": {"type": "array", "items": {"type": ["string", "integer"]}},
    "page": {"anyOf": [WHOLE, NOTHING], "default": None},
    "kind": {"anyOf": [{"type": "string", "enum": ["a", "b"]}, NOTHING]},
    "to": {"anyOf": [{"type": "object", "properties": {"mail": TEXT}}, NOTHING]},
}
FIND = Tool(name="find", tool_class="Read", input_schema={"type": "object", "properties": ARGUMENTS})


def policy(path: str, op: str, value: object) -> str:
    asked = {"conditions": [{"path": path, "op": op, "value": value}]}
    return json.dumps({"version": "1", "default": "deny", "tools": {"find": {"require": [asked]}}})


def row_of(text: str) -> ConditionRow:
    board = read_board(text, [facts_of(FIND)])
    (row,) = board.tools
    return card_of(row, board, [FIND], [], "").phases[0].rows[0].conditions[0]


def turned(text: str, control: str, **typed: str) -> object:
    """The value after a person chose another kind in the open row."""
    row = row_of(text)
    fields = {"do": ["predicate"], "row": ["/tools/find"], "section": ["require"], "index": ["0"]}
    fields |= {"path": [row.argument.path], "op": [row.op], "control": [control]}
    fields |= {"value": [typed.get("value", row.value.text)], "token-0": [*row.value.tokens]}
    changed = json.loads(act(text, Fields(fields), [FIND]))
    return changed["tools"]["find"]["require"][0]["conditions"][0]["value"]


@pytest.mark.parametrize(
    ("value", "control", "after"),
    [
        ("5", "number", 5),
        ("", "number", 0),
        (5, "text", "5"),
        (True, "text", "true"),
        ("false", "yesno", False),
        ("", "yesno", True),
    ],
)
def test_a_value_is_turned_into_the_kind_that_was_chosen(value: object, control: str, after: object) -> None:
    text = policy("args.id", "eq", value)
    assert control in dict(row_of(text).kinds)
    result = turned(text, control)
    assert (type(result), result) == (type(after), after)


@pytest.mark.parametrize(
    ("value", "control", "message"),
    [
        ("abc", "number", "A number is written like"),
        ("007", "number", "A number is written like"),
        ("+5", "number", "A number is written like"),
        (True, "number", "A number is written like"),
        ("abc", "yesno", "true or false"),
        (5, "yesno", "true or false"),
    ],
)
def test_a_value_that_is_not_of_the_chosen_kind_is_refused_and_stays(
    value: object, control: str, message: str
) -> None:
    with pytest.raises(CannotEdit, match=message):
        turned(policy("args.id", "eq", value), control)


def test_the_values_of_a_list_are_turned_together() -> None:
    text = policy("args.id", "in", ["5", "6"])
    assert row_of(text).kinds == (("tokens", "texts"), ("numbers", "numbers"))
    assert turned(text, "numbers") == [5, 6]
    assert turned(policy("args.id", "in", [5, 6]), "tokens") == ["5", "6"]


@pytest.mark.parametrize(
    ("path", "op", "value", "is_offered"),
    [
        ("args.id", "eq", "5", True),
        ("args.unknown", "neq", "5", True),
        ("args.ids", "contains", "5", True),
        ("args.ids[*]", "in", [5], True),
        ("args.id", "in", [], False),
        ("args.id", "in", ["5", 5], False),
        ("args.id", "lte", 5, False),
        ("args.id", "starts_with", "5", False),
        ("args.name", "eq", "5", False),
        ("args.page", "eq", 5, False),
    ],
)
def test_kinds_are_offered_only_where_the_type_is_open(
    path: str, op: str, value: object, is_offered: bool
) -> None:
    assert bool(row_of(policy(path, op, value)).kinds) is is_offered


def test_an_argument_that_may_be_null_is_of_its_other_kind() -> None:
    found = {argument.path: argument for argument in arguments_of(FIND.input_schema)}
    assert (found["args.page"].kind, found["args.page"].minimum) == ("number", "1")
    assert found["args.kind"].choices == ("a", "b")
    assert (found["args.to"].kind, found["args.to.mail"].kind) == ("object", "text")
    assert found["args.id"].kind == "any"


def test_an_argument_of_several_tools_says_how_many_have_it() -> None:
    schemas = [{"type": "object", "properties": {"n": WHOLE, **more}} for more in ({"x": TEXT}, {}, {})]
    assert [argument.words for argument in shared_arguments(iter(schemas))] == [
        "args.n (number)",
        "args.x (text, in 1 of 3 tools)",
    ]


def test_a_limit_is_shared_only_with_what_counts_in_the_same_counter() -> None:
    def limited(counter: str, scope: str = "grant") -> dict[str, Any]:
        return {"limits": [{"counter": counter, "window": "minute", "max": 5, "scope": scope}]}

    def shared(everywhere: dict[str, Any]) -> dict[str, tuple[str, ...]]:
        classes = {"Write": limited("{tool}_rate"), "Read": limited("{tool}_rate"), "Execute": limited("all")}
        tools = {"find": limited("all"), "get_*": limited("all", "server")}
        text = json.dumps(
            {"version": "1", "default": "deny", "tools": tools, "classes": classes, **everywhere}
        )
        board = read_board(text, [facts_of(FIND)])
        rows = [row for row in (*board.classes, *board.patterns, *board.tools) if row.rule is not None]
        return {row.address.name: card_of(row, board, [FIND], [], "").limits[0].shared for row in rows}

    apart: dict[str, tuple[str, ...]] = {"Write": (), "Read": (), "get_*": ()}
    assert shared({}) == {**apart, "Execute": ("find",), "find": ("Execute",)}
    with_all = shared({"all_tools": limited("{tool}_rate")})
    assert (with_all["Write"], with_all["find"]) == (("every call",), ("Execute",))


def test_the_short_limit_of_a_class_is_shared_with_what_was_written_out_from_it() -> None:
    short = {"rate_limit": {"max": 5, "window": "day"}}
    kept = {"limits": [{"counter": "class:Read_rate", "window": "day", "max": 5, "scope": "grant"}]}
    parts = {"classes": {"Read": short, "Write": short}, "tools": {"find": kept}}
    board = read_board(json.dumps({"version": "1", "default": "deny", **parts}), [facts_of(FIND)])
    shared = {
        row.address.name: card_of(row, board, [FIND], [], "").limits[0].shared
        for row in (*board.classes, *board.tools)
        if row.rule is not None
    }
    assert shared == {"Read": ("find",), "Write": (), "find": ("Read",)}


def listed(value: object, **more: list[str]) -> object:
    """The list after a form whose page may be older than the text."""
    fields = {"do": ["predicate"], "row": ["/tools/find"], "section": ["require"], "index": ["0"]}
    fields |= {"path": ["args.name"], "op": ["in"], "control": ["tokens"], "value": [""]}
    new = act(policy("args.name", "in", value), Fields({**fields, **more}), [FIND])
    return json.loads(new)["tools"]["find"]["require"][0]["conditions"][0]["value"]


def test_a_value_that_was_added_meanwhile_stays_in_the_list() -> None:
    assert listed(["a", "b"], **{"token-0": ["a"], "more-0": ["c"]}) == ["a", "b", "c"]
    assert listed(["a", "b"], **{"token-0": ["b"], "drop-token": ["0-0"]}) == ["a"]


def test_the_last_value_does_not_come_back_once_it_was_removed() -> None:
    assert listed([], **{"token-0": ["Alice"], "more-0": ["Bob"]}) == ["Bob"]
    assert listed([], **{"token-0": ["Alice"]}) == []


@pytest.mark.parametrize("value", [["a", 5], [f"u{number}" for number in range(61)]])
def test_a_list_that_the_page_no_longer_shows_as_it_is_loses_nothing(value: list[object]) -> None:
    with pytest.raises(CannotEdit, match="changed meanwhile"):
        listed(value, **{"token-0": ["a"], "more-0": ["b"]})


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        (("eq", False), "args.force", ("neq", False)),
        (("eq", True), "args.force", ("in", [True])),
        (("eq", None), "args.force", ("not_in", [None])),
        (("in", [False]), "args.force", ("eq", False)),
        (("eq", False), "args.id", ("eq", False)),
        (("eq", True), "args.force", ("host_in", ["true"])),
        (("eq", False), "args.force", ("exists", True)),
        (("exists", False), "args.force", ("eq", "")),
        (("exists", True), "args.force", ("in", [])),
        (("exists", False), "args.id", ("exists", False)),
    ],
)
def test_a_yes_or_no_is_kept_where_the_new_operator_or_argument_takes_it(
    before: tuple[str, object], path: str, after: tuple[str, object]
) -> None:
    op, value = after
    assert asked_with("args.force", before, op, path) == {"path": path, "op": op, "value": value}


def asked_with(path: str, before: tuple[str, object], op: str, new_path: str = "") -> dict[str, object]:
    """The condition after a person chose another operator or argument in the open row."""
    text = policy(path, *before)
    value = row_of(text).value
    fields = {"do": ["predicate"], "row": ["/tools/find"], "section": ["require"], "index": ["0"]}
    fields |= {"path": [new_path or path], "op": [op], "control": [value.control]}
    fields |= {"value": [value.text], "token-0": [*value.tokens]}
    changed = json.loads(act(text, Fields(fields), [FIND]))["tools"]["find"]["require"][0]["conditions"]
    assert len(changed) == 1
    return dict(changed[0])


@pytest.mark.parametrize(
    ("before", "op", "after"),
    [
        (("eq", 5), "starts_with", "5"),
        (("gte", 2.5), "under_path", "/2.5"),
        (("in", [5]), "host_in", ["5"]),
        (("starts_with", "5"), "gte", 5),
        (("eq", ["a", "b"]), "neq", ["a", "b"]),
        (("eq", ["a", "b"]), "in", [["a", "b"]]),
        (("not_in", [["a", "b"]]), "eq", ["a", "b"]),
        (("eq", ""), "in", []),
        (("eq", ""), "not_in", [""]),
        (("neq", ""), "in", [""]),
        (("neq", ""), "not_in", [""]),
        (("in", [""]), "not_in", [""]),
        (("not_in", [""]), "in", [""]),
        (("in", [""]), "eq", ""),
        (("not_in", [""]), "neq", ""),
        (("contains", ""), "in", [""]),
        (("not_contains", ""), "not_in", [""]),
        (("matches", ""), "not_in", [""]),
        (("starts_with", ""), "in", [""]),
        (("eq", []), "not_in", [[]]),
        (("neq", ""), "starts_with", ""),
        (("eq", ""), "gte", 0),
        (("eq", ""), "host_in", []),
        (("length_lte", 5), "eq", ""),
        (("eq", 5), "length_lte", 0),
        (("length_lte", 5), "length_gte", 5),
    ],
)
def test_a_value_is_kept_where_another_operator_can_take_it(
    before: tuple[str, object], op: str, after: object
) -> None:
    value = asked_with("args.id", before, op)["value"]
    assert (type(value), value) == (type(after), after)


@pytest.mark.parametrize(("before", "op"), [("neq", "not_in"), ("neq", "in"), ("eq", "neq")])
def test_an_empty_text_is_a_value_also_where_the_argument_has_others(before: str, op: str) -> None:
    # `not_in []` would hold for every call.
    after = {"in": [""], "not_in": [""], "neq": ""}[op]
    assert asked_with("args.kind", (before, ""), op)["value"] == after
    if op != "neq":
        assert asked_with("args.id", (before, ""), op, "args.name")["value"] == after


@pytest.mark.parametrize(
    ("before", "op", "message"),
    [
        (("in", ["a", "b"]), "eq", "“is” compares with one value, and here are 2"),
        (("host_in", ["a.example", "b.example"]), "ends_with", "“ends with” compares with one value"),
        (("eq", "abc"), "gte", "“is at least” compares with a number"),
        (("eq", True), "lt", "“is less than” compares with a number"),
        (("eq", None), "starts_with", "“starts with” compares with a text"),
        (("eq", {"k": 1}), "regex", "“contains the pattern” compares with a text"),
    ],
)
def test_an_operator_that_would_lose_the_value_is_refused(
    before: tuple[str, object], op: str, message: str
) -> None:
    with pytest.raises(CannotEdit, match=message):
        asked_with("args.id", before, op)
    # Another argument starts with a value of its own.
    assert asked_with("args.id", before, "eq", "args.name")["op"] == "eq"
