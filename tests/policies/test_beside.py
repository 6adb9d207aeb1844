"""What other policies count, and how long people have, play a part in judging a text."""

from __future__ import annotations

import json

import pytest

from accounts.models import Organization
from policies.beside import beside
from policies.services import create_policy, judge, publish_policy, tool_facts
from servers.services import register_server
from tests.cast import Acme, Cast, inside


def limited(scope: str, *, counter: str = "spend", asks: bool = False, window: object = "day") -> str:
    limit = {"counter": counter, "window": window, "max": 5, "scope": scope}
    rule = {"limits": [limit], **({"action": "require_approval"} if asks else {})}
    return json.dumps({"version": "1", "default": "deny", "tools": {"create_access_key": rule}})


def codes(text: str, acme: Acme) -> set[str]:
    judged = judge(text, tool_facts(acme.server), beside(acme.policy))
    assert not judged.problems
    return {finding.code for finding in judged.findings}


@pytest.mark.parametrize(
    ("theirs", "ours", "same_server", "told"),
    [
        ("organization", "organization", False, True),
        ("server", "server", True, True),
        ("server", "server", False, False),
        ("grant", "grant", True, False),
        ("organization", "server", True, False),
    ],
)
def test_a_counter_that_another_policy_in_force_charges_is_told(
    theirs: str, ours: str, same_server: bool, told: bool, cast: Cast, acme: Acme
) -> None:
    with inside(cast.alice):
        elsewhere = register_server(cast.alice, "Other", "https://other.example/mcp")
        other = create_policy(cast.alice, acme.server if same_server else elsewhere, "other", limited(theirs))
        assert "shared_counter" not in codes(limited(ours), acme)
        publish_policy(cast.alice, other)
        assert ("shared_counter" in codes(limited(ours), acme)) is told
        assert "shared_counter" not in codes(limited(ours, counter="of_its_own"), acme)


def test_a_counter_named_for_each_tool_is_the_tool_s(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        other = create_policy(cast.alice, acme.server, "other", limited("server", counter="{tool}_a"))
        publish_policy(cast.alice, other)
        assert "shared_counter" in codes(limited("server", counter="create_access_key_a"), acme)


def test_another_organization_counts_for_itself(cast: Cast, acme: Acme) -> None:
    with inside(cast.mallory):
        server = register_server(cast.mallory, "Hers", "https://hers.example/mcp")
        publish_policy(cast.mallory, create_policy(cast.mallory, server, "hers", limited("organization")))
    with inside(cast.alice):
        assert "shared_counter" not in codes(limited("organization"), acme)


def test_a_limit_is_held_as_long_as_the_organization_lets_people_take(cast: Cast, acme: Acme) -> None:
    hour = limited("grant", asks=True, window="hour")
    with inside(cast.alice):
        assert "approval_holds_limit" not in codes(hour, acme)
        Organization.objects.filter(pk=cast.alice.organization_id).update(approval_seconds=7200)
        acme.policy.organization.refresh_from_db()
        assert "approval_holds_limit" in codes(hour, acme)
