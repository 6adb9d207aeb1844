"""Middleware of the site: the Content-Security-Policy of every response, and pages for domain errors."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponsePermanentRedirect,
)
from django.middleware.common import CommonMiddleware
from django.shortcuts import render

from common.errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound, TooSoon
from common.going_back import page_of_the_form

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
NOT_DONE = "That was not done"


class _SameRequest(HttpResponsePermanentRedirect):
    status_code = 308


class SlashAppended(CommonMiddleware):
    """Redirects to the address with its last slash. After a 301, most clients send a GET in place of a POST:
    a POST that changed nothing would seem to have succeeded."""

    response_redirect_class = _SameRequest


class ContentSecurityPolicyMiddleware:
    """Forbids inline scripts. The nonce is for the editor, which adds a style sheet of its own."""

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
    """Turns the errors that people can cause into pages, in one place. The API's place is `common.drf`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        if isinstance(answer, HttpResponseNotAllowed) and request.method == "GET":
            return _no_page(request, answer)
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        match error:
            case NotFound():
                raise Http404
            case NotAllowed():
                title = "This page is not open to you" if request.method in ("GET", "HEAD") else NOT_DONE
                return _refused(request, error, 403, title, beside="members")
            case TooSoon():
                answer = _refused(request, error, 429, "Too soon")
                answer["Retry-After"] = error.retry_after
                return answer
            case LimitReached():
                return _refused(request, error, 429, "There is no more room", beside="usage")
            case Conflict():
                return _refused(request, error, 409)
            case InvalidInput():
                return _refused(request, error, 422)
            case _:
                return None


def _refused(
    request: HttpRequest, error: Exception, status: int, title: str = NOT_DONE, *, beside: str = ""
) -> HttpResponse:
    """`beside`: the page to link to, which says who may do this or how much room there is."""
    said = {"title": title, "message": str(error), "beside": beside}
    if request.method == "POST":
        said["back"] = page_of_the_form(request)
    return render(request, "403.html", said, status=status)


def _no_page(request: HttpRequest, refused: HttpResponseNotAllowed) -> HttpResponse:
    """Answer a GET to the address of a form, from a bookmark or the address bar.

    Without a page of ours, the browser would show its own.
    """
    said = {
        "title": "There is no page here",
        "message": "Forms are sent to this address. Nothing was changed.",
    }
    answer = render(request, "403.html", said, status=refused.status_code)
    answer["Allow"] = refused["Allow"]
    return answer
