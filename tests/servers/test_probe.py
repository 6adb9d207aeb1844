"""A scan of a real server: what it lists, in either era, and the steps on the way."""

import json
from pathlib import Path

import pytest

from common.egress import EgressPolicy, parse_networks
from gateway_config.wire.digest import definition_digest
from servers.probe import ScanFailed, ScanLimits, ScanResult, Step, scan
from tests.fixtures.servers.start import running_toy

LOOPBACK = EgressPolicy(allow=parse_networks("127.0.0.0/8, ::1/128"))


async def scan_toy(*options: str, headers: dict[str, str] | None = None) -> ScanResult:
    with running_toy(*options) as toy:
        return await scan(toy.url, headers or {}, LOOPBACK)


async def test_a_server_of_today_is_read_page_by_page() -> None:
    found = await scan_toy("--many")
    assert found.protocol_version == "2026-07-28"
    assert (found.server.name, found.server.title, found.server.version) == ("toy", "Toy server", "1.0.0")
    assert len(found.tools) == 78
    assert len({tool.name for tool in found.tools}) == 78
    assert (found.problems, found.dropped, found.duplicates) == ((), 0, ())


@pytest.mark.parametrize("answers", [(), ("--json",)], ids=["event stream", "json"])
async def test_a_server_of_2025_is_read_all_the_same(answers: tuple[str, ...]) -> None:
    found = await scan_toy("--many", "--era", "2025", *answers)
    assert found.protocol_version == "2025-11-25"
    assert len(found.tools) == 78


async def test_both_eras_give_the_same_digests() -> None:
    now, before = await scan_toy(), await scan_toy("--era", "2025")
    assert {tool.name: tool.digest for tool in now.tools} == {tool.name: tool.digest for tool in before.tools}


async def test_a_definition_keeps_what_the_server_said_of_it() -> None:
    found = {tool.name: tool for tool in (await scan_toy()).tools}
    delete_user = found["delete_user"]
    assert delete_user.description == "Delete a user for good."
    assert delete_user.annotations == {"readOnlyHint": False, "destructiveHint": True}
    assert delete_user.input_schema["required"] == ["user_name"]
    assert delete_user.digest == definition_digest(delete_user.raw)
    assert found["echo"].input_schema["properties"]["ratio"]["multipleOf"] == 0.25
    json.dumps([tool.raw for tool in found.values()])


async def test_the_steps_are_told_in_order_as_they_happen() -> None:
    told: list[Step] = []
    with running_toy("--many") as toy:
        found = await scan(toy.url, {}, LOOPBACK, told.append)
    finished = [step for step in told if step.milliseconds is not None]
    assert tuple(finished) == found.steps
    assert [step.title for step in finished] == ["Found the host", "Connected", "Speaks MCP", "Reading tools"]
    assert finished[2].detail == "protocol 2026-07-28, streamable HTTP"
    assert finished[3].detail == "4 pages, 78 tools"
    assert [step.detail for step in told if step.milliseconds is None] == [
        "1 page, 20 tools",
        "2 pages, 40 tools",
        "3 pages, 60 tools",
    ]


async def test_the_credential_is_sent_with_every_request() -> None:
    found = await scan_toy("--token", "open-sesame", headers={"Authorization": "Bearer open-sesame"})
    assert len(found.tools) == 13


async def test_without_a_credential_a_401_says_to_add_one() -> None:
    with pytest.raises(ScanFailed) as failed:
        await scan_toy("--token", "open-sesame")
    assert failed.value.code == "unauthorized"
    assert failed.value.message == "It answered 401: it wants a credential."
    assert failed.value.hint == "Choose Headers and add the token you use with this server."


async def test_with_a_wrong_credential_a_401_says_to_check_it_and_never_shows_it() -> None:
    with pytest.raises(ScanFailed) as failed:
        await scan_toy("--token", "open-sesame", headers={"Authorization": "Bearer almost-sesame"})
    assert failed.value.message == "It answered 401: it does not accept this credential."
    assert "almost-sesame" not in repr(failed.value) + failed.value.hint


async def test_a_wrong_path_is_told_with_a_guess() -> None:
    with running_toy() as toy, pytest.raises(ScanFailed) as failed:
        await scan(toy.url.removesuffix("/mcp"), {}, LOOPBACK)
    assert failed.value.code == "not_mcp"
    assert failed.value.message == "127.0.0.1 answered, but not as an MCP server (it answered 404)."
    assert failed.value.hint == "Is the path /mcp missing?"


async def test_a_scan_calls_no_tool(tmp_path: Path) -> None:
    with running_toy("--many", record=tmp_path / "calls.jsonl") as toy:
        await scan(toy.url, {}, LOOPBACK)
        assert toy.calls() == []


async def test_more_tools_than_we_keep_are_refused() -> None:
    with running_toy("--many") as toy, pytest.raises(ScanFailed) as failed:
        await scan(toy.url, {}, LOOPBACK, limits=ScanLimits(tools=50))
    assert (failed.value.code, failed.value.message) == ("too_large", "It lists more than 50 tools.")
