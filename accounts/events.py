"""Describes audit events in words. A verb without words here is shown as it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.urls import reverse

from accounts.models import ApiKey, AuditEvent, Role
from common.spans import span_in_words

DID: Final = {
    "api_key.created": "made the API key",
    "api_key.revoked": "revoked the API key",
    "approval.approved": "approved a call of",
    "approval.declined": "declined a call of",
    "approval_rules.changed": "changed the approval rules of",
    "configuration.tried_again": "tried again to publish the configuration",
    "grant.issued": "issued the grant",
    "grant.moved": "changed the policy of the grant",
    "grant.revoked": "revoked the grant",
    "grant.rotated": "rotated the token of the grant",
    "invitation.accepted": "accepted the invitation of",
    "invitation.resent": "invited again",
    "invitation.sent": "invited",
    "invitation.withdrawn": "withdrew the invitation of",
    "limiter.loss_accepted": "accepted the loss of what was charged in",
    "member.left": "left:",
    "member.removed": "removed the member",
    "member.role_changed": "changed the role of",
    "organization.founded": "created the organization",
    "organization.limits_changed": "changed the usage limits of",
    "organization.renamed": "renamed the organization to",
    "policy.created": "wrote the policy",
    "policy.draft_saved": "edited the draft of the policy",
    "policy.published": "published the policy",
    "policy.tests_changed": "changed the tests of the policy",
    "security.changed": "changed the security settings of",
    "server.changed": "changed the server",
    "server.registered": "registered the server",
    "server.retired": "retired the server",
    "server.scanned": "scanned the server",
    "server.scan_stopped": "stopped the scan of the server",
    "webhook.added": "added a webhook to",
    "webhook.changed": "changed the webhook to",
    "webhook.redelivered": "sent a message again to the webhook to",
    "webhook.removed": "removed the webhook to",
    "webhook.secret_rotated": "made a new secret for the webhook to",
    "webhook.tested": "sent a test to the webhook to",
}
# The filters that the page offers: a label, and the prefixes of the verbs it covers.
KINDS: Final = {
    "people": ("People", ("member.", "invitation.")),
    "keys": ("API keys", ("api_key.",)),
    "servers": ("Servers", ("server.",)),
    "policies": ("Policies", ("policy.",)),
    "grants": ("Grants", ("grant.",)),
    "approvals": ("Approvals", ("approval.",)),
    "settings": (
        "Settings",
        ("organization.", "security.", "approval_rules.", "webhook.", "configuration.", "limiter."),
    ),
}
_PAGES: Final = {
    "srv": "servers:detail",
    "pol": "policies:editor",
    "grt": "grants:detail",
    "apr": "approvals:detail",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One audit event as the page shows it; `href` is empty if its subject has no page. `key`: the name of
    the API key it was done with, while there is such a key."""

    event: AuditEvent
    did: str
    href: str
    more: str
    key: str


def changes(events: Sequence[AuditEvent]) -> list[Change]:
    """Describe events of one organization. Called inside it."""
    used = {event.actor_key_id for event in events if event.actor_key_id is not None}
    names = dict(ApiKey.objects.filter(pk__in=used).values_list("pk", "name")) if used else {}
    return [_change(event, names) for event in events]


def _change(event: AuditEvent, keys: Mapping[UUID, str]) -> Change:
    page = _PAGES.get(event.subject.partition("_")[0])
    href = reverse(page, args=[event.subject]) if page else ""
    key = keys.get(event.actor_key_id, "") if event.actor_key_id else ""
    return Change(event, DID.get(event.verb, event.verb), href, _more(event), key)


def _more(event: AuditEvent) -> str:
    details = event.details
    match event.verb:
        case "member.role_changed":
            return f"from {_role(details.get('before'))} to {_role(details.get('role'))}"
        case "invitation.sent" | "invitation.resent" | "invitation.accepted":
            return f"as {_role(details.get('role'))}"
        case "organization.renamed":
            return f"it was {details.get('before', '')}"
        case "policy.published" if details.get("revision"):
            return f"as revision {details['revision']}"
        case "security.changed" | "approval_rules.changed":
            return _of_settings(details)
        case "server.changed":
            return _of_server(details)
        case "grant.issued" if details.get("server_name"):
            return _of_issue(event)
        case "grant.moved" if "policy" in details:
            return f"from {_policy(details.get('before'))} to {_policy(details)}"
        case "webhook.changed" if details.get("before"):
            was = _was(details, "host")
            return "another URL of that host" if was == event.subject_name else f"it was {was}"
        case "organization.limits_changed":
            return ", ".join(f"{name}: {most or 'the default'}" for name, most in details.items())
        case _:
            return ""


def _role(value: object) -> str:
    return Role(value).label.lower() if value in Role.values else "?"


def _of_server(details: dict[str, object]) -> str:
    host, before = details.get("upstream_host"), _was(details, "upstream_host")
    where = (
        f"still on {host}"
        if host and before == host
        else f"on {host}{f' (it was on {before})' if before else ''}"
    )
    said = {
        "name": f"it was named {_was(details, 'name')}",
        "upstream_url": f"its URL, {where}",
        "auth": "its credentials",
    }
    changed = details.get("changed")
    return ", ".join(said[field] for field in changed if field in said) if isinstance(changed, list) else ""


def _of_issue(event: AuditEvent) -> str:
    details = event.details
    said = f"on {details['server_name']}, under {details.get('policy_name') or 'no policy'}"
    holder = details.get("holder_email")
    return said if holder in (None, event.actor_email) else f"{said}, held by {holder}"


def _policy(of_grant: object) -> str:
    name = of_grant.get("policy_name") if isinstance(of_grant, dict) else None
    return str(name or "no policy")


def _was(details: dict[str, object], name: str) -> object:
    before = details.get("before")
    return before.get(name) if isinstance(before, dict) else None


def _of_settings(details: dict[str, object]) -> str:
    before = details.get("before")
    if not isinstance(before, dict):
        return ""
    return ", ".join(
        _setting(name, was, details[name])
        for name, was in before.items()
        if name in details and was != details[name]
    )


def _setting(name: str, was: object, now: object) -> str:
    if name == "self_approval":
        was, now = (_OWN_CALLS.get(each) for each in (was, now))  # type: ignore[call-overload]
    if name in ("lease_seconds", "approval_seconds"):
        was, now = (span_in_words(each) if isinstance(each, int) else each for each in (was, now))
    return f"{_SETTINGS.get(name, name)} from {_value(was)} to {_value(now)}"


def _value(value: object) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case list():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)


_OWN_CALLS: Final = {True: "allowed", False: "not allowed", None: "allowed while nobody else could"}
_SETTINGS: Final = {
    "approval_seconds": "the time a call waits",
    "self_approval": "approving one’s own calls",
    "lease_seconds": "lease",
    "explain_denials": "explained denials",
    "log_retention_days": "days decisions are kept",
    "kept_arguments": "arguments whose values are kept",
}
