"""In any span of time no more calls begin than an organization may make; a refusal says when to try again."""

from __future__ import annotations

import re
from random import Random

import msgspec
import pytest

from gateway import pace
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.loader import LoadedOrganization, load_organization
from tests.gateway_config.wire.bundles import acme


class Clock:
    """A clock that shows the time the test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def organization(**settings: int) -> LoadedOrganization:
    bundle = acme()
    changed = msgspec.structs.replace(bundle.settings, **settings)
    return load_organization(encode_bundle(msgspec.structs.replace(bundle, settings=changed)))


def test_without_a_number_every_call_begins(clock: Clock) -> None:
    paces, anyone = pace.Paces(), organization()
    assert all(paces.refuse(anyone) is None for _ in range(5_000))


def test_a_refusal_says_how_many_and_when(clock: Clock) -> None:
    paces, slow = pace.Paces(), organization(most_calls=3, most_calls_seconds=60)
    assert [paces.refuse(slow) for _ in range(3)] == [None] * 3
    refused = paces.refuse(slow)
    assert refused is not None and refused.status == 429
    wait = re.search(rb"Retry-After: (\d+)", refused.headers)
    assert wait is not None and b"3 calls a minute" in refused.body
    clock.now += int(wait[1])
    assert paces.refuse(slow) is None


@pytest.mark.parametrize(("most", "seconds"), [(1, 1), (5, 1), (100, 60), (7, 3)])
def test_in_no_stretch_begin_more_than_may(most: int, seconds: int, clock: Clock) -> None:
    paces, slow, chance = pace.Paces(), organization(most_calls=most, most_calls_seconds=seconds), Random(7)
    begun: list[float] = []
    for _ in range(4_000):
        clock.now += chance.expovariate(4 * most / seconds)
        if paces.refuse(slow) is None:
            begun.append(clock.now)
    assert len(begun) > most
    assert all(later - earlier >= seconds for earlier, later in zip(begun, begun[most:], strict=False))


def test_a_number_that_changes_holds_at_once(clock: Clock) -> None:
    paces = pace.Paces()
    assert [paces.refuse(organization(most_calls=5)) for _ in range(4)] == [None] * 4
    assert paces.refuse(organization(most_calls=3)) is not None
    assert paces.refuse(organization(most_calls=5)) is None
