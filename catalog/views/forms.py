"""The forms that visitors send: a message, or a report of a wrong label."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import Resolver404, resolve
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from catalog.doors import came_from_us, may_send
from catalog.forms import ContactForm, LabelForm, stamp
from catalog.models import CatalogTool
from catalog.public import public_page
from catalog.services import report_label, send_message
from catalog.views._shared import crumbs, page
from catalog.words import slug_asked

_TOO_OFTEN = "That was a lot of messages from one place. Try again in an hour."
_ELSEWHERE = "This form was sent from another site. Open the page here and send it again."


@csrf_exempt  # no cookie is read, so a forged form has nobody's rights to use
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest) -> HttpResponseBase:
    return _contact_sent(request) if request.method == "POST" else _contact_page(request)


@public_page
def _contact_page(request: HttpRequest) -> HttpResponse:
    form = ContactForm(initial={"proof": stamp(), "page": request.path})
    return page(
        request,
        "catalog/contact.html",
        {
            "form": form,
            "sent": "sent" in request.GET,
            "back": _page_of_ours(request.GET.get("from", "")),
            "crumbs": [("Contact", "")],
        },
    )


def _contact_sent(request: HttpRequest) -> HttpResponse:
    form = ContactForm(request.POST)
    wrong = _wrong(request, form.is_valid())
    if wrong:
        form.add_error(None, wrong[0])
    if form.errors:
        form.data = {**form.data.dict(), "proof": stamp()}  # type: ignore[attr-defined]
        context = {"form": form, "sent": False, "crumbs": [("Contact", "")]}
        return page(request, "catalog/contact.html", context, status=wrong[1] if wrong else 422)
    said = form.cleaned_data
    send_message(said["email"], said["about"], said["message"])
    back = _page_of_ours(said["page"])
    return redirect(f"/contact/?sent=1{f'&from={quote(back)}' if back else ''}")


def _page_of_ours(path: str) -> str:
    """The path, if a page of the catalogue other than this form has it; otherwise empty."""
    try:
        found = resolve(path)
    except Resolver404:
        return ""
    return path if found.app_name == "catalog" and found.url_name != "contact" else ""


def _wrong(request: HttpRequest, is_valid: bool) -> tuple[str, int] | None:
    if not came_from_us(request):
        return _ELSEWHERE, 403
    if is_valid and not may_send(request):
        return _TOO_OFTEN, 429
    return None


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def wrong_label(request: HttpRequest) -> HttpResponseBase:
    return _label_sent(request) if request.method == "POST" else _label_page(request)


@public_page
def _label_page(request: HttpRequest) -> HttpResponse:
    server, tool = slug_asked(request.GET.get("server", "")), slug_asked(request.GET.get("tool", ""))
    form = LabelForm(initial={"proof": stamp(), "server": server, "tool": tool})
    return _label(request, form, server, tool)


def _label_sent(request: HttpRequest) -> HttpResponse:
    form = LabelForm(request.POST)
    wrong = _wrong(request, form.is_valid())
    server, tool = slug_asked(request.POST.get("server", "")), slug_asked(request.POST.get("tool", ""))
    if wrong:
        form.add_error(None, wrong[0])
    if form.errors:
        form.data = {**form.data.dict(), "proof": stamp()}  # type: ignore[attr-defined]
        return _label(request, form, server, tool, wrong[1] if wrong else 422)
    said = form.cleaned_data
    report_label(said["server"], said["tool"], said["should_be"], said["why"])
    about = urlencode({"sent": 1, "server": said["server"], "tool": said["tool"]})
    return redirect(f"/catalogue/wrong-label/?{about}")


def _label(request: HttpRequest, form: LabelForm, server: str, tool: str, status: int = 200) -> HttpResponse:
    found = CatalogTool.objects.filter(server__slug=server, slug=tool, removed_at=None)
    row = found.select_related("server").defer("search", "server__search").first()
    context = {
        "form": form,
        "tool": row,
        "sent": "sent" in request.GET,
        "crumbs": crumbs(("Wrong label", "")),
    }
    return page(request, "catalog/wrong_label.html", context, status=status)


__all__ = ["contact", "wrong_label"]
