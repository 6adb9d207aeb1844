"""The site as a server speaks to it: threads for answers, the event loop for streams."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from config.bodies import with_bodies_up_to
from config.health import healthz
from config.serving import THREADS, Site

WAIT = 60.0


class World:
    """What the views of this module do, and what became of them."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.inside = threading.Semaphore(0)
        self.closed = threading.Event()
        self.threads: set[str] = set()


world = World()


@pytest.fixture(autouse=True)
def new_world() -> Iterator[None]:
    global world
    world = World()
    yield
    world.gate.set()


def echo(request: HttpRequest) -> HttpResponse:
    world.threads.add(threading.current_thread().name)
    answer = HttpResponse(request.body[::-1], headers={"X-Length": str(len(request.body))})
    answer.set_cookie("one", "1")
    answer.set_cookie("two", "2")
    return answer


def held(request: HttpRequest) -> HttpResponse:
    world.inside.release()
    assert world.gate.wait(WAIT)
    return HttpResponse("let go")


def endless(request: HttpRequest) -> HttpResponseBase:
    async def parts() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"more"
                await asyncio.sleep(0)
        finally:
            world.closed.set()

    return StreamingHttpResponse(parts())


def breaks_off(request: HttpRequest) -> HttpResponseBase:
    async def parts() -> AsyncIterator[bytes]:
        yield b"some"
        raise RuntimeError("no more")

    return StreamingHttpResponse(parts())


def file(request: HttpRequest) -> HttpResponseBase:
    return FileResponse(io.BytesIO(b"x" * 200_000))


def wrong(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a defect")


def asks_the_database(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("asked")


urlpatterns = [
    path("healthz", healthz),
    path("echo", echo),
    path("held", held),
    path("endless", endless),
    path("breaks-off", breaks_off),
    path("file", file),
    path("wrong", wrong),
    path("asks", asks_the_database),
]


@pytest.fixture
def site() -> Iterator[Site]:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[], DEBUG_PROPAGATE_EXCEPTIONS=False):
        yield Site()


class Reader:
    """One request, as a server hands it on. `sent`: what came back; `leaves_after`: so many messages."""

    def __init__(self, path: str, *parts: bytes, whole: bool = True, leaves_after: int | None = None) -> None:
        self.scope = {
            "type": "http",
            "method": "POST" if parts else "GET",
            "path": f"/{path}",
            "query_string": b"",
            "headers": [(b"host", b"testserver")],
            "root_path": "",
        }
        said: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": not whole or number < len(parts) - 1}
            for number, part in enumerate(parts or (b"",))
        ]
        self._says = iter(said if whole else [*said, {"type": "http.disconnect"}])
        self._leaves_after = leaves_after
        self._left = asyncio.Event()
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        for message in self._says:
            return message
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if self._leaves_after is not None and len(self.sent) >= self._leaves_after:
            self._left.set()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


async def ask(application: Any, *arguments: Any, **options: Any) -> Reader:
    reader = Reader(*arguments, **options)
    await asyncio.wait_for(application(reader.scope, reader.receive, reader.send), WAIT)
    return reader


def test_a_request_in_parts_is_read_whole_and_its_answer_is_one(site: Site) -> None:
    reader = asyncio.run(ask(site, "echo", b"ab", b"cd"))
    assert (reader.status, reader.body) == (200, b"dcba")
    cookies = [value for name, value in reader.sent[0]["headers"] if name == b"Set-Cookie"]
    assert len(cookies) == 2 and len(reader.sent) == 2
    # More than is kept in memory.
    assert asyncio.run(ask(site, "echo", b"x" * 2_000_000, b"y" * 2_000_000)).body[:1] == b"y"


def test_who_leaves_in_the_middle_of_a_request_is_not_answered(site: Site) -> None:
    assert asyncio.run(ask(site, "echo", b"half", whole=False)).sent == []


def test_what_is_too_large_meets_no_view(site: Site) -> None:
    reader = asyncio.run(ask(with_bodies_up_to(3, site), "echo", b"ab", b"cd"))
    assert reader.status == 413 and not world.threads


def test_no_thread_is_made_for_a_request(site: Site) -> None:
    async def many() -> None:
        for _ in range(3):
            await asyncio.gather(*(ask(site, "echo") for _ in range(20)))

    asyncio.run(many())
    assert 1 <= len(world.threads) <= THREADS


def test_a_site_whose_threads_all_wait_says_that_it_is_alive(site: Site) -> None:
    async def story() -> tuple[Reader, list[Reader]]:
        waiting = [asyncio.ensure_future(ask(site, "held")) for _ in range(THREADS + 2)]
        for _ in range(THREADS):
            assert await asyncio.to_thread(world.inside.acquire, timeout=WAIT)
        alive = await ask(site, "healthz")
        assert not any(one.done() for one in waiting)
        world.gate.set()
        return alive, list(await asyncio.gather(*waiting))

    alive, later = asyncio.run(story())
    assert alive.body == b"ok\n"
    assert {one.body for one in later} == {b"let go"}


def test_a_stream_ends_when_its_reader_leaves(site: Site) -> None:
    reader = asyncio.run(ask(site, "endless", leaves_after=5))
    assert reader.body.startswith(b"moremore")
    assert world.closed.wait(WAIT)


def test_a_stream_that_breaks_off_is_not_said_to_be_whole(site: Site) -> None:
    reader = Reader("breaks-off")
    with pytest.raises(RuntimeError, match="no more"):
        asyncio.run(site(reader.scope, reader.receive, reader.send))
    assert reader.sent[-1] == {"type": "http.response.body", "body": b"some", "more_body": True}


def test_a_file_is_sent_in_parts(site: Site) -> None:
    reader = asyncio.run(ask(site, "file"))
    assert reader.body == b"x" * 200_000
    assert len(reader.sent) == 1 + 4 + 1


def test_a_defect_is_a_500_and_the_thread_goes_on(site: Site) -> None:
    assert [asyncio.run(ask(site, one)).status for one in ("wrong", "echo")] == [500, 200]


def test_an_address_that_cannot_be_read_is_refused(site: Site) -> None:
    reader = Reader("echo")
    reader.scope["query_string"] = b"\xff"
    asyncio.run(site(reader.scope, reader.receive, reader.send))
    assert reader.status == 400 and not world.threads


@pytest.mark.parametrize(("query", "charset"), [(b"", b"a\0b"), (b"&".join([b"q=1"] * 2_000), b"utf-8")])
def test_an_address_that_is_read_at_once_for_its_charset_is_refused_as_any_other(
    site: Site, query: bytes, charset: bytes
) -> None:
    reader = Reader("echo")
    reader.scope["query_string"] = query
    reader.scope["headers"] = [(b"content-type", b"text/plain; charset=" + charset)]
    asyncio.run(site(reader.scope, reader.receive, reader.send))
    assert reader.status == 400 and not world.threads


@pytest.mark.django_db(transaction=True)
def test_a_thread_keeps_no_connection_when_it_has_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = ThreadPoolExecutor(1)
    monkeypatch.setattr(site, "_threads", only)
    assert asyncio.run(ask(site, "asks")).body == b"asked"
    assert only.submit(lambda: connection.connection).result(WAIT) is None
