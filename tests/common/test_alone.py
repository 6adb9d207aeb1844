"""Who may be at something at once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from common.alone import MOST_OUTSIDE, SCANNING, WEBHOOKS, a_place_outside

pytestmark = pytest.mark.django_db


def test_whoever_waits_for_others_servers_leaves_threads_to_all_other_tasks() -> None:
    with ExitStack() as held:
        for number in range(MOST_OUTSIDE):
            assert held.enter_context(a_place_outside(SCANNING, f"organization {number}", 2))
        assert not held.enter_context(a_place_outside(SCANNING, "another organization", 2))
        assert held.enter_context(a_place_outside(WEBHOOKS, "another organization", 2)), "of another kind"
    with a_place_outside(SCANNING, "another organization", 2) as there_is_one:
        assert there_is_one
