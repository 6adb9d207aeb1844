"""The queues of the staff: messages that visitors sent, and reports of wrong labels."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.staff import staff_only
from catalog.models import ContactMessage, LabelReport
from catalog.services import mark_answered, settle_report
from common.going_back import back_to


@require_safe
@staff_only
def reports(request: HttpRequest) -> HttpResponse:
    waiting = _open_reports().order_by("reported_at", "id")
    settled = LabelReport.objects.exclude(state=LabelReport.State.OPEN).order_by("-settled_at", "-id")[:20]
    context = {
        "page": Paginator(waiting, 50).get_page(request.GET.get("page")),
        "settled": settled,
        "tabs": _tabs("catalog:reports"),
    }
    return render(request, "catalog/reports.html", context)


@require_POST
@staff_only
def settle(request: HttpRequest, report_id: int) -> HttpResponse:
    state = request.POST.get("state", "")
    if state not in (LabelReport.State.RIGHT, LabelReport.State.WRONG):
        raise Http404
    assert isinstance(request.user, User)
    settle_report(report_id, state, request.user.email)
    return back_to(request, "catalog:reports")


@require_safe
@staff_only
def messages(request: HttpRequest) -> HttpResponse:
    waiting = _open_messages().order_by("sent_at", "id")
    answered = ContactMessage.objects.exclude(answered_at=None).order_by("-answered_at", "-id")[:20]
    context = {
        "page": Paginator(waiting, 25).get_page(request.GET.get("page")),
        "answered": answered,
        "is_mailed": bool(settings.CONTACT_EMAIL),
        "tabs": _tabs("catalog:messages"),
    }
    return render(request, "catalog/messages.html", context)


@require_POST
@staff_only
def answered(request: HttpRequest, message_id: int) -> HttpResponse:
    assert isinstance(request.user, User)
    mark_answered(message_id, request.user.email)
    return back_to(request, "catalog:messages")


def _open_reports() -> QuerySet[LabelReport]:
    return LabelReport.objects.filter(state=LabelReport.State.OPEN)


def _open_messages() -> QuerySet[ContactMessage]:
    return ContactMessage.objects.filter(answered_at=None)


def _tabs(here: str) -> list[dict[str, Any]]:
    pages = (
        ("Messages", "catalog:messages", _open_messages().count()),
        ("Wrong labels", "catalog:reports", _open_reports().count()),
        ("Admin", "admin:index", None),
    )
    return [
        {"label": label, "href": reverse(view), "current": view == here, "count": count}
        for label, view, count in pages
    ]
