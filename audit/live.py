"""The live tail: decisions as they happen, each as a row of the log's table.

`row` is a new row; `swap` is a row already sent whose call has ended since: it replaces the row with its id.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.http import HttpResponseBase, QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from accounts.middleware import MemberRequest
from accounts.models import Membership
from accounts.streams import News, event, stream
from accounts.views.members import member_required
from audit.days import newest_position
from audit.outcomes import SHOWN
from audit.queries import DecisionRow, news_after
from audit.search import Filters
from audit.templatetags.decisions import call_rows
from common.ids import parse_public_id
from common.notifications import DECISIONS

ROWS_AT_ONCE: Final = 200
# For a bound that cannot be read: nothing lies beyond these.
_AFTER_ALL: Final = datetime(9999, 1, 1, tzinfo=UTC)
_BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}


@require_GET
@member_required
def live(request: MemberRequest) -> HttpResponseBase:
    """Stream new decisions, with the same filters as the log's page."""
    look = partial(news_of, filters_of(request.GET))
    return stream(request, DECISIONS, look, lambda: newest_position(request.member))


def filters_of(wanted: QueryDict) -> Filters:
    """Read filters from a URL. What cannot be read matches nothing rather than everything."""
    outcome = wanted.get("outcome", "")
    return Filters(
        words=wanted.get("q", "").strip()[:700],
        server=_id("srv", wanted.get("server", "")),
        grant=_id("grt", wanted.get("grant", "")),
        tool=wanted.get("tool", "")[:256],
        outcome=outcome if outcome in ("", *SHOWN) else "unknown",
        code=wanted.get("code", "")[:40],
        rule=wanted.get("rule", "")[:700],
        since=_bound(wanted.get("since", ""), _AFTER_ALL) or _ago(wanted.get("last", "")),
        until=_bound(wanted.get("until", ""), _BEFORE_ALL),
    )


def news_of(filters: Filters, member: Membership, position: int) -> News:
    newest = newest_position(member)
    rows = news_after(member, filters, position, ROWS_AT_ONCE)
    everything = len(rows) < ROWS_AT_ONCE
    reached = max([position, *(row.news for row in rows), newest if everything else 0])
    return News([_event(row, new=row.position > position) for row in rows], reached, everything)


def _event(row: DecisionRow, *, new: bool) -> str:
    return event("row" if new else "swap", row.news, call_rows([row]))


def _id(prefix: str, text: str) -> UUID | None:
    if not text:
        return None
    try:
        return parse_public_id(prefix, text)
    except ValueError:
        return UUID(int=0)


def _ago(text: str) -> datetime | None:
    return timezone.now() - LAST[text] if text in LAST else None


def _bound(text: str, otherwise: datetime) -> datetime | None:
    return (moment_of(text) or otherwise) if text else None


def moment_of(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found and found.tzinfo else None
