"""The walls between tenants.

First wall: querysets that name the asker (`visible_to`). Second: PostgreSQL row-level security, forced, keyed
on the setting `app.organization`, which lasts for one transaction. Third: a generated test over every route.
A connection that has not entered an organization sees no tenant rows at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

from django.db import connection, migrations, models, transaction

if TYPE_CHECKING:
    from typing import Self

APP_ROLE = "policylayer_app"
WORKER_ROLE = "policylayer_worker"


class Asker(Protocol):
    organization_id: UUID


_M = TypeVar("_M", bound="models.Model")


class TenantQuerySet(models.QuerySet[_M]):
    def visible_to(self, member: Asker) -> Self:
        return self.filter(organization_id=member.organization_id)


class OrganizationOwned(models.Model):
    """Base of every row that belongs to one organization."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, related_name="+")
    organization_id: UUID

    objects = TenantQuerySet.as_manager()

    class Meta:
        abstract = True


@contextmanager
def organization_context(organization_id: UUID) -> Iterator[None]:
    """Open a transaction in which exactly this organization's rows can be seen and written."""
    with _inside("%s", str(organization_id)):
        yield


@contextmanager
def context_of_key(key_hash: str) -> Iterator[bool]:
    """Like `organization_context`, for the organization of an API key. Yields whether the key exists.

    It may be expired or revoked: that is not checked here.
    """
    with _inside("accounts_organization_of_key(%s)::text", key_hash) as found:
        yield found


@contextmanager
def _inside(organization: str, value: str) -> Iterator[bool]:
    """Yield whether `organization`, an SQL expression of one parameter, names an organization."""
    # The setting ends with the transaction: one that begins here has nothing to restore, and leaves nothing.
    nested = connection.in_atomic_block
    with transaction.atomic():
        before = _current() if nested else ""
        found = _enter(organization, value)
        # If the caller's block raises, the rollback restores the setting as well.
        yield bool(found)
        if nested and not connection.needs_rollback:
            _enter("%s", before)


def become(role: str) -> None:
    """Take on a database role until the transaction ends, so that the second wall holds for commands too."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {role}")


def _enter(organization: str, value: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT set_config('app.organization', coalesce({organization}, ''), true)", [value])
        (entered,) = cursor.fetchone()
    return str(entered)


def _current() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.organization', true)")
        (value,) = cursor.fetchone()
    return value or ""


class ProtectTenantTable(migrations.RunSQL):
    """Row-level security for one table: `app` sees its organization's rows, `worker` what it was granted.

    `app` and `worker` are comma-separated SQL verbs, the least each role needs.
    """

    def __init__(self, table: str, *, app: str, worker: str = "", key: str = "organization_id") -> None:
        mine = f"{key} = nullif(current_setting('app.organization', true), '')::uuid"
        statements = [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant ON {table} TO {APP_ROLE} USING ({mine}) WITH CHECK ({mine})",
            f"GRANT {app} ON {table} TO {APP_ROLE}",
            # Used only by what runs with the owner's rights inside an organization: deleting all of it.
            f"CREATE POLICY closing ON {table} TO CURRENT_USER USING ({mine})",
        ]
        if worker:
            statements += [
                f"CREATE POLICY worker ON {table} TO {WORKER_ROLE} USING (true) WITH CHECK (true)",
                f"GRANT {worker} ON {table} TO {WORKER_ROLE}",
            ]
        super().__init__(tuple(statements), migrations.RunSQL.noop)
        self._kept = (table, app, worker, key)

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        table, app, worker, key = self._kept
        return (self.__class__.__name__, [table], {"app": app, "worker": worker, "key": key})
