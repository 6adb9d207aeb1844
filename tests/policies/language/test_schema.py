"""The published schema and the parser agree, but for what a schema cannot see."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.validators import extend  # type: ignore[import-untyped]

from policies.language.parse import find_problems
from policies.language.schema import schema
from tests.examples import examples

from .cases import every_case, policy_texts, source
from .strategies import damaged

SCHEMA_MAY_ACCEPT = {
    "too_large",
    "bad_encoding",
    "bom",
    "bad_json",
    "lone_surrogate",
    "too_deep",
    "duplicate_key",
    "too_many_rules",
    "bad_regex",
    "number_not_exact",
}


def _is_whole(_: Any, value: Any) -> bool:
    return isinstance(value, Decimal | int) and not isinstance(value, bool) and value == int(value)


def _is_number(_: Any, value: Any) -> bool:
    return isinstance(value, Decimal | int) and not isinstance(value, bool)


CHECKER = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_whole, "number": _is_number})
VALIDATOR = extend(Draft202012Validator, type_checker=CHECKER)(schema())


def schema_accepts(text: str | bytes) -> bool | None:
    """None for a text that is no JSON of reasonable numbers, on which a schema has no say."""
    try:
        value = json.loads(text, parse_float=_number, parse_int=_number)
    except (ValueError, RecursionError):
        return None
    return bool(VALIDATOR.is_valid(value))


def _number(text: str) -> Decimal:
    if abs(Decimal(text).adjusted()) > 400:
        raise ValueError(text)
    return Decimal(text)


def agree(text: str | bytes) -> bool:
    accepted, problems = schema_accepts(text), find_problems(text)
    if accepted is None:
        return True
    if not problems:
        return accepted
    bracketed = all(problem.code == "bad_value" and "[" in problem.message for problem in problems)
    return not accepted or {problem.code for problem in problems} <= SCHEMA_MAY_ACCEPT or bracketed


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("text", policy_texts())
def test_the_schema_accepts_every_policy_of_the_cases(text: str) -> None:
    assert schema_accepts(text) is True


@pytest.mark.parametrize("case", [param for param in every_case() if "problems: " in str(param.id)])
def test_the_schema_and_the_parser_agree_on_what_is_wrong(case: dict[str, Any]) -> None:
    assert agree(source(case))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (r'args["\ud800"]', r'args["\ud83d\ude00"]'),
        ("args.x\n", "args.x"),
        ("args[01]", "args[10]"),
        ("args[1234567890]", "args[123456789]"),
    ],
)
def test_the_schema_and_the_parser_agree_on_paths(wrong: str, right: str) -> None:
    for path, good in ((wrong, False), (right, True)):
        condition = {"path": path, "op": "exists", "value": True}
        policy = {
            "version": "1",
            "default": "deny",
            "tools": {"a": {"deny_if": [{"conditions": [condition]}]}},
        }
        text = json.dumps(policy)
        assert schema_accepts(text) is good
        assert (find_problems(text) == ()) is good


@given(damaged())
@examples(100)
def test_the_schema_and_the_parser_agree_on_damaged_policies(text: str) -> None:
    assert agree(text)
