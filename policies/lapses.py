"""Tools that changed after a policy in use was published, so that its class rules no longer cover them.

A class is a judgement of one definition. When the definition changes, the author of the rule is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import F, QuerySet

from accounts.tenancy import Asker
from common.spelt_once import spelt_once
from policies.models import Grant, Policy
from servers.models import Server, Tool, ToolScan

MOST: Final = 3
MOST_SENTENCES: Final = 4
# How many scans that found changes are read. Of what they say about a tool, only the newest is shown.
_MOST_SCANS: Final = 20


@dataclass(frozen=True, slots=True)
class Lapse:
    """`sentences`: what changed, for the first few tools; `more` tools get no sentence."""

    policy: Policy
    tools: tuple[str, ...]
    sentences: tuple[str, ...]

    @property
    def more(self) -> int:
        return max(0, len(self.tools) - MOST_SENTENCES)


def lapses(member: Asker, *, server: Server | None = None, policy: Policy | None = None) -> list[Lapse]:
    """Returns the lapses of policies that have active grants and class rules, for at most MOST policies."""
    drifted = [server.pk] if server is not None else [pk for (pk,) in _drifted(member)]
    if not drifted:  # the usual case: the query for policies is saved
        return []
    used = Grant.objects.visible_to(member).good().values("policy")
    found = Policy.objects.visible_to(member).filter(
        pk__in=used,
        server__in=drifted,
        server__drifted_at__gt=F("published_revision__published_at"),
        published_revision__document__contains='"classes"',
    )
    if policy is not None:
        found = found.filter(pk=policy.pk)
    policies = found.select_related("server", "published_revision").order_by("server__name", "name")[:MOST]
    return [lapse for each in policies if (lapse := _lapse(member, each)).tools]


@spelt_once
def _drifted(member: Asker) -> QuerySet[Server, tuple[UUID]]:
    servers = Server.objects.visible_to(member).filter(retired_at=None, drifted_at__isnull=False)
    return servers.order_by().values_list("pk")


def _lapse(member: Asker, policy: Policy) -> Lapse:
    revision = policy.published_revision
    assert revision is not None
    present = Tool.objects.visible_to(member).present().filter(server=policy.server_id)
    now = dict(present.values_list("name", "digest"))
    tools = tuple(sorted(name for name, _, digest in revision.classes if now.get(name, digest) != digest))
    said = _sentences(policy, tools[:MOST_SENTENCES]) if tools else {}
    return Lapse(policy, tools, tuple(said[name][0] for name in tools if said.get(name)))


def _sentences(policy: Policy, tools: tuple[str, ...]) -> dict[str, list[str]]:
    assert policy.published_revision is not None
    scans = ToolScan.objects.filter(
        server=policy.server_id,
        state=ToolScan.State.DONE,
        finished_at__gt=policy.published_revision.published_at,
    ).exclude(changes__changed=[])
    found: dict[str, list[str]] = {}
    for changes in scans.order_by("-started_at").values_list("changes", flat=True)[:_MOST_SCANS]:
        for tool in tools:
            found.setdefault(tool, []).extend(changes.get("sentences", {}).get(tool, []))
    return found
