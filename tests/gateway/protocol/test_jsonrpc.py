from __future__ import annotations

import json

import pytest

from gateway.protocol.jsonrpc import Answer, Notification, Refused, Request, read, same_id


def call(**changed: object) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a"}} | changed
    return json.dumps({key: value for key, value in message.items() if value is not ...}).encode()


def test_a_request_a_notification_and_an_answer_are_told_apart() -> None:
    assert isinstance(read(call()), Request)
    assert isinstance(read(call(id=...)), Notification)
    assert isinstance(read(b'{"jsonrpc":"2.0","id":"a","result":{}}'), Answer)
    assert isinstance(read(b'{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"x"}}'), Answer)


@pytest.mark.parametrize("id", ["", "a", 0, -1, 2**53, 1763716342000000000, 10**25])
def test_an_id_comes_back_as_it_was(id: object) -> None:
    message = read(call(id=id))
    assert isinstance(message, Request)
    assert str(message.id) == str(id)


@pytest.mark.parametrize(
    "body",
    [
        call(id=None),
        call(id=True),
        call(id=1.5),
        call(id=[1]),
        call(id={}),
        call(jsonrpc="1.0"),
        call(jsonrpc=2.0),
        call(jsonrpc=...),
        call(method=1),
        call(method=None),
        call(params=[]),
        call(params=None),
        call(params="a"),
        call(result={}),
        call(error={}),
        call(method=...),
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
        b'{"jsonrpc":"2.0","result":{}}',
        b'{"jsonrpc":"2.0","id":null,"result":{}}',
        b"{}",
        b"[]",
        b"[" + call() + b"]",
        b"[" + call() + b"," + call(id=2) + b"]",
        b"null",
        b"",
        call()[:-1],
    ],
)
def test_what_is_no_single_message_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read(body)
    assert refused.value.status == 400
    assert refused.value.code in (-32700, -32600)


@pytest.mark.parametrize(
    "twin", ["Method", "METHOD", "ID", "JSONRPC", "j\u017fonrpc", "param\u017f", "Params", "Result", "erroR"]
)
def test_a_twin_of_an_envelope_key_is_refused(twin: str) -> None:
    with pytest.raises(Refused):
        read(call(**{twin: "tools/list"}))


@pytest.mark.parametrize(
    "twin",
    ["Name", "NAME", "Argument\u017f", "ARGUMENTS", "_Meta", "URI", "tas\u212a", "Ref", "request\u017ftate"],
)
def test_a_twin_of_a_params_key_is_refused(twin: str) -> None:
    with pytest.raises(Refused):
        read(call(params={"name": "a", twin: "b"}))


def test_a_twin_spelt_with_escapes_is_refused() -> None:
    with pytest.raises(Refused):
        read(rb'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","\u004eame":"b"}}')
    with pytest.raises(Refused):
        read(rb'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","argument\u017f":{}}}')


@pytest.mark.parametrize(
    ("params", "inner"),
    [
        ("_meta", {"IO.modelcontextprotocol/protocolVersion": "x"}),
        ("ref", {"type": "ref/prompt", "name": "a", "Name": "b"}),
        ("notifications", {"ResourceSubscriptions": []}),
    ],
)
def test_a_twin_further_in_is_refused_where_it_is_read(params: str, inner: object) -> None:
    with pytest.raises(Refused):
        read(call(params={params: inner}))


def test_arguments_may_have_any_keys() -> None:
    message = read(call(params={"name": "a", "arguments": {"Name": 1, "METHOD": 2, "name": 3}}))
    assert isinstance(message, Request)


def test_the_id_of_a_refused_request_is_told_where_it_could_be_read() -> None:
    with pytest.raises(Refused) as refused:
        read(call(params={"name": "a", "Name": "b"}))
    assert refused.value.id == 1


def test_a_text_and_a_number_are_two_ids() -> None:
    assert same_id(1, 1)
    assert not same_id(1, "1")
