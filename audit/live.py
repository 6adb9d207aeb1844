"""The live tail: decisions as they happen, as server-sent events, each a row of the log's own table.

`row` is a new row; `swap` is one already sent whose call has ended since: it takes the place of its id.
Its id is where the tail goes on: a client that comes back with Last-Event-ID gets exactly what it missed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from importlib import import_module
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.tenancy import organization_context
from accounts.views.members import member_required
from audit.outcomes import OUTCOMES
from audit.queries import DecisionRow, Filters, newest_position, news_after
from common.async_database import in_thread
from common.ids import parse_public_id
from common.notifications import DECISIONS, waiting_for

HEARTBEAT_SECONDS: Final = 15.0
# Several batches a second are shown together; nobody reads faster.
REST_SECONDS: Final = 0.2
STREAMS_PER_MEMBER: Final = 10
ROWS_AT_ONCE: Final = 200
_HIGHEST: Final = 2**63 - 1

_open_streams: Counter[UUID] = Counter()


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks on, as it can be asked again while the request itself is long over."""

    member_id: UUID
    organization_id: UUID
    user_id: UUID
    session_key: str | None


@require_GET
@member_required
def live(request: MemberRequest) -> HttpResponseBase:
    """Filters as on the log's page. Begins after Last-Event-ID, else after `?after=`, else now."""
    member = request.member
    if _open_streams[member.pk] >= STREAMS_PER_MEMBER:
        return HttpResponse("Too many live logs are open.\n", status=HTTPStatus.TOO_MANY_REQUESTS)
    start = _start(request)
    position = newest_position(member) if start is None else start
    viewer = Viewer(member.pk, member.organization_id, member.user_id, request.session.session_key)
    stream = _Stream(viewer, filters_of(request.GET), position)
    answer = StreamingHttpResponse(stream, content_type="text/event-stream")
    answer["Cache-Control"] = "no-store"
    answer["X-Accel-Buffering"] = "no"
    return answer


def filters_of(wanted: QueryDict) -> Filters:
    """What stands in a URL; what cannot be read matches nothing rather than everything."""
    outcome = wanted.get("outcome", "")
    return Filters(
        server=_id("srv", wanted.get("server", "")),
        grant=_id("grt", wanted.get("grant", "")),
        tool=wanted.get("tool", "")[:256],
        outcome=outcome if outcome in ("", *OUTCOMES) else "unknown",
        code=wanted.get("code", "")[:40],
        rule=wanted.get("rule", "")[:700],
        since=_moment(wanted.get("since", "")),
        until=_moment(wanted.get("until", "")),
    )


class _Stream:
    """Counted from the answer's making to its closing, which Django sees to however the stream ends."""

    def __init__(self, viewer: Viewer, filters: Filters, position: int) -> None:
        self._events = events(viewer, filters, position)
        self._member_id: UUID | None = viewer.member_id
        _open_streams[viewer.member_id] += 1

    def __aiter__(self) -> AsyncIterator[str]:
        return self._events

    def close(self) -> None:
        if self._member_id is not None:
            _open_streams.subtract([self._member_id])
            if not _open_streams[self._member_id]:
                del _open_streams[self._member_id]
            self._member_id = None


async def events(viewer: Viewer, filters: Filters, position: int) -> AsyncIterator[str]:
    """Ends when the viewer may no longer look."""
    yield f"retry: 2000\nid: {position}\n\n"
    beat = time.monotonic() + HEARTBEAT_SECONDS
    with waiting_for(DECISIONS, str(viewer.organization_id)) as waiter:
        while (news := await in_thread(_read, viewer, filters, position)) is not None:
            position = news.position
            for event in news.events:
                yield event
            if news.events or time.monotonic() >= beat:
                beat = time.monotonic() + HEARTBEAT_SECONDS
                # With the id: who comes back later need not look through what was filtered out.
                yield f"id: {position}\n: still here\n\n"
                await asyncio.sleep(REST_SECONDS)
            if news.all:
                await waiter.wait(max(beat - time.monotonic(), 0))


@dataclass(frozen=True, slots=True)
class _News:
    """Rendered events, where to go on, and whether that is all there is for now."""

    events: list[str]
    position: int
    all: bool


def _read(viewer: Viewer, filters: Filters, position: int) -> _News | None:
    """None when the viewer may not look."""
    with organization_context(viewer.organization_id):
        member = _still(viewer)
        if member is None:
            return None
        newest = newest_position(member)
        rows = news_after(member, filters, position, ROWS_AT_ONCE)
        everything = len(rows) < ROWS_AT_ONCE
        reached = max([position, *(row.news for row in rows), newest if everything else 0])
        return _News([_event(row, new=row.position > position) for row in rows], reached, everything)


def _still(viewer: Viewer) -> Membership | None:
    """The session may have ended, the password changed, the membership gone."""
    sessions = import_module(settings.SESSION_ENGINE)
    request = HttpRequest()
    request.session = sessions.SessionStore(viewer.session_key)
    if get_user(request).pk != viewer.user_id:
        return None
    return Membership.objects.filter(pk=viewer.member_id, user__is_active=True).first()


def _event(row: DecisionRow, *, new: bool) -> str:
    html = render_to_string("audit/_row.html", {"row": row})
    # A line break inside a value would begin a field of the stream's own.
    data = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
    name = "row" if new else "swap"
    return f"event: {name}\nid: {row.news}\n{data}\n"


def _start(request: HttpRequest) -> int | None:
    for text in (request.headers.get("Last-Event-ID", ""), request.GET.get("after", "")):
        if text.isascii() and text.isdigit():
            return min(int(text[:19]), _HIGHEST)
    return None


def _id(prefix: str, text: str) -> UUID | None:
    if not text:
        return None
    try:
        return parse_public_id(prefix, text)
    except ValueError:
        return UUID(int=0)


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found and found.tzinfo else None
