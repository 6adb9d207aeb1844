"""Drives unmodified MCP clients, each in an environment of its own, and returns what they report."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from tests.foreign import CLIENTS, foreign_program
from tests.foreign_npm import node_command

DRIVING_SECONDS = 300

Step = Sequence[Any]


def drive(
    name: str, url: str, token: str | None, steps: Sequence[Step], mode: str = "auto"
) -> list[dict[str, Any]]:
    """Run the steps in one session of an unmodified SDK; return one answer for each, `{"ok": ..., ...}`.

    Steps: `["initialize"]`, `["list_tools"]`, `["call_tool", name, arguments]`; the Python SDKs also take
    `["list_resources"]`, `["read_resource", uri]`, `["list_prompts"]`, `["get_prompt", name, arguments]` and
    `["sleep", seconds]`. `mode` is for SDKs that speak both eras: "auto", "legacy" or a current revision;
    "sse" is the transport of 2024-11-05, which Python's 1.x SDK speaks.
    """
    return _driven(_driver(name), {"url": url, "token": token, "steps": steps, "mode": mode})


def drive_mcp_remote(url: str, token: str, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Do the same through the mcp-remote bridge, as a client that knows only standard input and output."""
    bridge = node_command("mcp-remote", "node_modules/mcp-remote/dist/proxy.js")
    command = [*bridge, url, "--allow-http", "--transport", "http-only", "--header", "Authorization:${AUTH}"]
    env = {"AUTH": f"Bearer {token}"}
    return _driven(_driver("typescript-1x"), {"command": command, "env": env, "steps": steps})


@dataclass(frozen=True, slots=True)
class Inspected:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def inspect(url: str, token: str, method: str, *more: str) -> Inspected:
    """Run the Inspector once on the command line."""
    launcher = node_command(
        "inspector-cli", "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    )
    header = f"Authorization: Bearer {token}"
    command = [*launcher, "--cli", "--transport", "http", "--server-url", url, "--header", header]
    ran = _run([*command, "--method", method, *more])
    return Inspected(ran.returncode, ran.stdout, ran.stderr)


def _driver(name: str) -> list[str]:
    if (CLIENTS / name / "package.json").exists():
        return node_command(name, "drive.mjs")
    return [str(foreign_program(name)), str(CLIENTS / name / "drive.py")]


def _driven(driver: Sequence[str], asked: dict[str, Any]) -> list[dict[str, Any]]:
    ran = _run(driver, json.dumps(asked))
    assert ran.returncode == 0, ran.stderr[-4000:]
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers


def _run(command: Sequence[str], told: str = "") -> subprocess.CompletedProcess[str]:
    # Some clients keep state in the home folder: each run gets an empty one, so none finds another's.
    with TemporaryDirectory() as home:
        return subprocess.run(
            command,
            input=told,
            capture_output=True,
            text=True,
            timeout=DRIVING_SECONDS,
            env={"PATH": os.environ.get("PATH", ""), "HOME": home},
        )
