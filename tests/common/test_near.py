from __future__ import annotations

import pytest

from common.near import near_miss

TOOLS = ("create_refund", "list_charges", "get_invoice", "x\u202e", "a" * 500)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("refnd", "refund"),
        ("Create_refnd", "create_refund"),
        ("invoces", "invoice"),
        ("charge", "charges"),
        ("zebra", ""),
        ("re", ""),
        ("", ""),
        ("\x00" * 5, ""),
        ("a" * 400, ""),
    ],
)
def test_the_nearest_name_or_word_is_what_was_meant(typed: str, meant: str) -> None:
    assert near_miss(typed, TOOLS) == meant


def test_nothing_is_meant_where_there_is_nothing() -> None:
    assert near_miss("refund", ()) == ""
