"""What `x-mcp-header` annotates, held against the official SDK's reading of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from mcp.shared.inbound import find_invalid_x_mcp_header, x_mcp_header_map

from gateway_config.wire.mirrored import MirroredArgument, mirrored_arguments


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


REGION = {"type": "string", "x-mcp-header": "Region"}


def test_annotations_at_any_depth_are_found_with_the_path_that_leads_there() -> None:
    inner = schema(limit={"type": "integer", "x-mcp-header": "Limit"}, plain={"type": "string"})
    assert mirrored_arguments(schema(region=REGION, options=inner)) == (
        MirroredArgument("Limit", ("options", "limit"), "integer"),
        MirroredArgument("Region", ("region",), "string"),
    )


@pytest.mark.parametrize(
    "spoilt",
    [
        schema(region=REGION, other={"type": "string", "x-mcp-header": "REGION"}),
        schema(region={"type": "number", "x-mcp-header": "Region"}),
        schema(region={"type": ["string", "null"], "x-mcp-header": "Region"}),
        schema(region={"x-mcp-header": "Region"}),
        *(
            schema(region={"type": "string", "x-mcp-header": name})
            for name in ("", "a b", "a:b", "a\r\nb", "ä", 1)
        ),
        schema(region=REGION, list={"type": "array", "items": REGION}),
        schema(region=REGION, either={"anyOf": [{"type": "string", "x-mcp-header": "B"}]}),
        schema(region=REGION) | {"$defs": {"a": REGION}},
        schema(region=REGION) | {"if": schema(a={"type": "string", "x-mcp-header": "B"})},
        {"type": "string", "x-mcp-header": "Region"},
        schema(**{f"a{n}": {"type": "string", "x-mcp-header": f"A{n}"} for n in range(65)}),
    ],
)
def test_one_that_may_not_be_spoils_them_all(spoilt: dict[str, Any]) -> None:
    assert mirrored_arguments(spoilt) == ()


@pytest.mark.parametrize("odd", [None, [], "x", 1, {"properties": []}, {"properties": {"a": 1}}])
def test_what_is_no_schema_annotates_nothing(odd: object) -> None:
    assert mirrored_arguments(odd) == ()


def test_what_only_looks_like_an_annotation_is_data() -> None:
    data = schema(a={"type": "string", "default": {"x-mcp-header": "A"}, "enum": [{"x-mcp-header": "A"}]})
    assert mirrored_arguments(data) == ()


def test_the_sdk_reads_random_schemas_alike() -> None:
    found = 0
    for seed in range(3_000):
        made = _random(random.Random(seed), 3)
        ours = {one.path: one.header for one in mirrored_arguments(made)}
        theirs = {} if find_invalid_x_mcp_header(made) else x_mcp_header_map(made)
        assert ours == theirs, (seed, made)
        found += bool(ours)
    assert found > 100


def _random(pick: random.Random, depth: int) -> Any:
    if depth == 0 or pick.random() < 0.1:
        return pick.choice((None, True, [], "x", {"x-mcp-header": "A"}))
    made: dict[str, Any] = {}
    if pick.random() < 0.8:
        made["properties"] = {name: _random_property(pick, depth) for name in "abc"[: pick.randint(1, 3)]}
    if pick.random() < 0.15:
        keyword = pick.choice(
            ("items", "not", "if", "anyOf", "$defs", "default", "examples", "patternProperties")
        )
        inner = _random(pick, depth - 1)
        made[keyword] = pick.choice((inner, [inner], {"x": inner}))
    return made


def _random_property(pick: random.Random, depth: int) -> Any:
    if pick.random() < 0.4:
        return _random(pick, depth - 1)
    made: dict[str, Any] = {
        "type": pick.choice(("string", "string", "integer", "boolean", "number", ["string"]))
    }
    if pick.random() < 0.4:
        made["x-mcp-header"] = pick.choice(("A", "a", "B", "C", "D", "E-f", "", "x y", 7))
    return made
