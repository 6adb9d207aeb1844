from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.protocol.strict_json import NotStrict
from gateway.protocol.tool_list import filtered


def shown(name: str) -> bool:
    return name.startswith("ok")


def message(result: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


def result_of(text: bytes, *, modern: bool = False) -> Any:
    out = filtered(text, shown, modern=modern)
    return None if out is None else json.loads(out)["result"]


def test_what_is_not_shown_is_dropped_and_the_order_kept() -> None:
    names = ["ok2", "secret", "ok1", "ok3"]
    kept = result_of(message({"tools": [{"name": name} for name in names], "nextCursor": "x"}))
    assert kept == {"tools": [{"name": "ok2"}, {"name": "ok1"}, {"name": "ok3"}], "nextCursor": "x"}


def test_everything_else_of_a_tool_is_kept_as_it_was_written() -> None:
    text = b'{"id":1,"result":{"tools":[{"name":"ok","x":1.50,"big":12345678901234567890,"z":-0}]}}'
    assert filtered(text, shown, modern=False) == text


@pytest.mark.parametrize(
    "tool",
    [None, 1, "ok", [], {}, {"name": 1}, {"name": None}, {"Name": "ok"}, {"name": "ok", "Name": "secret"}],
)
def test_an_entry_without_a_readable_name_is_dropped(tool: Any) -> None:
    assert result_of(message({"tools": [tool]})) == {"tools": []}


@pytest.mark.parametrize("key", ["Tools", "TOOLS", "tool\u017f"])
def test_another_spelling_of_the_key_is_filtered_too(key: str) -> None:
    for text in (message({key: [{"name": "secret"}]}), json.dumps(
        {"id": 1, "result": {key: [{"name": "secret"}]}}, ensure_ascii=False).encode()):  # fmt: skip
        assert result_of(text) == {key: []}


@pytest.mark.parametrize("key", ["Result", "RESULT", "re\u017fult"])
def test_a_result_under_another_spelling_is_filtered_too(key: str) -> None:
    out = filtered(json.dumps({"id": 1, key: {"tools": [{"name": "secret"}]}}).encode(), shown, modern=False)
    assert out is not None
    assert json.loads(out)[key] == {"tools": []}


def test_every_answer_of_a_batch_is_filtered() -> None:
    listed = message({"tools": [{"name": "secret"}, {"name": "ok"}]})
    out = filtered(b"[1," + listed + b"]", shown, modern=False)
    assert out is not None
    assert json.loads(out)[1]["result"] == {"tools": [{"name": "ok"}]}


def test_two_lists_in_one_object_are_refused() -> None:
    with pytest.raises(NotStrict):
        filtered(b'{"id":1,"result":{"tools":[],"tools":[{"name":"secret"}]}}', shown, modern=False)


@pytest.mark.parametrize(
    "text",
    [
        message({"content": [{"type": "text", "text": "no list here"}]}),
        message({"structuredContent": {"tools": [{"name": "secret"}]}}),
        message({"tools": {"name": "secret"}}),
        b'{"id":1,"error":{"code":1,"message":"tools"}}',
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{"tools":[1]}}',
        b"not json at all",
    ],
)
def test_what_is_no_list_of_tools_leaves_untouched(text: bytes) -> None:
    assert filtered(text, shown, modern=False) is None


def test_a_list_for_one_client_is_never_cached_for_others() -> None:
    assert result_of(message({"tools": [], "cacheScope": "public"}))["cacheScope"] == "private"
    assert result_of(message({"tools": []}), modern=True)["cacheScope"] == "private"
    assert "cacheScope" not in result_of(message({"tools": []}))
