"""Prepares the database in a short-lived process before all others: database, roles, migrations, enrolment.

Runs as `python -m config.supervisor.prepare` with the admin's DATABASE_URL. Safe to run twice, and on two
machines at once: the second waits. It enrols the gateways of WORKER_TOKENS and those named by `manage.py up`.
"""

import json
import os
import sys

import django
import psycopg
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from common.errors import InvalidInput
from config import env
from config.supervisor import roles
from config.supervisor.access import APP_ROLE_PASSWORD, PREPARE_WORKERS, WORKER, WORKER_ROLE_PASSWORD

# Another lock than the one that `ensure_roles` takes meanwhile.
_LOCK = roles.LOCK + 1


def prepare() -> None:
    env.database()  # before psycopg, whose words about a URL it cannot read would repeat the password
    admin_url = os.environ["DATABASE_URL"]
    passwords = {name: env.secret(name, least=1) for name in (APP_ROLE_PASSWORD, WORKER_ROLE_PASSWORD)}
    roles.ensure_database(admin_url)
    with psycopg.connect(admin_url, autocommit=True) as one_at_a_time:
        roles.end_if_this_machine_vanishes(one_at_a_time.execute)
        one_at_a_time.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        roles.ensure_roles(
            admin_url,
            app_password=passwords[APP_ROLE_PASSWORD],
            worker_password=passwords[WORKER_ROLE_PASSWORD],
        )
        django.setup()
        with connection.cursor() as cursor:
            roles.end_if_this_machine_vanishes(cursor.execute)
        _migrate()
        _seed()
        _enrol(json.loads(os.environ.get(PREPARE_WORKERS, "{}")) | env.named_tokens())
        connection.close()


def _migrate() -> None:
    executor = MigrationExecutor(connection)
    if unknown := _unknown(executor.loader):
        print(  # noqa: T201
            f"the database was brought up to date by a newer version, which knows {'.'.join(unknown)}:"
            f" start that version, or restore the backup made before the upgrade",
            flush=True,
        )
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        print("bringing the database up to date", flush=True)  # noqa: T201
        call_command("migrate", interactive=False, verbosity=0)


def _unknown(loader: MigrationLoader) -> tuple[str, str] | None:
    """Return the first migration that has run here and that this version does not know."""
    known = set(loader.disk_migrations)
    known |= {replaced for migration in loader.disk_migrations.values() for replaced in migration.replaces}
    ran = {(app, name) for app, name in loader.applied_migrations if app in loader.migrated_apps}
    return min(ran - known, default=None)


def _seed() -> None:
    """Load the catalogue's shipped facts; takes no time if they are already there."""
    from catalog.seeding import seed

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {WORKER}")
        if seed().counts["servers"]:
            print("the catalogue is filled", flush=True)  # noqa: T201


def _enrol(workers: dict[str, str]) -> None:
    from gateway_config.services import enroll_worker

    # As the role that the table's row-level policies are for, not as the admin, who bypasses them all.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {WORKER}")
        for name, token in workers.items():
            enroll_worker(name, token)


if __name__ == "__main__":
    try:
        prepare()
    except psycopg.OperationalError as problem:
        sys.exit(f"The database of DATABASE_URL does not answer: {problem}")
    except env.EnvironmentInvalid as problem:
        sys.exit(str(problem))
    except InvalidInput as problem:
        sentences = [sentence for each in problem.field_errors.values() for sentence in each]
        sys.exit(f"A gateway could not be enrolled: {' '.join(sentences)}")
