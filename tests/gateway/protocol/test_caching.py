"""Answers to one grant are kept out of caches that serve others."""

from __future__ import annotations

import json

import pytest

from gateway.protocol.caching import MakingPrivate, made_private, may_be_kept
from gateway.protocol.jsonrpc import message_of


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b'{"cacheScope":"public"}', b'{"cacheScope":"private"}'),
        (b'{"a":1,"cacheScope" :\r\n "public","b":2}', b'{"a":1,"cacheScope" :\r\n "private","b":2}'),
        (b'{"cacheScope":"private"}', b'{"cacheScope":"private"}'),
        (b'{"text":"\\"cacheScope\\":\\"public\\""}', b'{"text":"\\"cacheScope\\":\\"public\\""}'),
        (b'{"text":"public"}', b'{"text":"public"}'),
    ],
)
def test_a_scope_is_made_private_and_nothing_else_is_touched(said: bytes, told: bytes) -> None:
    assert made_private(said) == told


@pytest.mark.parametrize("size", [1, 2, 7, 100, 1_000])
def test_it_is_made_private_however_the_text_is_cut(size: int) -> None:
    said = json.dumps({"contents": ["x" * 400], "cacheScope": "public", "more": "y" * 400}).encode()
    private = MakingPrivate()
    told = b"".join(private.feed(said[at : at + size]) for at in range(0, len(said), size)) + private.end(b"")
    assert json.loads(told) == json.loads(said) | {"cacheScope": "private"}


def test_what_a_tool_returns_may_speak_of_scopes_of_its_own() -> None:
    call = message_of({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}})
    read = message_of({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {}})
    assert not may_be_kept(call)
    assert may_be_kept(read)
    assert not may_be_kept(None)
