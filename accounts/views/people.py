"""Pages for members and invitations."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import InviteForm
from accounts.middleware import MemberRequest
from accounts.models import Invitation, Membership, Role
from accounts.permissions import May, may, require
from accounts.services import invitations
from accounts.services.members import change_role, is_sole_owner, needed_for, remove_member
from accounts.verification import is_verified
from accounts.views.members import member_required
from common.errors import Conflict, InvalidInput, LimitReached
from common.going_back import back_to, chosen_on
from common.path_ids import uuid_or_404
from common.refusals import REFUSED, Refusal, say_in_form

PER_PAGE = 25


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def people(request: MemberRequest) -> HttpResponse:
    """List members and invitations; a POST invites someone."""
    owners = may(request.member, May.CHANGE_OWNERS)
    if request.method != "POST":
        return _page(request, InviteForm(owners=owners))
    require(request.member, May.MANAGE_MEMBERS)
    form = InviteForm(request.POST, owners=owners)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        invited = invitations.invite(request.member, form.cleaned_data["email"], form.cleaned_data["role"])
    except REFUSED as refused:
        return _page(request, form, status=say_in_form(form, refused, about="email"))
    messages.success(request, f"An invitation is on its way to {invited.email}.")
    return back_to(request, "members")


@require_POST
@member_required
def change(request: MemberRequest, member_id: str) -> HttpResponse:
    try:
        member = change_role(request.member, _member(request, member_id), request.POST.get("role", ""))
    except InvalidInput:
        raise Http404 from None
    except Conflict as stays:
        return _refused(request, member_id, stays)
    messages.success(request, f"{member.user.email} is {member.get_role_display().lower()} now.")
    return back_to(request, "members")


@require_POST
@member_required
def remove(request: MemberRequest, member_id: str) -> HttpResponse:
    member = _member(request, member_id)
    email, own = member.user.email, member.pk == request.member.pk
    try:
        remove_member(request.member, member)
    except Conflict as stays:
        return _refused(request, member_id, stays)
    messages.success(request, "You left." if own else f"{email} no longer belongs to this organization.")
    return redirect("overview") if own else back_to(request, "members")


@require_POST
@member_required
def resend(request: MemberRequest, invitation_id: str) -> HttpResponse:
    try:
        sent = invitations.resend(request.member, _invitation(request, invitation_id))
    except (Conflict, LimitReached) as refused:
        return _refused(request, invitation_id, refused)
    messages.success(request, f"A new link is on its way to {sent.email}; the old one no longer works.")
    return back_to(request, "members")


@require_POST
@member_required
def withdraw(request: MemberRequest, invitation_id: str) -> HttpResponse:
    invitation = _invitation(request, invitation_id)
    try:
        invitations.withdraw(request.member, invitation)
    except Conflict as refused:
        return _refused(request, invitation_id, refused)
    messages.success(request, f"The link sent to {invitation.email} no longer works.")
    return back_to(request, "members")


def _member(request: MemberRequest, member_id: str) -> Membership:
    mine = Membership.objects.visible_to(request.member).select_related("user")
    return get_object_or_404(mine, pk=uuid_or_404("mem", member_id))


def _invitation(request: MemberRequest, invitation_id: str) -> Invitation:
    mine = Invitation.objects.visible_to(request.member)
    return get_object_or_404(mine, pk=uuid_or_404("inv", invitation_id))


def _refused(request: MemberRequest, about: str, refused: Conflict | LimitReached) -> HttpResponse:
    form = InviteForm(owners=may(request.member, May.CHANGE_OWNERS))
    refusal = Refusal.of(about, refused)
    return _page(request, form, refusal.status, refusal)


def _page(
    request: MemberRequest, form: InviteForm, status: int = 200, refusal: Refusal | None = None
) -> HttpResponse:
    member, chosen = request.member, chosen_on(request, "members")
    wanted = chosen.get("q", "").strip().replace("\x00", "")
    everybody = _members(member)
    total = everybody.count()
    found = everybody.filter(user__email__icontains=wanted) if wanted else everybody
    page = Paginator(found, PER_PAGE).get_page(chosen.get("page"))
    manages, owns = may(member, May.MANAGE_MEMBERS), may(member, May.CHANGE_OWNERS)
    open_ones = Invitation.objects.visible_to(member).open().order_by("-sent_at", "pk")
    waiting = Paginator(open_ones if manages else open_ones.none(), PER_PAGE)
    invited = waiting.get_page(chosen.get("invited"))
    shown = {one.public_id for one in page} | {one.public_id for one in invited}
    context = {
        "title": f"{total} member{'' if total == 1 else 's'}",
        "form": form,
        "page": page,
        "total": total,
        "wanted": wanted,
        "rows": [(one, owns or (manages and one.role != Role.OWNER)) for one in page],
        "roles": [role for role in Role if owns or role is not Role.OWNER],
        "invitations": [(one, may(member, needed_for(one.role))) for one in invited],
        "invited": invited,
        "manages": manages,
        "verified": is_verified(member),
        "only_owner": member.public_id if owns and is_sole_owner(member) else None,
        "refusal": refusal,
        "refused_in_a_row": refusal and refusal.about in shown,
        "section": "settings",
        "pane": "members",
    }
    return render(request, "settings/members.html", context, status=status)


def _members(member: Membership) -> QuerySet[Membership]:
    """Members who joined first come first, each with the number of their API keys that still work."""
    found = Membership.objects.visible_to(member).select_related("user")
    not_over = Q(api_keys__expires_at=None) | Q(api_keys__expires_at__gt=timezone.now())
    works = not_over & Q(api_keys__revoked_at=None)
    return found.annotate(keys=Count("api_keys", filter=works)).order_by("joined_at", "pk")
