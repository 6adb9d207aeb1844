"""The classifier on tools that were labelled before it was asked; no change of the rules may fall below."""

from __future__ import annotations

import pytest

from catalog.classifier.vocabulary import ToolClass
from tests.catalog.labelled import DRAWN, SETS, WRITTEN, answered, asked, share

# Right by the reader's first label; by a class the reader allowed. How right each set was when first met,
# before its misses were looked at by their kinds, is in docs/measurements.md; these only hold what was won.
FLOORS = {
    ("first", True): (0.91, 0.96),
    ("first", False): (0.90, 0.96),
    ("second", True): (0.87, 0.93),
    ("second", False): (0.87, 0.93),
    ("drawn-1", False): (0.92, 0.95),
    ("drawn-2", False): (0.94, 0.96),
    ("drawn-3", False): (0.93, 0.96),
    ("drawn-4", False): (0.93, 0.95),
    ("drawn-5", False): (0.93, 0.94),
    ("drawn-6", False): (0.92, 0.95),
    ("drawn-7", False): (0.92, 0.95),
    ("drawn-8", False): (0.95, 0.97),
    ("drawn-9", False): (0.95, 0.97),
    ("drawn-10", False): (0.92, 0.95),
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


@pytest.mark.parametrize("name", DRAWN)
def test_what_a_reader_could_not_tell_is_hardly_ever_taken_for_reading(name: str) -> None:
    untold = [one for one in asked(name, described=False) if one.tool.label is None]
    assert sum(one.found.tool_class is ToolClass.READ and not one.found.needs_review for one in untold) <= 3


@pytest.mark.parametrize("name", SETS)
def test_few_of_them_wait_for_a_person(name: str) -> None:
    assert share([one.found.needs_review for one in answered(name, described=False)]) <= 0.12
