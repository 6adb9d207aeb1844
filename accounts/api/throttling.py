"""How many requests one asker may send, and how the answer says so.

One counter a minute and asker: a key, else a member, else an address. It stands in a cache of its own, which
the web processes of one machine share, or those of many where there is CACHE_URL.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from common.addresses import place_of

if TYPE_CHECKING:
    from rest_framework.views import APIView

    from accounts.models import Membership

WINDOW_SECONDS: Final = 60
# Of machines that count in one Redis.
_CLOCKS_DIFFER: Final = 5


@dataclass(frozen=True, slots=True)
class Allowance:
    most: int
    left: int
    seconds: int
    """Until the window begins anew."""

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"requests";q={self.most};w={WINDOW_SECONDS}',
            "RateLimit": f'"requests";r={max(self.left, 0)};t={self.seconds}',
        }


class RequestsAMinute(BaseThrottle):
    def __init__(self) -> None:
        self.seconds = 1

    def allow_request(self, request: Request, view: APIView) -> bool:
        allowance = spend(request._request)
        self.seconds = allowance.seconds
        return allowance.left >= 0

    def wait(self) -> float:
        return self.seconds


def spend(request: HttpRequest) -> Allowance:
    """Counts this request, and leaves on it what its answer says of that."""
    asker, most = _asker(request)
    now = time.time()
    begun = int(now // WINDOW_SECONDS)
    seconds = math.ceil((begun + 1) * WINDOW_SECONDS - now)
    allowance = Allowance(most, most - _count(f"requests:{asker}:{begun}", seconds), seconds)
    request.allowance = allowance  # type: ignore[attr-defined]
    return allowance


class RateLimitHeaders:
    """Puts on the answer what the throttle found; outside of the views, for a refused request has it, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        allowance: Allowance | None = getattr(request, "allowance", None)
        if allowance is not None:
            for name, value in allowance.headers().items():
                answer.headers[name] = value
        return answer


def _count(key: str, seconds: int) -> int:
    cache = caches["requests"]
    for _ in range(2):
        try:
            return int(cache.incr(key))
        except ValueError:
            # The first of the minute, or one of several firsts.
            cache.add(key, 0, timeout=seconds + _CLOCKS_DIFFER)
    return 1  # it gave way to others between the two, twice


def _asker(request: HttpRequest) -> tuple[str, int]:
    member: Membership | None = request.member  # type: ignore[attr-defined]
    if member is None:
        place = place_of(request.META.get("REMOTE_ADDR", ""))
        return f"address:{place}", settings.API_REQUESTS_A_MINUTE_UNKNOWN
    asker = member.acting_key or member
    return f"{type(asker).__name__}:{asker.pk}", settings.API_REQUESTS_A_MINUTE
