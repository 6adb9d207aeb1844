"""One meaning: text that two readers could read in two ways is refused, the rest is written as it was."""

from __future__ import annotations

import json
from decimal import Decimal

import jiter
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.strict_json import NotStrict, encode, parse, parse_object


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',
        rb'{"a":1,"\u0061":2}',
        rb'{"\u0061":1,"a":2}',
        b'{"x":{"a":1,"a":1}}',
        b'[{"b":[{"a":1,"a":1}]}]',
        b'{"":1,"":2}',
        '{"é":1,"\\u00e9":2}'.encode(),
        rb'{"\ud83d\ude00":1,"\uD83D\uDE00":2}',
        b"NaN",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        rb'"\ud800"',
        rb'{"\ud800":1}',
        rb'"\udc00\ud800"',
        rb'"\ud800\ud800"',
        rb'"\ud800x"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"\xc0\xaf"',
        b"{} x",
        b"{}{}",
        b"{}\x00",
        b"",
        b" ",
        b"\x00{}",
        b"\x0b{}",
        b"\xc2\xa0{}",
        b"[01]",
        b"[-]",
        b"[1.]",
        b"[.5]",
        b"[+1]",
        b"[1e]",
        b"[0x10]",
        b"[1_000]",
        b"[1,]",
        b'{"a":1,}',
        b"{a:1}",
        b"{'a':1}",
        b"{1:2}",
        b'{"a"}',
        b'"\x01"',
        b'"\n"',
        b'"\\x41"',
        b'"\\',
        b"/**/1",
        b"// a\n1",
        b"nul",
        b"True",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b'{"":' * 64 + b"{}" + b"}" * 64,
        b"[" + b"1," * 10_000 + b"1]",
        b"9" * 4_301,
        b"-" + b"9" * 4_301,
    ],
)
def test_what_has_no_single_meaning_is_refused(text: bytes) -> None:
    with pytest.raises(NotStrict):
        parse(text)


@pytest.mark.parametrize("text", [b"[]", b"[{}]", b"1", b'"a"', b"null"])
def test_a_body_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(NotStrict):
        parse_object(text)


def test_a_reason_never_quotes_the_text() -> None:
    with pytest.raises(NotStrict) as refused:
        parse(b'{"hunter2":1,"hunter2":2}')
    assert "hunter2" not in refused.value.reason


@pytest.mark.parametrize(
    "text",
    [
        "-0",
        "0",
        "-0.0",
        "1.50",
        "1e5",
        "1E+5",
        "-0e5",
        "1e999999999",
        "0.1000000000000000000000001",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "123456789012345678901234567890",
        "9" * 4_300,
        '"-0"',
        '"1234567890123456789012"',
        '"2024-01-05 \\u0000 -0 \x7f \u2028 é 😀"',
    ],
)
def test_a_value_is_written_as_it_was_read(text: str) -> None:
    for spelled in (f"[{text}]", f'{{"a":{text},"b":[-0,{text}]}}', f'{{"x":{{"y":{text}}}}}'):
        assert encode(parse(spelled.encode())).decode() == spelled


@pytest.mark.parametrize("number", ["1234567890123456789", "9999999999999999999", "-1" + "0" * 19, "7" * 25])
def test_a_long_number_is_kept_wherever_it_stands(number: str) -> None:
    for shift in range(20):
        text = f'{{"{"k" * shift}":{number}}}'.encode()
        assert isinstance(parse(text)["k" * shift], jiter.LosslessFloat)  # type: ignore[call-overload, index]
        assert encode(parse(text)) == text


def test_keys_keep_their_order() -> None:
    text = b'{"z":1,"a":2,"m":{"y":1,"b":2},"":3}'
    assert encode(parse(text)) == text


def test_the_deepest_and_the_widest_that_is_accepted_is_accepted() -> None:
    parse(b"[" * 64 + b"]" * 64)
    parse(b'{"":' * 63 + b"{}" + b"}" * 63)
    parse(b"[" + b",".join([b"1"] * 9_999) + b"]")
    parse(b'{"a":"' + b"[{" * 500 + b'"}')


def test_commas_and_brackets_in_strings_count_for_nothing() -> None:
    assert parse(b'["' + b",[{" * 20_000 + b'"]') == [",[{" * 20_000]


def test_a_fraction_keeps_its_text_and_its_value() -> None:
    value = parse(b"1.10")
    assert isinstance(value, jiter.LosslessFloat)
    assert Decimal(str(value)) == Decimal("1.1")


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(JSON_VALUES, st.booleans())
def test_whatever_is_accepted_means_the_same_to_three_readers(value: object, ascii_only: bool) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only)
    again = encode(parse(written.encode()))
    assert json.loads(again) == value
    assert jiter.from_json(again) == jiter.from_json(written.encode())
    assert msgspec.json.decode(again) == msgspec.json.decode(written)


@given(st.binary(max_size=40))
def test_junk_is_refused_or_has_one_meaning(text: bytes) -> None:
    try:
        tree = parse(text)
    except NotStrict:
        return
    assert json.loads(encode(tree)) == json.loads(text)
