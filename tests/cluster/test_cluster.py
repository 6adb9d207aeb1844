"""A cluster is hurt in every way we have, and its history keeps every law. The larger runs are slow."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests import redis_server
from tests.cluster import scenarios
from tests.cluster.faults import Drop, HalfOpen, ResetMidBody
from tests.cluster.history import ALLOWED
from tests.cluster.stage import OPEN, Stage, stage

pytestmark = [pytest.mark.journey, redis_server.needs_redis, pytest.mark.timeout(900)]

SEED = int(os.environ.get("CLUSTER_SEED") or random.SystemRandom().randrange(2**32))


@pytest.fixture(scope="module")
def running() -> Iterator[Stage]:
    with stage(gateways=2, limits=32) as made:
        yield made


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    print(f"CLUSTER_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture(autouse=True)
def every_law_is_kept(running: Stage) -> Iterator[None]:
    """Check the whole history so far after each test."""
    yield
    assert running.broken_laws() == []
    assert sum(call.said == ALLOWED for call in running.history.calls) > 0


def test_limits_hold_while_gateways_and_their_store_are_killed(running: Stage, rng: random.Random) -> None:
    found = scenarios.limits(running, rng, runs=3).found
    assert (found["runs"], found["overshoot"]) == (3, 0)
    assert found["undershoot without a kill"] == 0


def test_an_approved_call_is_sent_once_however_often_it_is_repeated(
    running: Stage, rng: random.Random
) -> None:
    found = scenarios.approvals(running, rng, runs=2, alike=20).found
    assert (found["sent more than once"], found["executions on changed arguments"]) == (0, 0)
    assert found["sent"] >= 1


def test_a_gateway_that_is_cut_off_is_named_and_comes_back(running: Stage) -> None:
    found = scenarios.cut_off(running, (HalfOpen(), ResetMidBody(40))).found
    assert (found["faults"], found["named"]) == (2, 1)
    found = scenarios.hurt_stores(running, (Drop(),), OPEN).found
    assert found["faults"] == 2


def test_no_record_is_lost_or_doubled_when_anything_is_killed(running: Stage, rng: random.Random) -> None:
    found = scenarios.kills(running, rng, count=6).found
    assert sum(found.values()) == 6


def test_verdicts_outlive_the_control_plane_and_a_restart(running: Stage, rng: random.Random) -> None:
    found = scenarios.alone(running, rng, seconds=1).found
    assert found["wrong verdicts"] == 0
    assert found["restarts"] >= 1


# ---- the larger runs
@pytest.mark.slow
def test_limits_hold_in_twenty_runs_with_kills(running: Stage, rng: random.Random) -> None:
    found = scenarios.limits(running, rng, runs=20, first=8).found
    assert (found["runs"], found["overshoot"]) == (20, 0)
    print(found)


@pytest.mark.slow
def test_no_record_is_lost_or_doubled_in_twenty_kills(running: Stage, rng: random.Random) -> None:
    print(scenarios.kills(running, rng, count=20).found)


@pytest.mark.slow
def test_fifty_double_clicks_send_an_approved_call_once(running: Stage, rng: random.Random) -> None:
    found = scenarios.approvals(running, rng, runs=6, alike=50).found
    assert (found["sent more than once"], found["executions on changed arguments"]) == (0, 0)
    print(found)


@pytest.mark.slow
def test_every_fault_is_survived_and_named(running: Stage) -> None:
    found = scenarios.cut_off(running, scenarios.EVERY_FAULT).found
    assert found["named"] >= 3
    print(found, scenarios.hurt_stores(running, scenarios.EVERY_FAULT, OPEN).found)


@pytest.mark.slow
def test_every_edit_reaches_every_gateway_and_no_old_verdict_follows(running: Stage) -> None:
    print(scenarios.edits(running, 60).found)


@pytest.mark.slow
def test_verdicts_outlive_the_control_plane_for_two_minutes(running: Stage, rng: random.Random) -> None:
    found = scenarios.alone(running, rng, seconds=120).found
    assert found["wrong verdicts"] == 0
    print(found)
