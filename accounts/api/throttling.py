"""Limits how many requests one asker may send, and reports the limit in the response headers.

There is one counter per minute and asker: the API key, else the member, else the address. Counters are in a
cache of their own, shared by the web processes of one machine, or of all machines if CACHE_URL is set.
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
# In seconds: by how much the clocks of machines that count in one Redis may differ.
_CLOCKS_DIFFER: Final = 5


@dataclass(frozen=True, slots=True)
class Allowance:
    most: int
    left: int
    seconds: int
    """Until the next window begins."""

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
    """Count this request, and set its allowance on it for the response headers."""
    asker, most = _asker(request)
    now = time.time()
    begun = int(now // WINDOW_SECONDS)
    seconds = math.ceil((begun + 1) * WINDOW_SECONDS - now)
    allowance = Allowance(most, most - _count(f"requests:{asker}:{begun}", seconds), seconds)
    request.allowance = allowance  # type: ignore[attr-defined]
    return allowance


class RateLimitHeaders:
    """Adds the throttle's result to the response; as middleware, so that refused requests carry it too."""

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
            # The first request of the minute, or one of several that arrived together.
            cache.add(key, 0, timeout=seconds + _CLOCKS_DIFFER)
    return 1  # the cache evicted the key right after `add`


def _asker(request: HttpRequest) -> tuple[str, int]:
    member: Membership | None = request.member  # type: ignore[attr-defined]
    if member is None:
        place = place_of(request.META.get("REMOTE_ADDR", ""))
        return f"address:{place}", settings.API_REQUESTS_A_MINUTE_UNKNOWN
    asker = member.acting_key or member
    return f"{type(asker).__name__}:{asker.pk}", settings.API_REQUESTS_A_MINUTE
