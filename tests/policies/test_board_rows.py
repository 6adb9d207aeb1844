"""Rows of the board are drawn once for what they show, and anew as soon as any of it differs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.template import Context, Template

from policies.builder.board_view import Beside, BoardRow, view_board
from policies.builder.look import Look
from policies.language.board import Address, Verb, read_board
from policies.language.compile import ToolFacts

ROW = BoardRow(
    key="/tools/refund",
    id="r1",
    name="refund",
    address=Address("tools", "refund"),
    verb=Verb.LIMIT,
    own=True,
    was=None,
    changed=False,
    said="own rule",
    severity=3,
    problems=0,
    odd=0,
    opened=False,
    pill="30/min",
)


def drawn(row: BoardRow, may_edit: bool = True, look: Look | None = None) -> str:
    given = {"row": row, "may_edit": may_edit, "look": look or Look()}
    return Template("{% load board %}{% board_row row %}").render(Context(given))


def test_an_equal_row_is_drawn_once() -> None:
    first = drawn(ROW)
    assert "30/min" in first and 'checked aria-label="Limit' not in first
    assert drawn(replace(ROW)) == first
    assert drawn(ROW, look=Look(page=3, opened="/tools/other")) == first, "which page is no part of a row"


@pytest.mark.parametrize(
    "other",
    [
        replace(ROW, pill="31/min"),
        replace(ROW, verb=Verb.DENY),
        replace(ROW, problems=1),
        replace(ROW, name="refund<b>", key="/tools/refund<b>"),
        replace(ROW, was=Verb.ALLOW, changed=True),
        replace(ROW, own=False),
    ],
)
def test_whatever_differs_shows(other: BoardRow) -> None:
    assert drawn(other) != drawn(ROW)
    assert "<b>" not in drawn(other).replace("<b></b>", "")


def test_who_may_not_edit_and_who_looks_otherwise_sees_their_own() -> None:
    assert "disabled" in drawn(ROW, may_edit=False) and "disabled" not in drawn(ROW)
    assert "show=all" in drawn(ROW, look=Look(show="all"))
    assert "q=%3Cb%3E" in drawn(ROW, look=Look(wanted="<b>"))


def test_what_is_to_be_known_of_a_rule_for_a_class_counts_and_is_shown_among_the_problems() -> None:
    text = '{"version": "1", "default": "deny", "classes": {"Read": {}}, "tools": {"a": {}}}'
    board = read_board(text, [ToolFacts("a", "Read", {})])
    beside = Beside.of(None, problems=[], odd=["/classes/Read"], tools=[])
    seen = view_board(board, beside, Look(show="problems"))
    assert seen.with_problems == 1
    assert [(group.tool_class, group.rows) for group in seen.groups] == [("Read", ())]
    assert view_board(board, beside, Look(show="changed")).groups == ()
