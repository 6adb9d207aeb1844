"""Everything besides a policy's text that plays a part in judging it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Q

from policies.kept_tests import kept_tests
from policies.language.cases import PolicyTest
from policies.language.document import Scope
from policies.models import Policy


@dataclass(frozen=True, slots=True)
class Beside:
    """`counters`: those of other policies in force that this policy would share, as (scope, name)."""

    tests: tuple[PolicyTest, ...] = ()
    approval_seconds: int = 900
    counters: frozenset[tuple[Scope, str]] = frozenset()


NOTHING_BESIDE: Final = Beside()


def beside(policy: Policy) -> Beside:
    return Beside(kept_tests(policy), policy.organization.approval_seconds, _shared_counters(policy))


def _shared_counters(policy: Policy) -> frozenset[tuple[Scope, str]]:
    others = (
        Policy.objects.filter(organization_id=policy.organization_id, server__retired_at=None)
        .exclude(pk=policy.pk)
        .exclude(Q(published_revision=None) | Q(published_revision__shared_counters=[]))
        .values_list("server_id", "published_revision__shared_counters")
    )
    return frozenset(
        (scope, counter)
        for server, counters in others
        for scope, counter in counters
        if scope == "organization" or server == policy.server_id
    )
