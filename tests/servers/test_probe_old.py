"""Servers that speak HTTP+SSE as of 2024-11-05 and nothing else are scanned, too."""

from __future__ import annotations

import asyncio

import pytest

from common.egress import EgressPolicy, parse_networks
from servers import probe
from servers.probe import ScanFailed, scan
from tests.foreign import running_old_server
from tests.gateway.old_transport import OldServer
from tests.gateway.raw_http import Conversation, Upstream

LOOPBACK = EgressPolicy(allow=parse_networks("127.0.0.0/8"))


@pytest.fixture
def short_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of that is waited for; the scan as a whole has its minute."""
    monkeypatch.setattr(probe, "OLD_HANDSHAKE_SECONDS", 1.0)


async def test_a_server_of_the_sdk_that_spoke_it_is_read() -> None:
    with running_old_server() as url:
        found = await scan(url, {}, LOOPBACK)
    assert [tool.name for tool in found.tools] == ["read_file", "create_access_key", "hidden_tool", "search"]
    assert found.problems == ()
    assert found.server.name == "files"
    assert [step.title for step in found.steps] == [
        "Found the host",
        "Connected",
        "Speaks MCP",
        "Reading tools",
    ]
    assert found.steps[2].detail == f"protocol {found.protocol_version}, HTTP+SSE"


@pytest.mark.usefixtures("short_handshake")
@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.2/messages", "//evil.example/messages", "https://127.0.0.1/"]
)
async def test_messages_are_not_sent_where_another_origin_is_named(endpoint: str) -> None:
    async with Upstream(OldServer(endpoint=endpoint)) as upstream:
        with pytest.raises(ScanFailed) as failed:
            await scan(upstream.url, {"Authorization": "Bearer open-sesame"}, LOOPBACK)
        assert failed.value.code == "not_mcp"
        assert "its stream names no address of its own" in failed.value.message
        assert "evil" not in failed.value.message
        assert [request.path for request in upstream.received] == ["/mcp"] * len(upstream.received)


async def test_the_credential_is_sent_over_the_old_transport_as_well() -> None:
    async with Upstream(OldServer()) as upstream:
        with pytest.raises(ScanFailed):
            # What it answers to `initialize` is no answer to that.
            await scan(upstream.url, {"Authorization": "Bearer open-sesame"}, LOOPBACK)
        assert upstream.received[-1].path == "/messages/?session_id=s1"
        assert {request.headers["authorization"] for request in upstream.received} == {"Bearer open-sesame"}


@pytest.mark.usefixtures("short_handshake")
async def test_a_stream_that_names_no_address_is_given_up() -> None:
    async def mute(conversation: Conversation) -> None:
        if conversation.request.method == "POST":
            conversation.write(b"HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n")
            return
        conversation.begin_stream()
        await asyncio.sleep(60)

    async with Upstream(mute) as upstream:
        with pytest.raises(ScanFailed) as failed:
            await scan(upstream.url, {}, LOOPBACK)
    assert failed.value.code == "not_mcp"


async def test_a_credential_that_only_the_stream_refuses_is_told() -> None:
    async def refuse(conversation: Conversation) -> None:
        status = 405 if conversation.request.method == "POST" else 401
        conversation.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)

    async with Upstream(refuse) as upstream:
        with pytest.raises(ScanFailed) as failed:
            await scan(upstream.url, {}, LOOPBACK)
    assert failed.value.code == "unauthorized"
