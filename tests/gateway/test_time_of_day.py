"""A clock that is set back lets nothing live longer: no lease, no grant, nothing that a client carries."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from time import time

import pytest

from common.tokens import token_digest
from gateway import time_of_day
from gateway.config_store import ConfigStore
from gateway.time_of_day import TimeOfDay
from gateway_config.wire.loader import Lease
from tests.gateway.test_rounds import ANSWERED, asks, begin, say
from tests.gateway.world import world
from tests.gateway_config.wire.bundles import ACME, KEYS, TOKEN, acme, signed

META = "policylayer/decision"
HOUR = 3600.0
NOW = float(int(time()))  # leases in a test's world begin now


class Machine:
    """A machine's clocks: `wall` can be set, `passed` cannot."""

    CLOCK_BOOTTIME = CLOCK_MONOTONIC = 7

    def __init__(self) -> None:
        self.wall, self.passed = NOW, 5_000.0

    def time(self) -> float:
        return self.wall

    def clock_gettime(self, _: int) -> float:
        return self.passed

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds

    def start_again(self, after: float) -> None:
        self.wall, self.passed = self.wall + after, 1.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(time_of_day, "time", machine)
    return machine


async def _held(folder: Path) -> ConfigStore:
    store = ConfigStore(folder, KEYS)
    await store.apply(signed(acme(lease_seconds=300), 1, not_before=int(NOW)))
    await store.contacted()
    return store


async def _remembered(store: ConfigStore) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await store.remember_the_time()


def _lease(store: ConfigStore) -> Lease:
    found = store.grant(token_digest(TOKEN))
    assert found is not None
    return found[0].lease


def test_the_time_goes_on_when_the_clock_is_set_back_and_with_it_when_it_is_set_forward(
    machine: Machine,
) -> None:
    today = TimeOfDay()
    assert today.now() == NOW
    machine.wall -= HOUR
    machine.wait(10)
    assert today.now() == NOW + 10
    machine.wall += 2 * HOUR
    assert today.now() == NOW + HOUR + 10
    machine.wall -= 30 * HOUR
    assert today.now() == NOW + HOUR + 10


def test_the_control_plane_ends_a_time_that_ran_ahead_and_no_earlier_clock_does(machine: Machine) -> None:
    today = TimeOfDay()
    machine.wall += 1_000 * HOUR
    assert today.now() == NOW + 1_000 * HOUR
    machine.wall -= 1_000 * HOUR
    assert today.now() == NOW + 1_000 * HOUR
    today.is_told(NOW + 2)
    assert today.now() == NOW + 2
    machine.wall -= HOUR
    assert today.now() == NOW + 2


async def test_a_restart_with_a_clock_set_back_does_not_lengthen_a_lease(
    machine: Machine, tmp_path: Path
) -> None:
    store = await _held(tmp_path)
    machine.wait(250)
    await _remembered(store)
    for _ in range(5):
        machine.wall -= HOUR
        today = TimeOfDay()
        again = ConfigStore(tmp_path, KEYS, today)
        assert _lease(again).until - today.now() <= 50
        machine.wait(20)
        await _remembered(again)
    assert _lease(again).until <= today.now()


async def test_a_restart_of_the_machine_with_a_clock_set_back_does_not_lengthen_a_lease_and_is_said(
    machine: Machine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await _held(tmp_path)
    machine.wait(250)
    await _remembered(store)
    machine.start_again(-HOUR)
    today = TimeOfDay()
    assert _lease(ConfigStore(tmp_path, KEYS, today)).until - today.now() == pytest.approx(50)
    assert "the clock of this machine is 3600 s behind a time that was seen on it" in caplog.text


async def test_time_kept_before_counts_what_the_machine_was_off(machine: Machine, tmp_path: Path) -> None:
    store = await _held(tmp_path)
    await _remembered(store)
    machine.start_again(after=HOUR)
    today = TimeOfDay()
    assert _lease(ConfigStore(tmp_path, KEYS, today)).until <= today.now()


async def test_a_lease_that_began_while_the_clock_ran_ahead_is_not_longer_once_it_is_set_right(
    machine: Machine, tmp_path: Path
) -> None:
    today = TimeOfDay()
    machine.wall += 1_000 * HOUR
    store = ConfigStore(tmp_path, KEYS, today)
    await store.apply(signed(acme(lease_seconds=300), 1, not_before=int(NOW)))
    machine.wall -= 1_000 * HOUR
    await store.contacted(behind={ACME}, at=NOW)
    assert _lease(store).until == pytest.approx(NOW + 300)
    assert today.now() == NOW


async def test_time_that_cannot_be_kept_is_said_and_kept_later(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = await _held(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.config_files._write", full)
        await _remembered(store)
    assert "what time it is cannot be kept on disk: No space left on device" in caplog.text
    machine.wait(290)
    await _remembered(store)
    machine.wall -= HOUR
    today = TimeOfDay()
    assert _lease(ConfigStore(tmp_path, KEYS, today)).until - today.now() <= 10


async def test_a_clock_set_back_ends_no_lease_later(machine: Machine, tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.config.organizations[0].lease.until = NOW + 300
        machine.wait(299)
        assert "isError" not in (await alice.call("read_file", {})).json["result"]
        machine.wall -= HOUR
        machine.wait(2)
        answer = await alice.call("read_file", {})
        assert answer.json["result"]["_meta"][META]["code"] == "configuration_expired"
        answer = await alice.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert answer.json["error"]["data"]["code"] == "configuration_expired"
        assert len(it.upstream.received) == 1


async def test_a_clock_set_back_does_not_revive_an_expired_grant(machine: Machine, tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.client() as alice:
        it.reconfigure(grants={it.token: {"expires_at": int(NOW) + 60}})
        assert (await alice.call("read_file", {})).status == 200
        machine.wait(61)
        assert (await alice.call("read_file", {})).status == 401
        machine.wall -= HOUR
        assert (await alice.call("read_file", {})).status == 401
        assert len(it.upstream.received) == 1


async def test_a_clock_set_back_makes_no_free_call_of_a_spent_state(machine: Machine, tmp_path: Path) -> None:
    """The limiter forgets a spent state after 15 minutes; valid any longer, it could be used again."""
    async with world(tmp_path, upstream=asks()) as it, it.client() as alice:
        state = await begin(alice)
        machine.wait(901)
        machine.wall -= HOUR
        await say(alice, requestState=state, inputResponses=ANSWERED)
        refused = (await say(alice)).json["result"]
        assert refused["_meta"][META]["code"] == "limit_exceeded", "both calls were charged"
