"""Mutated requests to real servers: nothing that is not allowed arrives, however it is spelled.

POLICYLAYER_BYPASS_SECONDS sets the total time, POLICYLAYER_BYPASS_REQUESTS how many requests the slow tests
send, and POLICYLAYER_BYPASS_SEED starts from the seed of another run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from mcp.server.lowlevel import Server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent, Tool

from tests.foreign_npm import node_command
from tests.gateway import mutations
from tests.gateway.bypass import POLICY, TOOLS, Recorder, permitted_values, what_is_wrong
from tests.gateway.raw_http import Client
from tests.gateway.test_official_client import running
from tests.gateway.world import World, quick, world

SECONDS: Final = float(os.environ.get("POLICYLAYER_BYPASS_SECONDS", "60"))
SEED: Final = int(os.environ.get("POLICYLAYER_BYPASS_SEED") or random.randrange(2**32))
WHOLE: Final = int(os.environ.get("POLICYLAYER_BYPASS_REQUESTS", "50000"))
AT_ONCE: Final = 12
RAW_SHARE: Final = 0.1
SERVERS: Final = ("python", "typescript")


@dataclass
class Executed:
    """What the real server executed."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def server(self) -> Server:
        """The SDK's lowest-level server: its friendlier ones parse lists and objects out of strings."""
        return Server("files", on_list_tools=self._list, on_call_tool=self._call)

    async def _list(self, *_: object) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name=name, input_schema={}) for name in (*TOOLS, "unknown")])

    async def _call(self, _: object, params: CallToolRequestParams) -> CallToolResult:
        self.calls.append((params.name, params.arguments or {}))
        return CallToolResult(content=[TextContent(type="text", text="done")])

    @asynccontextmanager
    async def running(self, kind: str) -> AsyncIterator[int]:
        """Run the server; yields its port."""
        if kind == "python":
            async with running(self.server(), json_response=True, stateless=True) as url:
                yield int(url.split(":")[2].split("/")[0])
            return
        command = [*node_command("typescript-2x", "server.mjs"), *TOOLS, "unknown"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, limit=2**24
        )
        assert process.stdout is not None
        port = int((await process.stdout.readline()).split()[1])
        listening = asyncio.create_task(self._listen(process.stdout))
        try:
            yield port
        finally:
            process.terminate()
            await process.wait()
            await listening

    async def _listen(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            name, arguments = json.loads(line)
            self.calls.append((name, arguments))


@dataclass
class Attacker:
    it: World
    pick: random.Random
    goes_on: Callable[[], bool]
    sent: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    async def attack(self) -> None:
        client = self.it.client()
        await client.connect()
        while self.goes_on():
            if self.pick.random() < RAW_SHARE:
                await self._send_raw()
            elif not await self._send(client):
                client.writer.close()
                client = self.it.client()
                await client.connect()
            self.sent += 1
        client.writer.close()

    async def _send(self, client: Client) -> bool:
        """Send one request; return False if the connection can no longer be used."""
        client.send(self._request(client))
        try:
            answer = await asyncio.wait_for(client.answer(), 60)
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        return answer.headers.get("connection") != "close"

    async def _send_raw(self) -> None:
        async with self.it.client() as client:
            client.send(mutations.raw(self.pick, self._request(client)))
            client.writer.write_eof()
            try:
                async with asyncio.timeout(60):
                    while await client.reader.read(65536):
                        pass
            except ConnectionError:
                pass

    def _request(self, client: Client) -> bytes:
        headers, body = mutations.headed(self.pick, mutations.body(self.pick))
        return client.head("POST", len(body), headers) + body


@asynccontextmanager
async def recorded(executed: Executed, kind: str) -> AsyncIterator[tuple[Recorder, int]]:
    async with executed.running(kind) as port:
        recorder = Recorder(port)
        listener = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
        try:
            yield recorder, listener.sockets[0].getsockname()[1]
        finally:
            listener.close()


@pytest.mark.timeout(SECONDS + 600)
@pytest.mark.parametrize("kind", SERVERS)
async def test_nothing_that_is_not_allowed_arrives_however_it_is_spelled(tmp_path: Path, kind: str) -> None:
    until = time.monotonic() + SECONDS / len(SERVERS)
    await _attack(tmp_path, kind, lambda _: time.monotonic() < until)


@pytest.mark.slow
@pytest.mark.timeout(max(3600, WHOLE // 10))
@pytest.mark.parametrize("kind", SERVERS)
async def test_nothing_arrives_in_fifty_thousand_requests(tmp_path: Path, kind: str) -> None:
    await _attack(tmp_path, kind, lambda sent: sent < WHOLE)


async def _attack(tmp_path: Path, kind: str, goes_on: Callable[[int], bool]) -> None:
    print(f"\nPOLICYLAYER_BYPASS_SEED={SEED} POLICYLAYER_BYPASS_SECONDS={SECONDS:g}")
    unforeseen: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unforeseen.append(context.get("exception")))
    executed = Executed()
    async with (
        recorded(executed, kind) as (recorder, port),
        world(tmp_path, limits=quick(answer_seconds=9)) as it,
    ):
        it.reconfigure(url=f"http://127.0.0.1:{port}/mcp", document=POLICY, tools=TOOLS)
        attackers: list[Attacker] = []
        for number in range(AT_ONCE):
            pick = random.Random(SEED + number)
            attackers.append(Attacker(it, pick, lambda: goes_on(sum(one.sent for one in attackers))))
        await asyncio.gather(*(attacker.attack() for attacker in attackers))
    _check(it, recorder, executed, attackers, kind)
    assert not unforeseen, (SEED, unforeseen[:5])


def _check(it: World, recorder: Recorder, executed: Executed, attackers: list[Attacker], kind: str) -> None:
    sent = sum(attacker.sent for attacker in attackers)
    print(f"{kind}: {sent} sent, {len(recorder.bodies)} arrived, {len(executed.calls)} executed")
    assert not recorder.violations, (SEED, recorder.violations[:5])
    wrong = [call for call in executed.calls if not permitted_values(*call)]
    assert not wrong, (SEED, wrong[:5])
    assert not any(attacker.statuses.get(500) for attacker in attackers)
    allowed = {entry.id for entry in it.log.decisions if entry.outcome == "allow"}
    calls = [body for body in recorder.bodies if json.loads(body).get("method") == "tools/call"]
    assert len(calls) <= len(allowed)
    # Otherwise the run would prove nothing: some must pass, many must be denied.
    assert len(executed.calls) > sent / 400
    assert len(it.log.decisions) - len(allowed) > sent / 20


def test_the_oracle_itself_knows_right_from_wrong() -> None:
    head = {"content-length": "1"}

    def judged(body: str) -> str | None:
        return what_is_wrong("POST /mcp HTTP/1.1", head, body.encode())

    call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s","arguments":{"path":"%s"}}}'
    assert judged(call % ("read_file", "/a")) is None
    assert judged(call % ("read_file", "/etc/a")) == "it is not permitted"
    assert judged(call % ("write_file", "/home/a")) is None
    assert judged(call % ("write_file", "/home/..")) == "it is not permitted"
    assert judged(call % ("delete_file", "/a")) == "it is not permitted"
    assert judged(call.replace('"id":1,', "") % ("read_file", "/a")) == "it is not permitted"
    assert judged('{"method":"ping","method":"tools/call"}') == "it has two meanings"
    assert judged('{"method":"ping","Method":"tools/call"}') == "two of its keys are alike"
