"""Sends people to the sign-in page and back, and answers forms from pages older than the last sign-in."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from common.going_back import page_of_the_form


def to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """Redirect there and back. An htmx request moves the whole page: a fragment must not show the form."""
    if "HX-Request" not in request.headers:
        return redirect_to_login(page_to_return_to(request))
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    answer = HttpResponse()
    answer["HX-Redirect"] = redirect_to_login(page._replace(scheme="", netloc="").geturl() or "/").url
    return answer


def page_to_return_to(request: HttpRequest) -> str:
    """Return this page or, for a POST, the page of the form: the address of a form often has no page."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    return page_of_the_form(request) or reverse("overview")


def page_too_old(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's `CSRF_FAILURE_VIEW`. Reloads a page that sent an htmx request, if that helps: it was open
    while its reader signed in again elsewhere."""
    if "HX-Request" in request.headers and reason.endswith("incorrect."):
        return HttpResponse(status=403, headers={"HX-Refresh": "true"})
    return render(request, "403_csrf.html", {"back": page_of_the_form(request)}, status=403)
