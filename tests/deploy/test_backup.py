"""The runbook's backup and its way back, with PostgreSQL's own programs: no wall is lost on it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from gateway_config.services import deliver
from gateway_config.tasks import signing_key
from tests import postgres
from tests.cast import Acme, Cast
from tests.roles import as_worker

pytestmark = pytest.mark.slow

DEBIAN = Path("/usr/lib/postgresql")
RESTORED = "restored"
_TABLES = "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
_IN_PUBLIC = " AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
_WALLS = (
    "SELECT tablename, policyname, roles::text, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2",
    "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
    "SELECT table_name, grantee, privilege_type FROM information_schema.role_table_grants"
    " WHERE grantee LIKE 'policylayer%' ORDER BY 1, 2, 3",
    "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
    " WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY 1",
    "SELECT proname, prosecdef, proacl::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    " ORDER BY 1, 3",
)


def program(name: str) -> str:
    found = shutil.which(name) or next(iter(sorted(DEBIAN.glob(f"*/bin/{name}"), reverse=True)), None)
    if found is None:
        pytest.skip(f"there is no {name}")
    return str(found)


def of(database: str) -> str:
    parts = urlsplit(postgres.start())
    return urlunsplit(parts._replace(path=f"/{database}"))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def restored(
    transactional_db: None, cast: Cast, acme: Acme, tmp_path: Path
) -> Iterator[psycopg.Connection[Any]]:
    """A dump of Acme and Umbra in a database of its own."""
    with as_worker():
        assert deliver(cast.alice.organization_id, signing_key()) is not None
    here = str(connection.settings_dict["NAME"])
    dump = tmp_path / "policylayer.dump"
    done = run(program("pg_dump"), "--format=custom", f"--file={dump}", f"--dbname={of(here)}")
    assert done.returncode == 0, done.stderr
    with psycopg.connect(of("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(RESTORED)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(RESTORED)))
        try:
            done = run(program("pg_restore"), "--no-owner", f"--dbname={of(RESTORED)}", str(dump))
            assert (done.returncode, done.stderr) == (0, "")
            with psycopg.connect(of(RESTORED), autocommit=True) as found:
                yield found
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(RESTORED)))


def test_every_row_and_every_wall_comes_back(
    restored: psycopg.Connection[Any], cast: Cast, acme: Acme
) -> None:
    with psycopg.connect(of(str(connection.settings_dict["NAME"])), autocommit=True) as before:
        tables = [name for (name,) in before.execute(_TABLES + _IN_PUBLIC).fetchall()]
        assert "policies_grant" in tables and len(tables) > 40
        for name in tables:
            count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
            assert before.execute(count).fetchone() == restored.execute(count).fetchone(), name
        for query in _WALLS:
            assert before.execute(query).fetchall() == restored.execute(query).fetchall(), query

    restored.execute("SET ROLE policylayer_app")
    assert restored.execute("SELECT id FROM policies_grant").fetchall() == []
    restored.execute("SELECT set_config('app.organization', %s, false)", [str(cast.mallory.organization_id)])
    assert restored.execute("SELECT id FROM policies_grant").fetchall() == []
    restored.execute("SELECT set_config('app.organization', %s, false)", [str(cast.alice.organization_id)])
    assert restored.execute("SELECT id FROM policies_grant").fetchall() == [(acme.grant.pk,)]
    # What changes a grant is noted as before.
    restored.execute("UPDATE policies_grant SET revoked_at = now()")
    restored.execute("SET ROLE policylayer_worker")
    (noted,) = restored.execute("SELECT beginning FROM gateway_config_grantchange").fetchall()
    assert noted == (acme.grant.token_hash[:2],)


def test_an_owner_whom_the_walls_bind_cannot_make_half_a_backup(
    transactional_db: None, cast: Cast, tmp_path: Path
) -> None:
    """As in a managed database, where he is no superuser: he is told so."""
    here, dump = of(str(connection.settings_dict["NAME"])), tmp_path / "half.dump"
    with psycopg.connect(of("postgres"), autocommit=True) as admin:
        admin.execute("CREATE ROLE hosted_owner NOSUPERUSER IN ROLE policylayer_owner")
        try:
            done = run(
                program("pg_dump"),
                *("--format=custom", f"--file={dump}", "--role=hosted_owner", f"--dbname={here}"),
            )
        finally:
            admin.execute("DROP ROLE hosted_owner")
    assert done.returncode != 0
    assert "row-level security" in done.stderr
