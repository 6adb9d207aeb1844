"""A server that cannot prove its identity, for whatever reason, is sent nothing, and both planes say why."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from approvals import webhooks
from common.egress import EgressPolicy, parse_networks
from common.tls import AuthoritiesUnusable, trusting
from servers import guarded_http
from servers.probe import ScanFailed, ScanLimits, scan
from tests.certificates import Authority, only_tls_1_0, self_signed
from tests.gateway.raw_http import Conversation, Upstream
from tests.gateway.world import quick, world

NAME = "tools.example"
LOOPBACK = EgressPolicy(parse_networks("127.0.0.0/8"))
SECRET = "canary-of-a-call"


@dataclass
class Peer:
    """Accepts connections and keeps every byte that arrives after a handshake, or instead of one."""

    port: int = 0
    read: list[bytes] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def listening(
    tls: ssl.SSLContext | None, says: bytes = b"", *, ends: bool = False
) -> AsyncIterator[Peer]:
    peer = Peer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        writer.write(says)
        try:
            while not ends and (data := await reader.read(65_536)):
                peer.read.append(data)
        except OSError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()


def of(make: Callable[[Authority, Path], ssl.SSLContext | None], **how: Any) -> Any:
    return lambda known, folder: listening(make(known, folder), **how)


DAY = timedelta(days=1)
BAD: dict[str, tuple[Callable[[Authority, Path], Any], str]] = {
    "signed by itself": (of(lambda _, folder: self_signed(folder, NAME)), "authority"),
    "signed by an authority nobody knows": (
        of(lambda _, folder: Authority.in_folder(folder, "unknown").vouches_for(NAME)), "authority"),
    "of another name": (of(lambda known, _: known.vouches_for("evil.example")), "not for its name"),
    "of a name that begins alike": (of(lambda known, _: known.vouches_for(f"{NAME}.evil")), "not for its"),
    "expired": (of(lambda known, _: known.vouches_for(NAME, begins=-9 * DAY, ends=-DAY)), "not valid now"),
    "not valid yet": (of(lambda known, _: known.vouches_for(NAME, begins=DAY, ends=2 * DAY)), "not valid"),
    "of TLS 1.0": (of(lambda known, _: only_tls_1_0(known.vouches_for(NAME))), "handshake"),
    "without TLS": (of(lambda *_: None, says=b"HTTP/1.1 400 Bad Request\r\n\r\n"), "handshake"),
    "of another protocol": (of(lambda *_: None, says=b"220 mail.example ESMTP\r\n"), "handshake"),
    "silent": (of(lambda *_: None), "handshake"),
    "gone at once": (of(lambda *_: None, ends=True), "handshake"),
}  # fmt: skip


async def resolve(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated")
@pytest.mark.parametrize(("peer_of", "told"), BAD.values(), ids=list(BAD))
async def test_a_call_to_a_server_that_cannot_show_who_it_is_is_not_sent(
    tmp_path: Path, peer_of: Any, told: str
) -> None:
    known = Authority.in_folder(tmp_path, "known")
    limits = quick(connect_seconds=2.0, handshake_seconds=0.3)
    async with (
        peer_of(known, tmp_path) as peer,
        world(tmp_path, resolve=resolve, limits=limits, tls=trusting(str(known.file))) as it,
        it.client() as alice,
    ):
        it.reconfigure(url=f"https://{NAME}:{peer.port}/mcp")
        result = (await alice.call("create_access_key", {"a": SECRET})).json["result"]
        assert result["_meta"]["policylayer/decision"]["code"] == "upstream_tls"
        assert told in result["content"][0]["text"]
        # A call of which no byte was sent is not charged: only two a minute are allowed.
        for _ in range(3):
            again = (await alice.call("create_access_key", {"a": SECRET})).json["result"]
            assert again["_meta"]["policylayer/decision"]["code"] == "upstream_tls"
    assert peer.connections or "TLS" not in told
    assert SECRET.encode() not in b"".join(peer.read)
    assert b"POST" not in b"".join(peer.read)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated")
@pytest.mark.parametrize(("peer_of", "told"), BAD.values(), ids=list(BAD))
async def test_a_scan_and_a_webhook_send_it_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer_of: Any, told: str
) -> None:
    known = Authority.in_folder(tmp_path, "known")
    monkeypatch.setattr(guarded_http, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(webhooks, "egress", lambda: LOOPBACK)
    monkeypatch.setattr(webhooks, "trusted", lambda: trusting(str(known.file)))
    monkeypatch.setattr(guarded_http.GuardedTransport.__init__, "__kwdefaults__", _with(resolve))
    async with peer_of(known, tmp_path) as peer:
        url = f"https://{NAME}:{peer.port}/mcp"
        with pytest.raises(ScanFailed) as failed:
            await scan(url, {"Authorization": SECRET}, LOOPBACK, resolver=resolve,
                       tls=trusting(str(known.file)), limits=ScanLimits(seconds=5))  # fmt: skip
        assert failed.value.code in ("tls", "timed_out", "refused")
        sent = await webhooks._post(url, SECRET.encode(), {"webhook-id": "msg_1"})
        assert sent.status is None
        assert sent.error in ("tls", "timed_out", "refused")
    assert SECRET.encode() not in b"".join(peer.read)
    assert b"POST" not in b"".join(peer.read)


def _with(resolver: guarded_http.Resolver) -> dict[str, Any]:
    known = guarded_http.GuardedTransport.__init__.__kwdefaults__
    assert known is not None
    return {**known, "resolver": resolver}


async def _lists(conversation: Conversation) -> None:
    asked = conversation.request.json
    if "id" not in asked:
        conversation.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        return
    info = {"name": "x", "version": "1"}
    result: dict[str, Any] = {"content": []}
    if asked["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if asked["method"] == "tools/list":
        result = {"tools": []}
    conversation.result(result)


async def test_an_authority_of_ones_own_is_trusted_by_calls_scans_and_webhooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Authority.in_folder(tmp_path, "known")
    trusted = trusting(str(known.file))
    monkeypatch.setattr(webhooks, "egress", lambda: LOOPBACK)
    monkeypatch.setattr(webhooks, "trusted", lambda: trusted)
    monkeypatch.setattr(guarded_http.GuardedTransport.__init__, "__kwdefaults__", _with(resolve))
    names: list[str | None] = []
    shown = known.vouches_for(NAME)
    shown.sni_callback = lambda _socket, name, _context: names.append(name)
    secure = Upstream(_lists, tls=shown)
    async with (
        secure,
        world(tmp_path, resolve=resolve, tls=trusted) as it,
        it.client() as alice,
    ):
        url = f"https://{NAME}:{secure.port}/mcp"
        it.reconfigure(url=url)
        assert (await alice.call("search", {})).json["result"] == {"content": []}
        found = await scan(url, {}, LOOPBACK, resolver=resolve, tls=trusted)
        assert found.protocol_version == "2025-06-18"
        assert (await webhooks._post(url, json.dumps({"id": 1, "method": "x"}).encode(), {})).status == 200
    assert set(names) == {NAME}
    assert {one.headers["host"] for one in secure.received} == {f"{NAME}:{secure.port}"}


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read"), (b"", "holds no certificates"), (b"key", "holds no")]
)
def test_a_file_of_authorities_that_is_none_is_named(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(AuthoritiesUnusable, match=told):
        trusting(str(file))


def test_the_authorities_of_the_system_stay_trusted_beside_ones_own(tmp_path: Path) -> None:
    known = Authority.in_folder(tmp_path, "known")
    alone, both = trusting(""), trusting(str(known.file))
    assert both.cert_store_stats()["x509_ca"] == alone.cert_store_stats()["x509_ca"] + 1
    for context in (alone, both):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
