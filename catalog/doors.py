"""Decides who may send a form without signing in: only from a page of ours, and not too often."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

from common.addresses import place_of
from common.not_too_often import not_too_often

FROM_ONE_PLACE = 5
FROM_EVERYWHERE = 200
SECONDS = 3600


def came_from_us(request: HttpRequest) -> bool:
    """True if a page of ours sent the form. No cookie is involved, so nobody's rights can be borrowed; this
    keeps other sites' forms out."""
    origin = request.headers.get("Origin", "")
    ours = urlsplit(settings.PUBLIC_URL)
    if origin:
        return origin in (f"{ours.scheme}://{ours.netloc}", f"{request.scheme}://{request.get_host()}")
    return request.headers.get("Sec-Fetch-Site") == "same-origin"


def may_send(request: HttpRequest) -> bool:
    """Allow a few forms an hour from one address, and no flood from all addresses together."""
    address = place_of(request.META.get("REMOTE_ADDR", ""))
    place = hashlib.sha256(f"{settings.SECRET_KEY} {address}".encode()).hexdigest()[:24]
    of_one = not_too_often(f"catalog-forms-{place}", FROM_ONE_PLACE, SECONDS)
    return of_one and not_too_often("catalog-forms", FROM_EVERYWHERE, SECONDS)
