"""An organization is deleted by an owner who typed its name: all of it goes, and nothing of another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import Membership
from accounts.services import create_api_key, memberships_of
from accounts.services.closing import delete_organization
from accounts.services.invitations import invite
from approvals.webhooks import add_webhook
from audit.views.export import MOST
from common.errors import InvalidInput, NotAllowed
from gateway_config.models import ClosedOrganization
from gateway_config.services import deliver
from gateway_config.tasks import signing_key
from policies.services import publish_policy
from tests.approvals.calls import waiting
from tests.audit.records import arrive, called, denied
from tests.cast import Acme, Cast, confirm, inside
from tests.ladder import SignedIn
from tests.roles import as_owner, as_worker

DELETE = "/settings/delete/"


@pytest.fixture
def whole(cast: Cast, acme: Acme) -> Acme:
    """Acme with a row in nearly every table."""
    confirm(cast.alice)
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
        create_api_key(cast.dave, "ci", ["logs:read"])
        add_webhook(cast.alice, "https://hooks.example/a", verified=True)
        invite(cast.alice, "erin@example.com", "viewer")
    waiting(acme)
    arrive(called(acme), denied(acme))
    with as_worker():
        deliver(cast.alice.organization_id, signing_key())
    return acme


def rows_of(organization: UUID) -> dict[str, int]:
    """In every table there is, whatever policies hide."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " AND a.attname = 'organization_id' WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped"
        )
        names = [name for (name,) in cursor.fetchall()]
        with as_owner():
            for name in names:
                cursor.execute("SELECT set_config('app.organization', %s, true)", [str(organization)])
                counted = f'SELECT count(*) FROM "{name}" WHERE organization_id = %s'  # noqa: S608
                cursor.execute(counted, [organization])
                found[name] = cursor.fetchone()[0]
            cursor.execute("SELECT set_config('app.organization', '', true)")
    return {name: count for name, count in found.items() if count}


def test_everything_of_it_goes_and_its_gateways_are_told(cast: Cast, whole: Acme) -> None:
    before, others = rows_of(cast.alice.organization_id), rows_of(cast.mallory.organization_id)
    assert len(before) >= 12
    with inside(cast.alice):
        delete_organization(cast.alice, " Acme ")
    assert set(rows_of(cast.alice.organization_id)) <= {"gateway_config_closedorganization"}
    assert rows_of(cast.mallory.organization_id) == others
    assert [memberships_of(one.user) for one in (cast.alice, cast.bob)] == [[], []]
    assert len(memberships_of(cast.mallory.user)) == 1
    with as_worker():
        assert ClosedOrganization.objects.filter(organization_id=cast.alice.organization_id).exists()


def test_only_an_owner_who_typed_the_name_deletes(cast: Cast, whole: Acme) -> None:
    before = rows_of(cast.alice.organization_id)
    for by, typed, refused in (
        (cast.alice, "Umbra", InvalidInput),
        (cast.alice, "", InvalidInput),
        (cast.alice, "acme", InvalidInput),
        (cast.dave, "Acme", NotAllowed),
        (cast.bob, "Acme", NotAllowed),
    ):
        with inside(by), pytest.raises(refused):
            delete_organization(by, typed)
    assert rows_of(cast.alice.organization_id) == before


def test_from_inside_another_nothing_can_be_deleted(cast: Cast, whole: Acme) -> None:
    before = rows_of(cast.alice.organization_id)
    for inside_of in (cast.mallory, None):
        with pytest.raises(DatabaseError, match="from inside it"), transaction.atomic():
            _delete_rows(cast.alice.organization_id, inside_of)
    assert rows_of(cast.alice.organization_id) == before


def _delete_rows(organization: UUID, inside_of: Membership | None) -> None:
    with connection.cursor() as cursor:
        if inside_of is None:
            cursor.execute("SELECT accounts_delete_rows_of(%s)", [organization])
            return
        with inside(inside_of):
            cursor.execute("SELECT accounts_delete_rows_of(%s)", [organization])


def test_every_table_of_a_tenant_lets_go_of_its_rows(db: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " AND a.attname = 'organization_id' WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped AND NOT EXISTS"
            " (SELECT 1 FROM pg_policies p WHERE p.tablename = c.relname AND p.policyname = 'closing')"
        )
        assert {name for (name,) in cursor.fetchall()} <= {"gateway_config_closedorganization"}


def test_the_page_says_where_to_get_what_will_be_deleted(cast: Cast, signed_in: SignedIn) -> None:
    asks = signed_in(cast.alice).get("/settings/delete/").content.decode()
    assert f"exports up to {MOST:,} calls" in asks
    assert 'href="/log/"' in asks and 'href="/api/docs/"' in asks


def test_the_page_asks_for_the_name_and_leads_out(cast: Cast, whole: Acme, signed_in: SignedIn) -> None:
    for member in (cast.bob, cast.carol, cast.dave):
        for answer in (signed_in(member).get(DELETE), signed_in(member).post(DELETE, {"typed": "Acme"})):
            assert answer.status_code == 403
    alice = signed_in(cast.alice)
    for typed in ("", "Umbra", "\x00"):
        assert alice.post(DELETE, {"typed": typed}).status_code == 422
    assert alice.get(DELETE).status_code == 200
    assert alice.post(DELETE, {"typed": "Acme"}).headers["Location"] == "/overview/"
    assert alice.get("/servers/").headers["Location"] == "/organizations/new/"
    assert signed_in(cast.mallory).get("/settings/").status_code == 200
