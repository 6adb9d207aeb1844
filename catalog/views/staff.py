"""What visitors sent, messages and reports of wrong labels: if ADMIN_ENABLED, for staff with a second factor.
Anyone else who signs in gets a 404."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from catalog.models import ContactMessage, LabelReport
from catalog.services import mark_answered, settle_report
from common.going_back import back_to

P = ParamSpec("P")


def staff_only(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    @login_required
    @wraps(view)
    def looked(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        user = request.user
        is_staff = isinstance(user, User) and user.is_staff and is_mfa_enabled(user)
        if not (settings.ADMIN_ENABLED and is_staff):
            raise Http404
        return view(request, *args, **kwargs)

    return cast(Callable[Concatenate[HttpRequest, P], HttpResponseBase], looked)


@require_safe
@staff_only
def reports(request: HttpRequest) -> HttpResponse:
    waiting = LabelReport.objects.filter(state=LabelReport.State.OPEN).order_by("reported_at", "id")
    settled = LabelReport.objects.exclude(state=LabelReport.State.OPEN).order_by("-settled_at", "-id")[:20]
    context = {
        "page": Paginator(waiting, 50).get_page(request.GET.get("page")),
        "settled": settled,
        "crumbs": [("Wrong labels", "")],
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
    waiting = ContactMessage.objects.filter(answered_at=None).order_by("sent_at", "id")
    answered = ContactMessage.objects.exclude(answered_at=None).order_by("-answered_at", "-id")[:20]
    context = {
        "page": Paginator(waiting, 25).get_page(request.GET.get("page")),
        "answered": answered,
        "is_mailed": bool(settings.CONTACT_EMAIL),
        "crumbs": [("Messages", "")],
    }
    return render(request, "catalog/messages.html", context)


@require_POST
@staff_only
def answered(request: HttpRequest, message_id: int) -> HttpResponse:
    assert isinstance(request.user, User)
    mark_answered(message_id, request.user.email)
    return back_to(request, "catalog:messages")
