"""Cards of waiting calls and rows of answered ones. A page has many, so they are filled into moulds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django import template
from django.template.context import Context
from django.template.defaulttags import CsrfTokenNode
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.tenancy import Asker
from approvals.arguments import Argument
from approvals.cards import Card, first_lapse
from approvals.models import Approval
from common.templatetags._moulds import filled, joined
from common.templatetags._ways import address
from common.templatetags.ui import ago, oneline, plain, severity, shown, tool_class

register = template.Library()


@register.simple_tag
def first_lapse_of(member: Asker) -> datetime | None:
    return first_lapse(member)


@register.simple_tag(takes_context=True)
def answer(context: Context, card: Card) -> SafeString:
    """Render the time left and, for those who may answer, the form."""
    row, pk = card.approval, card.approval.public_id
    refused = context.get("refused", "")
    filling = {
        "id": pk,
        "until": row.expires_at.isoformat(),
        "until_words": f"{row.expires_at:%-d %b %Y, %H:%M:%S}",
        "left": card.left,
        "seconds_in_all": card.seconds_in_all,
        "seconds_left": card.seconds_left,
        "refused": refused,
        "refusal": card.refusal,
        "tool": plain(row.tool),
        "csrf": CsrfTokenNode().render(context),
        **{name: address(f"approvals:{name}", pk) for name in ("approve", "decline", "remind")},
    }
    fixed = {"urgent": card.is_urgent, "told": bool(refused), "may": not card.refusal, "own": card.is_own}
    return filled("approvals/_act.html", [filling], **fixed)


@register.simple_tag
def what(card: Card, alone: bool = False) -> SafeString:
    """Render what is asked, by whom, why and with which arguments. `alone`: on the call's own page."""
    row, grounds, habit = card.approval, card.grounds, card.habit if card.waits else None
    filling = {
        "tool": oneline(row.tool),
        "detail": "" if alone else address("approvals:detail", row.public_id),
        "severity": severity(card.tool.severity) if card.tool else "",
        "class": tool_class(card.tool.tool_class) if card.tool else "",
        "holder": address("grants:detail", row.grant.public_id),
        "grant": oneline(row.grant.label),
        "server": oneline(row.server.name),
        "because": shown(grounds.because),
        "said": shown(grounds.said) if grounds.said else "",
        "rows": _rows(card.arguments or ()),
        "asked": habit.asked if habit else "",
        "approved": (habit.approved or "none") if habit else "",
        "policy": address("policies:editor", card.policy) if card.policy else "",
    }
    return filled(
        "approvals/_what.html",
        [filling],
        alone=alone,
        known=card.tool is not None,
        said=bool(grounds.said),
        arguments=_kind(card),
        habit=habit is not None,
        policy=bool(card.policy),
    )


def _kind(card: Card) -> str:
    if card.arguments:
        return "shown"
    if not card.may_read:
        return "closed"
    return "erased" if card.arguments is None else "none"


def _rows(arguments: Iterable[Argument]) -> SafeString:
    return joined(_argument(one) for one in arguments)


def _argument(one: Argument) -> SafeString:
    long, asks = one.is_long, bool(one.why)
    filling = {
        "name": shown(one.name or "(not readable as an object)"),
        "plain": plain(one.name) if long else "",
        "head": shown(one.head) if long else "",
        "length": len(one.value),
        "value": shown(one.value),
        "why": oneline(one.why) if asks else "",
    }
    return filled("approvals/_argument.html", [filling], long=long, text=one.is_text_of_json, asks=asks)


@register.simple_tag
def state_of(member: Asker, approval_id: UUID) -> str:
    """Return what has become of an approval by now; empty if it is gone."""
    row = Approval.objects.visible_to(member).filter(pk=approval_id).first()
    return str(row.state_at(timezone.now())) if row else ""


@register.simple_tag
def states_of(member: Asker, approval_ids: Collection[UUID]) -> dict[UUID, SafeString]:
    """Return by id the marks of what has become of these approvals by now, without those that are gone."""
    if not approval_ids:
        return {}
    now = timezone.now()
    rows = Approval.objects.visible_to(member).filter(pk__in=approval_ids)
    return {row.pk: state_mark(row.state_at(now)) for row in rows}


@register.simple_tag
def state_mark(state: str) -> SafeString:
    return filled("approvals/_state.html", [{}], state=str(state))


@register.simple_tag(takes_context=True)
def answered_rows(context: Context, rows: Iterable[Approval]) -> SafeString:
    asker = context["member"].pk
    return joined(_answered(row, asker) for row in rows)


def _answered(row: Approval, asker: UUID) -> SafeString:
    by = "you" if row.answered_by_id == asker else "another" if row.answered_by_email else ""
    filling = {
        "when": ago(row.moment),
        "state": state_mark(row.now),
        "href": address("approvals:detail", row.public_id),
        "tool": oneline(row.tool),
        "holder": address("grants:detail", row.grant.public_id),
        "grant": oneline(row.grant.label),
        "email": oneline(row.answered_by_email) if by == "another" else "",
        "note": _note(row),
    }
    return filled("approvals/_answered_row.html", [filling], by=by, key=bool(row.answered_by_key))


def _note(row: Approval) -> str:
    if row.note:
        return oneline(row.note)
    if row.because:
        return row.get_because_display()
    if row.now != Approval.State.EXPIRED:
        return ""
    return "not used in time" if row.answered_at else "not answered in time"
