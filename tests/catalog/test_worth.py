"""The rule that is hinted at for an argument is one that can be written for its type."""

from __future__ import annotations

import pytest

from catalog.worth import worth_a_rule

DEEDS = ("get", "delete")


@pytest.mark.parametrize(
    ("name", "kind", "choices", "begins"),
    [
        ("to", "string", (), "Only your own domain"),
        ("toRevision", "number", (), ""),
        ("user_id", "string", (), "Only names your agents own"),
        ("user_id", "integer", (), ""),
        ("id", "integer|string", (), "Only names your agents own"),
        ("limit", "integer", (), "An upper bound"),
        ("amount", "number", (), "Set a ceiling"),
        ("max_size", "boolean", (), ""),
        ("force", "boolean", (), "A yes the caller gives itself"),
        ("include_path", "boolean", (), ""),
        ("action", "string", DEEDS, "Only what your agents are there for"),
        ("action", "string", (), ""),
        ("colour", "string", DEEDS, ""),
        ("branch", "string", DEEDS, "Not main or release"),
    ],
)
def test_a_hint_fits_the_argument(name: str, kind: str, choices: tuple[str, ...], begins: str) -> None:
    hint = worth_a_rule((name, kind, True), choices)
    assert hint.startswith(begins) and bool(hint) == bool(begins)
