"""Parts of a waiting call's card. A page has twenty of them, so they are drawn from moulds."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.template.context import Context
from django.template.defaulttags import CsrfTokenNode
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from approvals.arguments import Argument
from approvals.cards import Card
from common.templatetags._moulds import filled
from common.templatetags.ui import oneline, plain, shown

register = template.Library()


@register.simple_tag(takes_context=True)
def answer(context: Context, card: Card) -> SafeString:
    """The time that is left, and the form of who may answer."""
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
        **{name: reverse(f"approvals:{name}", args=[pk]) for name in ("approve", "decline", "remind")},
    }
    fixed = {"urgent": card.is_urgent, "told": bool(refused), "may": not card.refusal, "own": card.is_own}
    return filled("approvals/_act.html", [filling], **fixed)


@register.simple_tag
def argument_rows(arguments: Iterable[Argument]) -> SafeString:
    return format_html_join("", "{}", ((_argument(one),) for one in arguments))


def _argument(one: Argument) -> SafeString:
    filling = {
        "name": shown(one.name or "(not readable as an object)"),
        "plain": plain(one.name),
        "head": shown(one.head) if one.is_long else "",
        "length": len(one.value),
        "value": shown(one.value),
        "why": oneline(one.why),
    }
    fixed = {"long": one.is_long, "text": one.is_text_of_json, "asks": bool(one.why)}
    return filled("approvals/_argument.html", [filling], **fixed)
