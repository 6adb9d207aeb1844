"""Creates the database and the product's two roles. Neither owns anything or bypasses row-level security."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.supervisor.access import APP, WORKER

# Advisory lock: two machines may start on one database at once. Any number that nobody else uses will do.
LOCK = 7_023_458_100
_NO_MIGHT = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
_TOO_MIGHTY = """
    SELECT 1 FROM pg_roles WHERE rolname = %s
    AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
"""
# A machine that vanishes cannot say so, and by default its sessions keep their locks for two hours.
VANISHED: Final[Mapping[str, str]] = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}
# A stopped process (SIGSTOP) still answers keepalives. Between two statements of a transaction we compute for
# seconds at most: whatever waits for the network or a person does so outside of transactions.
OF_A_LOGIN: Final[Mapping[str, str]] = {**VANISHED, "idle_in_transaction_session_timeout": "60s"}

Connection = psycopg.Connection[tuple[object, ...]]


def ensure_database(admin_url: str) -> None:
    """Create the database that the URL names, unless it exists."""
    name = str(conninfo_to_dict(admin_url)["dbname"])
    with psycopg.connect(make_conninfo(admin_url, dbname="postgres"), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not known:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def ensure_roles(admin_url: str, *, app_password: str, worker_password: str) -> None:
    """Make both roles able to log in with these passwords, whatever they could do before."""
    with psycopg.connect(admin_url) as connection:
        end_if_this_machine_vanishes(connection.execute)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for name, password in ((APP, app_password), (WORKER, worker_password)):
            _ensure_role(connection, name, password)
        _close_the_database(connection)


def end_if_this_machine_vanishes(execute: Callable[[str, Sequence[str]], object]) -> None:
    """Apply VANISHED to this session only: the owner's role is the operator's, and not ours to change."""
    for name, value in VANISHED.items():
        execute("SELECT set_config(%s, %s, false)", [name, value])


def _ensure_role(connection: Connection, name: str, password: str) -> None:
    role = sql.Identifier(name)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {}").format(role))
    if connection.execute(_TOO_MIGHTY, [name]).fetchone():
        # Only a superuser may do this, so it is done only if it changes something.
        connection.execute(sql.SQL("ALTER ROLE {} " + _NO_MIGHT).format(role))
    # Hashed here, so that the password itself is never in a statement that the server could log.
    hashed = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(hashed)))
    for setting, value in OF_A_LOGIN.items():
        statement = sql.SQL("ALTER ROLE {} SET {} = {}")
        connection.execute(statement.format(role, sql.Identifier(setting), sql.Literal(value)))
    # An owner that is not a superuser must be a member of the role to act as it.
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))


def _close_the_database(connection: Connection) -> None:
    database = sql.Identifier(connection.info.dbname)
    roles = sql.SQL(", ").join(map(sql.Identifier, (APP, WORKER)))
    for statement in (
        # A temporary table could replace a real one inside a function that runs with its owner's rights.
        "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {roles}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO {roles}",
    ):
        connection.execute(sql.SQL(statement).format(database=database, roles=roles))
