"""Definitions come from strangers: each is judged for itself, and none breaks the scan."""

import json

import pytest

from common.egress import EgressPolicy, parse_networks
from gateway_config.wire.digest import definition_digest
from servers.definitions import (
    DESCRIPTION_MAX,
    Collected,
    PageUnreadable,
    is_tool_name,
    read_page,
    shown,
)
from servers.probe import ScanFailed, ScanResult, scan
from tests.fixtures.servers.odd import listing, odd_server, refusal, result

LOOPBACK = EgressPolicy(allow=parse_networks("127.0.0.0/8"))
FINE = '{"name":"fine","inputSchema":{"type":"object"}}'


async def scan_list(tools: str, key: str = "") -> ScanResult:
    page = f'{{"tools":{tools}}}'
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with odd_server(listing(lambda request: result(request, page))) as odd:
        return await scan(odd.url(), headers, LOOPBACK)


async def test_one_odd_tool_does_not_hide_the_others() -> None:
    found = await scan_list(f'[{{"name":"no_schema"}},7,null,{{"inputSchema":{{}}}},{FINE}]')
    assert [tool.name for tool in found.tools] == ["no_schema", "fine"]
    assert found.dropped == 3
    assert found.problems == (
        "3 tools were left out: a name has 1 to 256 characters, none a control, and holds no credential.",
    )


@pytest.mark.parametrize("name", ["", "a" * 257, "two\nlines", "nul\0", "\x1b[31mred", "\x9b"])
async def test_a_tool_without_a_usable_name_is_left_out_and_counted(name: str) -> None:
    found = await scan_list(f'[{{"name":{json.dumps(name)},"inputSchema":{{}}}},{FINE}]')
    assert [tool.name for tool in found.tools] == ["fine"]
    assert found.dropped == 1


@pytest.mark.parametrize("name", ["a", "a" * 256, "namens/räume.v2:lösche", "emoji 🗑", "*"])
def test_any_other_name_is_kept_as_it_is(name: str) -> None:
    assert is_tool_name(name)


async def test_a_tool_with_a_number_of_very_many_digits_is_left_out() -> None:
    long = '{"name":"long","inputSchema":{"x":0.' + "1" * 5_000 + "}}"
    found = await scan_list(f"[{long},{FINE}]")
    assert [tool.name for tool in found.tools] == ["fine"]
    assert found.problems == ("Left out, too long or too deeply nested: long.",)


async def test_of_a_name_listed_twice_the_first_definition_counts() -> None:
    second = '{"name":"fine","description":"another","inputSchema":{"type":"object"}}'
    found = await scan_list(f"[{FINE},{second}]")
    assert [tool.description for tool in found.tools] == [""]
    assert found.duplicates == ("fine",)
    assert found.problems == ("Listed more than once, the first definition counts: fine.",)


async def test_a_definition_nested_without_end_is_left_out() -> None:
    deep = '{"name":"deep","inputSchema":' + '{"items":' * 80 + "{}" + "}" * 81
    found = await scan_list(f"[{deep},{FINE}]")
    assert [tool.name for tool in found.tools] == ["fine"]
    assert found.problems == ("Left out, too long or too deeply nested: deep.",)


async def test_the_digest_is_of_what_was_sent_down_to_the_last_digit() -> None:
    one = '{"name":"limit","inputSchema":{"maximum":0.10000000000000001}}'
    other = '{"name":"limit","inputSchema":{"maximum":0.1}}'
    digests = {(await scan_list(f"[{text}]")).tools[0].digest for text in (one, other)}
    assert len(digests) == 2


async def test_what_a_database_cannot_store_is_made_storable() -> None:
    odd = '{"name":"odd","description":"a\\u0000b","inputSchema":{"a\\u0000":"\\u0000","maximum":1e999}}'
    tool = (await scan_list(f"[{odd}]")).tools[0]
    assert "\0" not in json.dumps(tool.raw, ensure_ascii=False)
    assert tool.description == "a\ufffdb"
    assert tool.input_schema == {"a\ufffd": "\ufffd", "maximum": "1e999"}
    assert tool.digest != definition_digest(tool.raw)


async def test_a_credential_that_a_server_repeats_in_a_definition_is_not_kept() -> None:
    key = "ghp_x9Kq27LmZr04TnVb"
    echoing = {
        "name": "echo",
        "title": f"Echo {key}",
        "description": "x" * (DESCRIPTION_MAX - 5) + key,
        "inputSchema": {"properties": {key: {"default": f"Bearer {key}"}}},
        "annotations": {"about": [key]},
    }
    named = {"name": key, "inputSchema": {}}
    found = await scan_list(json.dumps([echoing, named]), key)
    (tool,) = found.tools
    stars = "*" * len(key)
    assert key not in json.dumps(tool.raw) and key[:8] not in tool.description
    assert (tool.title, tool.annotations) == (f"Echo {stars}", {"about": [stars]})
    assert tool.input_schema == {"properties": {stars: {"default": f"Bearer {stars}"}}}
    assert found.dropped == 1 and key not in str(found.problems)
    # A gateway compares what it hears, not what it shows.
    assert tool.digest == definition_digest(echoing)


async def test_a_text_that_only_looks_like_a_credential_once_written_hides_no_tool() -> None:
    key = "nK7xQ2pL9vB4mR8tW3zY6"
    near = {"name": "near", "description": f"Line one\n{key[1:]}", "inputSchema": {"default": f"\\{key}"}}
    found = await scan_list(f"[{json.dumps(near)},{FINE}]", key)
    assert [tool.name for tool in found.tools] == ["near", "fine"]
    assert found.tools[0].description == f"Line one\n{key[1:]}"
    assert found.tools[0].input_schema == {"default": "\\" + "*" * len(key)}


async def test_what_a_server_calls_itself_keeps_no_credential() -> None:
    key = "sk-Proj-27LmZr04TnVbQ"
    async with odd_server(listing(lambda request: result(request, '{"tools":[]}'), name=key)) as odd:
        found = await scan(odd.url(), {"X-Api-Key": key}, LOOPBACK)
    assert found.server.name == "*" * len(key)


async def test_long_texts_are_cut_for_showing_and_whole_in_the_digest() -> None:
    texts = ["x" * (DESCRIPTION_MAX + 1), "x" * (DESCRIPTION_MAX + 2)]
    found = [
        (await scan_list(json.dumps([{"name": "a", "description": text, "inputSchema": {}}]))).tools[0]
        for text in texts
    ]
    assert [len(tool.description) for tool in found] == [DESCRIPTION_MAX, DESCRIPTION_MAX]
    assert found[0].digest != found[1].digest


async def test_fields_of_the_wrong_type_count_as_absent() -> None:
    wrong = '{"name":"a","title":7,"description":[],"inputSchema":"x","annotations":[1]}'
    tool = (await scan_list(f"[{wrong}]")).tools[0]
    assert (tool.title, tool.description, tool.input_schema, tool.annotations) == ("", "", {}, {})


async def test_a_title_may_stand_in_the_annotations() -> None:
    tool = (await scan_list('[{"name":"a","inputSchema":{},"annotations":{"title":"A tool"}}]')).tools[0]
    assert tool.title == "A tool"


@pytest.mark.parametrize(
    "page", ['{"tools":{}}', '{"tools":[],"nextCursor":7}', '{"tools":[],"tools":[]}', '{"nothing":1}']
)
async def test_a_list_that_is_none_is_told(page: str) -> None:
    async with odd_server(listing(lambda request: result(request, page))) as odd:
        with pytest.raises(ScanFailed) as failed:
            await scan(odd.url(), {}, LOOPBACK)
    assert failed.value.code == "not_mcp"
    assert "its list of tools cannot be read" in failed.value.message


async def test_a_server_that_offers_no_tools_has_none() -> None:
    async with odd_server(listing(lambda request: refusal(request, -32601, "Method not found"))) as odd:
        assert (await scan(odd.url(), {}, LOOPBACK)).tools == ()


async def test_a_server_that_will_not_list_is_told() -> None:
    async with odd_server(listing(lambda request: refusal(request, -32603, "no"))) as odd:
        with pytest.raises(ScanFailed) as failed:
            await scan(odd.url(), {}, LOOPBACK)
    assert failed.value.code == "not_mcp"


def test_an_event_stream_is_read_in_any_of_its_spellings() -> None:
    body = b': hello\r\nid: 1\r\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\r\n\r\n'
    body += b'event: message\rdata:{"jsonrpc":"2.0","id":1,\rdata: "result":{"tools":[]}}\r\r'
    assert read_page("text/event-stream; charset=utf-8", body).tools == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"result":[]}', b'{"error":{"code":1}}', b"\xff"])
def test_bytes_without_a_result_are_no_page(body: bytes) -> None:
    with pytest.raises(PageUnreadable):
        read_page("application/json", body)


def test_problems_name_a_few_and_count_the_rest() -> None:
    collected = Collected()
    for number in [*range(5), *range(5)]:
        collected.add({"name": f"tool_{number}"})
    assert collected.problems() == (
        "Listed more than once, the first definition counts: tool_0, tool_1, tool_2 and 2 more.",
    )


def test_text_for_showing_has_no_control_characters() -> None:
    assert shown(" a\x1b[31m\u0085b\tc\nd\ud800 ", 100) == "a[31mb\tc\nd"
