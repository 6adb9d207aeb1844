"""What can be published is loaded by a gateway, and what a gateway loads could have been published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway_config.wire.bundle import BundleInvalid
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.loader import load_organization
from policies.language.canonical import canonical_text
from policies.language.parse import find_problems, parse_policy
from tests.examples import examples
from tests.gateway_config.wire.bundles import acme
from tests.policies.language.strategies import damaged, policies

TEXTS = st.one_of(damaged(), policies.map(json.dumps), st.text(max_size=60))


def loads(text: str) -> bool:
    try:
        load_organization(encode_bundle(acme(document=text)))
    except BundleInvalid:
        return False
    return True


def agree(text: str) -> None:
    publishable = not find_problems(text)
    assert loads(text) is publishable
    if publishable:
        # What is stored and sent is the canonical text.
        assert loads(canonical_text(parse_policy(text)))


@given(TEXTS)
@examples(100, suppress_health_check=list(HealthCheck))
def test_the_validator_and_the_loader_agree(text: str) -> None:
    agree(text)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(TEXTS)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_validator_and_the_loader_agree_on_ten_thousand(text: str) -> None:
    agree(text)


def test_both_answers_are_among_what_is_drawn() -> None:
    seen: set[bool] = set()

    @given(TEXTS)
    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    def draw(text: Any) -> None:
        seen.add(not find_problems(text))

    draw()
    assert seen == {True, False}
