from decimal import Decimal

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.language.decision import MISSING
from policies.language.exact import LARGEST, exact, identity_of, plain_text, whole_text
from policies.language.identity import call_digest, identity_text


def read(text: str) -> object:
    return jiter.from_json(text.encode(), float_mode="lossless-float")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.000", 1),
        ("1e0", 1),
        ("-0", 0),
        ("-0.0", 0),
        ("0e99999999999999999999", 0),
        ("30e-1", 3),
        ("0.30000000000000004", Decimal("0.30000000000000004")),
        ("123456789012345.67", Decimal("123456789012345.67")),
        ("9007199254740991", LARGEST),
        ("9007199254740991.0", LARGEST),
        ("2.2250738585072014e-308", Decimal("2.2250738585072014e-308")),
        ("1" + "0" * 10 + ".0" + "0" * 400, 10**10),
    ],
)
def test_a_number_is_its_value_however_it_is_spelt(text: str, value: object) -> None:
    assert exact(read(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "0.10000000000000001",
        "9999.99999999999999999999",
        "9007199254740992",
        "9007199254740991.5",
        "1e300",
        "5e-324",
        "2.2250738585072013e-308",
        "1e999999999",
        "-1e-999999999999999999999999",
        "3.14159265358979323",
    ],
)
def test_a_number_that_doubles_see_otherwise_is_not_exact(text: str) -> None:
    assert exact(read(text)) is None


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_exactness_is_what_the_definition_says(number: Decimal) -> None:
    same = number == Decimal(repr(float(number))) if abs(float(number)) != float("inf") else False
    magnitude = number == 0 or Decimal("2.2250738585072014e-308") <= abs(number) <= LARGEST
    assert (exact(number) is not None) is (same and magnitude)
    found = exact(number)
    if found is not None:
        assert found == number
        assert Decimal(plain_text(found)) == number


def test_booleans_and_texts_are_no_numbers() -> None:
    assert [exact(value) for value in (True, "1", None, [1], float("nan"), Decimal("Infinity"))] == [None] * 6


@pytest.mark.parametrize(
    ("text", "value"), [("3e1", 30), ("30.0", 30), ("1.5", None), ("-2e0", -2), ("1e-1", None)]
)
def test_whole_numbers_are_judged_by_value(text: str, value: int | None) -> None:
    assert whole_text(text) == value


def test_one_identity_for_one_value_and_another_for_another() -> None:
    same = ["1", "1.0", "10e-1", "0.1e1", "1e0"]
    assert len({identity_of(read(text)) for text in same}) == 1
    different = [
        "1",
        "-1",
        "1e999",
        "1e1000",
        "0.10000000000000001",
        "0.1",
        "9007199254740993",
        "9007199254740992",
    ]
    assert len({identity_of(read(text)) for text in different}) == len(different)


def test_arguments_are_the_same_call_whatever_their_order_and_spelling() -> None:
    assert identity_text(read('{"a":1,"b":[2.0]}')) == identity_text(read('{"b":[2],"a":1e0}'))
    assert identity_text(read('{"a":"1"}')) != identity_text(read('{"a":1}'))
    assert identity_text(read('{"a":true}')) != identity_text(read('{"a":1}'))


CALL = {"organization": "o", "grant": "g", "server": "s", "tool": "t"}


@pytest.mark.parametrize(
    "again", ['{"b":[2.50],"a":1}', '{"a":1.0,"b":[25e-1]}', '{"\\u0061":1e0,"b":[2.5]}']
)
def test_identical_calls_share_a_digest(again: str) -> None:
    asked = call_digest(**CALL, arguments=read('{"a":1,"b":[2.5]}'))
    assert call_digest(**CALL, arguments=read(again)) == asked


@pytest.mark.parametrize(
    "changed",
    [
        '{"a":"1"}',
        '{"a":true}',
        '{"a":[1]}',
        '{"a":1,"b":null}',
        '{"a":1.0000000000000000001}',
        '{"A":1}',
        "{}",
        "null",
    ],
)
def test_a_changed_argument_is_another_call(changed: str) -> None:
    assert call_digest(**CALL, arguments=read(changed)) != call_digest(**CALL, arguments=read('{"a":1}'))


@pytest.mark.parametrize("member", CALL)
def test_whose_call_of_what_it_is_belongs_to_the_call(member: str) -> None:
    assert call_digest(**{**CALL, member: "x"}, arguments={}) != call_digest(**CALL, arguments={})
    # No text can slip from one member into the next.
    shifted = {**CALL, "organization": 'o", "g', "grant": "g"}
    assert call_digest(**shifted, arguments={}) != call_digest(**CALL, arguments={})


def test_a_call_without_arguments_is_one_with_none_in_it() -> None:
    assert call_digest(**CALL, arguments=MISSING) == call_digest(**CALL, arguments={})
