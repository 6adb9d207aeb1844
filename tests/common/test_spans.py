"""Spans of time, as people write them and read them."""

import pytest

from common.spans import seconds_of, span_in_words


@pytest.mark.parametrize(
    ("written", "seconds", "read"),
    [
        ("15 minutes", 900, "15 minutes"),
        ("1 day", 86_400, "1 day"),
        ("90min", 5_400, "1 hour and 30 minutes"),
        (" 1 Day, 2 hours and 3 s ", 93_603, "1 day, 2 hours and 3 seconds"),
        ("1h 1m", 3_660, "1 hour and 1 minute"),
        ("2 weeks", 1_209_600, "14 days"),
        ("0 hours", 0, "0 seconds"),
    ],
)
def test_a_span_is_read_and_said_in_the_units_people_use(written: str, seconds: int, read: str) -> None:
    assert seconds_of(written) == seconds
    assert span_in_words(seconds) == read
    assert seconds_of(read) == seconds


@pytest.mark.parametrize(
    "written", ["", "15", "many", "-1 day", "1.5 hours", "1 month", "1 day or 2", "\u0661 day", "1 day" * 99]
)
def test_what_is_no_span_is_none(written: str) -> None:
    assert seconds_of(written) is None
