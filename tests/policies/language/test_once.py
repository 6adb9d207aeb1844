"""A large text is read once inside the block and kept for the next; what is read is the same."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial

import pytest

from policies.language.blocks import read_blocks
from policies.language.json_reader import TextError, read_json
from policies.language.once import _Readings, apart, each_text_once, once
from policies.language.text_tree import tree_of

LARGE = (
    '{"version": "1", "default": "deny", "tools": {' + ", ".join(f'"t{n}": {{}}' for n in range(900)) + "}}"
)


def test_each_text_is_read_once_inside_and_anew_outside() -> None:
    times: list[str] = []
    with each_text_once():
        for _ in range(3):
            once("kind", LARGE, lambda: times.append("inside"))
            once("other", LARGE, lambda: times.append("other kind"))
        with each_text_once():
            once("kind", LARGE, lambda: times.append("nested"))
        once("kind", LARGE, lambda: times.append("after the nested"))
    once("kind", LARGE, lambda: times.append("outside"))
    assert times == ["inside", "other kind", "outside"]


def test_what_is_read_is_the_same() -> None:
    apart = read_json(LARGE), read_blocks(LARGE)
    with each_text_once():
        assert (read_json(LARGE), read_blocks(LARGE)) == apart
        assert read_json(LARGE) is read_json(LARGE)
        assert tree_of(LARGE).root == read_json(LARGE)


def test_a_text_that_is_no_json_is_refused_every_time() -> None:
    with each_text_once():
        for _ in range(2):
            with pytest.raises(TextError):
                read_json(LARGE[:-1])


def test_depths_are_told_apart() -> None:
    deep = "[" * 20 + "1" + "]" * 20 + " " * 5_000
    with each_text_once():
        assert read_json(deep).value
        with pytest.raises(TextError):
            read_json(deep, 10)


def test_another_thread_shares_nothing_and_the_collector_wakes_again() -> None:
    seen: list[object] = []
    with each_text_once():
        mine = read_json(LARGE)
        other = threading.Thread(target=lambda: seen.append(read_json(LARGE)))
        other.start()
        other.join(30)
    assert seen and seen[0] is not mine and seen[0] == mine
    assert gc.isenabled()
    assert read_json(LARGE) is not mine


def test_what_was_read_is_kept_for_the_next_block_up_to_a_bound() -> None:
    kept = _Readings(most=25)
    kept.of("a" * 10)["kind", None] = "read"
    kept.of("b" * 10)
    assert kept.of("a" * 10) == {("kind", None): "read"}
    kept.of("c" * 10)
    assert kept.of("a" * 10) and not kept.of("b" * 10)


def test_one_text_for_other_tools_is_read_anew() -> None:
    times: list[str] = []
    for tools in ("some", "some", "others"):
        with each_text_once():
            once("for tools", LARGE, partial(times.append, tools), tools)
    assert times == ["some", "others"]


def test_what_is_read_apart_takes_no_place_of_what_is_kept() -> None:
    times: list[str] = []
    with each_text_once():
        mine = read_json(LARGE)
        with apart():
            once("kind", LARGE, lambda: times.append("apart"))
            once("kind", LARGE, lambda: times.append("apart"))
            with each_text_once():
                assert read_json(LARGE) is mine, "inside of it a block is a block"
        assert read_json(LARGE) is mine
    assert times == ["apart", "apart"]


def test_the_collector_still_finds_what_goes_in_circles() -> None:
    class Circle:
        def __init__(self) -> None:
            self.itself = self

    with each_text_once():
        gone = weakref.ref(Circle())
    assert gc.isenabled() and gc.get_freeze_count() == 0
    gc.collect()
    assert gone() is None


def test_what_somebody_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with each_text_once():
            read_json(LARGE)
        assert gc.get_freeze_count() > frozen // 2
    finally:
        gc.unfreeze()
