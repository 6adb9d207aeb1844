from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import ApiKeyForm
from accounts.middleware import MemberRequest
from accounts.models import ApiKey
from accounts.permissions import May, may, require
from accounts.services import create_api_key, revoke_api_key
from accounts.views.members import member_required
from common.going_back import back_to, chosen_on
from common.path_ids import uuid_or_404
from common.refusals import REFUSED, say_in_form

PER_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def keys(request: MemberRequest) -> HttpResponse:
    if request.method == "POST":
        return _make(request)
    return _page(request, ApiKeyForm(initial={"expires": "90"}))


def _make(request: MemberRequest) -> HttpResponse:
    """Make a key. This response shows its token; nothing else ever does."""
    require(request.member, May.MAKE_KEYS)
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        key, token = create_api_key(
            request.member, form.cleaned_data["name"], form.cleaned_data["scopes"], form.expires_at()
        )
    except REFUSED as refused:
        return _page(request, form, status=say_in_form(form, refused))
    context = {"key": key, "token": token, "section": "settings", "pane": "keys"}
    answer = render(request, "settings/key_created.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


@require_POST
@member_required
def revoke_key(request: MemberRequest, key_id: str) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.visible_to(request.member), pk=uuid_or_404("key", key_id))
    revoke_api_key(request.member, key)
    messages.success(request, f"The key {key.hint}… no longer works.")
    return back_to(request, "api-keys")


def _page(request: MemberRequest, form: ApiKeyForm, status: int = 200) -> HttpResponse:
    member, chosen = request.member, chosen_on(request, "api-keys")
    keys = ApiKey.objects.visible_to(member)
    mine = keys if may(member, May.READ_KEYS) else keys.none()
    wanted = chosen.get("q", "").strip().replace("\x00", "")
    found = (
        mine.filter(Q(name__icontains=wanted) | Q(member__user__email__icontains=wanted)) if wanted else mine
    )
    everything = found.select_related("member__user").order_by("-created_at")
    good = mine.filter(revoked_at=None).exclude(expires_at__lte=timezone.now()).count()
    context = {
        "title": f"{good} API key{'' if good == 1 else 's'}" if good else "API keys",
        "form": form,
        "total": mine.count(),
        "wanted": wanted,
        "page": Paginator(everything, PER_PAGE).get_page(chosen.get("page")),
        "may_keys": may(member, May.MAKE_KEYS),
        "section": "settings",
        "pane": "keys",
    }
    return render(request, "settings/keys.html", context, status=status)
