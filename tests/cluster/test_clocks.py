"""Limits hold even when the clock of the limiter's store is changed while agents call."""

from __future__ import annotations

import os
import random

import pytest

from tests import redis_server
from tests.cluster import scenarios
from tests.cluster.stage import stage

pytestmark = [pytest.mark.journey, pytest.mark.slow, redis_server.needs_redis, pytest.mark.timeout(600)]

SEED = int(os.environ.get("CLUSTER_SEED") or random.SystemRandom().randrange(2**32))


@redis_server.needs_settable_clock
def test_a_store_whose_clock_is_set_admits_no_more() -> None:
    """Back, forward, and while calls are in flight; each kind of step once."""
    print(f"CLUSTER_SEED={SEED}")
    rng = random.Random(SEED)
    with stage(gateways=2, limits=6, clock=True) as running:
        found = scenarios.clock_steps(running, rng, runs=6).found
        assert (found["runs"], found["overshoot"]) == (6, 0)
        assert found["received"] > 0 and found["denied in doubt"] > 0
        assert running.broken_laws() == []
    print(found)
