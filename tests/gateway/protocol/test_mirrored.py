from __future__ import annotations

import json
import random
from typing import Any

import pytest
from mcp.shared.inbound import mcp_param_headers, validate_mcp_param_headers

from gateway.protocol.header_values import read_value, written
from gateway.protocol.jsonrpc import Refused, Request, read
from gateway.protocol.mirrored import parameter_headers
from gateway_config.wire.mirrored import MirroredArgument, mirrored_arguments

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "limit": {"type": "integer", "x-mcp-header": "Limit"},
        "dry": {"type": "boolean", "x-mcp-header": "Dry-Run"},
        "options": {"type": "object", "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}}},
    },
}
MIRRORED = mirrored_arguments(SCHEMA)
REGION = (MirroredArgument("Region", ("region",), "string"),)


def call(arguments: str) -> Request:
    body = (
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":' + arguments + "}}"
    )
    message = read(body.encode())
    assert isinstance(message, Request)
    return message


def sent(arguments: str, **headers: str) -> dict[bytes, bytes]:
    given = {f"mcp-param-{name}".lower().encode(): value.encode("latin-1") for name, value in headers.items()}
    return dict(parameter_headers(call(arguments), MIRRORED, given))


@pytest.mark.parametrize(
    ("arguments", "header", "value"),
    [
        ('{"region": "eu"}', "region", "eu"),
        ('{"region": "eu"}', "region", "=?base64?ZXU=?="),
        ('{"region": "Hello, 世界"}', "region", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        ('{"region": " padded "}', "region", "=?base64?IHBhZGRlZCA=?="),
        ('{"region": "=?base64?literal?="}', "region", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ('{"region": 5}', "region", "5"),
        ('{"limit": 42}', "limit", "42"),
        ('{"limit": 42}', "limit", "42.0"),
        ('{"limit": 42.0}', "limit", "42"),
        ('{"limit": 9007199254740993}', "limit", "9007199254740993"),
        ('{"options": {"zone": "a"}}', "zone", "a"),
    ],
)
def test_a_header_that_says_what_the_argument_says_goes_on(arguments: str, header: str, value: str) -> None:
    [(name, told)] = sent(arguments, **{header: value}).items()
    assert name.lower() == f"mcp-param-{header}".encode()
    assert read_value(told) == read_value(value.encode()) or float(read_value(told) or "") == float(value)


def test_a_boolean_is_written_in_small_letters() -> None:
    assert sent('{"dry": true}', **{"dry-run": "true"}) == {b"Mcp-Param-Dry-Run": b"true"}


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ('{"region": "eu"}', {}),
        ('{"region": "eu"}', {"region": "us"}),
        ('{"region": "eu"}', {"region": "EU"}),
        ('{"region": "eu"}', {"region": "=?base64?ZXU?="}),
        ('{"region": "eu"}', {"region": "=?base64?ZXV=?="}),
        ('{"region": "é"}', {"region": "é"}),
        ('{"region": ""}', {}),
        ("{}", {"region": "eu"}),
        ('{"region": null}', {"region": "null"}),
        ('{"region": ["eu"]}', {"region": "eu"}),
        ('{"region": {"a": "eu"}}', {"region": "eu"}),
        ('{"limit": 42}', {"limit": "43"}),
        ('{"limit": 42}', {"limit": "4.2e1"}),
        ('{"limit": 42}', {"limit": "042"}),
        ('{"limit": 42}', {"limit": "0x2a"}),
        ('{"limit": 9007199254740993}', {"limit": "9007199254740992"}),
        ('{"limit": 1e400}', {"limit": "1"}),
        ('{"dry": true}', {"dry-run": "True"}),
        ('{"dry": true}', {"dry-run": "1"}),
        ('{"options": {"zone": "a"}}', {"zone": "b"}),
        ('{"options": {"zone": "a"}}', {}),
        ("[]", {"region": "eu"}),
        ('"eu"', {"region": "eu"}),
    ],
)
def test_a_header_that_says_anything_else_is_refused(arguments: str, headers: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        sent(arguments, **headers)
    assert (refused.value.code, refused.value.status, refused.value.id) == (-32020, 400, 1)


def test_a_header_that_stands_for_nothing_known_goes_on_as_it_came() -> None:
    assert sent("{}", other="=?base64?!?=") == {b"mcp-param-other": b"=?base64?!?="}


def test_what_looks_like_base64_and_is_none_names_nothing() -> None:
    assert read_value(b"=?base64?!!!?=") is None
    assert read_value(written("=?base64?!!!?=")) == "=?base64?!!!?="


VALUES: tuple[Any, ...] = (
    "eu", "", " eu", "eu ", "é", "a\nb", "=?base64?ZXU=?=", "5", "true", 5, -7, 0, True, False, None, [], {},
    ["eu"], 5.0, 2**53 + 1, 2**70,
)  # fmt: skip


def test_the_sdk_takes_what_we_send_on_and_we_take_what_it_sends() -> None:
    """Random arguments and headers: either we refuse them, or what we send on passes the SDK's own check."""
    passed = 0
    for seed in range(4_000):
        pick = random.Random(seed)
        given = {name: pick.choice(VALUES) for name in ("region", "limit", "dry") if pick.random() < 0.6}
        told = mcp_param_headers({one.path: one.header for one in MIRRORED}, given)
        arguments = json.dumps(given)
        raw = {name.lower().encode(): value.encode("latin-1") for name, value in told.items()}
        assert parameter_headers(call(arguments), MIRRORED, raw) is not None, (seed, given, told)
        for name in told:
            if pick.random() < 0.3:
                raw[name.lower().encode()] = pick.choice(
                    (b"eu", b"5", b"true", b"5.0", b"=?base64?ZXU=?=", b" eu")
                )
        try:
            headers = dict(parameter_headers(call(arguments), MIRRORED, raw))
        except Refused:
            continue
        text = {name.decode(): value.decode() for name, value in headers.items()}
        assert validate_mcp_param_headers(SCHEMA, json.loads(arguments), text) is None, (seed, given, text)
        passed += 1
    assert passed > 1_000
