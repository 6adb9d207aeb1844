"""What is pasted into a client works there, whatever the server is called."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import sys
import tomllib
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from policies.snippets import Snippet, alias, snippets
from tests.fixtures.servers.start import running_toy

URL = "https://gateway.example/mcp/0194b6c0-3f7e-7d5a-9f7b-6a1d2f3c4b5a/"
TOKEN = "plg_0aZ" + "9" * 30
HOSTILE = [
    "GitHub",
    "'; rm -rf / #",
    '"$(touch pwned)" `id`',
    "</script><script>alert(1)</script>",
    'a": {"command": "evil',
    "line\nbreak",
    "München Büro",
    "日本語",
    "--header",
    "x" * 300,
]


def by_key(name: str = "GitHub") -> dict[str, Snippet]:
    return {snippet.key: snippet for snippet in snippets(name, URL, TOKEN)}


@pytest.mark.parametrize("name", HOSTILE)
def test_every_snippet_holds_the_exact_address_and_token(name: str) -> None:
    for snippet in snippets(name, URL, TOKEN):
        assert URL in snippet.text, snippet.key
        assert TOKEN in snippet.text, snippet.key


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_of_a_server_leaves_its_place_in_a_snippet(name: str) -> None:
    short = alias(name)
    assert short
    assert set(short) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not short.startswith("-")
    assert len(short) <= 40
    made = by_key(name)
    assert shlex.split(made["claude-code"].text) == [
        *["claude", "mcp", "add", "--transport", "http", short, URL],
        *["--header", f"Authorization: Bearer {TOKEN}"],
    ]
    for key, root in {"cursor": "mcpServers", "vs-code": "servers", "gemini": "mcpServers"}.items():
        assert list(json.loads(made[key].text)[root]) == [short]
    assert list(tomllib.loads(made["codex"].text)["mcp_servers"]) == [short]


def test_claude_desktop_gets_the_token_without_a_space_in_an_argument() -> None:
    server = json.loads(by_key()["claude-desktop"].text)["mcpServers"]["github"]
    assert server["args"] == ["-y", "mcp-remote", URL, "--header", "Authorization:${AUTH_HEADER}"]
    assert server["env"] == {"AUTH_HEADER": f"Bearer {TOKEN}"}


def test_claude_desktop_may_use_plain_http_only_where_the_gateway_does() -> None:
    plain = {s.key: s.text for s in snippets("GitHub", "http://127.0.0.1:8100/mcp/x/", TOKEN)}
    assert "--allow-http" in plain["claude-desktop"]
    assert "--allow-http" not in by_key()["claude-desktop"].text


def test_the_links_carry_what_the_files_hold() -> None:
    made = by_key()
    asked = parse_qs(urlsplit(made["cursor"].link).query)
    packed = json.loads(base64.b64decode(asked["config"][0]))
    assert asked["name"] == ["github"]
    assert packed == json.loads(made["cursor"].text)["mcpServers"]["github"]
    told = json.loads(unquote(made["vs-code"].link.removeprefix("vscode:mcp/install?")))
    assert told == {"name": "github", **json.loads(made["vs-code"].text)["servers"]["github"]}


def test_codex_reads_its_header_back() -> None:
    server = tomllib.loads(by_key()["codex"].text)["mcp_servers"]["github"]
    assert server == {"url": URL, "http_headers": {"Authorization": f"Bearer {TOKEN}"}}


def test_the_python_and_the_curl_snippet_work_against_a_real_server() -> None:
    with running_toy("--token", TOKEN) as toy:
        made = {snippet.key: snippet.text for snippet in snippets("Toy", toy.url, TOKEN)}
        listed = _output(sys.executable, "-c", made["python"])
        assert len(listed.splitlines()) > 3
        assert "serverInfo" in _output("sh", "-c", made["curl"] + " --silent --show-error --max-time 20")


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
