"""Runs slow judgements in a separate process, so that no other call waits for them.

A thread would not do: it would hold the interpreter half of the time. The process is started when it is first
needed. Organizations take turns at it, and it has one question at a time. If it gives no answer, that call is
denied and the next one gets a new process.
"""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final

from gateway.judging import LENGTH, Policy, framed, question_of, question_text, read_answer
from policies.language.canonical import canonical_text
from policies.language.compile import CompiledPolicy
from policies.language.decision import Call, Decision

_MOST_POLICIES: Final = 32
# The worst case takes 60 ms on a machine with time to spare.
_LONGEST: Final = 15.0


class NotJudged(Exception):  # noqa: N818
    """The process could not judge the calls, ended, or took too long."""


@dataclass(frozen=True, slots=True)
class _Process:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    running: subprocess.Popen[bytes]

    @classmethod
    async def start(cls) -> "_Process":
        ours, its = socket.socketpair()
        with its:
            running = await asyncio.to_thread(_run, its)
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(reader, writer, running)

    async def answer(self, content: bytes) -> bytes:
        self.writer.write(content)
        await self.writer.drain()
        (length,) = LENGTH.unpack(await self.reader.readexactly(LENGTH.size))
        return await self.reader.readexactly(length)

    def end(self) -> None:
        self.writer.transport.abort()
        self.running.kill()
        threading.Thread(target=self.running.wait, name="judge's end").start()


class Judges:
    def __init__(self) -> None:
        self._turns = _Turns()
        self._process: _Process | None = None
        self._keys = count()
        self._known: OrderedDict[int, tuple[CompiledPolicy, int]] = OrderedDict()
        """By id() of the compiled policy, which is kept here so that its id stays unique: the policy, and the
        key that the process knows it by."""

    @property
    def pid(self) -> int | None:
        return self._process.running.pid if self._process is not None else None

    async def decide(
        self, organization: str, compiled: CompiledPolicy, calls: Sequence[Call], body: bytes
    ) -> tuple[Decision, ...]:
        """`body` is the request's, read where a tool is called. Raises NotJudged."""
        async with self._turns.of(organization):
            try:
                async with asyncio.timeout(_LONGEST):
                    process = self._process or await self._started()
                    content = await self._content(compiled, calls, body)
                    decisions = read_answer(await process.answer(content))
            except (OSError, EOFError, ValueError) as problem:
                self.close()
                raise NotJudged from problem
            except BaseException:
                # An answer that nobody waited for must not be taken for the answer to the next question.
                self.close()
                raise
            if len(decisions) != len(calls):
                # We no longer know whether the process has this policy.
                self._known.pop(id(compiled), None)
                raise NotJudged
            return decisions

    def close(self) -> None:
        process, self._process = self._process, None
        self._known.clear()
        if process is not None:
            process.end()

    async def _started(self) -> _Process:
        process = self._process = await _Process.start()
        return process

    async def _content(self, compiled: CompiledPolicy, calls: Sequence[Call], body: bytes) -> bytes:
        known = self._known.get(id(compiled))
        if known is not None:
            self._known.move_to_end(id(compiled))
            return framed(question_text(question_of(known[1], calls, body, None, None)))
        key, forgotten = next(self._keys), None
        if len(self._known) >= _MOST_POLICIES:
            forgotten = self._known.popitem(last=False)[1][1]
        self._known[id(compiled)] = (compiled, key)
        return await asyncio.to_thread(_first_question, key, compiled, calls, body, forgotten)


def _first_question(
    key: int, compiled: CompiledPolicy, calls: Sequence[Call], body: bytes, forgotten: int | None
) -> bytes:
    policy = Policy(canonical_text(compiled.document), dict(compiled.class_of))
    return framed(question_text(question_of(key, calls, body, policy, forgotten)))


def _run(its: socket.socket) -> subprocess.Popen[bytes]:
    """Start it without our environment, which holds keys and tokens."""
    paths = os.pathsep.join(path for path in sys.path if path)
    command = (sys.executable, "-P", "-m", "gateway.judge")
    return subprocess.Popen(
        command, stdin=its.fileno(), stdout=its.fileno(), stderr=subprocess.DEVNULL, env={"PYTHONPATH": paths}
    )


class _Turns:
    """One question at a time; organizations that wait take turns, however many questions each has waiting."""

    def __init__(self) -> None:
        self._busy = False
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def of(self, organization: str) -> AsyncIterator[None]:
        await self._wait(organization)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, organization: str) -> None:
        if not self._busy:
            self._busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(organization, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            organization = next(iter(self._waiting))
            mine = self._waiting.pop(organization)
            turn = mine.popleft()
            if mine:
                self._waiting[organization] = mine  # behind all others
            if not turn.done():
                turn.set_result(None)
                return
        self._busy = False
