"""One meaning: a text is refused, or three parsers read what we send on as they read what we judged."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import jiter
import pytest

from gateway.protocol.jsonrpc import Refused, Request, read
from gateway.protocol.strict_json import NotStrict, encode, parse
from tests.foreign_npm import node_command
from tests.gateway.protocol.json_corpus import NO, OPEN, YES
from tests.policies.naive.values import Num

EVERY = {**YES, **NO, **OPEN}


def judged(text: bytes) -> bytes | None:
    """The text as it is sent on, or None if it is refused."""
    try:
        return encode(parse(text))
    except NotStrict:
        return None


def in_a_call(text: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"x":%b}}}' % text


def as_json_reads(text: bytes) -> Any:
    """Read with members in order and numbers as spelt, so that no loss goes unnoticed."""
    return json.loads(text.decode("utf-8"), parse_int=Num, parse_float=Num, object_pairs_hook=tuple)


def as_jiter_reads(text: bytes) -> Any:
    return repr(jiter.from_json(text, float_mode="float", allow_inf_nan=False))


@pytest.mark.parametrize("name", YES)
def test_what_every_parser_takes_is_taken(name: str) -> None:
    assert judged(YES[name]) is not None


@pytest.mark.parametrize("name", NO)
def test_what_no_parser_may_take_is_refused(name: str) -> None:
    assert judged(NO[name]) is None
    with pytest.raises(Refused):
        read(in_a_call(NO[name]))


@pytest.mark.parametrize("name", EVERY)
def test_two_parsers_read_what_is_sent_on_as_they_read_what_was_judged(name: str) -> None:
    for text in (EVERY[name], in_a_call(EVERY[name])):
        sent = judged(text)
        if sent is not None:
            assert as_json_reads(sent) == as_json_reads(text)
            assert as_jiter_reads(sent) == as_jiter_reads(text)


@pytest.mark.parametrize("name", OPEN)
def test_a_call_with_it_is_refused_or_sent_on_with_one_meaning(name: str) -> None:
    try:
        message = read(in_a_call(OPEN[name]))
    except Refused:
        return
    assert isinstance(message, Request)
    assert as_json_reads(encode(message.tree)) == as_json_reads(in_a_call(OPEN[name]))


def test_node_reads_what_is_sent_on_as_it_reads_what_was_judged() -> None:
    texts = [text for one in EVERY.values() for text in (one, in_a_call(one))]
    pairs = [(text, sent) for text in texts if (sent := judged(text)) is not None]
    lines = [b" ".join(base64.b64encode(part) for part in pair) for pair in pairs]
    ran = subprocess.run(
        node_command("node-22", "alike.mjs"),
        input=b"\n".join(lines),
        capture_output=True,
        timeout=180,
        check=True,
    )
    answers = ran.stdout.split()
    assert len(answers) == len(pairs) > 2 * len(YES)
    differ = [pair for pair, alike in zip(pairs, answers, strict=True) if alike != b"true"]
    assert not differ, [text[:100] for text, _ in differ]
