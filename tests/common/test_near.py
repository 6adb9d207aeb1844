from __future__ import annotations

import random
from difflib import get_close_matches

import pytest

from common.near import near_miss
from tests.steps import steps

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


def test_nothing_near_is_passed_over_unread() -> None:
    pick = random.Random(7)
    for _ in range(300):
        words = ["".join(pick.choices("abcd", k=pick.randint(3, 12))) for _ in range(12)]
        typed = "".join(pick.choices("abcde", k=pick.randint(3, 12)))
        alike = get_close_matches(typed, words, 1, 0.7)
        assert near_miss(typed, words) == (alike[0] if alike else "")


def test_of_thousands_of_names_few_are_compared() -> None:
    names = [f"{verb}_{number}" for number in range(1_000) for verb in ("fetch", "update")]
    assert steps(lambda: near_miss("nowhere", names)) <= 25 * len(names)
