"""A head that was parsed once is recognised by its bytes, and nothing else is mistaken for it."""

from __future__ import annotations

import pytest

from gateway.http_messages import KnownFrame

MOST = 1_000_000


def message(length: object, body: bytes) -> bytes:
    return f"POST / HTTP/1.1\r\nContent-Length: {length}\r\nX: 1\r\n\r\n".encode() + body


def known(body: bytes = b"a" * 50) -> KnownFrame:
    frame = KnownFrame.of(message(len(body), body), len(body))
    assert frame is not None
    return frame


def test_a_body_of_any_length_is_found_whatever_came_before() -> None:
    frame = known()
    for size in [*range(1, 1_100), 50, 9_999, 10_000, 99_999, 100_000, 1, 999, 9, 1_000_000]:
        body = b"b" * size
        assert frame.body_in(message(size, body), MOST) == body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P",
        message(0, b""),
        message(10, b"a" * 9),
        message(9, b"a" * 10),
        message(10, b"a" * 100),
        message("010", b"a" * 10),
        message("+10", b"a" * 10),
        message("-1", b""),
        message(" 10", b"a" * 10),
        message("10 ", b"a" * 10),
        message("1e1", b"a" * 10),
        message(10, b"a" * 10).replace(b"X: 1", b"X: 2"),
        message(10, b"a" * 10).replace(b"POST", b"PUT "),
        message(10, b"a" * 10).replace(b"\r\n\r\n", b"\r\n \n"),
        message(10, b"a" * 10) + message(10, b"a" * 10),
        message(MOST + 1, b"a" * (MOST + 1)),
    ],
)
def test_whatever_differs_is_read_as_any_other(data: bytes) -> None:
    frame = known()
    for _ in range(2):
        assert frame.body_in(data, MOST) is None
    assert frame.body_in(message(10, b"c" * 10), MOST) == b"c" * 10


def test_a_head_that_another_follows_in_the_body_is_not_learnt() -> None:
    body = b"\r\ncontent-length: 40\r\n\r\n".ljust(40, b"x")
    head = b"POST / HTTP/1.1\r\nContent-Length:\t40\r\n\r\n"
    assert KnownFrame.of(head + body + b"\r\n" * 12, 40) is None


@pytest.mark.parametrize("last", [50, 5])
def test_what_is_too_short_for_a_head_is_read_as_any_other(last: int) -> None:
    begun = message("", b"").partition(b"\r\nX")[0]
    for size in range(40):
        assert known(b"a" * last).body_in(begun + b"1" * size, MOST) is None
