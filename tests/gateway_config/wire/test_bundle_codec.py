import json
from typing import Any

import msgspec
import pytest

from gateway_config.wire.bundle import (
    Bundle,
    BundleGrant,
    BundleInvalid,
    BundlePolicy,
    BundleServer,
    BundleSettings,
    BundleTool,
    ToolClass,
)
from gateway_config.wire.codec import MAX_BODY_BYTES, decode_bundle, encode_bundle

ACME = "01a1fd5a-2c7e-7166-b865-5f61d02098a7"
SERVER = "01a1fd5a-2c7e-7166-b865-5f61d02098a8"
REVISION = "01a1fd5a-2c7e-7166-b865-5f61d02098a9"
BUNDLE = Bundle(
    organization=ACME,
    settings=BundleSettings(lease_seconds=300, explain_denials=True, approval_seconds=60),
    servers=(
        BundleServer(
            id=SERVER,
            name="GitHub",
            upstream_url="https://mcp.example.com/mcp",
            credentials="v1.k.n.c",
            tools=(BundleTool("create_issue", "d1"), BundleTool("délété ☠", "d2")),
        ),
    ),
    policies=(
        BundlePolicy(
            id=REVISION,
            policy=ACME,
            number=3,
            document='{"version": "1"}',
            classes=(ToolClass("create_issue", "Write", "d1"),),
        ),
    ),
    grants=(BundleGrant(id=ACME, token_sha256="0" * 64, server=SERVER, policy=REVISION, expires_at=1),),
)


def _changed(**changes: object) -> bytes:
    return json.dumps({**json.loads(encode_bundle(BUNDLE)), **changes}).encode()


def test_a_bundle_reads_back_as_it_was_written() -> None:
    assert decode_bundle(encode_bundle(BUNDLE)) == BUNDLE


def test_one_bundle_has_one_text() -> None:
    again = decode_bundle(encode_bundle(BUNDLE))
    assert encode_bundle(again) == encode_bundle(BUNDLE)
    assert encode_bundle(msgspec.structs.replace(BUNDLE, grants=())) != encode_bundle(BUNDLE)


def test_classes_travel_with_the_policy_they_were_published_with() -> None:
    bundle = json.loads(encode_bundle(BUNDLE))
    assert bundle["servers"][0]["tools"][0] == {"digest": "d1", "name": "create_issue"}
    assert bundle["policies"][0]["classes"] == [["create_issue", "Write", "d1"]]


def test_a_later_format_is_told_as_such_even_where_its_fields_look_odd() -> None:
    with pytest.raises(BundleInvalid, match="has format 3, this gateway reads formats 1 and 2"):
        decode_bundle(_changed(format=3, servers={"new": "shape"}))


SERVERS: dict[str, Any] = {"id": SERVER, "name": "x", "upstream_url": "u"}
GRANT: dict[str, Any] = {"id": ACME, "token_sha256": "0" * 64, "server": SERVER}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"format": "1"}',
        b"[" * 100_000,
        _changed(surprise=1),
        _changed(organization="Acme"),
        _changed(organization=ACME.upper()),
        _changed(organization=ACME + "\n"),
        _changed(settings={"lease_seconds": 0}),
        _changed(settings={"lease_seconds": "300"}),
        _changed(grants=[{**GRANT, "token_sha256": "0" * 63}]),
        _changed(grants=[{**GRANT, "scope": "none"}]),
        _changed(grants=[{**GRANT, "expires_at": 1.5}]),
        _changed(servers=[{**SERVERS, "tools": [{"name": "t", "class": "Odd"}]}]),
    ],
)
def test_what_is_no_bundle_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(BundleInvalid, match="the bundle cannot be read"):
        decode_bundle(body)


def test_an_oversize_bundle_is_refused_before_it_is_read() -> None:
    with pytest.raises(BundleInvalid, match="at most"):
        decode_bundle(b" " * (MAX_BODY_BYTES + 1))
