from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sse import EndpointEvent, EventStream, EventTooLarge
from gateway.protocol.tool_list import filtered


def stream(max_event: int = 10_000) -> EventStream:
    return EventStream(
        wrap_id=lambda handle: b"<" + handle + b">",
        rewrite_data=lambda data: filtered(data, lambda name: name == "shown", modern=False),
        max_event=max_event,
    )


LIST = json.dumps({"jsonrpc": "2.0", "id": 9, "result": {"tools": [{"name": "shown"}, {"name": "hidden"}]}})


def test_an_event_leaves_as_the_bytes_it_came_in() -> None:
    event = b'event: message\r\nretry: 5\r\ndata: {"a":  1}\r\nodd: field\r\n\r\n'
    assert stream().feed(event) == event


def test_an_event_waits_for_its_end_and_no_longer() -> None:
    events = stream()
    assert events.feed(b'data: {"a":') == b""
    assert events.feed(b"1}\n") == b""
    assert events.feed(b"\ndata: 2") == b'data: {"a":1}\n\n'
    assert events.feed(b"\n\n") == b"data: 2\n\n"


def test_a_comment_does_not_wait_for_an_event() -> None:
    events = stream()
    assert events.feed(b": ping\n") == b": ping\n"
    assert events.feed(b"\n") == b"\n"
    assert events.feed(b": pi") == b""
    assert events.feed(b"ng\r\n\r\n") == b": ping\r\n\r\n"


def test_an_id_is_wrapped_and_makes_the_stream_resumable() -> None:
    events = stream()
    assert events.feed(b'id: 42\ndata: {"a":1}\n\n') == b'id: <42>\ndata: {"a":1}\n\n'
    assert events.resumable


@pytest.mark.parametrize("line", [b"id:42", b"id: 42", b"data: x\nid: 42", b"data: x\r\nid:42"])
def test_an_id_is_found_wherever_it_stands(line: bytes) -> None:
    assert b"id: <42>\n" in stream().feed(line + b"\n\n")


PIECES = [
    b"id",
    b"i",
    b"d",
    b"id:",
    b"id: 7",
    b"xid: 7",
    b'data: {"id": 1}',
    b":",
    b" ",
    b"\r",
    b"\n",
    b"\r\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_an_id_is_what_a_line_begins_with(pieces: list[bytes]) -> None:
    text = b"data: 1\n" + b"".join(pieces) + b"\n\n"
    assert stream().feed(text) == b"".join(map(wrapped, re.split(rb"(\r\n|\r|\n)", text)))


def wrapped(line: bytes) -> bytes:
    if line != b"id" and not line.startswith(b"id:"):
        return line
    handle = line[3:].removeprefix(b" ")
    return b"id: <%b>" % handle if handle else b"id: "


def test_an_empty_id_stays_empty() -> None:
    assert stream().feed(b"id\ndata: x\n\n") == b"id: \ndata: x\n\n"


@pytest.mark.parametrize(
    "data",
    [
        "data: " + LIST,
        "data:" + LIST,
        "data: " + LIST.replace('"tools"', '"t\\u006fols"'),
        "data: " + LIST.replace('"tools"', '"\\u0054ools"'),
        "data: " + LIST.replace(', "result"', ',\ndata: "result"'),
        "event: message\nid: 1\ndata: " + LIST,
        ": note\ndata: " + LIST,
    ],
)
def test_a_list_of_tools_is_filtered_however_it_comes(data: str) -> None:
    out = stream().feed((data + "\n\n").encode())
    assert b"hidden" not in out
    assert b"shown" in out


def test_an_address_nobody_expects_is_not_passed_on() -> None:
    with pytest.raises(EndpointEvent):
        stream().feed(b"event: endpoint\ndata: /messages?session=1\n\n")


def held_stream(told: list[bytes]) -> EventStream:
    def rewrite(endpoint: bytes) -> bytes:
        told.append(endpoint)
        return b"/ours"

    events = stream()
    events.rewrite_endpoint = rewrite
    return events


@pytest.mark.parametrize(
    "event",
    [
        b"event: endpoint\ndata: /m?s=1\n\n",
        b"event:endpoint\r\ndata:/m?s=1\r\n\r\n",
        b"data: /m?s=1\revent: endpoint\r\r",
        b"\xef\xbb\xbfevent: endpoint\ndata: /m?s=1\n\n",
        b": hello\n\nretry: 5\n\nevent: message\nevent: endpoint\ndata: /m?s=1\n\n",
    ],
)
def test_the_address_a_stream_names_first_becomes_ours(event: bytes) -> None:
    told: list[bytes] = []
    out = held_stream(told).feed(event)
    assert told == [b"/m?s=1"]
    assert out.endswith(b"event: endpoint\ndata: /ours\n\n")
    assert b"/m?s=1" not in out


@pytest.mark.parametrize(
    "events",
    [
        [b"event: endpoint\ndata: /a\n\n", b"event: endpoint\ndata: /b\n\n"],
        [b"event: endpoint\ndata: /a\n\nevent: endpoint\ndata: /b\n\n"],
        [b"data: {}\n\n", b"event: endpoint\ndata: /b\n\n"],
        [b"data: {}\n\nevent: endpoint\ndata: /b\n\n"],
        [b"event: endpoint\n\n"],
    ],
)
def test_an_address_that_is_not_the_first_thing_said_is_not_passed_on(events: list[bytes]) -> None:
    one = held_stream([])
    with pytest.raises(EndpointEvent):
        for event in events:
            one.feed(event)


def test_what_is_said_on_a_stream_is_heard_event_by_event() -> None:
    heard: list[bytes] = []
    events = stream()
    events.on_data = heard.append
    events.feed(b": ping\n\ndata: 1\n\nevent: message\ndata: 2\ndata: 3\n\nid: 4\n\n")
    assert heard == [b"1", b"2\n3"]


def test_an_event_without_end_is_given_up() -> None:
    events = stream(max_event=100)
    with pytest.raises(EventTooLarge):
        for _ in range(20):
            events.feed(b"data: " + b"x" * 10)


def test_a_byte_order_mark_hides_nothing() -> None:
    assert stream().feed(b"\xef\xbb\xbfid: 1\ndata: x\n\n") == b"id: <1>\ndata: x\n\n"
    events = stream()
    assert events.feed(b"\xef") == b""
    assert events.feed(b"\xbb\xbfid: 1\ndata: x\n\n") == b"id: <1>\ndata: x\n\n"


EVENTS = (
    b": hi\n\nid: 1\r\ndata: a\r\n\r\nevent: x\rdata: b\r\r"
    + b"data: "
    + LIST.encode()
    + b"\n\ndata: last\n\n"
)


@given(st.lists(st.integers(min_value=1, max_value=len(EVENTS) - 1), max_size=12))
def test_it_does_not_matter_how_the_bytes_arrive(cuts: list[int]) -> None:
    def parsed(out: bytes) -> list[bytes]:
        lines = out.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        return [line for line in lines if line]

    places = [0, *sorted(set(cuts)), len(EVENTS)]
    events = stream()
    out = b"".join(events.feed(EVENTS[a:b]) for a, b in pairwise(places))
    assert parsed(out) == parsed(stream().feed(EVENTS))
    assert b"hidden" not in out


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1e"])
@pytest.mark.parametrize("begin", [": comment", "event: message", "odd: field", "data2: x"])
def test_a_list_beside_the_data_is_no_list_to_anybody(begin: str, end: str) -> None:
    """Some clients end a line at these characters, and would take what follows for data."""
    hidden = f"{begin}{end}data: {LIST}\n"
    for event in (f"{hidden}\n", f"{hidden}data: 1\n\n", f"id: 4\n{hidden}data: {LIST}\n\n"):
        out = stream().feed(event.encode())
        assert b"hidden" not in out
        assert (b"data: 1\n\n" in out) == ("data: 1\n" in event)
        assert (b"id: <4>\n" in out) == ("id: 4\n" in event)


def test_data_in_several_lines_stays_what_it_was_when_something_beside_it_goes() -> None:
    event = b': "tools"\ndata: {"a":\ndata: 1}\n\n'
    assert stream().feed(event) == b'data: {"a":\ndata: 1}\n\n'
