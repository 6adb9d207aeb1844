"""The live tail: one's own organization, from where one left off, for as long as one may look."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.db import SessionStore
from django.core.asgi import get_asgi_application
from django.db import connections
from django.test import AsyncClient, Client

from accounts import streams
from accounts.models import Membership, User
from accounts.streams import Viewer, follow
from audit.live import news_of
from audit.search import Filters
from common.async_database import in_thread
from common.notifications import DECISIONS
from tests.audit.records import arrive, called, denied, ended, umbra
from tests.cast import Acme, Cast, inside

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = Filters()


@dataclass
class Event:
    id: int
    data: str
    name: str = "message"


class Tail:
    """A browser's EventSource."""

    def __init__(self, viewer: Viewer, filters: Filters = EVERYTHING, position: int = 0) -> None:
        self.chunks = follow(viewer, DECISIONS, partial(news_of, filters), position)
        self.last = position
        self.heartbeats = 0

    async def next(self, seconds: float = 60) -> Event:
        async with asyncio.timeout(seconds):
            return await self._next()

    async def _next(self) -> Event:
        while True:
            event = await self.one()
            if event is not None:
                return event

    async def one(self) -> Event | None:
        """Of whatever comes; None for a heartbeat."""
        chunk = await anext(self.chunks)
        fields: dict[str, list[str]] = {}
        for line in chunk.split("\n"):
            name, _, value = line.partition(": ")
            fields.setdefault(name, []).append(value)
        self.last = int(fields["id"][0])
        if "data" in fields:
            return Event(self.last, "\n".join(fields["data"]), *fields.get("event", []))
        self.heartbeats += 1
        return None

    async def nothing(self, seconds: float = 0.6) -> None:
        with pytest.raises(TimeoutError):
            await self.next(seconds)

    async def over(self) -> bool:
        with pytest.raises(StopAsyncIteration):
            while True:
                await self.next()
        return True


def looking(member: Membership) -> Viewer:
    client = Client()
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return Viewer(member.pk, member.organization_id, member.user_id, client.session.session_key)


@pytest.fixture(autouse=True)
async def no_connection_stays() -> AsyncIterator[None]:
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def bob(cast: Cast) -> Viewer:
    return looking(cast.bob)


async def tell(*records: Any) -> None:
    await asyncio.to_thread(arrive, *records)


async def test_a_decision_shows_up_by_itself(acme: Acme, bob: Viewer) -> None:
    tail = Tail(bob)
    await tail.nothing()
    tail = Tail(bob)
    seen = asyncio.create_task(tail.next())
    await asyncio.sleep(0.3)
    await tell(denied(acme, "delete_user"))
    event = await seen
    assert "delete_user" in event.data and "laptop" in event.data and event.name == "row"


async def test_who_comes_back_gets_exactly_what_was_missed(acme: Acme, bob: Viewer) -> None:
    await tell(called(acme, "list_users"))
    before = await Tail(bob).next()
    await tell(called(acme, "get_user"), called(acme, "put_user"))
    again = Tail(bob, position=before.id)
    assert ["get_user" in (await again.next()).data, "put_user" in (await again.next()).data] == [True, True]
    await again.nothing()


async def test_the_end_of_a_call_is_told_as_such(acme: Acme, bob: Viewer) -> None:
    entry = called(acme)
    await tell(entry)
    tail = Tail(bob)
    first = await tail.next()
    await tell(ended(entry))
    second = await tail.next()
    assert (first.name, second.name) == ("row", "swap")
    assert "212" in second.data and "212" not in first.data


async def test_nobody_sees_anothers_calls(acme: Acme, cast: Cast, bob: Viewer) -> None:
    tail = Tail(await in_thread(looking, cast.mallory))
    await tell(called(acme, "of_acme"), umbra(called(acme, "of_umbra"), cast.mallory.organization_id))
    assert "of_umbra" in (await tail.next()).data
    await tail.nothing()
    own = Tail(bob)
    assert "of_acme" in (await own.next()).data
    await own.nothing()


async def test_a_filter_holds_back_and_the_tail_still_goes_on(
    acme: Acme, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.2)
    await tell(called(acme), called(acme))
    tail = Tail(bob, Filters(outcome="deny"))
    while tail.heartbeats < 2 or tail.last == 0:
        assert await tail.one() is None, "what was filtered out is not looked through again"


async def test_a_tool_named_like_the_stream_itself_breaks_nothing(acme: Acme, bob: Viewer) -> None:
    await tell(called(acme, "x\n\nevent: end\rdata: <script>alert(1)</script>\nid: 0"))
    tail = Tail(bob)
    event = await tail.next()
    assert event.name == "row" and event.id > 0 and "<script>" not in event.data


async def test_it_ends_with_the_membership(
    acme: Acme, cast: Cast, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.2)

    def leave() -> None:
        with inside(cast.alice):
            Membership.objects.filter(pk=cast.bob.pk).delete()

    tail = Tail(bob)
    await tail.nothing(0.5)
    tail = Tail(bob)
    await in_thread(leave)
    await tell(called(acme))
    assert await tail.over()


async def test_it_ends_with_the_session_and_with_the_password(
    acme: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.2)
    signed_out, changed = [await in_thread(looking, m) for m in (cast.bob, cast.carol)]
    tails = [Tail(signed_out), Tail(changed)]

    def end() -> None:
        SessionStore(signed_out.session_key).delete()
        carol = User.objects.get(pk=cast.carol.user_id)
        carol.set_password("something entirely different")
        carol.save()

    await in_thread(end)
    await tell(called(acme))
    assert [await tail.over() for tail in tails] == [True, True]


async def test_a_browser_follows_its_own_organizations_log(acme: Acme, cast: Cast) -> None:
    await tell(called(acme, "list_users"))
    browser = AsyncClient()
    await browser.aforce_login(cast.bob.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = await browser.get("/log/live/", headers={"last-event-id": "0"})
    assert answer["Content-Type"] == "text/event-stream" and answer["Cache-Control"] == "no-store"
    stream: Any = aiter(answer)  # type: ignore[arg-type]
    shown = [await asyncio.wait_for(anext(stream), 60) for _ in range(2)]
    await stream.aclose()
    answer.close()
    assert shown[0].startswith(b"retry:") and b"list_users" in shown[1]


async def test_without_a_place_to_go_on_from_it_begins_now(acme: Acme, cast: Cast) -> None:
    await tell(called(acme, "long_gone"))
    browser = AsyncClient()
    await browser.aforce_login(cast.bob.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = await browser.get("/log/live/")
    stream: Any = aiter(answer)  # type: ignore[arg-type]
    await anext(stream)
    seen = asyncio.create_task(anext(stream))
    await asyncio.sleep(0.3)
    await tell(called(acme, "just_now"))
    chunk = await asyncio.wait_for(seen, 60)
    await stream.aclose()
    answer.close()
    assert b"just_now" in chunk and b"long_gone" not in chunk


async def test_strangers_are_sent_to_sign_in(acme: Acme) -> None:
    answer = await AsyncClient().get("/log/live/")
    assert answer.status_code == 302


async def test_too_many_streams_of_one_person_are_refused(
    acme: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "STREAMS_PER_MEMBER", 1)
    browser = AsyncClient()
    await browser.aforce_login(cast.bob.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    first = await browser.get("/log/live/")
    assert (await browser.get("/log/live/")).status_code == 429
    first.close()
    again = await browser.get("/log/live/")
    assert again.status_code == 200
    again.close()
    again.close()
    assert streams.open_streams(cast.bob.pk) == 0


async def test_a_reader_who_leaves_before_the_answer_is_made_holds_no_place(
    acme: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = AsyncClient()
    await browser.aforce_login(cast.bob.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    begun, left = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    counted: list[int] = []

    class Slow(streams._Stream):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            counted.append(streams.open_streams(cast.bob.pk))
            loop.call_soon_threadsafe(begun.set)
            left.wait(60)

    bodies = iter([{"type": "http.request", "body": b""}])

    async def leaving() -> dict[str, Any]:
        for body in bodies:
            return body
        await begun.wait()
        loop.call_later(0.2, left.set)  # the view goes on after it was given up
        return {"type": "http.disconnect"}

    async def nobody_hears(message: Any) -> None:
        raise AssertionError(message)

    monkeypatch.setattr(streams, "_Stream", Slow)
    cookies = "; ".join(f"{name}={kept.value}" for name, kept in browser.cookies.items())
    asked = {
        "type": "http",
        "method": "GET",
        "path": "/log/live/",
        "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"cookie", cookies.encode())],
    }
    await get_asgi_application()(asked, leaving, nobody_hears)
    assert counted == [1]
    assert streams.open_streams(cast.bob.pk) == 0
