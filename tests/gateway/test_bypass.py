"""Mutated requests in front of a real server: nothing that is not allowed arrives, however it is spelled.

POLICYLAYER_BYPASS_SECONDS says for how long, POLICYLAYER_BYPASS_SEED begins where another run began. What
may arrive is decided here by a few lines that share nothing with the policy language.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from mcp.server.mcpserver import MCPServer

from tests.gateway import mutations
from tests.gateway.raw_http import Client, read_head
from tests.gateway.test_official_client import running
from tests.gateway.world import World, quick, world

SECONDS: Final = float(os.environ.get("POLICYLAYER_BYPASS_SECONDS", "20"))
SEED: Final = int(os.environ.get("POLICYLAYER_BYPASS_SEED") or random.randrange(2**32))
AT_ONCE: Final = 12
RAW_SHARE: Final = 0.1
MODERN_SHARE: Final = 0.3
VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
ENVELOPE: Final = ("jsonrpc", "id", "method", "params", "result", "error")
POLICY: Final = """{
  "version": "1", "default": "deny", "hide": ["hidden_*"],
  "tools": {
    "read_file": { "deny_if": [ { "conditions": [
        { "path": "args.path", "op": "starts_with", "value": "/etc" } ] } ] },
    "sear*": {},
    "pay": { "require": [ { "conditions": [ { "path": "args.amount", "op": "lte", "value": 100 } ] } ] },
    "delete_file": { "action": "deny" }
  }
}"""


def permitted(name: object, arguments: object) -> bool:
    """What the policy above means, said once more and as plainly as can be."""
    if not isinstance(arguments, dict):
        return False
    if name == "read_file":
        path = arguments.get("path", "")
        return isinstance(path, str) and not path.startswith("/etc")
    if name == "pay":
        amount = arguments.get("amount")
        return isinstance(amount, int | float) and not isinstance(amount, bool) and amount <= 100
    return name == "search"


@dataclass
class Executed:
    """What the real server was made to do."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def server(self) -> MCPServer:
        server = MCPServer("files")
        for name in ("read_file", "search", "pay", "delete_file", "hidden_tool", "Read_File", "unknown"):
            server.add_tool(self._tool(name), name=name)
        return server

    def _tool(self, name: str) -> Any:
        def tool(path: Any = None, amount: Any = None) -> str:
            self.calls.append((name, {"path": path, "amount": amount}))
            return "done"

        return tool


@dataclass
class Recorder:
    """Stands before the server, takes requests apart by the plainest framing there is, and passes them on."""

    port: int
    bodies: list[bytes] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection("127.0.0.1", self.port)
        back = asyncio.create_task(_copy(there, writer))
        try:
            while True:
                line, headers = await read_head(reader)
                body = await reader.readexactly(int(headers["content-length"]))
                self._look_at(line, headers, body)
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                here.write(f"{line}\r\n{lines}\r\n".encode("latin-1") + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            here.close()
            writer.close()

    def _look_at(self, line: str, headers: dict[str, str], body: bytes) -> None:
        self.bodies.append(body)
        wrong = _what_is_wrong(line, headers, body)
        if wrong is not None:
            self.violations.append(f"{wrong}: {body!r}")


def _what_is_wrong(line: str, headers: dict[str, str], body: bytes) -> str | None:
    if line != "POST /mcp HTTP/1.1" or "transfer-encoding" in headers or "authorization" in headers:
        return f"the head is not ours, {line}, {headers}"
    try:
        last = json.loads(body.decode("utf-8"))
        first = json.loads(body, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    except ValueError:
        return "it is not JSON"
    if first != last or not isinstance(last, dict):
        return "it has two meanings"
    known = [key.casefold() for key in last if key.casefold() in ENVELOPE]
    if len(set(known)) != len(known):
        return "two of its keys are alike"
    if str(last.get("method", "")).strip("\0 ").casefold() == "tools/call":
        params = last.get("params", {})
        if not permitted(params.get("name"), params.get("arguments", {})):
            return "it is not permitted"
        if "mcp-name" in headers and _read(headers["mcp-name"]) != params["name"]:
            return "its header names another tool"
    return None


def _read(value: str) -> str:
    if value.startswith("=?base64?"):
        return base64.b64decode(value[9:-2]).decode()
    return value


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@dataclass
class Attacker:
    it: World
    pick: random.Random
    until: float
    sent: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    async def attack(self) -> None:
        client = self.it.client()
        await client.connect()
        while time.monotonic() < self.until:
            if self.pick.random() < RAW_SHARE:
                await self._send_raw()
            elif not await self._send(client):
                client.writer.close()
                client = self.it.client()
                await client.connect()
            self.sent += 1
        client.writer.close()

    async def _send(self, client: Client) -> bool:
        """False when the connection is of no more use."""
        client.send(self._request(client))
        try:
            answer = await asyncio.wait_for(client.answer(), 5)
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        return answer.headers.get("connection") != "close"

    async def _send_raw(self) -> None:
        async with self.it.client() as client:
            client.send(mutations.raw(self.pick, self._request(client)))
            client.writer.write_eof()
            try:
                async with asyncio.timeout(5):
                    while await client.reader.read(65536):
                        pass
            except ConnectionError:
                pass

    def _request(self, client: Client) -> bytes:
        body = mutations.body(self.pick)
        headers: dict[str, str | None] = {}
        if self.pick.random() < MODERN_SHARE:
            name = self.pick.choice(("search", "read_file", "delete_file"))
            headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name}
            marked = b'"params": {"_meta": {"%b": "2026-07-28"}, ' % VERSION_KEY.encode()
            body = body.replace(b'"params": {', marked, 1)
        return client.head("POST", len(body), headers) + body


@asynccontextmanager
async def recorded(executed: Executed) -> AsyncIterator[tuple[Recorder, int]]:
    async with running(executed.server(), json_response=True, stateless=True) as url:
        recorder = Recorder(int(url.split(":")[2].split("/")[0]))
        listener = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
        try:
            yield recorder, listener.sockets[0].getsockname()[1]
        finally:
            listener.close()


@pytest.mark.timeout(SECONDS + 120)
async def test_nothing_that_is_not_allowed_arrives_however_it_is_spelled(tmp_path: Path) -> None:
    print(f"\nPOLICYLAYER_BYPASS_SEED={SEED} POLICYLAYER_BYPASS_SECONDS={SECONDS:g}")
    executed = Executed()
    async with recorded(executed) as (recorder, port), world(tmp_path, limits=quick(answer_seconds=5)) as it:
        tools = ("read_file", "search", "pay", "delete_file", "hidden_tool", "Read_File")
        it.reconfigure(url=f"http://127.0.0.1:{port}/mcp", document=POLICY, tools=tools)
        until = time.monotonic() + SECONDS
        attackers = [Attacker(it, random.Random(SEED + number), until) for number in range(AT_ONCE)]
        await asyncio.gather(*(attacker.attack() for attacker in attackers))
        sent = sum(attacker.sent for attacker in attackers)
        print(f"{sent} sent, {len(recorder.bodies)} arrived, {len(executed.calls)} executed")
        assert not recorder.violations, (SEED, recorder.violations[:5])
        wrong = [call for call in executed.calls if call[0] not in ("read_file", "search", "pay")]
        assert not wrong, (SEED, wrong[:5])
        assert not any(attacker.statuses.get(500) for attacker in attackers)
        allowed = {entry.id for entry in it.log.decisions if entry.outcome == "allow"}
        calls = [body for body in recorder.bodies if json.loads(body).get("method") == "tools/call"]
        assert len(calls) <= len(allowed)
        # Or else nothing was shown: some must pass, many must be denied.
        assert len(executed.calls) > sent / 400
        assert len(it.log.decisions) - len(allowed) > sent / 20


def test_the_oracle_itself_knows_right_from_wrong() -> None:
    head = {"content-length": "1"}

    def judged(body: str) -> str | None:
        return _what_is_wrong("POST /mcp HTTP/1.1", head, body.encode())

    call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s","arguments":{"path":"%s"}}}'
    assert judged(call % ("read_file", "/a")) is None
    assert judged(call % ("read_file", "/etc/a")) == "it is not permitted"
    assert judged(call % ("delete_file", "/a")) == "it is not permitted"
    assert judged('{"method":"ping","method":"tools/call"}') == "it has two meanings"
    assert judged('{"method":"ping","Method":"tools/call"}') == "two of its keys are alike"
