"""Back to the page that sent a form, with the search, the filters and the page of the list chosen there."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme


def page_of_the_form(request: HttpRequest) -> str:
    """Return the page that sent the form, or "" if the browser does not say or names another site."""
    came_from = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(came_from, {request.get_host()}):
        return ""
    page = urlsplit(came_from)
    return page._replace(scheme="", netloc="", path=f"/{page.path.lstrip('/')}").geturl()


def chosen_on(request: HttpRequest, view: str) -> QueryDict:
    """Return what was chosen on this page: its own query or, for a POST, that of the page of the form."""
    if request.method != "POST":
        return request.GET
    page = urlsplit(page_of_the_form(request))
    return QueryDict(page.query if page.path == resolve_url(view) else "")


def back_to(request: HttpRequest, view: str) -> HttpResponseRedirect:
    """Redirect to the page, as it was when the form was sent."""
    chosen = chosen_on(request, view).urlencode()
    return redirect(f"{resolve_url(view)}?{chosen}" if chosen else view)
