"""One gateway worker: run with `python -m gateway`, configured entirely by environment variables."""

import asyncio
import errno
import fcntl
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop

from common.memory import collect_less
from common.unix_sockets import listening
from gateway.app import Gateway
from gateway.approvals_client import ApprovalsClient
from gateway.config_feed import ConfigFeed
from gateway.config_store import ConfigStore
from gateway.control_plane import ControlPlane
from gateway.counters.base import Limiter
from gateway.counters.redis import RedisLimiter
from gateway.counters.sqlite import SqliteLimiter
from gateway.decision_log import DecisionLog
from gateway.drift import DriftWatch
from gateway.handover import Door
from gateway.health import numbers, routes, serve_beside
from gateway.limiter_watch import LimiterWatch
from gateway.limits import Limits
from gateway.logs import log_to_stdout, tell_of_failures
from gateway.metrics import Metrics
from gateway.settings import VERSION, Settings, SettingsInvalid, read_settings
from gateway.time_of_day import TimeOfDay
from gateway.used_approvals import UsedApprovals

_log: Final = logging.getLogger("gateway")

# A busy event loop must not keep the limiter's thread waiting long for the interpreter lock.
_SWITCH_SECONDS: Final = 0.0005
_LAST_RECORDS_SECONDS: Final = 3.0
_MOST_FILES: Final = 65_536
_FILES_KEPT: Final = 256
_FEWEST_CONNECTIONS: Final = 64


class CannotStart(Exception):  # noqa: N818
    """The worker cannot start or go on; the message is one sentence for the operator."""


def main() -> int:
    try:
        settings = read_settings(os.environ)
        log_to_stdout(settings.log_level)
        sys.setswitchinterval(_SWITCH_SECONDS)
        _raise_file_limit()
        with _alone(settings.folder):
            uvloop.run(_run(settings))
    except (SettingsInvalid, CannotStart) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _with_files(limits: Limits) -> Limits:
    """Cap connections so that open files suffice for clients, servers and what must always be written."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(_FEWEST_CONNECTIONS, (files - _FILES_KEPT) // 2)
    return replace(limits, connections=min(limits.connections, most))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the worker's folder, and let no other user read it.

    Two processes writing one spool would give two records the same sequence number.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise CannotStart(f"DATA_DIR cannot be written to: {folder}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(
                f"another gateway with this WORKER_NAME already runs on {folder}; give each one its own"
            ) from None
        yield


async def _run(settings: Settings) -> None:
    ending = _Ending()
    tell_of_failures(asyncio.get_running_loop())
    async with AsyncExitStack() as stack:
        control = await stack.enter_async_context(ControlPlane(settings.control_url, settings.worker_token))
        time_of_day = TimeOfDay()
        store = ConfigStore(settings.folder / "config", settings.verify_keys, time_of_day)
        limiter = _limiter(settings)
        stack.push_async_callback(limiter.close)
        decisions = DecisionLog(settings.folder / "spool", worker=settings.worker_name)
        stack.callback(decisions.close)
        stack.push_async_callback(decisions.drain, control.records, _LAST_RECORDS_SECONDS)
        feed = ConfigFeed(control, store, version=VERSION, trouble=decisions.trouble)
        drift = DriftWatch()
        approvals = await stack.enter_async_context(_approvals(settings, limiter))
        background = (
            feed.run(),
            decisions.ship(control.records),
            drift.ship(control.drift),
            store.warm_all(),
            store.remember_the_time(),
            approvals.run(),
            LimiterWatch(control, limiter).run(),
        )
        await stack.enter_async_context(_beside(background, ending))
        await stack.enter_async_context(
            _serving(settings, store, limiter, decisions, drift, approvals, time_of_day)
        )
        collect_less()
        _say_what_serves(settings, store)
        await ending.event.wait()
        _log.info("stopping: nothing new is accepted, calls that run are finished")
    if ending.failed:
        raise CannotStart("a part of the gateway ended that must not; its log says which")


def _limiter(settings: Settings) -> SqliteLimiter | RedisLimiter:
    witness = settings.folder / "limiter-epoch"
    if isinstance(settings.limiter, Path):
        _check_writable(settings.limiter)
        return SqliteLimiter(settings.limiter, worker=settings.worker_name, witness=witness)
    return RedisLimiter(settings.limiter, witness=witness)


def _check_writable(file: Path) -> None:
    """Say at the start what would otherwise only be seen by limited calls being denied."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(file.parent, os.W_OK | os.X_OK) or (file.exists() and not os.access(file, os.W_OK)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise CannotStart(
            f"the limiter's file cannot be written to: {file}: {error.strerror}; LIMITER_URL says where it"
            " is, or DATA_DIR if that is empty"
        ) from None


class _Ending:
    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.failed = False
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.event.set)

    def with_task(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            _log.error("a part of the gateway ended", exc_info=task.exception())
            self.failed = True
            self.event.set()


@asynccontextmanager
async def _beside(parts: Iterable[Coroutine[None, None, None]], ending: _Ending) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(part) for part in parts]
    for task in tasks:
        task.add_done_callback(ending.with_task)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _approvals(settings: Settings, limiter: Limiter) -> AsyncIterator[ApprovalsClient]:
    """Use separate connections, so that calls waiting for approval never hold up the configuration."""
    async with ControlPlane(settings.control_url, settings.worker_token) as control:
        used = UsedApprovals(settings.folder / "used-approvals")
        client = ApprovalsClient(control, limiter, used, answer_seconds=settings.approval_answer_seconds)
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def _serving(
    settings: Settings,
    store: ConfigStore,
    limiter: Limiter,
    decisions: DecisionLog,
    drift: DriftWatch,
    approvals: ApprovalsClient,
    time_of_day: TimeOfDay,
) -> AsyncIterator[None]:
    metrics, health = Metrics(), routes(store)
    gateway = Gateway(
        config=store,
        limiter=limiter,
        decisions=decisions,
        egress=settings.egress,
        tls=settings.tls,
        keyring=settings.bundle_keys,
        hosts=settings.hosts,
        origins=settings.allowed_origins,
        routes=health,
        limits=_with_files(settings.limits),
        observer=metrics,
        drift=drift,
        door=settings.door,
        prefix=settings.path_prefix,
        approvals=approvals,
        hold_open_seconds=settings.approval_hold_seconds,
        time_of_day=time_of_day,
    )
    store.on_swap(gateway.on_swap)
    async with AsyncExitStack() as stack:
        stack.callback(gateway.close)
        if settings.metrics_port is not None:
            with _listening("METRICS_PORT", settings.metrics_host, settings.metrics_port):
                served = health | numbers(metrics, store, decisions)
                beside = await serve_beside(served, settings.metrics_host, settings.metrics_port)
            stack.callback(beside.close)
        await _open_doors(gateway, settings.door, stack)
        with _listening("GATEWAY_PORT", settings.host, settings.port):
            server = await gateway.serve(settings.host, settings.port, reuse_port=settings.shared_port)
        stack.push_async_callback(server.close)
        yield


async def _open_doors(gateway: Gateway, door: Door, stack: AsyncExitStack) -> None:
    if door.socket is not None:
        try:
            knocked = await gateway.serve_workers(listening(door.socket))
        except OSError as error:
            raise CannotStart(f"HANDOVER_DIR cannot be used: {door.folder}: {error.strerror}") from None
        stack.push_async_callback(knocked.close)
        stack.callback(door.socket.unlink, missing_ok=True)
    if door.address:
        host, _, port = door.address.rpartition(":")
        with _listening("HANDOVER_ADDRESS", host, int(port)):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            internal = socket.create_server((host.strip("[]"), int(port)), family=family)
            handed = await gateway.serve_workers(internal)
        stack.push_async_callback(handed.close)


@contextmanager
def _listening(name: str, host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = "something else listens there" if error.errno == errno.EADDRINUSE else error.strerror
        raise CannotStart(f"{name} {port} cannot be listened on at {host}: {why}") from None


def _say_what_serves(settings: Settings, store: ConfigStore) -> None:
    _log.info(
        "serving on %s:%d with %d organizations from disk",
        settings.host,
        settings.port,
        len(store.enforced()),
    )
    if settings.egress.allow:
        opened = ", ".join(map(str, settings.egress.allow))
        _log.warning("EGRESS_ALLOW_PRIVATE lets servers be called in these private networks: %s", opened)


if __name__ == "__main__":
    sys.exit(main())
