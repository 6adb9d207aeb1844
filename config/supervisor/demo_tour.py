"""The demo's visitor: makes a server, a policy and a grant over the REST API, then calls tools as agents do.

What it has made is remembered in the data folder, so that a second demo continues with the same.
"""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from config.supervisor.keys import write_private
from config.supervisor.product import ROOT
from config.supervisor.running import Running, find_running

POLICY = {
    "version": "1",
    "description": "Agents may look, may create one key a minute, and may never delete one.",
    "default": "deny",
    "tools": {
        "list_access_keys": {},
        "create_access_key": {
            "limits": [{"counter": "keys", "window": "minute", "max": 1, "scope": "grant"}]
        },
        "delete_access_key": {"action": "deny", "reason": "Keys are deleted by people, on the site."},
    },
}
USER = {"user_name": "ada"}
CALLS: tuple[tuple[str, dict[str, str]], ...] = (
    ("list_access_keys", USER),
    ("delete_access_key", USER | {"access_key_id": "AK1"}),
    ("create_access_key", USER),
    ("create_access_key", USER),
)
ROLLOUT_SECONDS = 60.0


class Failed(Exception):  # noqa: N818 - the house names what is wrong
    """One sentence."""


class Memory:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, str] = json.loads(file.read_text())

    def __getitem__(self, name: str) -> str:
        return self._known[name]

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def keep(self, **found: str) -> None:
        self._known.update(found)
        write_private(self._file, self._known)


class Visitor:
    def __init__(self, running: Running, memory: Memory, data_dir: Path) -> None:
        self._running = running
        self._memory = memory
        self._data_dir = data_dir

    def prepare(self) -> None:
        for name, step in (
            ("api_key", self._sign_up),
            ("server", self._register_server),
            ("policy", self._publish_policy),
            ("grant_token", self._issue_grant),
        ):
            if name not in self._memory:
                step()

    def _sign_up(self) -> None:
        command = [sys.executable, "manage.py", "bootstrap", "--json", "--data-dir", str(self._data_dir)]
        command += ["--email", "demo@example.org", "--organization", "Demo"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"no account could be made: {done.stderr.strip()}")
        made = json.loads(done.stdout)
        self._memory.keep(api_key=made["api_key"], email=made["email"], password=made["password"])

    def _register_server(self) -> None:
        url = f"http://127.0.0.1:{self._memory['toy_port']}/mcp"
        server = self._post("servers/", {"name": "Demo keys", "upstream_url": url, "auth": {"kind": "none"}})
        scan = self._post(f"servers/{server['id']}/scan/", {})
        if scan["problems"]:
            raise Failed(f"the demo's server could not be scanned: {scan['problems']}")
        say(f"registered {server['name']}: {scan['tools']} tools found and classified")
        self._memory.keep(server=server["id"], gateway_url=server["gateway_url"])

    def _publish_policy(self) -> None:
        document = {"server": self._memory["server"], "name": "Keys", "document": POLICY}
        policy = self._post("policies/", document)
        published = self._post(f"policies/{policy['id']}/publish/", {"note": "The demo's first policy"})
        say(f"published policy {policy['name']}: {POLICY['description']}")
        self._memory.keep(policy=policy["id"], revision=published["revision"]["id"])

    def _issue_grant(self) -> None:
        asked = {"server": self._memory["server"], "policy": self._memory["policy"], "label": "Demo agent"}
        grant = self._post("grants/", asked)
        say("issued a grant for the demo's agent")
        self._memory.keep(grant_token=grant["token"])

    def _post(self, path: str, content: object) -> dict[str, Any]:
        return self._answer(httpx.post(self._url(path), json=content, headers=self._headers(), timeout=90))

    def _url(self, path: str) -> str:
        return f"{self._running.web_url}/api/v1/{path}"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._memory['api_key']}"}

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        if response.is_error:
            raise Failed(
                f"{response.request.url.path} answered {response.status_code}: {response.text[:400]}"
            )
        found: dict[str, Any] = response.json()
        return found


async def call_as_an_agent(memory: Memory) -> None:
    headers = {"Authorization": f"Bearer {memory['grant_token']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(memory["gateway_url"], http_client=http)
        async with Client(transport) as agent:
            for tool, arguments in CALLS:
                say(f"the agent calls {tool}: {await _call(agent, tool, arguments)}")


async def _call(agent: Client, tool: str, arguments: dict[str, str]) -> str:
    try:
        result = await agent.call_tool(tool, arguments)
    except MCPError as refused:
        return str(refused)
    return " ".join(part.text for part in result.content if part.type == "text")


async def call_when_in_force(memory: Memory) -> None:
    """Call once the gateway knows the grant: within a second, or a little longer at the very first start."""
    until = time.monotonic() + ROLLOUT_SECONDS
    while not await _is_known(memory):
        if time.monotonic() > until:
            raise Failed("the gateway does not know the grant; `Workers` on the site may say why")
        await asyncio.sleep(0.2)
    await call_as_an_agent(memory)


async def _is_known(memory: Memory) -> bool:
    headers = {
        "Authorization": f"Bearer {memory['grant_token']}",
        "Accept": "application/json, text/event-stream",
    }
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        response = await http.post(memory["gateway_url"], json=ping)
    return response.status_code not in (401, 404, 503)


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def main(data_dir: Path) -> None:
    running = find_running(data_dir)
    memory = Memory(data_dir / "demo.json")
    Visitor(running, memory, data_dir).prepare()
    asyncio.run(call_when_in_force(memory))
    say(f"see it on {running.web_url}/log/ as {memory['email']}; the password is in {data_dir / 'demo.json'}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except (Failed, httpx.HTTPError) as problem:
        sys.exit(f"The demo stopped: {problem}")
