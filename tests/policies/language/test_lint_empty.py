"""A condition with an empty value holds for everything or for nothing: that is said where it is."""

import json
from typing import Any

import pytest

from policies.language.compile import ToolFacts
from policies.language.lint import lint
from policies.language.parse import parse_policy

PROPERTIES = {"name": {"type": "string"}, "any": {}, "tags": {"type": "array"}}
FIND = ToolFacts("find", "Read", {"type": "object", "properties": PROPERTIES, "required": [*PROPERTIES]})


def said(section: str, *conditions: tuple[str, str, Any]) -> list[tuple[str, str, str]]:
    asked = {"conditions": [{"path": path, "op": op, "value": value} for path, op, value in conditions]}
    document = {"version": "1", "default": "deny", "tools": {"find": {section: [asked]}}}
    found = lint(parse_policy(json.dumps(document)), [FIND])
    return [(each.code, each.pointer.rpartition("/")[2], each.message) for each in found]


def empty(comes_of: str) -> tuple[str, str, str]:
    return "empty_value", "0", f"No value is written here, so {comes_of}. Write at least one."


@pytest.mark.parametrize("path", ["args.name", "args.any"])
@pytest.mark.parametrize(
    ("section", "op", "comes_of"),
    [
        ("require", "in", "every call is denied"),
        ("require", "host_in", "every call is denied"),
        ("require", "not_in", "nothing is asked here"),
        ("deny_if", "in", "no call is denied here"),
        ("deny_if", "not_in", "every call is denied"),
        ("approve_if", "in", "nobody is asked here"),
        ("approve_if", "not_in", "every call waits for a person"),
    ],
)
def test_an_empty_list_is_told_once_with_what_comes_of_it(
    path: str, section: str, op: str, comes_of: str
) -> None:
    assert said(section, (path, op, [])) == [empty(comes_of)]


def test_what_comes_of_an_empty_list_depends_on_what_is_beside_it() -> None:
    other = ("args.name", "eq", "a")
    assert said("require", ("args.any", "not_in", []), other) == [empty("this holds for every value")]
    assert said("require", ("args.any", "in", []), other) == [empty("every call is denied")]
    assert said("require", ("args.tags[*]", "in", [])) == [empty("this holds for no value")]


@pytest.mark.parametrize(
    ("op", "value", "words"),
    [
        ("starts_with", "", "every text starts with it"),
        ("ends_with", "", "every text ends with it"),
        ("contains", "", "every text contains it"),
        ("not_contains", "", "no text is without it"),
        ("regex", "", "every text contains it"),
        ("under_path", "/", "Every path is below /"),
        ("under_path", "//", "Every path is below /"),
        ("length_gte", 0, "Every length is at least 0"),
    ],
)
def test_a_value_that_every_text_meets_is_told(op: str, value: object, words: str) -> None:
    ((code, place, message),) = said("require", ("args.name", op, value))
    assert (code, place) == ("empty_value", "0")
    assert words in message


@pytest.mark.parametrize(
    ("op", "value"),
    [
        *(("eq", ""), ("neq", ""), ("matches", ""), ("in", [""]), ("not_in", [""]), ("starts_with", " ")),
        *(("under_path", "/srv"), ("contains", "a"), ("exists", True), ("length_lte", 0)),
        ("length_gte", 1),
    ],
)
def test_a_value_that_tells_some_texts_from_others_is_not_empty(op: str, value: object) -> None:
    assert [code for code, *_ in said("require", ("args.any", op, value))] in ([], ["other_type"])
