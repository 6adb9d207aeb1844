from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.protocol.eras import Era, era_of, headers_for
from gateway.protocol.jsonrpc import Message, Refused, read

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"


def message(method: str = "tools/call", *, version: str | None = "2026-07-28", **params: Any) -> Message:
    named = params or {"name": "read_file"}
    meta = {} if version is None else {"_meta": {VERSION_KEY: version}}
    return read(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": named | meta}).encode())


def headers(**changed: str | None) -> dict[bytes, bytes]:
    usual: dict[str, str | None] = {
        "mcp_protocol_version": "2026-07-28",
        "mcp_method": "tools/call",
        "mcp_name": "read_file",
    }
    return {
        name.replace("_", "-").encode(): value.encode("latin-1")
        for name, value in (usual | changed).items()
        if value is not None
    }


def test_headers_that_say_what_the_body_says_are_modern() -> None:
    assert era_of(headers(), message()).modern


@pytest.mark.parametrize(
    "changed",
    [
        {"mcp_name": "delete_file"},
        {"mcp_name": "Read_File"},
        {"mcp_name": "read_file "},
        {"mcp_name": None},
        {"mcp_name": ""},
        {"mcp_method": "tools/list"},
        {"mcp_method": None},
        {"mcp_protocol_version": "2025-11-25"},
        {"mcp_protocol_version": None},
        {"mcp_protocol_version": "2026-07-28\xe9"},
        {"mcp_name": "=?base64?ZGVsZXRlX2ZpbGU=?="},
        {"mcp_name": "=?base64?!!!?="},
        {"mcp_name": "=?base64?cmVhZF9maWxl==?="},
    ],
)
def test_a_header_that_says_something_else_is_refused(changed: dict[str, str | None]) -> None:
    with pytest.raises(Refused) as refused:
        era_of(headers(**changed), message())
    assert (refused.value.code, refused.value.status, refused.value.id) == (-32020, 400, 1)


def test_a_name_in_base64_is_read() -> None:
    name = "=?base64?" + base64.b64encode("lösche".encode()).decode() + "?="
    assert era_of(headers(mcp_name=name), message(name="lösche")).modern


@pytest.mark.parametrize(
    ("method", "params"),
    [("prompts/get", {"name": "p"}), ("resources/read", {"uri": "file:///a"})],
)
def test_prompts_and_resources_are_named_too(method: str, params: dict[str, str]) -> None:
    said = headers(mcp_method=method, mcp_name=next(iter(params.values())))
    assert era_of(said, message(method, **params)).modern
    with pytest.raises(Refused):
        era_of(headers(mcp_method=method, mcp_name="other"), message(method, **params))


def test_headers_of_an_older_revision_are_not_read() -> None:
    era = era_of(headers(mcp_protocol_version="2025-06-18", mcp_name="anything"), message(version=None))
    assert era == Era(b"2025-06-18", modern=False)
    assert headers_for(era, message(version=None)) == [(b"MCP-Protocol-Version", b"2025-06-18")]


def test_no_version_at_all_is_the_oldest_way_to_speak() -> None:
    assert not era_of({}, message(version=None)).modern


@pytest.mark.parametrize("version", ["", "latest", "2025-06-18\t", "2025-6-18", "2026-07-28, 2025-06-18"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(Refused):
        era_of(headers(mcp_protocol_version=version), message(version=None))


@pytest.mark.parametrize(
    ("version", "spoken", "would_do"),
    [
        ("2027-01-01", (), ["2026-07-28"]),
        ("v999.0.0", ("2025-11-25", "2026-07-28"), ["2026-07-28"]),
        ("v999.0.0", ("2025-11-25",), ["2025-11-25"]),
        ("2026-07-28", ("2025-11-25",), ["2025-11-25"]),
    ],
)
def test_a_call_nobody_would_understand_is_told_what_would_do(
    version: str, spoken: tuple[str, ...], would_do: list[str]
) -> None:
    asked = message(version=version)
    with pytest.raises(Refused) as refused:
        era_of(headers(mcp_protocol_version=version), asked, spoken)
    error = refused.value
    assert (error.code, error.status, error.id) == (-32022, 400, 1)
    assert error.data == {"supported": would_do, "requested": version}
    who = "The server behind this address" if spoken else "This gateway"
    assert error.reason.startswith(f"{who} speaks {would_do[0]} of the protocol")


def test_a_handshake_with_a_server_that_has_none_is_told_so_without_a_status() -> None:
    asked = message("initialize", version=None, protocolVersion="2025-06-18")
    with pytest.raises(Refused) as refused:
        era_of({}, asked, ("2026-07-28",))
    assert (refused.value.code, refused.value.status) == (-32022, 200)
    assert refused.value.data == {"supported": ["2026-07-28"], "requested": "2025-06-18"}


@pytest.mark.parametrize("spoken", [(), ("2025-06-18",), ("2024-11-05", "2026-07-28")])
def test_any_revision_with_sessions_is_the_servers_to_negotiate(spoken: tuple[str, ...]) -> None:
    assert not era_of(headers(mcp_protocol_version="2025-03-26"), message(version=None), spoken).modern


@pytest.mark.parametrize("name", ["read_file", "lösche", " a", "a ", "a\nb", "=?base64?YQ==?=", "", "日本"])
def test_what_is_sent_on_is_made_from_the_body(name: str) -> None:
    asked = message(name=name)
    sent = dict(headers_for(Era(b"2026-07-28", modern=True), asked))
    assert sent[b"Mcp-Method"] == b"tools/call"
    assert all(0x20 < byte < 0x7F for byte in sent[b"Mcp-Name"])
    again = {key.lower(): value for key, value in sent.items()}
    assert era_of(again, asked).modern
