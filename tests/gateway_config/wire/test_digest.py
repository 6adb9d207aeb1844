"""A tool's digest speaks of its definition's values, however they are written."""

import hashlib
import json
from decimal import Decimal

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_config.wire.digest import DefinitionUnusable, definition_digest

TOOL: dict[str, object] = {"name": "create_access_key", "inputSchema": {"type": "object", "properties": {}}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


def digest_of_text(text: str) -> str:
    return definition_digest(jiter.from_json(text.encode(), float_mode="lossless-float"))


def test_the_digest_is_the_sha_256_of_the_sorted_compact_definition() -> None:
    written = b'{"inputSchema":{"properties":{},"type":"object"},"name":"create_access_key"}'
    assert definition_digest(TOOL) == hashlib.sha256(written).hexdigest()


def test_meta_and_icons_do_not_count() -> None:
    assert definition_digest(
        {**TOOL, "_meta": {"version": 2}, "icons": [{"src": "https://a.example/i.png"}]}
    ) == (definition_digest(TOOL))


def test_meta_inside_the_schema_does_count() -> None:
    assert definition_digest({**TOOL, "inputSchema": {"_meta": 1}}) != (
        definition_digest({**TOOL, "inputSchema": {}})
    )


@pytest.mark.parametrize("field", ["description", "title", "annotations", "outputSchema", "unknown"])
def test_everything_else_counts(field: str) -> None:
    assert definition_digest({**TOOL, field: "x"}) != definition_digest(TOOL)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("30", "30.0"),
        ("30", "3e1"),
        ("-0", "0"),
        ("0.0000001", "1E-7"),
        ("12.5e-9", "1.25e-8"),
        ("9007199254740993", "9007199254740993.0"),
        ("1e400", "10e399"),
    ],
)
def test_a_number_counts_by_its_value(one: str, other: str) -> None:
    assert digest_of_text(f'{{"maximum":{one}}}') == digest_of_text(f'{{"maximum":{other}}}')


@pytest.mark.parametrize(
    ("one", "other"),
    [("0.1", "0.10000000000000001"), ("9007199254740992", "9007199254740993"), ("1", '"1"'), ("1", "true")],
)
def test_two_values_never_share_a_digest_for_being_near(one: str, other: str) -> None:
    assert digest_of_text(f'{{"maximum":{one}}}') != digest_of_text(f'{{"maximum":{other}}}')


def test_keys_are_sorted_by_code_point_not_by_utf_16_unit() -> None:
    written = '{"\uffff":1,"\U00010000":2}'.encode()
    assert definition_digest({"\U00010000": 2, "\uffff": 1}) == hashlib.sha256(written).hexdigest()


def test_a_giant_exponent_costs_nothing() -> None:
    assert digest_of_text('{"maximum":1e999999999}') != digest_of_text('{"maximum":1e999999998}')


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), object(), b"bytes"])
def test_what_is_no_json_value_is_unusable(value: object) -> None:
    with pytest.raises(DefinitionUnusable):
        definition_digest({"default": value})


def test_a_definition_nested_too_deeply_is_unusable() -> None:
    deep: object = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(DefinitionUnusable):
        definition_digest({"default": deep})


def test_half_a_surrogate_pair_still_has_a_digest_of_its_own() -> None:
    assert definition_digest({"name": "\ud800"}) != definition_digest({"name": "\ud801"})


@given(json_values)
def test_the_order_of_keys_and_the_way_of_writing_never_matter(value: object) -> None:
    definition = {"a": value, "name": "x"}
    text = json.dumps(definition, indent=3, ensure_ascii=True)
    again = json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    plain = json.loads(text)
    assert definition_digest(plain) == definition_digest(again)
