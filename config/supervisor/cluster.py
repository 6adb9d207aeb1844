"""Our own PostgreSQL cluster: where it is, created once, opened only by the version that created it."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from config.supervisor.account import Account, account_for, identity
from config.supervisor.postgres_programs import Programs, choose_programs, find_programs
from config.supervisor.stops import CannotStart

SUPERUSER = "policylayer_owner"
PRIVATE_PLACE = Path("/var/lib/policylayer")
LONGEST_SOCKET_PATH = 100

SETTINGS: Mapping[str, str] = {
    # Only a socket in a private folder: the database is not reachable on any port of this machine.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "max_wal_size": "512MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    # A failing statement, and the row named in an error, may contain what must not be in a log.
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "log_line_prefix": "",
    "logging_collector": "off",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    programs: Programs
    data: Path
    sockets: Path
    account: Account | None

    def command(self, extra: Mapping[str, str] | None = None) -> list[str]:
        settings = {**SETTINGS, "unix_socket_directories": str(self.sockets), **(extra or {})}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self.programs["postgres"], "-D", str(self.data), *options]

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def url(self, password: str, database: str) -> str:
        host = urlencode({"host": str(self.sockets)}, safe="/")
        return f"postgresql://{SUPERUSER}:{quote(password, safe='')}@/{database}?{host}"


def open_cluster(folder: Path, password: str, *, durable: bool = True) -> Cluster:
    """Open the cluster in `folder`, which is ours; if there is none, make it with this superuser password."""
    home = _home(folder)
    data = home / "data"
    account = account_for(data)
    programs = choose_programs(find_programs(), _made_by(data), data)
    _make_home(home, account)
    programs = _within_reach(programs, home, account)
    if not data.exists():
        _initialise(programs, home, account, password, durable=durable)
    return Cluster(programs, data, _socket_folder(home, account), account)


def is_made(folder: Path) -> bool:
    return (_home(folder) / "data" / "PG_VERSION").exists()


def answers(cluster: Cluster, pid: int) -> bool:
    """Return whether the server is ready, by its pid file: connecting too early is logged as an error."""
    try:
        note = (cluster.data / "postmaster.pid").read_text().split("\n")
    except OSError:
        return False
    return note[0] == str(pid) and len(note) > 7 and note[7].strip() == "ready"


def _home(folder: Path) -> Path:
    """Return PostgreSQL's folder. If root's data folder is closed to others, a link in it leads elsewhere."""
    if folder.is_symlink() or folder.exists() or os.geteuid() != 0:
        return folder.resolve()
    account = account_for(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if account and not account.may_enter(folder.parent):
        home = PRIVATE_PLACE / secrets.token_hex(8)
        PRIVATE_PLACE.mkdir(parents=True, exist_ok=True)
        PRIVATE_PLACE.chmod(0o711)
        home.mkdir()
        folder.symlink_to(home)
        return home
    return folder.resolve()


def _make_home(home: Path, account: Account | None) -> None:
    home.mkdir(parents=True, exist_ok=True)
    if account and not account.may_enter(home.parent):
        raise CannotStart(
            f"{home} cannot be reached by `{account.name}`, who must run PostgreSQL when you are root:"
            f" open its parent folders to be entered (chmod o+x), or choose another --data-dir."
        )
    if account:
        account.own(home, 0o700)
    else:
        home.chmod(0o700)


def _made_by(data: Path) -> int | None:
    stated = data / "PG_VERSION"
    if not data.exists():
        return None
    try:
        return int(stated.read_text().partition(".")[0])
    except (OSError, ValueError):
        raise CannotStart(
            f"{data} is not a PostgreSQL database: move that folder away, or choose another --data-dir."
        ) from None


def _initialise(
    programs: Programs, home: Path, account: Account | None, password: str, *, durable: bool
) -> None:
    # Created beside its final place and renamed: a half-created database is never opened.
    fresh = home / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", dir=home) as password_file:
        password_file.write(password)
        password_file.flush()
        if account:
            account.own(Path(password_file.name), 0o600)
        command = [
            programs["initdb"],
            *("-D", str(fresh), "-U", SUPERUSER, "--encoding=UTF8", "--auth=scram-sha-256"),
            *(f"--pwfile={password_file.name}", f"--locale={_locale()}"),
            *([] if durable else ["--no-sync"]),
        ]
        _run_as(account, command, home)
    fresh.rename(home / "data")


def _run_as(account: Account | None, command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        **identity(account),
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise CannotStart(f"PostgreSQL could not make its database in {folder}: {said}")


def _locale() -> str:
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout
    return "C.UTF-8" if {"C.UTF-8", "C.utf8"} & set(known.split()) else "C"


def _within_reach(programs: Programs, home: Path, account: Account | None) -> Programs:
    """If the wheel is in a folder of root's that the account cannot enter, return a copy that it can run."""
    if account is None or programs.wheel is None or account.may_enter(programs.folder):
        return programs
    copy = home / f"programs-{programs.version}"
    package = copy / programs.wheel.name
    place = package / programs.folder.parent.name
    if not place.exists():
        shutil.rmtree(copy, ignore_errors=True)
        # The programs find their libraries at this path relative to themselves.
        libraries = programs.wheel.with_name(f"{programs.wheel.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name)
        package.mkdir(parents=True)
        unfinished = package / "unfinished"
        shutil.copytree(programs.folder.parent, unfinished, symlinks=True)
        unfinished.rename(place)
        for made in (copy, package):
            made.chmod(0o755)
    return Programs(place / "bin", programs.version, programs.wheel)


def _socket_folder(home: Path, account: Account | None) -> Path:
    sockets = home / "run"
    if len(str(sockets)) + len("/.s.PGSQL.5432.lock") > LONGEST_SOCKET_PATH:
        sockets = Path(tempfile.mkdtemp(prefix="policylayer-"))
    sockets.mkdir(exist_ok=True)
    if account:
        account.own(sockets, 0o700)
    else:
        sockets.chmod(0o700)
    return sockets
