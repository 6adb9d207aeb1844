"""Starts child processes, restarts them when they crash, and leaves none behind."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.supervisor import watchdog
from config.supervisor.account import Account, identity
from config.supervisor.lifeline import die_with_parent
from config.supervisor.lines import LineCutter, Printer

OURS = "product"


@dataclass(frozen=True, slots=True, repr=False)
class Child:
    """`rank`: children of a higher rank stop first; those of equal rank stop together.

    `grace_seconds`: how long it may take to stop, if that differs from the others.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    rank: int = 1
    grace_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    first_seconds: float = 0.5
    most_seconds: float = 30.0
    healthy_seconds: float = 60.0
    grace_seconds: float = 10.0

    def delay(self, crashes: int) -> float:
        return min(self.first_seconds * 2.0 ** min(crashes - 1, 16), self.most_seconds)


@dataclass(slots=True, repr=False)
class _Kept:
    child: Child
    task: asyncio.Task[int] | None = None
    process: Process | None = None
    # A pipe of our own: with asyncio's, we would wait for every process that still holds its other end.
    mouth: int = -1
    crashes: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    def __init__(self, printer: Printer, patience: Patience | None = None, lock: int | None = None) -> None:
        self._printer = printer
        self._patience = patience or Patience()
        self._lock = lock
        self._kept: list[_Kept] = []
        self._watchdog: Process | None = None

    async def start(self, child: Child) -> int:
        """Start and keep a child. Return the pid of its first process, which is then running."""
        if self._watchdog is None:
            await self._start_watchdog()
        kept = _Kept(child)
        self._kept.append(kept)
        started = await self._spawn(kept)
        kept.task = asyncio.create_task(self._keep(kept, started))
        return started.pid

    async def run_once(self, child: Child) -> int:
        """Run a child once and return its exit code; its output is shown like any other."""
        if self._watchdog is None:
            await self._start_watchdog()
        kept = _Kept(child)
        self._kept.append(kept)
        process = await self._spawn(kept)
        kept.task = asyncio.create_task(self._to_its_end(kept, process))
        code = await asyncio.shield(kept.task)
        self._kept.remove(kept)
        return code

    def lives(self, name: str) -> bool:
        return any(kept.child.name == name and kept.process is not None for kept in self._kept)

    async def stop(self) -> None:
        for kept in self._kept:
            kept.stopping.set()
        for rank in sorted({kept.child.rank for kept in self._kept}, reverse=True):
            equals = [kept for kept in reversed(self._kept) if kept.child.rank == rank]
            await asyncio.gather(*(self._stop_one(kept) for kept in equals))
        await self._dismiss_watchdog()

    def kill(self) -> None:
        """Kill everything at once, for an operator who asks a second time."""
        for kept in self._kept:
            if kept.process:
                _kill_group(kept.process.pid)

    async def _keep(self, kept: _Kept, process: Process) -> int:
        while True:
            since = time.monotonic()
            code = await self._to_its_end(kept, process)
            if kept.stopping.is_set():
                return code
            if time.monotonic() - since >= self._patience.healthy_seconds:
                kept.crashes = 0
            kept.crashes += 1
            delay = self._patience.delay(kept.crashes)
            self._printer.say(OURS, f"{kept.child.name} {_ended(code)}; starting it again in {delay:g} s")
            again = await self._spawn_after(delay, kept)
            if again is None:
                return code
            process = again

    async def _spawn_after(self, delay: float, kept: _Kept) -> Process | None:
        """Start the child after a delay, or return None if asked to stop meanwhile.

        Keeps trying: a machine that is out of memory or processes may recover.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(kept.stopping.wait(), delay)
                return None
            try:
                return await self._spawn(kept)
            except OSError as error:
                delay = self._patience.most_seconds
                self._printer.say(OURS, f"{kept.child.name} could not be started: {error.strerror}")

    async def _spawn(self, kept: _Kept) -> Process:
        child = kept.child
        kept.mouth, writing = os.pipe()
        try:
            kept.process = await asyncio.create_subprocess_exec(
                *child.command,
                cwd=child.folder,
                env=dict(child.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
                preexec_fn=die_with_parent(child.stop_signal),
                **identity(child.account),
            )
        except OSError:
            os.close(kept.mouth)
            raise
        finally:
            os.close(writing)
        self._tell_watchdog(f"add {kept.process.pid} {int(child.stop_signal)}")
        if kept.stopping.is_set():
            kept.process.send_signal(child.stop_signal)
        return kept.process

    async def _to_its_end(self, kept: _Kept, process: Process) -> int:
        pump = asyncio.create_task(self._pump(kept.child.name, kept.mouth))
        code = await process.wait()
        # Whatever the child had started ends too: it would keep the port, or run beside its successor.
        _kill_group(process.pid)
        self._tell_watchdog(f"drop {process.pid}")
        await asyncio.wait([pump], timeout=1)
        pump.cancel()
        await asyncio.wait([pump])
        kept.process = None
        return code

    async def _pump(self, name: str, mouth: int) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(mouth, "rb", buffering=0)
        )
        cutter = LineCutter()
        try:
            while chunk := await reader.read(65_536):
                for line in cutter.feed(chunk):
                    self._printer.say(name, line)
            for line in cutter.end():
                self._printer.say(name, line)
        finally:
            transport.close()

    async def _stop_one(self, kept: _Kept) -> None:
        if kept.process and kept.process.returncode is None:
            kept.process.send_signal(kept.child.stop_signal)
        if kept.task is None:
            return
        grace = kept.child.grace_seconds or self._patience.grace_seconds
        done, _ = await asyncio.wait([kept.task], timeout=grace)
        if not done and kept.process:
            self._printer.say(OURS, f"{kept.child.name} did not stop in time and is ended")
            _kill_group(kept.process.pid)
            await kept.task

    async def _start_watchdog(self) -> None:
        self._watchdog = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(Path(watchdog.__file__)), str(self._patience.grace_seconds)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=() if self._lock is None else (self._lock,),
        )

    def _tell_watchdog(self, word: str) -> None:
        # A line this short goes straight into the pipe, so nothing is left in our memory if we are killed.
        if self._watchdog and self._watchdog.stdin and not self._watchdog.stdin.is_closing():
            self._watchdog.stdin.write(f"{word}\n".encode())

    async def _dismiss_watchdog(self) -> None:
        if self._watchdog and self._watchdog.stdin:
            self._watchdog.stdin.close()
            await self._watchdog.wait()


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
