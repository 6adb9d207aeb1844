"""References inside a tool's schema, which servers write for every class that is an argument."""

import json
from typing import Any

import pytest

from policies.builder.arguments import arguments_of
from policies.language.compile import ToolFacts
from policies.language.lint import lint
from policies.language.parse import parse_policy
from policies.language.schema_refs import resolved

TEXT: dict[str, Any] = {"type": "string"}
ADDRESS = {
    "type": "object",
    "properties": {"city": TEXT, "kind": {"$ref": "#/$defs/Kind"}},
    "required": ["city"],
    "additionalProperties": False,
}
KIND = {"type": "string", "enum": ["home", "work"]}


def schema(of: dict[str, Any], **definitions: Any) -> dict[str, Any]:
    return {"type": "object", "properties": of, "required": [*of], "$defs": definitions}


PARCEL = schema(
    {
        "to": {"$ref": "#/$defs/Address", "description": "Where it goes."},
        "back": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}], "default": None},
        "stops": {"type": "array", "items": {"$ref": "#/$defs/Address"}},
    },
    Address=ADDRESS,
    Kind=KIND,
)


def test_what_references_lead_to_is_offered_to_the_builder() -> None:
    offered = {each.path: each for each in arguments_of(PARCEL)}
    assert {"args.to.city", "args.to.kind", "args.back.city", "args.stops[*].kind"} <= offered.keys()
    assert (offered["args.to"].kind, offered["args.stops"].element) == ("object", "object")
    assert offered["args.back.kind"].choices == ("home", "work")


def test_the_linter_finds_what_can_never_hold_behind_a_reference() -> None:
    rule = {
        "require": [
            {"conditions": [{"path": "args.to.town", "op": "eq", "value": "Oslo"}]},
            {"conditions": [{"path": "args.to.kind", "op": "eq", "value": "ship"}]},
        ]
    }
    text = json.dumps({"version": "1", "default": "deny", "tools": {"send": rule}})
    found = lint(parse_policy(text), [ToolFacts("send", "Write", PARCEL)])
    at = "/tools/send/require"
    assert {(each.pointer, each.code) for each in found} == {
        (f"{at}/0/conditions/0/path", "unknown_argument"),
        (f"{at}/1", "constant_predicate"),
    }


@pytest.mark.parametrize(
    "argument",
    [
        {"$ref": "#/$defs/Nothing"},
        {"$ref": "https://example.com/address.json"},
        {"$ref": "#/$defs/Circle"},
        {"$ref": "#/$defs/There"},
        {"$ref": 5},
        {"$ref": "#/$defs/Address", "required": ["street"]},
        {"$ref": "#/$defs/Text"},
    ],
)
def test_a_reference_that_leads_nowhere_or_is_narrowed_stays_unknown(argument: dict[str, Any]) -> None:
    given = schema(
        {"a": argument},
        Address=ADDRESS,
        Circle={"$ref": "#/$defs/Circle"},
        There={"$ref": "#/$defs/Back"},
        Back={"$ref": "#/$defs/There"},
        Text="text",
    )
    found = resolved(given)
    assert isinstance(found, dict) and found["properties"]["a"] == argument
    assert [each.kind for each in arguments_of(given)] == ["any"]


def test_a_definition_that_holds_itself_is_known_once() -> None:
    node = {"type": "object", "properties": {"name": TEXT, "child": {"$ref": "#/$defs/Node"}}}
    offered = [each.path for each in arguments_of(schema({"root": {"$ref": "#/$defs/Node"}}, Node=node))]
    assert offered == ["args.root", "args.root.name", "args.root.child"]


def test_a_definition_with_an_address_of_its_own_is_not_read_as_the_schemas_own() -> None:
    inner = {"$id": "https://example.com/a", "type": "object", "properties": {"b": {"$ref": "#/$defs/Kind"}}}
    found = resolved(schema({"a": inner}, Kind=KIND))
    assert isinstance(found, dict) and found["properties"]["a"] == inner


def test_what_is_named_like_a_reference_or_holds_data_is_left_as_it_is() -> None:
    given = schema({"$ref": TEXT, "b": {"enum": [{"$ref": "#/$defs/Kind"}]}}, Kind=KIND)
    found = resolved(given)
    assert isinstance(found, dict) and found["properties"] == given["properties"]


def test_definitions_that_double_at_every_step_take_no_more_steps_than_there_are_definitions() -> None:
    doubling: dict[str, Any] = {
        f"D{n}": {
            "type": "object",
            "properties": {"l": {"$ref": f"#/$defs/D{n + 1}"}, "r": {"$ref": f"#/$defs/D{n + 1}"}},
        }
        for n in range(14)
    }
    asked = 0

    def counted() -> bool:
        nonlocal asked
        asked += 1
        return True

    resolved(schema({"a": {"$ref": "#/$defs/D0"}}, **doubling, D14=TEXT), counted)
    assert asked < 100
    assert len(arguments_of(schema({"a": {"$ref": "#/$defs/D0"}}, **doubling, D14=TEXT))) == 15


def test_a_reader_without_patience_gets_the_schema_as_it_is() -> None:
    assert resolved(PARCEL, lambda: False) is PARCEL
