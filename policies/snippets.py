"""What to paste into each client so that it calls a server through the gateway. Pure.

Every text holds the real address and the real token, so it is shown once and stored nowhere.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

_LONGEST_ALIAS: Final = 40
_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9_./:\[\]-]+")
# Inside double quotes these are literal in sh, PowerShell and cmd alike.
_PLAIN_WORDS: Final = re.compile(r"[A-Za-z0-9_./: -]+")


@dataclass(frozen=True, slots=True)
class Snippet:
    """`place` says where the text goes; `link`, if any, hands it to the client without pasting."""

    key: str
    client: str
    place: str
    text: str
    after: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class _Way:
    """One server, as clients are to address it."""

    alias: str
    url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def snippets(server_name: str, url: str, token: str) -> tuple[Snippet, ...]:
    way = _Way(alias(server_name), url, token)
    return (
        _claude_code(way),
        _claude_desktop(way),
        _cursor(way),
        _vs_code(way),
        _windsurf(way),
        _codex(way),
        _gemini(way),
        _python(way),
        _curl(way),
    )


def alias(server_name: str) -> str:
    """A name every client takes: lower-case letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", server_name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_ALIAS].strip("-") or "server"


def _claude_code(way: _Way) -> Snippet:
    # All on one line: a backslash at the end of a line means nothing to PowerShell or cmd.
    header = _words(f"Authorization: Bearer {way.token}")
    return Snippet(
        key="claude-code",
        client="Claude Code",
        place="run in your project folder",
        text=f"claude mcp add --transport http {way.alias} {_word(way.url)} --header {header}",
        after=f"Then start Claude Code and run /mcp; {way.alias} should read connected.",
    )


def _claude_desktop(way: _Way) -> Snippet:
    arguments = ["-y", "mcp-remote", way.url, "--header", "Authorization:${AUTH_HEADER}"]
    if way.url.startswith("http:"):
        arguments.append("--allow-http")
    # The header's space must not appear in `args`: Claude Desktop on Windows would split the argument there.
    server = {"command": "npx", "args": arguments, "env": {"AUTH_HEADER": f"Bearer {way.token}"}}
    return Snippet(
        key="claude-desktop",
        client="Claude Desktop",
        place="claude_desktop_config.json",
        text=_json({"mcpServers": {way.alias: server}}),
        after="Settings, Developer, Edit Config opens the file. It needs Node.js. "
        "Restart Claude Desktop afterwards.",
    )


def _cursor(way: _Way) -> Snippet:
    server = {"url": way.url, "headers": way.headers}
    packed = base64.b64encode(_compact(server).encode()).decode()
    asked = urlencode({"name": way.alias, "config": packed}, quote_via=quote)
    return Snippet(
        key="cursor",
        client="Cursor",
        place="~/.cursor/mcp.json",
        text=_json({"mcpServers": {way.alias: server}}),
        after="The button asks Cursor to add it; the file does the same by hand.",
        link=f"cursor://anysphere.cursor-deeplink/mcp/install?{asked}",
    )


def _vs_code(way: _Way) -> Snippet:
    server = {"type": "http", "url": way.url, "headers": way.headers}
    return Snippet(
        key="vs-code",
        client="VS Code",
        place="mcp.json of your user profile",
        text=_json({"servers": {way.alias: server}}),
        after="“MCP: Open User Configuration” opens the file. Keep it out of .vscode/mcp.json: that one is "
        "often committed, and the token with it.",
        link=f"vscode:mcp/install?{quote(_compact({'name': way.alias, **server}), safe='')}",
    )


def _windsurf(way: _Way) -> Snippet:
    return Snippet(
        key="windsurf",
        client="Windsurf",
        place="~/.codeium/windsurf/mcp_config.json",
        text=_json({"mcpServers": {way.alias: {"serverUrl": way.url, "headers": way.headers}}}),
        after="Refresh the list of MCP servers in Cascade afterwards.",
    )


def _codex(way: _Way) -> Snippet:
    lines = (
        f"[mcp_servers.{way.alias}]",
        f"url = {_toml(way.url)}",
        f"http_headers = {{ Authorization = {_toml(way.headers['Authorization'])} }}",
    )
    return Snippet(
        key="codex",
        client="Codex",
        place="~/.codex/config.toml",
        text="\n".join(lines),
        after="Start Codex and run /mcp to see it.",
    )


def _gemini(way: _Way) -> Snippet:
    return Snippet(
        key="gemini",
        client="Gemini CLI",
        place="~/.gemini/settings.json",
        text=_json({"mcpServers": {way.alias: {"httpUrl": way.url, "headers": way.headers}}}),
        after="Start Gemini CLI and run /mcp to see it.",
    )


def _python(way: _Way) -> Snippet:
    text = f"""import asyncio

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL = {json.dumps(way.url)}
HEADERS = {{"Authorization": {json.dumps(way.headers["Authorization"])}}}


async def main() -> None:
    async with httpx2.AsyncClient(headers=HEADERS) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            for tool in (await client.list_tools()).tools:
                print(tool.name)


asyncio.run(main())"""
    return Snippet("python", "Python", "tools.py", text, 'Needs the official SDK: pip install "mcp>=2.3".')


def _curl(way: _Way) -> Snippet:
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "curl", "version": "1"},
        },
    }
    parts = [
        f"curl {_word(way.url)}",
        f"-H {_words(f'Authorization: Bearer {way.token}')}",
        '-H "Content-Type: application/json"',
        '-H "Accept: application/json, text/event-stream"',
        f"--data {shlex.quote(_compact(body))}",
    ]
    return Snippet(
        key="curl",
        client="curl",
        place="in a shell",
        text=" \\\n  ".join(parts),
        after="The server answers with its name; 401 means that the token is not valid.",
    )


def _word(text: str) -> str:
    return text if _PLAIN_WORD.fullmatch(text) else shlex.quote(text)


def _words(text: str) -> str:
    return f'"{text}"' if _PLAIN_WORDS.fullmatch(text) else shlex.quote(text)


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, indent=2)


def _compact(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _toml(text: str) -> str:
    # A JSON string of ASCII is a TOML basic string too.
    return json.dumps(text)
