"""Programs of other people, unmodified: a vendor's server is scanned, and their SDKs reach our fixture."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.egress import EgressPolicy, parse_networks
from servers.probe import scan
from tests.driving import drive
from tests.fixtures.servers.start import running_toy
from tests.foreign import CLIENTS, running_awslabs_iam

LOOPBACK = EgressPolicy(allow=parse_networks("127.0.0.0/8"))


async def test_a_vendors_server_behind_a_bridge_is_scanned() -> None:
    with running_awslabs_iam() as url:
        found = await scan(url, {}, LOOPBACK)
    assert found.protocol_version == "2025-11-25"
    assert found.server.name == "awslabs.iam-mcp-server"
    assert {"create_access_key", "put_user_policy", "list_users"} <= {tool.name for tool in found.tools}
    assert found.problems == ()


@pytest.mark.parametrize(
    ("client", "mode", "revision"),
    [("mcp-1x", "auto", "2025-11-25"), ("mcp-2x", "auto", "2026-07-28"), ("mcp-2x", "legacy", "2025-11-25")],
)
def test_an_unmodified_sdk_takes_its_steps_in_one_session(
    tmp_path: Path, client: str, mode: str, revision: str
) -> None:
    steps: list[list[Any]] = [
        ["initialize"],
        ["list_tools"],
        ["call_tool", "create_access_key", {"user_name": "bob"}],
        ["call_tool", "slow_tool", {"steps": 2, "seconds": 0.01}],
        ["call_tool", "broken_tool", {"code": -32050}],
        ["call_tool", "list_access_keys", {"user_name": "bob"}],
    ]
    with running_toy("--many", "--token", "t", record=tmp_path / "calls.jsonl") as toy:
        began, listed, made, slow, broken, kept = drive(client, toy.url, "t", steps, mode)
        arrived = [call["tool"] for call in toy.calls()]
    assert began["result"]["protocolVersion"] == revision
    assert len(listed["result"]) == 78
    assert made["result"]["structuredContent"]["access_key_id"] == "TOYKEY0001"
    assert [step for step, *_ in slow["result"]["progress"]] == [1, 2]
    assert (broken["ok"], broken["error"]["code"], broken["error"]["data"]) == (False, -32050, {"toy": True})
    assert kept["result"]["structuredContent"]["access_key_ids"] == ["TOYKEY0001"]
    assert arrived == ["create_access_key", "slow_tool", "broken_tool", "list_access_keys"]


@pytest.mark.parametrize("client", ["mcp-1x", "mcp-2x"])
def test_a_step_that_cannot_be_taken_is_an_answer_too(client: str) -> None:
    with running_toy("--token", "t") as toy:
        answers = drive(client, toy.url, "wrong", [["initialize"], ["list_tools"]])
    assert [answer["ok"] for answer in answers] == [False, False]


@pytest.mark.parametrize("lock", sorted(path.parent.name for path in CLIENTS.glob("*/uv.lock")))
def test_every_lock_names_the_public_index_and_nothing_else(lock: str) -> None:
    text = (CLIENTS / lock / "uv.lock").read_text()
    hosts = {part.split("/", 1)[0] for part in text.split("https://")[1:]}
    assert {host.split('"')[0] for host in hosts} == {"pypi.org", "files.pythonhosted.org"}
    assert "http://" not in text
    assert "file://" not in text


@pytest.mark.parametrize("lock", sorted(path.parent.name for path in CLIENTS.glob("*/package-lock.json")))
def test_a_lock_of_npm_names_versions_and_digests_and_no_host(lock: str) -> None:
    packages = json.loads((CLIENTS / lock / "package-lock.json").read_text())["packages"]
    installed = [package for name, package in packages.items() if name]
    assert installed and all(package["version"] and package["integrity"] for package in installed)
    assert not any("resolved" in package for package in installed)
