"""A newcomer's steps 3 to 5 and 7 over the REST API, as a script does them."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

# A revision without sessions, so that each call is independent.
REVISION = "2026-07-28"


@dataclass(frozen=True, slots=True)
class Api:
    web: str
    key: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request; return the answer's JSON. An error answer fails the test with its text."""
        request = urllib.request.Request(
            f"{self.web}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
                **({"If-Match": "*"} if method in ("PATCH", "PUT") else {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def register(self, name: str, url: str) -> dict[str, Any]:
        server: dict[str, Any] = self.ask("POST", "/servers/", {"name": name, "upstream_url": url})
        scan = self.ask("POST", f"/servers/{server['id']}/scan/", {})
        assert (scan["status"], scan["problems"]) == ("done", [])
        return server

    def publish(self, server: dict[str, Any], document: Any, name: str = "agents") -> str:
        """Create and publish a policy; return its id once the revision is in force on every worker."""
        body = {"server": server["id"], "name": name, "document": document}
        policy: str = self.ask("POST", "/policies/", body)["id"]
        self.publish_draft(policy)
        return policy

    def publish_draft(self, policy: str) -> float:
        """Publish the draft; return the seconds until it was seen in force on every worker."""
        started = time.monotonic()
        revision = self.ask("POST", f"/policies/{policy}/publish/", {"note": "by script"})["revision"]["id"]
        while time.monotonic() < started + 60:
            rollout = self.ask("GET", f"/revisions/{revision}/")["rollout"]
            if rollout["state"] == "in_force":
                return time.monotonic() - started
            time.sleep(0.02)
        raise AssertionError(f"not in force after 60 s: {rollout}")

    def grant(self, server: dict[str, Any], policy: str, label: str) -> dict[str, Any]:
        """Issue a grant; return it once the gateway knows it."""
        body = {"server": server["id"], "policy": policy, "label": label}
        grant: dict[str, Any] = self.ask("POST", "/grants/", body)
        wait_until(lambda: gateway_status(grant) != 401, "the gateway never learned of the grant")
        return grant

    def decisions(self, at_least: int, query: str = "") -> list[dict[str, Any]]:
        """The newest decisions first, once at least so many have arrived."""
        found: list[dict[str, Any]] = []

        def arrived() -> bool:
            found[:] = self.ask("GET", f"/decisions/?limit=200{query}")["results"]
            return len(found) >= at_least

        wait_until(arrived, "the decisions did not arrive")
        return found


def gateway_status(grant: dict[str, Any]) -> int:
    """The status that answers a plain POST with this token; 401 while the gateway does not know it."""
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    request = urllib.request.Request(
        grant["gateway_url"],
        data=json.dumps(ping).encode(),
        headers={
            "Authorization": f"Bearer {grant['token']}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def called(grant: dict[str, Any], tool: str) -> dict[str, Any]:
    """Make one call, without a session and on a connection of its own; return its result."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": {"name": "agent", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": {"user_name": "agent"}, "_meta": meta}
    request = urllib.request.Request(
        grant["gateway_url"],
        data=json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode(),
        headers={
            "Authorization": f"Bearer {grant['token']}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": REVISION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        body = answer.read().decode()
    result: dict[str, Any] = json.loads(body.partition("data: ")[2] or body)["result"]
    return result


def wait_until(holds: Any, why_not: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, why_not
        time.sleep(0.05)
