"""Live pages: news of one organization as server-sent events, for as long as the viewer may see it.

`row` is something new, `swap` replaces the element with its id. The id of an event is the position where the
stream continues: a client that reconnects with Last-Event-ID gets exactly what it missed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self, TypeAlias
from uuid import UUID
from weakref import finalize

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.sessions import is_signed_in_still
from accounts.tenancy import organization_context
from common.async_database import in_thread
from common.notifications import waiting_for
from common.places import Places

HEARTBEAT_SECONDS: Final = 15.0
# Changes within this time are shown together; nobody reads faster.
REST_SECONDS: Final = 0.2
STREAMS_PER_MEMBER: Final = 10
_HIGHEST: Final = 2**63 - 1

# Shared by all processes of the machine.
_places: Final = Places(settings.DATA_DIR / "cache" / "live-pages")


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person watching a stream, so that their access can be checked long after the request is over."""

    member_id: UUID
    organization_id: UUID
    user_id: UUID
    session_key: str | None

    @classmethod
    def of(cls, request: MemberRequest) -> Self:
        member = request.member
        return cls(member.pk, member.organization_id, member.user_id, request.session.session_key)

    def still(self) -> Membership | None:
        """Return the member, or None if they were signed out, deactivated or removed.

        Called inside the organization.
        """
        if not is_signed_in_still(self.session_key, self.user_id):
            return None
        found = Membership.objects.select_related("organization", "user")
        return found.filter(pk=self.member_id, user__is_active=True).first()


@dataclass(frozen=True, slots=True)
class News:
    """Rendered events, the position to continue from, and whether these are all for now."""

    events: list[str]
    position: int
    all: bool


Look: TypeAlias = Callable[[Membership, int], News]


def stream(request: MemberRequest, topic: str, look: Look, newest: Callable[[], int]) -> HttpResponseBase:
    """Start after Last-Event-ID, else after `?after=`, else now."""
    member = request.member
    place = _places.take(member.pk, STREAMS_PER_MEMBER)
    if place is None:
        return HttpResponse("Too many live pages are open.\n", status=HTTPStatus.TOO_MANY_REQUESTS)
    held = _Held(place)
    start = _start(request)
    position = newest() if start is None else start
    events = _Stream(held, follow(Viewer.of(request), topic, look, position))
    answer = StreamingHttpResponse(events, content_type="text/event-stream")
    answer["Cache-Control"] = "no-store"
    answer["X-Accel-Buffering"] = "no"
    return answer


async def follow(viewer: Viewer, topic: str, look: Look, position: int) -> AsyncIterator[str]:
    """Yield events until the viewer may no longer see them."""
    yield f"retry: 2000\nid: {position}\n\n"
    beat = time.monotonic() + HEARTBEAT_SECONDS
    with waiting_for(topic, str(viewer.organization_id)) as waiter:
        while (news := await in_thread(look_as, viewer, look, position)) is not None:
            position = news.position
            for event in news.events:
                yield event
            if news.events or time.monotonic() >= beat:
                beat = time.monotonic() + HEARTBEAT_SECONDS
                # With the id: a client that reconnects need not search again through what was filtered out.
                yield f"id: {position}\n: still here\n\n"
                await asyncio.sleep(REST_SECONDS)
            if news.all:
                await waiter.wait(max(beat - time.monotonic(), 0))


def look_as(viewer: Viewer, look: Look, position: int) -> News | None:
    """Return the news, or None if the viewer may no longer see them."""
    with organization_context(viewer.organization_id):
        member = viewer.still()
        return None if member is None else look(member, position)


def event(name: str, position: int, html: str) -> str:
    # A line break inside a value would start a new field of the stream.
    data = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
    return f"event: {name}\nid: {position}\n{data}\n"


def open_streams(member_id: UUID) -> int:
    """Return how many streams of the member are open in this process."""
    return _places.held(member_id)


class _Held:
    """A place that is given back when this object is garbage-collected, at the latest."""

    def __init__(self, place: int) -> None:
        self.give_back = finalize(self, _places.give_back, place)


class _Stream:
    """Holds its place until it is closed or garbage-collected.

    Django closes responses that it has begun to send. If the client leaves before that, Django only drops the
    response.
    """

    def __init__(self, held: _Held, events: AsyncIterator[str]) -> None:
        self._events, self._held = events, held

    def __aiter__(self) -> AsyncIterator[str]:
        return self._events

    def close(self) -> None:
        self._held.give_back()


def _start(request: HttpRequest) -> int | None:
    for text in (request.headers.get("Last-Event-ID", ""), request.GET.get("after", "")):
        if text.isascii() and text.isdigit():
            return min(int(text[:19]), _HIGHEST)
    return None
