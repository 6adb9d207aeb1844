"""Plain words uses only the sentences on its page, and says each of them about the JSON beside it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given

from servers.models import Tool
from tests.contracts.pages import ROOT
from tests.contracts.plain_words import (
    Shape,
    conditions,
    limit_pattern,
    limits,
    plain_words_page,
    rule_pattern,
    rules,
    said_of,
    whole,
    whole_pattern,
)
from tests.examples import examples
from tests.policies.language.strategies import policies

TOOLS = [Tool(name=name, tool_class=of) for name, of in (("a", "Write"), ("get_a", "Read"), ("b", ""))]
WHOLE, RULE, LIMIT = (
    re.compile(each, re.DOTALL) for each in (whole_pattern(), rule_pattern(), limit_pattern())
)


def test_the_page_is_what_the_language_says() -> None:
    """If this fails, run: python -m tests.contracts.pages"""
    assert (ROOT / "docs" / "user" / "plain-words.md").read_text(encoding="utf-8") == plain_words_page()


@pytest.mark.parametrize("shape", [*whole(), *conditions(), *rules()], ids=lambda shape: shape.said[:60])
def test_each_sentence_is_said_of_the_json_beside_it(shape: Shape) -> None:
    more = {"rule": f"{RULE.pattern}(?: {RULE.pattern})*", "conditions": ".+"}
    assert re.fullmatch(shape.pattern(more), shape.said, re.DOTALL), shape.said


@pytest.mark.parametrize("shape", limits(), ids=lambda shape: shape.said)
def test_each_limit_has_a_beginning_and_endings_of_the_page(shape: Shape) -> None:
    assert LIMIT.fullmatch(shape.said)
    if shape.sentence.startswith("…"):
        ending = shape.pattern().removeprefix("…")
        assert re.search(f"{ending}$", shape.said), shape.said


@examples(50)
@given(policies)
def test_no_policy_is_told_in_any_other_sentence(policy: dict[str, Any]) -> None:
    for sentence in said_of(policy, TOOLS):
        assert WHOLE.fullmatch(sentence), sentence


def test_a_sentence_that_is_none_is_noticed() -> None:
    for odd in ("Every call is allowed, mostly.", "a: Calls are denied unless the moon is full."):
        assert not WHOLE.fullmatch(odd)
