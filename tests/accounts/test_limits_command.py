"""`manage.py limits`: whoever runs the product says how much an organization may have."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.limits import DEFAULTS, Limit, most
from accounts.models import AuditEvent
from common.ids import public_id
from gateway_config.models import PublishRequest
from tests.cast import Cast, inside
from tests.roles import as_owner, as_worker


def run(*arguments: str) -> str:
    out = StringIO()
    with as_owner():
        call_command("limits", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def acme_id(cast: Cast) -> str:
    return public_id("org", cast.alice.organization_id)


def test_what_is_set_holds_for_that_organization_and_is_in_its_log(cast: Cast, acme_id: str) -> None:
    with as_worker():
        before = PublishRequest.objects.count()
    said = run("set", acme_id, "grants=200000", "calls_per_second=50")
    assert "200000 " in said and f"{DEFAULTS[Limit.SERVERS]} (default)" in said
    with inside(cast.alice):
        assert most(cast.alice.organization_id, Limit.GRANTS) == 200_000
        event = AuditEvent.objects.get(verb="organization.limits_changed")
        assert (event.actor_email, event.subject) == ("operator", acme_id)
        assert event.details == {"grants": 200_000, "calls_per_second": 50}
    with inside(cast.mallory):
        assert most(cast.mallory.organization_id, Limit.GRANTS) == DEFAULTS[Limit.GRANTS]
        assert not AuditEvent.objects.filter(verb="organization.limits_changed").exists()
    with as_worker():
        assert PublishRequest.objects.count() == before + 1, "gateways hold some of them"


def test_default_takes_back_what_was_set(cast: Cast, acme_id: str) -> None:
    run("set", acme_id, "grants=5")
    assert "grants=5" in run("list")
    run("set", acme_id, "grants=default")
    assert "grants=5" not in run("list")
    with inside(cast.alice):
        assert most(cast.alice.organization_id, Limit.GRANTS) == DEFAULTS[Limit.GRANTS]


def test_the_list_names_every_organization(cast: Cast, acme_id: str) -> None:
    assert f"{acme_id}  Acme  defaults" in run("list") and "Umbra" in run("list")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "Acme", "grants=1"), "named by its id"),
        (("show", "org_00000000000000000000000000"), "no such organization"),
        (("set", "org_00000000000000000000000000", "grants=1"), "no such organization"),
        (("set", "{acme}", "grant=1"), "There is no limit 'grant'"),
        (("set", "{acme}", "grants"), "whole number"),
        (("set", "{acme}", "grants=0"), "whole number"),
        (("set", "{acme}", "grants=-1"), "whole number"),
        (("set", "{acme}", "grants=1e3"), "whole number"),
        (("set", "{acme}", "grants=99999999999"), "whole number"),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(
    cast: Cast, acme_id: str, arguments: tuple[str, ...], says: str
) -> None:
    with pytest.raises(CommandError, match=says):
        run(*(argument.format(acme=acme_id) for argument in arguments))
    with inside(cast.alice):
        assert most(cast.alice.organization_id, Limit.GRANTS) == DEFAULTS[Limit.GRANTS]
