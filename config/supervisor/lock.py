"""Allows only one product per data folder, and checks that its ports are free."""

import errno
import fcntl
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from config.supervisor.stops import CannotStart

# After `kill -9` of a supervisor, its watchdog holds the lock while it stops the processes left over.
SECONDS_FOR_LEFTOVERS = 15.0
# Granian's processes share these, and accept that others do; so do several gateways.
_SHARED = ("--port", "--internal-port")
_SHARED_BY_GATEWAYS = ("--gateway-port",)


def take_lock(data_dir: Path, name: str = "lock") -> int:
    """Return a descriptor that holds the lock until it is closed. If this raises, nothing was changed."""
    descriptor = os.open(data_dir / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _locked(descriptor):
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise CannotStart(
            f"The product is already running on {data_dir} (process {holder or 'unknown'}):"
            f" stop that one first, or choose another --data-dir."
        )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _locked(descriptor: int) -> bool:
    until = time.monotonic() + SECONDS_FOR_LEFTOVERS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _is_alive(os.pread(descriptor, 32, 0)) or time.monotonic() > until:
                return False
            time.sleep(0.1)
        else:
            return True


def _is_alive(written: bytes) -> bool:
    with suppress(ValueError, ProcessLookupError, PermissionError):
        os.kill(int(written), 0)
        return True
    return False


def reserve_ports(wanted: list[tuple[str, str, int]], *, gateways: int = 1) -> list[socket.socket]:
    """Raise if a port is taken or wanted twice. `wanted`: the flag that chooses it, the host, the port.

    Return sockets that keep from other programs, until their own processes listen there, the ports that those
    share (SO_REUSEPORT): a second product would otherwise answer half of their requests.
    """
    for flag, host, port in [*wanted, *_others_of_localhost(wanted)]:
        if problem := _why_not(host, port):
            raise CannotStart(
                f"Port {port} on {host} {problem}: stop what listens there, or choose another with"
                f" {_how_to_choose(flag)}."
            )
    for _, _, port in wanted:
        flags = [_how_to_choose(flag) for flag, _, also in wanted if also == port]
        if len(flags) > 1:
            raise CannotStart(f"Port {port} is wanted twice: choose another with {' or '.join(flags)}.")
    shared = _SHARED + (_SHARED_BY_GATEWAYS if gateways > 1 else ())
    return [_reserved(host, port) for flag, host, port in wanted if flag in shared]


def _reserved(host: str, port: int) -> socket.socket:
    kept = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    # Without SO_REUSEADDR, which would let a second product's check pass.
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    with suppress(OSError):  # connections of another program are still being forgotten there
        kept.bind((host, port))  # it never listens: connections go to whoever does
    return kept


def _others_of_localhost(wanted: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Browsers that open `localhost` may try ::1 first: no other program may answer there in our place."""
    if not has_ipv6_loopback():
        return []
    return [(flag, "::1", port) for flag, host, port in wanted if flag == "--port" and host == "127.0.0.1"]


def has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


def _how_to_choose(flag: str) -> str:
    variable = flag.removeprefix("--").replace("-", "_").upper()
    return flag if flag == variable else f"{flag} or {variable}=…"


def _why_not(host: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
            tried.listen(1)
        except OSError as error:
            return "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return None
