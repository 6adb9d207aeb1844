"""Pages that are the same bytes for everyone: no cookie is read or set, no unchanged page is sent twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, cast

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from catalog.summary import at_one_moment

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
Answered = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
FRESH_SECONDS = 300


def public_page(view: View[P]) -> Answered[P]:
    """The ETag covers index revision, code, day and address: nothing else can change such a page."""

    @require_safe
    @wraps(view)
    def answered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        with at_one_moment() as summary:
            etag = quote_etag(_stamp(request, summary.revision))
            unchanged = get_conditional_response(request, etag=etag)
            answer: HttpResponseBase = unchanged or view(request, *args, **kwargs)
        if answer.status_code in (200, 304):
            answer.headers["ETag"] = etag
            answer.headers["Cache-Control"] = f"public, max-age={FRESH_SECONDS}, stale-while-revalidate=86400"
        if answer.headers.get("Content-Type") == "application/json":
            # The page is what a search engine should show, not the same facts for programs.
            answer.headers["X-Robots-Tag"] = "noindex"
        answer.is_for_everybody = True  # type: ignore[attr-defined]
        return answer

    return cast(Answered[P], answered)


def _stamp(request: HttpRequest, revision: int) -> str:
    day = datetime.now(UTC).date().isoformat()  # the form's proof names the day
    said = f"{revision} {release()} {day} {request.get_host()} {request.get_full_path()}"
    return hashlib.sha256(said.encode(errors="replace")).hexdigest()[:32]


@lru_cache(maxsize=1)
def release() -> str:
    """Changes with everything that such a page is made from: any of our code may have a part in it."""
    digest = hashlib.sha256(f"{django.__version__} {settings.PUBLIC_URL}".encode())
    for file in sorted(_made_of(Path(settings.ROOT))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _made_of(root: Path) -> Iterator[Path]:
    yield from (root / "templates").rglob("*.*")
    yield from (root / "static").rglob("*.*")
    for app in settings.INSTALLED_APPS:
        yield from (root / app).rglob("*.py")


class SameForEverybody:
    """Takes off a public response what the session middleware put on it, and so has to be outside of that."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        if getattr(answer, "is_for_everybody", False):
            answer.cookies.clear()
            answer.headers.pop("Vary", None)
        return answer
