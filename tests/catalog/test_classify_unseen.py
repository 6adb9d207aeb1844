"""The classifier on tools that were labelled before it was asked; no change of the rules may fall below."""

from __future__ import annotations

import pytest

from catalog.vocabulary import ToolClass
from tests.catalog.labelled import WRITTEN, answered, share

# Right by the reader's first label; by a class the reader allowed. The first set's misses were looked at, by
# their kinds; those of the second were met once (0.85 and 0.91, 0.83 and 0.90), and then by kinds, too.
FLOORS = {
    ("first", True): (0.91, 0.96),
    ("first", False): (0.90, 0.96),
    ("second", True): (0.84, 0.90),
    ("second", False): (0.82, 0.89),
}
GRAVE = (ToolClass.DESTRUCTIVE, ToolClass.FINANCIAL)


@pytest.mark.parametrize(("name", "described"), FLOORS)
def test_most_tools_are_classed_as_a_reader_does(name: str, described: bool) -> None:
    given = answered(name, described=described)
    right, allowed = FLOORS[name, described]
    assert share([one.is_right for one in given]) >= right
    assert share([one.is_allowed for one in given]) >= allowed


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("name", WRITTEN)
def test_nothing_that_destroys_or_pays_is_taken_for_reading(name: str, described: bool) -> None:
    given = [one for one in answered(name, described=described) if one.tool.label in GRAVE]
    assert len(given) > 30
    assert [one.tool.name for one in given if one.found.tool_class is ToolClass.READ] == []


@pytest.mark.parametrize("name", WRITTEN)
def test_few_of_them_wait_for_a_person(name: str) -> None:
    assert share([one.found.needs_review for one in answered(name, described=False)]) <= 0.12
