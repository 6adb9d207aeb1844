from __future__ import annotations

import pytest

from servers.arguments import MOST_SHOWN, Argument, arguments_of


def test_arguments_are_told_with_their_kind_and_whether_they_must_be_given() -> None:
    schema = {
        "required": ["user"],
        "properties": {
            "user": {"type": "string", "description": "Whose key."},
            "state": {"enum": ["on", "off"]},
            "amount": {"type": ["number", "null"]},
            "more": {},
        },
    }
    assert arguments_of(schema) == [
        Argument("user", "string", True, "Whose key."),
        Argument("state", "one of on, off", False, ""),
        Argument("amount", "number or null", False, ""),
        Argument("more", "anything", False, ""),
    ]


def test_an_argument_of_a_class_and_one_that_may_be_left_out_are_told_by_what_they_are() -> None:
    schema = {
        "properties": {
            "to": {"$ref": "#/$defs/Address", "description": "Where it goes."},
            "page": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            "kind": {"anyOf": [{"$ref": "#/$defs/Kind"}, {"type": "null"}]},
            "id": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        },
        "$defs": {"Address": {"type": "object"}, "Kind": {"enum": ["home", "work"]}},
    }
    assert [(each.name, each.kind, each.says) for each in arguments_of(schema)] == [
        ("to", "object", "Where it goes."),
        ("page", "integer or null", ""),
        ("kind", "one of home, work or null", ""),
        ("id", "integer or string", ""),
    ]


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        "x",
        {},
        {"properties": 1},
        {"properties": {"a": 1}, "required": "a"},
        {"properties": {"a": {"type": {}, "enum": {}, "description": []}}, "required": [{}]},
        {"properties": {"a": {"type": [1, {}], "enum": []}}},
        {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": [1]}},
        {"$ref": "#/$defs/A", "$defs": {"A": "x"}},
    ],
)
def test_whatever_a_server_calls_a_schema_is_read(schema: object) -> None:
    assert len(arguments_of(schema)) <= 1


def test_a_list_without_an_end_has_one_here() -> None:
    endless = {"properties": {f"a{n}": {"enum": list(range(999))} for n in range(999)}}
    shown = arguments_of(endless)
    assert len(shown) == MOST_SHOWN
    assert shown[0].kind == "one of 0, 1, 2, 3, 4, 5 and 993 more"
