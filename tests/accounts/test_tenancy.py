"""The walls between tenants, with the ORM's own scoping left out: what PostgreSQL alone holds back."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts.models import Membership, Organization
from accounts.services import memberships_of
from policies.models import Grant
from policies.services import publish_policy
from servers.models import Server
from tests.cast import Acme, Cast, inside


def test_outside_any_organization_no_tenant_row_is_seen(acme: Acme) -> None:
    assert not Server.objects.exists()
    assert not Grant.objects.exists()
    assert not Membership.objects.exists()
    assert not Organization.objects.exists()


def test_inside_umbra_nothing_of_acme_is_seen(cast: Cast, acme: Acme) -> None:
    with inside(cast.mallory):
        assert not Server.objects.exists()
        assert [organization.name for organization in Organization.objects.all()] == ["Umbra"]


def test_a_row_cannot_be_written_into_another_organization(cast: Cast) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"), inside(cast.mallory):
        Server.objects.create(organization_id=cast.alice.organization_id, name="x", upstream_url="http://x/")


def test_leaving_an_organization_takes_its_rows_out_of_sight(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        assert Server.objects.count() == 1
    assert Server.objects.count() == 0


def test_a_published_revision_can_be_neither_changed_nor_deleted(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
        for statement in (
            "UPDATE policies_policyrevision SET note = 'x'",
            "DELETE FROM policies_policyrevision",
        ):
            with (
                pytest.raises(ProgrammingError, match="permission denied"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)


@pytest.mark.parametrize(
    "act", ["UPDATE accounts_auditevent SET actor_email = 'x'", "DELETE FROM accounts_auditevent"]
)
def test_an_audit_event_can_be_neither_changed_nor_deleted(act: str, cast: Cast) -> None:
    denied = pytest.raises(ProgrammingError, match="permission denied")
    with inside(cast.alice), denied, transaction.atomic():
        connection.cursor().execute(act)


def test_memberships_are_found_before_the_organization_is_known(cast: Cast) -> None:
    (acme,) = memberships_of(cast.bob.user)
    assert (acme.organization_name, acme.role) == ("Acme", "viewer")


def test_every_table_with_an_organization_forces_row_level_security(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
                   EXISTS (SELECT 1 FROM pg_policies p
                           WHERE p.tablename = c.relname AND p.policyname = 'tenant')
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id'
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
            AND NOT c.relispartition
            """
        )
        tables = {name: (forced, has_policy) for name, forced, has_policy in cursor.fetchall()}
    assert len(tables) >= 13
    assert {name for name, guarded in tables.items() if guarded != (True, True)} == set()


def test_a_part_of_a_table_is_reached_through_its_whole_alone(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relrowsecurity, has_any_column_privilege(r.rolname, c.oid, 'SELECT')
                OR has_table_privilege(r.rolname, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
            FROM pg_class c, pg_roles r WHERE c.relispartition AND c.relkind = 'r'
            AND r.rolname IN ('policylayer_app', 'policylayer_worker')
            """
        )
        parts = cursor.fetchall()
    assert len(parts) >= 2 * 30
    assert {name for name, guarded, granted in parts if granted or not guarded} == set()


def test_neither_role_owns_a_table_or_passes_row_level_security(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles"
            " WHERE rolname IN ('policylayer_app', 'policylayer_worker')"
        )
        roles = cursor.fetchall()
        cursor.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            " AND tableowner IN ('policylayer_app', 'policylayer_worker')"
        )
        (owned,) = cursor.fetchone()
    assert sorted(roles) == [
        ("policylayer_app", False, False, False, False),
        ("policylayer_worker", False, False, False, False),
    ]
    assert owned == 0
