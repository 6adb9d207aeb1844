from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.arguments import digest, kept, names
from gateway.protocol.strict_json import parse


def of(text: str) -> str:
    return digest(parse(text.encode()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
        ("[1]", "[1.0]"),
        ("[1]", "[1e0]"),
        ("[10]", "[1E1]"),
        ("[100]", "[1.00e2]"),
        ("[0]", "[-0]"),
        ("[0]", "[-0.0e7]"),
        ("[0.5]", "[5e-1]"),
        ("[-0.50]", "[-0.5]"),
        ("[1.5e300]", "[15e299]"),
        ("[123456789012345678901234567890]", "[123456789012345678901234567890.0]"),
        ("[1000000000000000000000]", "[1e21]"),
        ('["\\u0061"]', '["a"]'),
    ],
)
def test_equal_arguments_have_one_digest(one: str, other: str) -> None:
    assert of(one) == of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[1]", '["1"]'),
        ("[1]", "[true]"),
        ("[1]", "[-1]"),
        ("[0.1]", "[0.10000000000000001]"),
        ("[[1],2]", "[1,[2]]"),
        ("[null]", "[]"),
        ("[9007199254740992]", "[9007199254740993]"),
        ("[1e999999999999999999]", "[1e999999999999999998]"),
    ],
)
def test_different_arguments_have_different_digests(one: str, other: str) -> None:
    assert of(one) != of(other)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(min_value=0, max_value=12))
def test_a_number_has_one_digest_however_it_is_spelt(number: Decimal, zeros: int) -> None:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    longer = f"{'-' if sign else ''}{int(text + '0' * zeros)}e{exponent - zeros}"
    assert of(f"[{longer}]") == of(f"[{'-' if sign else ''}{int(text)}e{exponent}]")


def test_names_are_those_at_the_top_and_bounded() -> None:
    assert names({"b": {"inner": 1}, "a": 2}) == ("b", "a")
    assert names([1]) == ()
    many = names(json.loads(json.dumps({f"{'n' * 300}{n}": 1 for n in range(100)})))
    assert len(many) == 16
    assert max(map(len, many)) == 128
    assert len(names({str(number): 1 for number in range(100)})) == 64


def keep(text: str, *paths: str) -> list[tuple[str, str, str]]:
    return [(each.path, each.state, each.json) for each in kept(parse(text.encode()), paths)]


def test_only_the_chosen_values_are_kept_and_as_they_were_spelt() -> None:
    call = '{"amount": 1.50, "card": "4111", "customer": {"id": 7, "name": "Ada"}, "note": null}'
    assert keep(call, "args.amount", "args.customer.id", "args.note") == [
        ("args.amount", "value", "1.50"),
        ("args.customer.id", "value", "7"),
        ("args.note", "value", "null"),
    ]


def test_what_is_not_there_is_told_from_what_is_null() -> None:
    call = '{"customer": 5, "list": [1]}'
    assert {state for _, state, _ in keep(call, "args.a", "args.customer.id", "args.list.x")} == {"missing"}


def test_what_is_kept_of_one_call_is_bounded() -> None:
    long = json.dumps({f"a{number}": "x" * 2_000 for number in range(9)} | {"b": "x" * 3_000, "c": 1})
    told = keep(long, "args.b", *(f"args.a{number}" for number in range(9)))
    assert [state for _, state, _ in told] == ["too_long", *["value"] * 4, *["too_long"] * 5]
    assert sum(len(value) for _, _, value in told) <= 8_192


@pytest.mark.parametrize("arguments", [None, [], "x", 5])
def test_nothing_is_kept_of_what_is_no_object_or_not_asked_for(arguments: object) -> None:
    assert kept(arguments, ("args.a",)) == ()
    assert kept({"a": 1}, ()) == ()
