"""Beside each change stand the calls of the last days, and what is not known of them is said."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from policies.services import publish_policy, save_draft
from tests.audit.records import arrive, called, denied, umbra
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import HTMX, SignedIn, page, words

NO_KEYS = POLICY.replace('"create_access_key": {', '"create_access_key": { "action": "deny",')
ONLY_ADA = POLICY.replace(
    '"create_access_key": {',
    '"create_access_key": { "require": [{"conditions": ['
    '{"path": "args.user_name", "op": "eq", "value": "ada"}]}],',
)
A_DAY_MS = 86_400_000


@pytest.fixture
def traffic(acme: Acme) -> str:
    return reverse("policies:traffic", args=[acme.policy.public_id])


def drafted(cast: Cast, acme: Acme, text: str) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
        save_draft(cast.alice, acme.policy, text)


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.mark.django_db(transaction=True)
def test_a_change_says_how_many_calls_it_would_have_refused(
    cast: Cast, acme: Acme, signed_in: SignedIn, traffic: str
) -> None:
    drafted(cast, acme, NO_KEYS)
    old = called(acme, at_ms=now_ms() - 8 * A_DAY_MS)
    theirs = umbra(called(acme), cast.mallory.organization_id)
    arrive(
        called(acme), called(acme), denied(acme, "create_access_key"), called(acme, "list_users"), old, theirs
    )
    answer = signed_in(cast.carol).get(traffic, headers=HTMX)
    assert "2 of 3 calls would be refused, by 1 grant" in words(answer)
    assert "3 of 4 calls would change" in words(answer), "not those of another organization, nor older ones"
    with inside(cast.alice):
        tool = acme.server.tools.get(name="create_access_key")
    assert f'id="traffic-{tool.pk}"' in page(answer)
    shown = words(signed_in(cast.bob).get(traffic))
    assert "list_users" in shown, "its own rules stay, and its calls would be refused all the same"
    assert "Last week’s calls, decided again" in shown and "3 would change" in shown


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_known_is_said(cast: Cast, acme: Acme, signed_in: SignedIn, traffic: str) -> None:
    drafted(cast, acme, ONLY_ADA)
    arrive(called(acme), called(acme, argument_names=()))
    shown = words(signed_in(cast.carol).get(traffic, headers=HTMX))
    assert "1 of 2 cannot be judged" in shown and "args.user_name" in shown
    assert "1 of 2 calls would be refused" in shown, "without the argument it would have been"


def test_the_review_asks_for_the_traffic_by_itself(
    cast: Cast, acme: Acme, signed_in: SignedIn, traffic: str
) -> None:
    drafted(cast, acme, NO_KEYS)
    shown = page(signed_in(cast.carol).get(reverse("policies:review", args=[acme.policy.public_id])))
    assert f'hx-get="{traffic}"' in shown and f'href="{traffic}"' in shown
    assert "No calls in 7 days" in words(signed_in(cast.carol).get(traffic, headers=HTMX))
    assert "No calls in 7 days" in words(signed_in(cast.carol).get(traffic))


def test_a_draft_with_problems_decides_nothing(
    cast: Cast, acme: Acme, signed_in: SignedIn, traffic: str
) -> None:
    drafted(cast, acme, "{")
    assert "The draft has problems." in words(signed_in(cast.carol).get(traffic))


def test_the_ladder(cast: Cast, acme: Acme, signed_in: SignedIn, traffic: str) -> None:
    assert signed_in(cast.mallory).get(traffic).status_code == 404
    assert Client().get(traffic).status_code == 302
    assert signed_in(cast.bob).get(traffic).status_code == 200
    assert signed_in(cast.carol).post(traffic).status_code == 405
    assert signed_in(cast.carol).get(traffic.replace("pol_", "pol_0")).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_more_calls_are_no_more_queries(cast: Cast, acme: Acme, signed_in: SignedIn, traffic: str) -> None:
    drafted(cast, acme, NO_KEYS)
    counts = []
    for _ in range(2):
        arrive(*(called(acme) for _ in range(20)))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            signed_in(cast.carol).get(traffic, headers=HTMX)
        counts.append(len(queries))
    assert counts[0] == counts[1]
