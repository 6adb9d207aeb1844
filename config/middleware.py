"""Headers every answer of the control plane carries."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render

from common.errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound, TooSoon

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class ContentSecurityPolicyMiddleware:
    """Nothing inline runs. The nonce is for the editor, which writes a style sheet of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.csp_nonce = secrets.token_urlsafe(16)  # type: ignore[attr-defined]
        answer = self.get_response(request)
        answer.headers.setdefault(
            "Content-Security-Policy",
            _POLICY.format(nonce=request.csp_nonce),  # type: ignore[attr-defined]
        )
        return answer


class DomainErrorMiddleware:
    """Turns the errors a person can cause into pages, in one place. The API has its own place: common.drf."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        match error:
            case NotFound():
                raise Http404
            case NotAllowed():
                return render(request, "403.html", {"message": str(error)}, status=403)
            case LimitReached():
                answer = render(request, "403.html", {"message": str(error)}, status=429)
                if isinstance(error, TooSoon):
                    answer["Retry-After"] = error.retry_after
                return answer
            case Conflict():
                return render(request, "403.html", {"message": str(error)}, status=409)
            case InvalidInput():
                return render(request, "403.html", {"message": str(error)}, status=422)
            case _:
                return None
