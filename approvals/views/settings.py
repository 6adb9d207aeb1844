"""Settings pages for the approval rules, and for how people are told that a call waits."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.middleware import MemberRequest
from accounts.models import Membership, Organization
from accounts.permissions import May, may, require
from accounts.verification import is_verified
from accounts.views.members import member_required
from approvals import notices, webhooks
from approvals.forms import RulesForm, WebhookForm
from approvals.models import MailMuted, Notice, Webhook
from approvals.sending import TAKEN_UP_FOR
from approvals.services import may_answer_own, possible_approvers, set_approval_rules
from common.errors import Conflict, LimitReached
from common.going_back import back_to
from common.path_ids import uuid_or_404
from common.refusals import REFUSED, Refusal, say_in_form

NEWEST = 30
# In seconds: while a message is being tried or soon will be, and while it waits for its next attempt.
SOON, LATER = 2, 30


@require_safe
@member_required
def page(request: MemberRequest) -> HttpResponse:
    return _page(request)


@require_POST
@member_required
def rules(request: MemberRequest) -> HttpResponse:
    require(request.member, May.CHANGE_SECURITY)
    form = RulesForm(request.POST)
    if not form.is_valid():
        return _page(request, rules_form=form)
    set_approval_rules(request.member, seconds=form.cleaned_data["seconds"], self_approval=form.self_approval)
    messages.success(request, "The approval rules are changed.")
    return back_to(request, "approvals:settings")


@require_POST
@member_required
def mail(request: MemberRequest) -> HttpResponse:
    muted = request.POST.get("mail") != "on"
    notices.mute(request.member, muted)
    words = "no more e-mail about waiting calls" if muted else "an e-mail when a call waits"
    messages.success(request, f"You get {words}.")
    return back_to(request, "approvals:settings")


@require_POST
@member_required
def add_webhook(request: MemberRequest) -> HttpResponse:
    """Add a webhook. This response shows its secret; nothing else ever does."""
    require(request.member, May.MANAGE_WEBHOOKS)
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return _page(request, webhook_form=form)
    try:
        webhook, secret = webhooks.add_webhook(
            request.member, form.cleaned_data["url"], verified=is_verified(request.member)
        )
    except REFUSED as refused:
        return _page(request, webhook_form=form, status=say_in_form(form, refused))
    return _shown_once(request, webhook, secret)


@require_POST
@member_required
def rotate_secret(request: MemberRequest, webhook_id: str) -> HttpResponse:
    try:
        webhook, secret = webhooks.rotate_secret(request.member, _find(request, webhook_id))
    except Conflict as refused:
        return _page(request, refusal=Refusal.of(webhook_id, refused))
    return _shown_once(request, webhook, secret)


def _shown_once(request: MemberRequest, webhook: Webhook, secret: str) -> HttpResponse:
    context = {"webhook": webhook, "secret": secret, "section": "settings", "pane": "approvals"}
    answer = render(request, "approvals/webhook_secret.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


@require_POST
@member_required
def switch_webhook(request: MemberRequest, webhook_id: str) -> HttpResponse:
    """Switch it on or off. The form names the state and does not toggle: a second click changes nothing."""
    on = request.POST.get("state") == "on"
    webhooks.change_webhook(request.member, _find(request, webhook_id), enabled=on)
    words = "on. It is told what happens from now on" if on else "off. Nothing is sent there until it is on"
    messages.success(request, f"The webhook is switched {words}.")
    return back_to(request, "approvals:settings")


@require_POST
@member_required
def remove_webhook(request: MemberRequest, webhook_id: str) -> HttpResponse:
    webhooks.remove_webhook(request.member, _find(request, webhook_id))
    messages.success(request, "The webhook is removed. Nothing is sent there any more.")
    return back_to(request, "approvals:settings")


@require_POST
@member_required
def test_webhook(request: MemberRequest, webhook_id: str) -> HttpResponse:
    webhook = _find(request, webhook_id)
    try:
        webhooks.send_test(request.member, webhook)
    except (Conflict, LimitReached) as refused:
        return _page(request, refusal=Refusal.of(webhook_id, refused))
    messages.success(request, "A test is on its way. The result shows up below.")
    return back_to(request, "approvals:settings")


@require_POST
@member_required
def redeliver(request: MemberRequest, webhook_id: str, delivery_id: str) -> HttpResponse:
    notice = get_object_or_404(_find(request, webhook_id).notices, pk=uuid_or_404("msg", delivery_id))
    try:
        webhooks.redeliver(request.member, notice)
    except Conflict as refused:
        return _page(request, refusal=Refusal.of(delivery_id, refused))
    messages.success(request, "The message is on its way again, under the same id.")
    return back_to(request, "approvals:settings")


def _find(request: MemberRequest, webhook_id: str) -> Webhook:
    return get_object_or_404(Webhook.objects.visible_to(request.member), pk=uuid_or_404("whk", webhook_id))


def _page(
    request: MemberRequest,
    rules_form: RulesForm | None = None,
    webhook_form: WebhookForm | None = None,
    status: int = 422,
    refusal: Refusal | None = None,
) -> HttpResponse:
    member = request.member
    organization = Organization.objects.get(pk=member.organization_id)
    manages = may(member, May.MANAGE_WEBHOOKS)
    deliveries = _deliveries(member) if manages else []
    context = {
        "rules_form": rules_form or RulesForm(initial=_rules_of(organization)),
        "webhook_form": webhook_form or WebhookForm(),
        "organization": organization,
        "may_change_rules": may(member, May.CHANGE_SECURITY),
        "may_manage_webhooks": manages,
        "answers_own": may_answer_own(organization),
        "approvers": possible_approvers(organization.pk).count(),
        **_mail_of(member),
        "webhooks": Webhook.objects.visible_to(member).order_by("created_at") if manages else [],
        "deliveries": deliveries,
        "look_again": _look_again(deliveries),
        "section": "settings",
        "pane": "approvals",
    }
    if refusal is not None:
        status = refusal.status
    elif rules_form is None and webhook_form is None:
        status = 200
    return render(request, "approvals/settings.html", context | {"refusal": refusal}, status=status)


def _rules_of(organization: Organization) -> dict[str, object]:
    own = {None: "", True: "yes", False: "no"}[organization.self_approval]
    return {"seconds": organization.approval_seconds, "own_calls": own}


def _mail_of(member: Membership) -> dict[str, bool]:
    return {
        "may_approve": may(member, May.APPROVE),
        "verified": is_verified(member),
        "muted": MailMuted.objects.filter(member=member).exists(),
    }


def _deliveries(member: Membership) -> list[Notice]:
    sent = Notice.objects.visible_to(member).exclude(webhook=None).select_related("webhook", "approval")
    return list(sent.order_by("-created_at")[:NEWEST])


def _look_again(deliveries: list[Notice]) -> int | None:
    """Return in how many seconds the page should refresh, or None if nothing is on its way."""
    due = [notice.due_at for notice in deliveries if notice.state == Notice.State.WAITING]
    if not due:
        return None
    return SOON if min(due) <= timezone.now() + TAKEN_UP_FOR else LATER
