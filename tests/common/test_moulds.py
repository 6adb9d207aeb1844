from __future__ import annotations

import pytest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.templatetags._moulds import filled
from tests.steps import steps

HOSTILE = "<script>alert('{x}')</script>&\""


class Words:
    def __str__(self) -> str:
        return HOSTILE


class Claimed(SafeString):
    """Says of itself that nothing in it needs escaping."""


@pytest.mark.parametrize("words", [HOSTILE, Words(), Claimed(HOSTILE)])
def test_whatever_fills_a_mould_is_escaped(words: object) -> None:
    expected = format_html("{}", HOSTILE)
    assert f"<title>{expected}</title>" in filled("audit/_column.html", [{"words": words, "x": 1}])


def test_what_was_escaped_is_not_escaped_again_and_the_whole_is_safe() -> None:
    drawn = filled("audit/_column.html", [{"words": format_html("{}", HOSTILE), "x": 1}] * 2)
    assert drawn.count(f"<title>{format_html('{}', HOSTILE)}</title>") == 2
    assert isinstance(drawn, SafeString)


def test_numbers_stand_in_the_way_the_mould_says() -> None:
    counts = {"allow": 1234567, "limit": 0, "approval": 1, "deny": 2, "hidden": 3}
    assert '<td class="r">1,234,567</td>' in filled("audit/_calls_row.html", [{"at": "now", **counts}])


def test_a_row_costs_a_few_steps() -> None:
    rows = [{"words": f"{number} <calls>", "x": number} for number in range(100)]
    filled("audit/_column.html", rows)
    assert steps(lambda: filled("audit/_column.html", rows)) <= 100 * 30
