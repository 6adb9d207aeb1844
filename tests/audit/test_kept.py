"""Values that are kept: sealed at rest, shown to those who may, used when calls are decided again."""

from __future__ import annotations

import pytest
from django.db import connection
from django.urls import reverse

from audit.kept import read
from audit.models import DecisionRecord
from gateway_config.wire.messages import KeptArgument
from policies.services import publish_policy, save_draft
from tests.audit.records import arrive, called
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import HTMX, SignedIn, words
from tests.policies.test_traffic_screens import ONLY_ADA

CANARY = "canary-value-4711"
KEPT = (KeptArgument("args.user_name", "value", f'"{CANARY}"'), KeptArgument("args.mode", "missing"))

pytestmark = pytest.mark.django_db(transaction=True)


def test_values_are_sealed_for_their_very_decision(cast: Cast, acme: Acme) -> None:
    one, other = called(acme, kept=KEPT), called(acme)
    arrive(one, other)
    with inside(cast.alice):
        record = DecisionRecord.objects.get(pk=one.id)
        assert read(record) == KEPT
        assert CANARY not in record.sealed_arguments and record.sealed_arguments.startswith("v1.")
        moved = DecisionRecord.objects.get(pk=other.id)
        assert (moved.sealed_arguments, read(moved)) == ("", ())
        moved.sealed_arguments = record.sealed_arguments
        assert read(moved) == (), "a text put beside another decision does not open"


def test_a_worker_cannot_make_us_keep_without_end(cast: Cast, acme: Acme) -> None:
    long = KeptArgument("args.a", "value", "1" * 10_000)
    entry = called(acme, kept=(long, *KEPT * 100))
    arrive(entry)
    with inside(cast.alice):
        assert len(read(DecisionRecord.objects.get(pk=entry.id))) <= 50


def test_viewers_never_see_them(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    entry = called(acme, kept=KEPT)
    arrive(entry)
    with inside(cast.alice):
        path = reverse("audit:decision", args=[DecisionRecord.objects.get(pk=entry.id).public_id])
    for member in (cast.alice, cast.dave, cast.carol):
        shown = words(signed_in(member).get(path))
        assert CANARY in shown and "was missing" in shown
    shown = words(signed_in(cast.bob).get(path))
    assert CANARY not in shown and "Policy managers, admins and owners see them." in shown
    assert signed_in(cast.mallory).get(path).status_code == 404


def test_the_api_says_them_to_whoever_may_read_arguments(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    entry = called(acme, kept=KEPT)
    arrive(entry)
    found = signed_in(cast.carol).get("/api/v1/decisions/").json()["results"][0]
    assert found["kept_arguments"][0] == {"path": "args.user_name", "state": "value", "json": f'"{CANARY}"'}
    detail = signed_in(cast.carol).get(f"/api/v1/decisions/{found['id']}/").json()
    assert detail["kept_arguments"] == found["kept_arguments"]
    assert signed_in(cast.bob).get("/api/v1/decisions/").json()["results"][0]["kept_arguments"] is None


def test_a_rule_on_a_kept_value_is_judged(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy, POLICY)
        save_draft(cast.alice, acme.policy, ONLY_ADA)
    ada = KeptArgument("args.user_name", "value", '"ada"')
    broken = KeptArgument("args.user_name", "value", '1}, {"a": 2')
    arrive(called(acme, kept=(ada,)), called(acme, kept=KEPT), called(acme, kept=(broken,)), called(acme))
    traffic = reverse("policies:traffic", args=[acme.policy.public_id])
    shown = words(signed_in(cast.carol).get(traffic, headers=HTMX))
    assert "1 of 4 calls would be refused" in shown and "2 of 4 cannot be judged" in shown


def test_the_application_may_seal_them_anew_and_change_nothing_else(cast: Cast, acme: Acme) -> None:
    arrive(called(acme, kept=KEPT))
    with inside(cast.alice), connection.cursor() as cursor:
        assert DecisionRecord.objects.update(sealed_arguments="") == 1
        cursor.execute(
            "SELECT has_column_privilege('policylayer_app', 'audit_decisionrecord', 'outcome', 'UPDATE')"
        )
        assert cursor.fetchone() == (False,)
