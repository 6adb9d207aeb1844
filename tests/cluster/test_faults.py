"""Each fault of the proxy does what its name says, so what the product survives really happened."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.faults import Delay, Dribble, Drop, Faults, HalfOpen, Link, Pass, Refuse, ResetMidBody
from tests.journeys.api import wait_until

ANSWER = b"x" * 2_000


@pytest.fixture
def faults() -> Iterator[Faults]:
    made = Faults()
    yield made
    made.close()


@pytest.fixture
def heard() -> list[bytes]:
    return []


@pytest.fixture
def link(faults: Faults, heard: list[bytes]) -> Iterator[Link]:
    """A link to a server that answers every request with 2,000 bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(one,), daemon=True).start()

        def answer(one: socket.socket) -> None:
            with one, contextlib.suppress(OSError):
                while data := one.recv(1024):
                    heard.append(data)
                    one.sendall(ANSWER)

        threading.Thread(target=serve, daemon=True).start()
        yield faults.link(("127.0.0.1", listener.getsockname()[1]))


def ask(link: Link, seconds: float = 0.5) -> tuple[bytes, str]:
    """Return what came back and how it ended: with everything, in silence, or with a reset."""
    try:
        with socket.create_connection(("127.0.0.1", link.port), timeout=seconds) as one:
            return _ask(one, seconds)
    except ConnectionError:
        return b"", "reset"


def _ask(one: socket.socket, seconds: float) -> tuple[bytes, str]:
    got = b""
    until = time.monotonic() + seconds
    try:
        one.sendall(b"?")
        while len(got) < len(ANSWER):
            one.settimeout(max(until - time.monotonic(), 0.01))
            data = one.recv(4096)
            if not data:
                return got, "end"
            got += data
    except TimeoutError:
        return got, "silence"
    except ConnectionError:
        return got, "reset"
    return got, "all"


def test_without_a_fault_everything_goes_through(link: Link) -> None:
    assert ask(link, 60) == (ANSWER, "all")


def test_a_delay_delays_both_ways(link: Link) -> None:
    link.fault = Delay(0.2)
    began = time.monotonic()
    assert ask(link, 60) == (ANSWER, "all")
    assert time.monotonic() - began >= 0.4


def test_what_is_dropped_neither_arrives_nor_ends(link: Link, heard: list[bytes]) -> None:
    link.fault = Drop()
    assert ask(link) == (b"", "silence")
    assert heard == []


def test_half_open_is_heard_and_never_answered_until_it_heals(link: Link, heard: list[bytes]) -> None:
    link.fault = HalfOpen()
    with socket.create_connection(("127.0.0.1", link.port), timeout=60) as one:
        assert _ask(one, 0.5) == (b"", "silence")
        wait_until(lambda: heard == [b"?"], "it was not heard")
        link.fault = Pass()
        assert _ask(one, 60)[1] == "all"


def test_a_reset_comes_in_the_middle_of_the_answer(link: Link) -> None:
    link.fault = ResetMidBody(700)
    assert ask(link, 60) == (b"x" * 700, "reset")


def test_refusing_cuts_what_is_open_and_takes_nobody_new(link: Link, heard: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", link.port), timeout=60) as one:
        assert _ask(one, 60)[1] == "all"
        link.fault = Refuse()
        assert _ask(one, 60)[1] in ("reset", "end")
    heard.clear()
    assert ask(link, 60)[1] in ("reset", "end")
    assert heard == []


def test_a_dribble_takes_its_time_and_loses_nothing(link: Link) -> None:
    link.fault = Dribble(500, 0.1)
    began = time.monotonic()
    assert ask(link, 60) == (ANSWER, "all")
    assert time.monotonic() - began >= 0.3


def test_a_link_between_unix_sockets_carries_as_well(faults: Faults, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "there"))
        listener.listen()
        faults.link(tmp_path / "there", at=tmp_path / "here")
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(tmp_path / "here"))
            one.sendall(b"hello")
            with listener.accept()[0] as arrived:
                assert arrived.recv(10) == b"hello"


def test_who_dies_with_an_answer_unread_is_gone_on_the_other_side_too(faults: Faults, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "there"))
        listener.listen()
        faults.link(tmp_path / "there", at=tmp_path / "here")
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(tmp_path / "here"))
        with listener.accept()[0] as arrived:
            arrived.settimeout(60)
            arrived.sendall(ANSWER)
            assert one.recv(1) == b"x"  # the rest has arrived, unread
            one.close()
            with contextlib.suppress(ConnectionError):
                assert arrived.recv(10) == b""
