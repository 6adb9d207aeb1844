import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest

from common.tokens import token_digest
from gateway import control_plane
from gateway.approvals_client import ApprovalsClient
from gateway.config_feed import ConfigFeed, Pace
from gateway.config_store import ConfigStore
from gateway.control_plane import ControlPlane, ControlPlaneError, TokenRefused
from gateway.used_approvals import UsedApprovals
from gateway_config.wire.messages import Ack, Head, HeadsAnswer, Hello, HelloAnswer, SignedBundle
from tests.gateway_config.wire.bundles import ACME, KEYS, MALLORY, TOKEN, acme, an_id, signed

QUICK = Pace(
    heartbeat=0.02, long_poll=1, plain_poll=0.02, every_head=0.2, rejected_again=0.2, first_pause=0.01
)


class Control:
    """A control plane in memory: revisions get ids in order of appearance, as in the database."""

    def __init__(self) -> None:
        self.published: list[SignedBundle] = []
        self.acks_seen: list[Ack] = []
        self.hellos: list[Hello] = []
        self.failing: dict[str, Exception] = {}
        self.fetched: list[str] = []
        self.fetched_parts: list[str] = []
        self.parts: dict[str, bytes] = {}
        self.moved = asyncio.Event()
        self.long_polls_hang = False
        self.now = 0.0

    def publish(self, bundle: SignedBundle) -> None:
        self.published.append(bundle)
        self.moved.set()
        self.moved = asyncio.Event()

    async def hello(self, hello: Hello) -> HelloAnswer:
        self._fail("hello")
        self.hellos.append(hello)
        return HelloAnswer("gw-1")

    async def heads(self, cursor: int, wait: int) -> HeadsAnswer:
        self._fail("heads")
        if wait and self.long_polls_hang:
            await asyncio.sleep(3600)
        if wait and cursor == len(self.published):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.moved.wait(), wait)
        after = cursor if cursor <= len(self.published) else 0
        newest = {bundle.envelope.organization: bundle.envelope for bundle in self.published[after:]}
        heads = tuple(Head(one.organization, one.revision, one.hash) for one in newest.values())
        return HeadsAnswer(len(self.published), heads, self.now)

    async def bundle(self, organization: str) -> SignedBundle:
        self._fail("bundle")
        self._fail(organization)
        self.fetched.append(organization)
        return next(one for one in reversed(self.published) if one.envelope.organization == organization)

    async def grants(self, organization: str, digest: str) -> bytes:
        self._fail("grants")
        self.fetched_parts.append(digest)
        return self.parts[digest]

    async def acks(self, acks: list[Ack]) -> None:
        self._fail("acks")
        self.acks_seen += acks

    def _fail(self, what: str) -> None:
        if what in self.failing:
            raise self.failing[what]


@asynccontextmanager
async def following(
    control: Control | ControlPlane, folder: Path, pace: Pace = QUICK
) -> AsyncIterator[ConfigStore]:
    store = ConfigStore(folder, KEYS)
    feed = asyncio.create_task(ConfigFeed(control, store, version="0", pace=pace).run())
    try:
        yield store
    finally:
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not met():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def enforced(store: ConfigStore, organization: str = ACME) -> int | None:
    envelope = store.enforced().get(organization)
    return envelope.revision if envelope else None


async def test_what_is_published_is_enforced_and_acknowledged(tmp_path: Path) -> None:
    control = Control()
    async with following(control, tmp_path) as store:
        for revision in (1, 2):
            control.publish(signed(acme(token=f"token {revision}"), revision))
            await until(lambda: len(control.acks_seen) >= revision)  # noqa: B023
        assert store.grant(token_digest("token 2")) is not None
        assert control.acks_seen == [Ack(ACME, 1, "applied"), Ack(ACME, 2, "applied")]
        await until(lambda: control.hellos[-1].high_water == {ACME: 2})


async def test_what_is_rejected_is_told_once_with_the_reason_and_the_next_one_is_taken(
    tmp_path: Path,
) -> None:
    control = Control()
    async with following(control, tmp_path) as store:
        control.publish(signed(acme(), 1))
        await until(lambda: enforced(store) == 1)
        control.publish(signed(acme(document="{}"), 2))
        await until(lambda: len(control.acks_seen) >= 2)
        await asyncio.sleep(0.5)
        assert [(ack.revision, ack.state) for ack in control.acks_seen] == [(1, "applied"), (2, "rejected")]
        assert "cannot be loaded" in control.acks_seen[1].reason
        assert enforced(store) == 1
        control.publish(signed(acme(), 3))
        await until(lambda: enforced(store) == 3)


async def test_only_what_changed_is_fetched(tmp_path: Path) -> None:
    control = Control()
    control.publish(signed(acme(), 1))
    control.publish(signed(acme(organization=MALLORY, token="mallory's"), 1))
    async with following(control, tmp_path) as store:
        await until(lambda: enforced(store, MALLORY) == 1)
        control.publish(signed(acme(), 2))
        await until(lambda: enforced(store) == 2)
        await asyncio.sleep(0.3)
    assert sorted(control.fetched) == sorted([ACME, MALLORY, ACME])


async def test_after_a_restart_what_is_on_disk_is_not_fetched_but_acknowledged(tmp_path: Path) -> None:
    control = Control()
    control.publish(signed(acme(), 1))
    await ConfigStore(tmp_path, KEYS).apply(control.published[0])
    async with following(control, tmp_path):
        await until(lambda: control.acks_seen == [Ack(ACME, 1, "applied")])
    assert control.fetched == []


async def test_a_worker_with_an_empty_disk_is_ready_when_it_has_asked_for_all_there_is(
    tmp_path: Path,
) -> None:
    control, coming = Control(), asyncio.Event()
    control.publish(signed(acme(), 1))
    control.publish(signed(acme(organization=MALLORY, token="mallory's"), 1))
    fetch = control.bundle

    async def bundle(organization: str) -> SignedBundle:
        if organization == MALLORY:
            await coming.wait()
        return await fetch(organization)

    control.bundle = bundle  # type: ignore[method-assign]
    async with following(control, tmp_path) as store:
        await until(lambda: enforced(store) == 1)
        assert store.grant(token_digest(TOKEN)) is not None
        assert not store.ready
        coming.set()
        await until(lambda: store.ready)
        assert enforced(store, MALLORY) == 1


async def test_a_control_plane_that_takes_no_acks_makes_no_empty_worker_ready_early(tmp_path: Path) -> None:
    control = Control()
    for number in range(20):
        control.publish(signed(acme(organization=an_id(number), token=f"token {number}"), 1))
    control.failing["acks"] = ControlPlaneError("away")
    async with following(control, tmp_path) as store:
        await until(lambda: store.ready)
        assert len(store.enforced()) == 20


async def test_the_plain_poll_hears_what_the_long_poll_does_not(tmp_path: Path) -> None:
    control = Control()
    control.long_polls_hang = True
    async with following(control, tmp_path) as store:
        await asyncio.sleep(0.05)
        control.publish(signed(acme(), 1))
        await until(lambda: enforced(store) == 1)


@pytest.mark.parametrize("failing", ["heads", "bundle", "acks", "hello"])
async def test_whatever_fails_is_tried_again_until_it_works(tmp_path: Path, failing: str) -> None:
    control = Control()
    control.failing[failing] = ControlPlaneError("the control plane is not reached")
    control.publish(signed(acme(), 1))
    async with following(control, tmp_path) as store:
        await asyncio.sleep(0.2)
        control.failing.clear()
        await until(lambda: enforced(store) == 1 and control.acks_seen and control.hellos)
    assert control.acks_seen == [Ack(ACME, 1, "applied")]


async def test_one_bundle_that_cannot_be_fetched_holds_up_no_other(tmp_path: Path) -> None:
    control = Control()
    control.failing[ACME] = ControlPlaneError("the control plane answered 500")
    control.publish(signed(acme(), 1))
    others = [an_id(1000 + number) for number in range(20)]
    for other in others:
        control.publish(signed(acme(organization=other, token=f"of {other}"), 1))
    async with following(control, tmp_path) as store:
        await until(lambda: all(enforced(store, other) == 1 for other in others))
        assert enforced(store) is None
        await until(lambda: len(control.acks_seen) >= 20)


async def test_a_database_brought_back_from_before_is_heard_from_its_beginning(tmp_path: Path) -> None:
    control = Control()
    for revision in range(1, 6):
        control.publish(signed(acme(token=f"token {revision}"), revision))
    async with following(control, tmp_path) as store:
        await until(lambda: enforced(store) == 5)
        control.published = control.published[:2]
        await until(lambda: any(ack.state == "rejected" for ack in control.acks_seen))
        assert "does not rise above 5" in control.acks_seen[-1].reason
        assert control.hellos[-1].high_water == {ACME: 5}
        control.publish(signed(acme(token="token 6"), 6))
        await until(lambda: enforced(store) == 6)


async def test_contact_renews_the_lease_unless_the_newest_is_not_enforced(tmp_path: Path) -> None:
    control = Control()
    async with following(control, tmp_path) as store:
        control.publish(signed(acme(), 1))
        await until(lambda: store.grant(token_digest(TOKEN)))
        found = store.grant(token_digest(TOKEN))
        assert found is not None
        found[0].lease.until = 0
        await until(lambda: found[0].lease.until > 0)
        control.failing["bundle"] = ControlPlaneError("away")
        control.publish(signed(acme(), 2))
        await asyncio.sleep(0.1)
        found[0].lease.until = 0
        await asyncio.sleep(0.3)
        assert found[0].lease.until == 0


async def test_what_was_applied_is_no_longer_behind_though_nothing_more_was_heard(tmp_path: Path) -> None:
    control = Control()
    async with following(control, tmp_path) as store:
        control.publish(signed(acme(), 1))
        control.failing["bundle"] = ControlPlaneError("away")
        await until(lambda: store.behind == 1)
        control.failing = {"heads": ControlPlaneError("away"), "hello": ControlPlaneError("away")}
        await until(lambda: enforced(store) == 1)
        await until(lambda: store.behind == 0)


async def test_what_the_control_plane_no_longer_knows_is_served_until_its_lease_ends(tmp_path: Path) -> None:
    control = Control()
    async with following(control, tmp_path, replace(QUICK, every_head=0.02)) as store:
        control.publish(signed(acme(), 1))
        await until(lambda: store.grant(token_digest(TOKEN)))
        found = store.grant(token_digest(TOKEN))
        assert found is not None
        control.published.clear()
        for _ in range(2):
            # In the first round an earlier answer may still have been on its way.
            found[0].lease.until = 0
            heard = time.time()
            await until(lambda: time.time() - store.contact_age > heard + 0.2)  # noqa: B023
        assert found[0].lease.until == 0


async def test_the_control_planes_time_counts_where_this_clock_is_behind(tmp_path: Path) -> None:
    control = Control()
    control.now = time.time() + 7_200
    async with following(control, tmp_path) as store:
        control.publish(signed(acme(lease_seconds=300), 1))
        await until(lambda: store.grant(token_digest(TOKEN)))
        found = store.grant(token_digest(TOKEN))
        assert found is not None
        await until(lambda: found[0].lease.until >= control.now + 300)


async def test_a_revoked_token_is_said_plainly_and_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    control = Control()
    control.failing = dict.fromkeys(("hello", "heads"), TokenRefused())
    with caplog.at_level(logging.WARNING):
        async with following(control, tmp_path):
            await asyncio.sleep(0.2)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "refuses this worker's token; it was revoked" in caplog.text


def plane(answer: Callable[[httpx.Request], httpx.Response]) -> ControlPlane:
    return ControlPlane("http://control:8001", "plw_hush", transport=httpx.MockTransport(answer))


async def test_the_control_plane_is_asked_where_and_how_it_listens() -> None:
    seen: list[tuple[str, str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer plw_hush"
        seen.append((request.method, request.url.raw_path.decode(), request.content))
        match request.url.path.removeprefix("/internal/v1/").split("/")[0]:
            case "hello":
                return httpx.Response(200, content=b'{"worker": "gw-1"}')
            case "heads":
                return httpx.Response(200, content=b'{"cursor": 3, "heads": []}')
            case "bundles":
                return httpx.Response(200, content=msgspec.json.encode(signed(acme(), 1)))
            case "decisions":
                return httpx.Response(200, content=b'{"through": 9}')
            case _:
                return httpx.Response(204)

    async with plane(answer) as control:
        assert (await control.hello(Hello("1", {ACME: 2}, "disk"))).worker == "gw-1"
        assert (await control.heads(2, 25)).cursor == 3
        assert (await control.bundle(ACME)).envelope.organization == ACME
        assert (await control.records(b"{}")).through == 9
        await control.acks([Ack(ACME, 1, "applied")])
    assert [(method, path) for method, path, _ in seen] == [
        ("POST", "/internal/v1/hello/"),
        ("GET", "/internal/v1/heads?cursor=2&wait=25"),
        ("GET", f"/internal/v1/bundles/{ACME}/"),
        ("POST", "/internal/v1/decisions/"),
        ("POST", "/internal/v1/acks/"),
    ]
    assert msgspec.json.decode(seen[0][2]) == {"version": "1", "high_water": {ACME: 2}, "trouble": "disk"}


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx.Response(500),
        lambda _: httpx.Response(302, headers={"location": "http://elsewhere/"}),
        lambda _: httpx.Response(200, content=b"<html>"),
        lambda _: httpx.Response(200, content=b"\xff"),
        lambda _: httpx.Response(200, content=b'{"cursor": "1"}'),
        lambda request: (_ for _ in ()).throw(httpx.ConnectError("refused", request=request)),
        # What the library below raises when a connection is reset while it is being made.
        lambda _: (_ for _ in ()).throw(AttributeError("'NoneType' object has no attribute 'family'")),
    ],
)
async def test_a_control_plane_that_answers_nonsense_is_one_plain_error(
    answer: Callable[[httpx.Request], httpx.Response],
) -> None:
    asked: list[Callable[[ControlPlane], Awaitable[object]]] = [
        lambda control: control.heads(0, 0),
        lambda control: control.bundle(ACME),
        lambda control: control.records(b"{}"),
    ]
    async with plane(answer) as control:
        for ask in asked:
            with pytest.raises(ControlPlaneError) as told:
                await ask(control)
            assert "hush" not in str(told.value)


async def test_a_refused_token_is_told_apart() -> None:
    async with plane(lambda _: httpx.Response(401)) as control:
        with pytest.raises(TokenRefused):
            await control.heads(0, 0)


@asynccontextmanager
async def starting_before_its_control_plane(folder: Path) -> AsyncIterator[ControlPlane]:
    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with plane(refused) as control:
        client = ApprovalsClient(control, cast(Any, None), UsedApprovals(), answer_seconds=1)
        news = asyncio.create_task(client.run())
        async with following(control, folder):
            yield control
        news.cancel()
        await asyncio.gather(news, return_exceptions=True)


async def test_a_gateway_that_is_up_a_moment_before_its_control_plane_says_nothing_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with starting_before_its_control_plane(tmp_path):
        await asyncio.sleep(0.5)
    assert not caplog.records


async def test_a_control_plane_that_stays_away_is_named_after_a_moment(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_plane, "_STARTING_SECONDS", 0.3)
    async with starting_before_its_control_plane(tmp_path):
        await until(lambda: len(caplog.records) == 2)
    assert caplog.text.count("the control plane (CONTROL_URL) does not answer: ConnectError") == 2


async def test_a_control_plane_that_answered_once_is_missed_at_once() -> None:
    answers = iter([httpx.Response(200, content=b'{"cursor": 3, "heads": []}')])
    async with plane(lambda _: next(answers)) as control:
        await control.heads(0, 0)
        with pytest.raises(ControlPlaneError) as told:
            await control.heads(0, 0)
    assert type(told.value) is ControlPlaneError
