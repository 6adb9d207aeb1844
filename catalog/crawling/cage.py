"""Runs a stranger's program: as nobody, in an empty home, without a network, and with a certain end.

Refuses to run anything if it cannot give up its own privileges.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

ACCOUNT: Final = "nobody"
SEARCHED: Final = "/usr/local/bin:/usr/bin:/bin"
# Set by an operator so that installers reach and trust the right registry; only installers are given these.
INSTALLERS_KEEP: Final = (
    "PIP_CERT",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "NPM_CONFIG_CAFILE",
    "https_proxy",
)
CPU_SECONDS: Final = 60
MOST_MEMORY: Final = 4 << 30
MOST_FILE: Final = 64 << 20
MOST_PROCESSES: Final = 256
# The first process of the PID namespace is a shell of ours, which stays in our process group whatever the
# program does: when it is killed, the kernel kills everything else in the namespace.
_APART: Final = (
    *("unshare", "--net", "--pid", "--fork", "--kill-child=KILL", "--"),
    *("sh", "-c", '"$@"; exit', "sh"),
)
INSTALL_SECONDS: Final = 300


class CageRefused(Exception):  # noqa: N818 - the house names what is wrong
    """Why nothing was run, in one sentence."""


@dataclass(frozen=True, slots=True)
class Cage:
    """A home on disk for one program, and the account that owns it."""

    home: Path
    uid: int
    gid: int

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {"PATH": SEARCHED, "HOME": str(self.home), "LANG": "C.UTF-8", **(more or {})}

    def install(self, command: Sequence[str], more: Mapping[str, str]) -> str:
        """Install; empty if it went well, otherwise the last error printed. This step has a network."""
        kept = {name: os.environ[name] for name in INSTALLERS_KEEP if name in os.environ}
        process = self._start([*_nobody(self), *command], {**kept, **more}, merge=True)
        try:
            said, _ = process.communicate(timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            end(process)
            return f"it took longer than {INSTALL_SECONDS} s"
        end(process)
        return "" if process.returncode == 0 else _last_line(said)

    def run(self, command: Sequence[str], more: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the command without a network; `end` must be called on the process that this returns."""
        return self._start([*_APART, *_nobody(self), *_limits(), *command], more)

    def _start(
        self, command: Sequence[str], more: Mapping[str, str], *, merge: bool = False
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self.home,
            env=self.environment(more),
            stdin=subprocess.DEVNULL if merge else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.DEVNULL,
            start_new_session=True,
        )


@contextmanager
def a_cage() -> Iterator[Cage]:
    _refuse_without_means()
    account = pwd.getpwnam(ACCOUNT)
    home = Path(mkdtemp(prefix="catalog-crawl-"))
    try:
        os.chown(home, account.pw_uid, account.pw_gid)
        home.chmod(0o700)
        yield Cage(home, account.pw_uid, account.pw_gid)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and everything it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()
    process.wait(10)


def _refuse_without_means() -> None:
    if os.geteuid() != 0:
        raise CageRefused("Crawling runs strangers' programs: it must start as root, to give its rights up.")
    try:
        account = pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise CageRefused(f"There is no account {ACCOUNT} to run strangers' programs as.") from None
    if account.pw_uid == 0:
        raise CageRefused(f"The account {ACCOUNT} has every right; nothing is run as it.")
    for program in ("setpriv", "unshare", "prlimit"):
        if shutil.which(program, path=SEARCHED) is None:
            raise CageRefused(f"{program} was not found; without it privileges cannot be given up.")
    tried = subprocess.run(["unshare", "--net", "--pid", "--fork", "true"], capture_output=True, check=False)
    if tried.returncode:
        raise CageRefused("This machine gives no network namespace, so nothing is run.")


def _nobody(cage: Cage) -> list[str]:
    might = ["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    return ["setpriv", f"--reuid={cage.uid}", f"--regid={cage.gid}", *might, "--"]


def _limits() -> list[str]:
    return [
        "prlimit",
        f"--cpu={CPU_SECONDS}",
        f"--data={MOST_MEMORY}",
        f"--fsize={MOST_FILE}",
        f"--nproc={MOST_PROCESSES}",
        "--core=0",
        "--",
    ]


def _last_line(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    # npm closes with the path of a log that goes with the cage; its reason stands above.
    wrong = [line for line in lines if "error" in line.lower() and "complete log of this run" not in line]
    return (wrong or lines or ["it said nothing"])[-1][:300]
