"""What counts as the answer to a request: its result may be anything that is JSON."""

from __future__ import annotations

import jiter
import pytest

from gateway.protocol.answers import is_answer_to


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}',
        b' {"result" : null , "id" : 1}\r\n',
        b'{"id":1,"error":{"code":-32603,"message":"x"}}',
        b'{"id":null,"error":{"code":-32700,"message":"x"}}',
        b'{"error":{"code":-32700,"message":"x"}}',
        b'{"id":2,"id":1,"result":{}}',
        rb'{"\u0069d":1,"result":{}}',
        b'\xef\xbb\xbf{"id":1,"result":{}}',
        b'{"id":1,"result":[NaN,Infinity,1e999,-0,123456789012345678901234567890]}',
        rb'{"id":1,"result":"\ud800"}',
        '{"id":1,"result":{"é":"ü😀"}}'.encode(),
        b'{"id":1,"result":' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_an_answer_is_one(body: bytes) -> None:
    assert is_answer_to(body, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"1",
        b'{"id":1}',
        b'{"result":{}}',
        b'{"id":null,"result":{}}',
        b'{"id":"1","result":{}}',
        b'{"id":1.0,"result":{}}',
        b'{"id":true,"result":{}}',
        b'{"id":[1],"result":{}}',
        b'{"id":1,"id":2,"result":{}}',
        rb'{"id":1,"i\u0064":2,"result":{}}',
        b'{"ID":1,"result":{}}',
        b'[{"id":1,"result":{}}]',
        b'{"id":1,"result":{}}{}',
        b'{"id":1,"result":{}',
        b'{"id":1,"result":{"a":}}',
        b'{"id":1,"result":"\xff"}',
        b'{"id":1,"result":{"\xff":1}}',
        b'{"id":1,"result":"\xed\xa0\x80"}',
        b'{"id":1,"result":"\x01"}',
        b'{"id":1,"result":"\\x"}',
        b'{"id":1,"result":01}',
        b'{"id":1,"result":{}}\0',
        '{"id":1,"result":{}}'.encode("utf-16"),
        b'{"id":1,"result":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    ],
)
def test_anything_else_is_none(body: bytes) -> None:
    assert not is_answer_to(body, 1)


def test_an_id_is_known_again_by_its_kind_and_its_text() -> None:
    long = jiter.LosslessFloat(b"123456789012345678901234567890")
    assert is_answer_to(b'{"id":"a","result":{}}', "a")
    assert is_answer_to(b'{"id":123456789012345678901234567890,"result":{}}', long)
    assert not is_answer_to(b'{"id":123456789012345678901234567891,"result":{}}', long)
    assert not is_answer_to(b'{"id":0,"result":{}}', "0")
    assert not is_answer_to(b'{"id":-0,"result":{}}', "-0")
