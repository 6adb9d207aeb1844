"""Table rows of members and of open invitations."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.template import Context, loader
from django.template.defaulttags import CsrfTokenNode
from django.utils.safestring import SafeString

from accounts.models import Invitation, Membership, Role
from common.refusals import Refusal
from common.templatetags._moulds import filled, joined
from common.templatetags._ways import address
from common.templatetags.ui import ago, oneline, options, plain

register = template.Library()


@register.simple_tag(takes_context=True)
def member_rows(context: Context, rows: Iterable[tuple[Membership, bool]]) -> SafeString:
    """Render members, each given with whether the asker may change them."""
    asker, refusal, only = context["member"], context["refusal"], context["only_owner"]
    csrf = CsrfTokenNode().render(context)
    choices = [(role.value, role.label) for role in context["roles"]]
    roles = {role: options(choices, role) for role in Role.values}
    return joined(
        _member(
            {
                "number": number,
                "csrf": csrf,
                "roles": roles[one.role],
                "refused": _refused(refusal, one.public_id),
            },
            one,
            own=one.pk == asker.pk,
            only=one.public_id == only,
            told=refusal is not None and refusal.about == only,
            may_change=may_change,
        )
        for number, (one, may_change) in enumerate(rows, 1)
    )


def _member(around: dict[str, object], one: Membership, **kind: bool) -> SafeString:
    email, pk, keys = one.user.email, one.public_id, one.keys  # type: ignore[attr-defined]
    filling = {
        **around,
        "email": oneline(email),
        "plain": plain(email),
        "role": Role(one.role).label,
        "joined": ago(one.joined_at),
        "keys": keys,
        "change": address("change-role", pk),
        "remove": address("remove-member", pk),
    }
    many = ("", "one", "many")[min(keys, 2)]
    return filled("settings/_member_row.html", [filling], keys=many, **kind)


@register.simple_tag(takes_context=True)
def invitation_rows(context: Context, rows: Iterable[tuple[Invitation, bool]]) -> SafeString:
    """Render invitations, each given with whether the asker may withdraw it or send it again."""
    refusal, csrf = context["refusal"], CsrfTokenNode().render(context)
    return joined(
        _invitation(one, may_change, {"csrf": csrf, "refused": _refused(refusal, one.public_id)})
        for one, may_change in rows
    )


def _invitation(one: Invitation, may_change: bool, around: dict[str, object]) -> SafeString:
    pk, over = one.public_id, one.state == "expired"
    filling = {
        **around,
        "email": oneline(one.email),
        "plain": plain(one.email),
        "role": Role(one.role).label,
        "by": oneline(one.invited_by_email),
        "sent": ago(one.sent_at),
        "until": "" if over else ago(one.expires_at),
        "resend": address("resend-invitation", pk),
        "withdraw": address("withdraw-invitation", pk),
    }
    return filled("settings/_invitation_row.html", [filling], over=over, may_change=may_change)


def _refused(refusal: Refusal | None, about: str) -> SafeString | str:
    if refusal is None or refusal.about != about:
        return ""
    return loader.render_to_string("components/refused.html", {"refusal": refusal})
