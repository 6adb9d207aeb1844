"""A tried call by a chosen grant: what its limits would say, from the calls that were seen."""

from __future__ import annotations

import pytest
from django.urls import reverse

from policies.services import issue_grant
from servers.models import Tool
from tests.audit.records import arrive, called
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import HTMX, SignedIn, page, words

TIGHT = POLICY.replace('"minute", "max": 30', '"hour", "max": 2')
pytestmark = pytest.mark.django_db(transaction=True)


def tried(client: object, acme: Acme, **fields: str) -> str:
    path = reverse("policies:try", args=[acme.policy.public_id])
    sent = {"tool": "create_access_key", "arguments": "user_name: ada", "document": TIGHT, **fields}
    return words(client.post(path, sent, headers=HTMX))  # type: ignore[attr-defined]


def test_a_grant_whose_limit_is_full_is_held_back_and_another_is_not(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        other, _ = issue_grant(cast.alice, acme.server, acme.policy, "ci")
    carol = signed_in(cast.carol)
    arrive(called(acme))
    shown = tried(carol, acme, grant=acme.grant.public_id)
    assert "Allowed." in shown and "1 of 2</span> used" in shown
    arrive(called(acme))
    shown = tried(carol, acme, grant=acme.grant.public_id)
    assert "Held back." in shown and "2 of 2</span> used, full" in shown
    assert "as if this draft had been in force" in shown
    assert "0 of 2</span> used" in tried(carol, acme, grant=other.public_id)
    assert "used" not in tried(carol, acme), "without a grant no limit is looked at"


def test_calls_that_cannot_be_judged_are_said_and_not_counted(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    rule = '"require": [{"conditions": [{"path": "args.user_name", "op": "eq", "value": "ada"}]}],'
    text = TIGHT.replace('"limits"', f'{rule} "limits"')
    arrive(called(acme))
    shown = tried(signed_in(cast.carol), acme, grant=acme.grant.public_id, document=text)
    assert "0 of 2</span> used" in shown
    assert "1 call could not be judged and is not counted." in shown


def test_a_grant_of_somebody_else_is_not_known(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    path = reverse("policies:try", args=[acme.policy.public_id])
    sent = {"tool": "create_access_key", "grant": acme.grant.public_id.replace("grt_0", "grt_1")}
    assert signed_in(cast.carol).post(path, sent, headers=HTMX).status_code == 404
    assert signed_in(cast.carol).post(path, {**sent, "grant": "x"}, headers=HTMX).status_code == 404
    with inside(cast.alice):
        aside, _ = issue_grant(cast.alice, acme.server, None, "aside")
    assert "used" not in tried(signed_in(cast.carol), acme, grant=aside.public_id)


def test_the_arguments_of_the_tool_are_offered_until_they_stand_there(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        schema = {"properties": {"user_name": {"type": "string"}, "days": {"type": "integer"}}}
        Tool.objects.filter(name="create_access_key").update(input_schema=schema)
    shown = tried(signed_in(cast.carol), acme)
    assert 'data-line="days: 1"' in shown and 'data-line="user_name' not in shown
    assert "data-line" not in tried(signed_in(cast.carol), acme, arguments='{"user_name": "ada"}')
    editor = page(signed_in(cast.bob).get(reverse("policies:editor", args=[acme.policy.public_id])))
    assert 'name="grant"' in editor and "laptop" in editor
