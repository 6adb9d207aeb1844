"""Gateways' requests about waiting calls. Served on the internal listener only, behind a worker's token."""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from approvals import claims
from common.async_database import in_thread
from common.internal_api import HIGHEST_CURSOR, LONGEST_WAIT, answer, number_in, read_message
from common.notifications import APPROVALS, waiting_for
from gateway_config.wire.approvals import ApprovalAsk, ApprovalClaim, ApprovalUnused, NewsAnswer

# How often, at least, to look for approvals whose time limit has ended and not been noted.
_LOOK_SECONDS = 5.0


@require_POST
def claim(request: HttpRequest, worker: object) -> HttpResponse:
    return answer(claims.claim(read_message(request, ApprovalClaim)))


@require_POST
def ask(request: HttpRequest, worker: object) -> HttpResponse:
    return answer(claims.ask(read_message(request, ApprovalAsk)))


@require_POST
def unused(request: HttpRequest, worker: object) -> HttpResponse:
    claims.note_unused(read_message(request, ApprovalUnused))
    return HttpResponse(status=204)


@require_GET
async def news(request: HttpRequest) -> HttpResponse:
    """Answer as soon as something has changed, else after `wait` seconds.

    `after`: the cursor of the previous answer, or 0 for everything.
    """
    after = number_in(request, "after", HIGHEST_CURSOR)
    return answer(await _next_news(after, number_in(request, "wait", LONGEST_WAIT)))


async def _next_news(after: int, seconds: float) -> NewsAnswer:
    until = time.monotonic() + seconds
    with waiting_for(APPROVALS) as waiter:
        while True:
            found, next_end = await in_thread(_look, after)
            left = until - time.monotonic()
            if found.news or found.cursor != after or left <= 0:
                return found
            await waiter.wait(min(left, next_end))


def _look(after: int) -> tuple[NewsAnswer, float]:
    # Checked first: expiring approvals takes numbers from the sequence that this check looks at.
    if claims.was_restored(after):
        after = 0
    claims.expire_due()
    ends = claims.seconds_to_next_end()
    # Never zero: `expire_due` skips rows that another process is noting now, and the loop must not spin.
    return claims.news_after(after), _LOOK_SECONDS if ends is None else min(ends + 0.05, _LOOK_SECONDS)
