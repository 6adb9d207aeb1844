"""The reader that counts reads a body as jiter does, and refuses it where jiter refuses it."""

from __future__ import annotations

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.strict_json import Json, NotStrict, encode, parse, parse_object
from tests.examples import examples
from tests.gateway.protocol.json_corpus import NO, OPEN, YES

EVERY = {**YES, **NO, **OPEN}


def typed(value: Json) -> object:
    """The value with its types, even those that compare as equal: judging depends on them."""
    if isinstance(value, dict):
        return [(key, typed(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return tuple(map(typed, value))
    return type(value), str(value) if isinstance(value, jiter.LosslessFloat) else value


def as_jiter_reads(text: bytes) -> object:
    try:
        tree = parse(text)
    except NotStrict as problem:
        return problem.syntax
    return typed(tree) if isinstance(tree, dict) else False


def as_it_is_read(text: bytes) -> object:
    try:
        tree, written = parse_object(text)
    except NotStrict as problem:
        return problem.syntax
    assert written is None or written == encode(tree)
    return typed(tree)


@pytest.mark.parametrize("name", EVERY)
def test_each_text_of_the_corpus_is_read_alike(name: str) -> None:
    for around in (b"%b", b'{"x":%b}', b'{"a": "b:c", "x": [%b]}', b"{%b:1}"):
        text = around.replace(b"%b", EVERY[name])
        assert as_it_is_read(text) == as_jiter_reads(text)


@pytest.mark.parametrize(
    "text",
    [
        rb'{"a":1,"a":2,"b":"\u003a"}',
        rb'{"a":1,"a":2,"b":"\u003A"}',
        rb'{"b":"\u003a","a":1,"a":2}',
        rb'{"a":1,"a":"\u003a"}',
        rb'{"a":"\\\u003a","a":"\\\u003a"}',
        rb'{"a":1, "\u0061" : "::\u003A"}',
        rb'{"a:":1,"a\u003a":2,"b":"\u003a"}',
        b'{"a":{"b":"::::"},"a":{"b":":::::"}}',
        b'{"a":"x:y","a":"x"}',
        b'{"x":[{"a":1,"a":1}],"y":":"}',
        b'{"a":1 , "a" : 1}',
    ],
)
def test_no_colon_stands_in_for_that_of_a_key_that_is_there_twice(text: bytes) -> None:
    with pytest.raises(NotStrict) as refused:
        parse_object(text)
    assert not refused.value.syntax


@pytest.mark.parametrize(
    "number", ["-0", "1234567890123456789", "-1" + "0" * 19, "7" * 25, "1.50", "-0.0", "1E+5"]
)
def test_a_number_that_keeps_its_text_keeps_it_wherever_it_stands(number: str) -> None:
    for shift in range(20):
        text = f'{{"{"k" * shift}":{number}}}'.encode()
        tree, _ = parse_object(text)
        assert isinstance(tree["k" * shift], jiter.LosslessFloat)
        assert encode(tree) == text


def test_what_is_nested_too_deep_or_holds_too_much_is_refused() -> None:
    for deep in (64, 190, 400, 2_000, 20_000):
        for text in (b'{"":' * deep + b"{}" + b"}" * deep, b'{"":' + b"[" * deep + b"]" * deep + b"}"):
            with pytest.raises(NotStrict):
                parse_object(text)
    with pytest.raises(NotStrict):
        parse_object(b'{"":[' + b"1," * 10_000 + b"1]}")
    parse_object(b'{"":' * 63 + b"{}" + b"}" * 63)


# Few keys, so that many occur twice; strings full of characters that are counted or escaped.
SPACES = st.sampled_from(["", "", " ", "\n", "\t \r"])
PIECES = st.sampled_from(
    ["a", "b", ":", "::", ",", "{", "é", "😀", " ", "/", r"\/", r"\"", r"\\", r"\n", r"\u003a", r"\u003A",
     r"\u0061", r"\u003b", r"\u00e9", r"\ud83d\ude00", r"\ud800", "\x7f", "\x01", "\\x", "-0", "7" * 19]
)  # fmt: skip
STRINGS = st.lists(PIECES, max_size=4).map(lambda pieces: f'"{"".join(pieces)}"')
KEYS = st.sampled_from(['"a"', '"b"', '"a:"', r'"\u0061"', r'"a\u003a"', '"é"', r'"\u00e9"', '""']) | STRINGS
PLAIN = st.sampled_from(
    ["0", "-1", "-0", "1.5", "1e5", "1.", "01", "NaN", "true", "null", "12345678901234567890"]
)


def texts(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.tuples(KEYS, SPACES, SPACES, inner).map(lambda one: f"{one[0]}{one[1]}:{one[2]}{one[3]}")
    return st.tuples(st.lists(members, max_size=4), SPACES).map(
        lambda all_of_it: "{" + f",{all_of_it[1]}".join(all_of_it[0]) + "}"
    ) | st.lists(inner, max_size=3).map(lambda values: "[" + ",".join(values) + "]")


TEXTS = texts(st.recursive(STRINGS | PLAIN, texts, max_leaves=12))


@examples(335)
@given(TEXTS)
def test_whatever_is_written_is_read_alike(text: str) -> None:
    assert as_it_is_read(text.encode()) == as_jiter_reads(text.encode())


@examples(170)
@given(TEXTS, st.data())
def test_whatever_is_broken_is_read_alike(text: str, data: st.DataObject) -> None:
    whole = text.encode()
    at = data.draw(st.integers(0, len(whole)))
    put = data.draw(st.binary(max_size=2) | st.sampled_from([b'"', b":", b"\\", b"\xef\xbb\xbf", b"\x00"]))
    broken = whole[:at] + put + whole[at + data.draw(st.integers(0, 2)) :]
    assert as_it_is_read(broken) == as_jiter_reads(broken)
