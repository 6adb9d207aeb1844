"""A large text is read once inside the block and kept for the next; what is read is the same."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.language.blocks import read_blocks
from policies.language.board import read_board
from policies.language.compile import ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.decision import ToolCall
from policies.language.effects import effects
from policies.language.explain import explain
from policies.language.json_reader import TextError, read_json
from policies.language.once import _Pieces, _Readings, apart, each_text_once, once, piece
from policies.language.parse import parse_policy
from policies.language.problems import PolicyInvalid
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


# ---- pieces
def test_a_piece_is_made_once_inside_and_found_by_all_that_it_is_made_of() -> None:
    made: list[object] = []

    def make() -> tuple[object, bool]:
        made.append(object())
        return made[-1], True

    with each_text_once():
        first = piece(("test", "a"), 1, make)
        assert first is made[0]
        assert piece(("test", "a"), 1, make) is first
        assert piece(("test", "b"), 1, make) is not first
        assert piece(("test", "c"), 1, lambda: ("not to be kept", False)) == "not to be kept"
        assert piece(("test", "c"), 1, make) is made[-1] and len(made) == 3
    assert piece(("test", "a"), 1, make) is not first


def test_pieces_that_nobody_asks_for_go() -> None:
    kept = _Pieces(most=10)
    for number in range(100):
        kept.keep(number, f"piece {number}", 1)
        assert kept.get(0, 1) == "piece 0"
    assert kept.get(50, 1) is None
    assert len(kept._young) + len(kept._old) <= 24


RULES = (
    "{}",
    '{"action": "deny", "reason": "No."}',
    '{"action": "require_approval"}',
    '{"limits": [{"counter": "c", "window": "minute", "max": 3, "scope": "grant"}]}',
    '{"rate_limit": {"max": 3, "window": "hour"}}',
    '{"require": [{"conditions": [{"path": "args.owner", "op": "in", "value": ["a", "b"]}]}]}',
    '{"deny_if": [{"conditions": [{"path": "args.owner", "op": "regex", "value": "^a+$"}]}]}',
    '{"approve_if": [{"conditions": []}], "limits": []}',
    '{"deny_if": [{"conditions": [{"path": "args.owner", "op": "regex", "value": "("}]}]}',
    '{"acton": "deny"}',
    '{"action": "deny", "action": "allow"}',
    "[]",
    " {  }\n ",
)
NAMES = ("tool_1", "tool_2", "tool_3", "delete_*", "*", "bad name", "tool_1")


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Of which one and the next have most in common."""
    members = [f'"{name}": {draw(st.sampled_from(RULES))}' for name in draw(st.permutations(NAMES))]
    everywhere = draw(st.sampled_from(("", *(f'"all_tools": {rule},' for rule in RULES))))
    twice = draw(st.sampled_from(("", f'"all_tools": {RULES[1]},')))
    default = draw(st.sampled_from(("allow", "deny")))
    tools = draw(st.sampled_from((",", " ,\n"))).join(members[: draw(st.integers(0, len(members)))])
    head = f'"version": "1", "default": "{default}"'
    space = " " * draw(st.sampled_from((0, 5_000)))  # short texts are read anew each time
    return f'{{{space}{everywhere}{twice}{head}, "tools": {{{tools}}}}}'


def said(text: str) -> object:
    tools = [ToolFacts(name, "Read", {"type": "object"}) for name in ("tool_1", "tool_2", "delete_all")]
    try:
        found = parse_policy(text)
    except PolicyInvalid as invalid:
        return invalid.problems, read_blocks(text), read_board(text, tools)
    compiled = compile_policy(found, tools)
    calls = [
        decide(compiled, ToolCall(tool.name, {"owner": owner}))
        for tool in tools
        for owner in ("a", "aaa", "c", 1)
    ]
    words = {tool.name: explain(compiled, tool.name) for tool in tools}
    return found, read_blocks(text), read_board(text, tools), effects(compiled, words), words, calls


@given(st.lists(texts(), min_size=2, max_size=4))
def test_what_is_made_of_pieces_is_what_is_made_anew(written: list[str]) -> None:
    anew = [said(text) for text in written]
    with each_text_once():
        assert [said(text) for text in written] == anew
    with each_text_once():
        assert [said(text) for text in reversed(written)] == anew[::-1]
