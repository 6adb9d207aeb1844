"""The limiter for many machines: a Redis that all their workers share.

Every request is one run of `limits.lua`, all or nothing, on the store's own clock. State is lost if the epoch
is gone, if the store counts fewer changes than it did, or if the Redis before this one may have forgotten
something. Then, and when the store's clock leaps forward, every limit is unavailable for its own window. A
Redis that may forget (without an append-only file, not synced on every write, or evicting) is not used.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b, sha1
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from gateway.counters.base import (
    MICROS,
    Charge,
    Full,
    NotHeld,
    Reservation,
    Reserved,
    Settlement,
    Unavailable,
    key_text,
)
from gateway.counters.clock_watch import ClockWatch
from gateway.counters.redis_wire import Address, ConnectionLost, Part, Wire, WireError, connect, packed
from gateway.counters.remembered import Known, Remembered
from gateway_config.wire.messages import LimiterState

_log: Final = logging.getLogger(__name__)

SCRIPT: Final = files("gateway.counters").joinpath("limits.lua").read_text("utf-8")
ANSWER_WITHIN: Final = 0.25
_LOOK_EVERY: Final = 0.02
_GIVEN_UP_AFTER: Final = ANSWER_WITHIN - 2 * _LOOK_EVERY
_DEAD_AFTER: Final = 2.0
_CONNECT_WITHIN: Final = 2.0
_AGAIN_AFTER: Final = (0.02, 0.1, 0.5, 1.0)
_CHECK_SETTINGS_EVERY: Final = 5.0
_MOST_UNSURE: Final = 5_000
_MUST_HOLD: Final = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


class NotDurable(Exception):  # noqa: N818
    """This Redis may forget what it answered for."""


@dataclass(slots=True, eq=False)
class _Asked:
    """One request and its waiter. `read` turns the script's answer into ours.

    `charges`: the decision whose call it may charge for. `anew`: nobody else knows this decision yet.
    """

    answer: asyncio.Future[Any]
    read: Callable[[Sequence[Any]], Any]
    otherwise: Any
    asked: float
    charges: str | None = None
    anew: bool = False


class RedisLimiter:
    """`witness`: this worker's own file, which remembers the store that it knew and how far that had come."""

    def __init__(self, address: Address, *, witness: Path | None = None, script: str = SCRIPT) -> None:
        self._loop = asyncio.get_running_loop()
        self._address = address
        self._script = script
        self._sha = sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._wire: Wire | None = None
        self._store = Remembered(witness)
        self._clock = ClockWatch(self._store.clock)
        self._asked: dict[_Asked, None] = {}
        self._charging: dict[str, _Asked] = {}
        self._unsure: dict[str, None] = {}
        self._failing = ""
        self._doubting = False
        parts = self._stay_connected(), self._look_after(), self._keep_checked()
        self._tasks = [self._loop.create_task(part) for part in parts]

    # The limiter

    async def reserve(
        self, decision_id: str, charges: Sequence[Charge], hold_seconds: int | None = None
    ) -> Reservation:
        if not charges:
            return Reserved()
        held = "" if hold_seconds is None else 1000 * hold_seconds
        parameters = (decision_id, held, *_parameters(charges))
        asked = self._ask(_reservation, Unavailable(), "reserve", *parameters, charges=decision_id, anew=True)
        return await asked  # type: ignore[no-any-return]

    def at_once(self, asked: Sequence[tuple[str, tuple[Charge, ...]]]) -> Sequence[Reservation | None]:
        """Answers only calls without charges: all others have to wait for the network."""
        return [None if charges else Reserved() for _, charges in asked]

    async def settle(self, decision_id: str) -> Settlement:
        asked = self._ask(_settlement, Unavailable(), "settle", decision_id, charges=decision_id)
        return await asked  # type: ignore[no-any-return]

    async def spend(self, ticket: str, seconds: int) -> bool:
        answer = await self._ask(lambda found: found[0] == b"new", False, "spend", ticket, 1000 * seconds)
        return answer is True

    async def extend(self, decision_id: str, seconds: int) -> None:
        await self._ask(_nothing, None, "extend", decision_id, 1000 * seconds)

    async def release(self, decision_id: str) -> None:
        await self._ask(_nothing, None, "release", decision_id)

    async def give_back(self, decision_id: str) -> None:
        await self._ask(_nothing, None, "give_back", decision_id)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._wire is not None:
            self._wire.close()
        if (known := self._known()) is not None:
            self._store.write_down(known)

    # The store itself

    async def state(self) -> LimiterState | None:
        """None while the store does not answer."""
        found = await self._ask(_text_parts, None, "look")
        if found is None:
            return None
        epoch, doubt, fresh = found
        told = int(doubt) if doubt else None
        return LimiterState(str(self._address), epoch, told, bool(fresh), self._store.accounted == epoch)

    async def put_in_doubt(self, epoch: str) -> None:
        if epoch == self._store.epoch and await self._ask(lambda _: True, False, "doubt"):
            self._store.accounted = epoch

    async def trust(self, epoch: str, doubt: int) -> None:
        if epoch == self._store.epoch:
            await self._ask(_nothing, None, "trust", doubt)

    # Requests

    def _ask(
        self,
        read: Callable[[Sequence[Any]], Any],
        otherwise: Any,
        request: str,
        *parameters: Part,
        charges: str | None = None,
        anew: bool = False,
    ) -> "asyncio.Future[Any]":
        asked = _Asked(self._loop.create_future(), read, otherwise, time.monotonic(), charges, anew)
        wire = self._wire
        if wire is None:
            asked.answer.set_result(otherwise)
        else:
            self._asked[asked] = None
            if charges is not None:
                self._charging[charges] = asked
                self._unsure.pop(charges, None)
            wire.send(
                self._packed(request, *parameters), lambda value, sent: self._answered(asked, value, sent)
            )
        return asked.answer

    def _packed(self, request: str, *parameters: Part) -> bytes:
        return packed("EVALSHA", self._sha, 0, self._store.epoch, request, *parameters)

    def _answered(self, asked: _Asked, value: object, sent: float) -> None:
        self._asked.pop(asked, None)
        found = self._understood(value, sent)
        late = asked.answer.done()
        if not late:
            asked.answer.set_result(asked.otherwise if found is None else asked.read(found))
        if asked.charges is None or self._charging.get(asked.charges) is not asked:
            # If the decision was asked for again, the charge belongs to the later request.
            return
        del self._charging[asked.charges]
        if late and found is not None and found[0] == b"reserved":
            # The call was denied, or its client is gone: nothing was sent, and nothing will be.
            self._tell("give_back", asked.charges)
        elif asked.anew and isinstance(value, ConnectionLost) and len(self._unsure) < _MOST_UNSURE:
            self._unsure[asked.charges] = None

    def _give_back_unsure(self, wire: Wire) -> None:
        """Gives back charges for calls that were denied because the answer was lost with its connection."""
        for decision in list(self._unsure):
            wire.send(self._packed("give_back", decision), partial(self._given_back, decision))

    def _given_back(self, decision: str, value: object, _: float) -> None:
        if not isinstance(value, WireError):
            self._unsure.pop(decision, None)

    def _understood(self, value: object, sent: float) -> Sequence[Any] | None:
        """The script's answer; None after an error, or if the store is in doubt or not the one we knew."""
        if isinstance(value, WireError):
            self._failed(str(value))
            if str(value) == "NOSCRIPT":
                self._start_again("it was restarted, or its scripts flushed")
            return None
        told = _Told.read(value)
        if told.answer[0] == b"another_epoch":
            self._start_again("its state is gone")
            return None
        if told.answer[0] == b"unavailable" or self._is_lost(told, sent):
            return None
        for counter in told.crowded:
            self._tell("merge", counter)
        return told.answer

    def _is_lost(self, told: "_Told", sent: float) -> bool:
        """True if the store cannot be trusted; also puts it in doubt. Charges made meanwhile stay charged.

        Until the store knows of its doubt it judges without it, so none of its answers is used.
        """
        if self._doubting:
            return True
        if not self._store.goes_on(told.turn_before, told.turn):
            _log.error("Redis at %s has lost changes that it had confirmed", self._address)
        elif self._clock.leapt(told.now, sent):
            _log.error("the clock of Redis at %s leapt forward", self._address)
        else:
            return False
        self._store.begin_at(told.turn)
        self._doubting = True
        if self._wire is not None:
            self._wire.send(self._packed("doubt"), self._doubted)
        return True

    def _doubted(self, value: object, _: float) -> None:
        """If the request was lost on its way, the next connection begins with it."""
        if not isinstance(value, WireError):
            self._doubting = False

    def _tell(self, request: str, *parameters: Part) -> None:
        if self._wire is not None:
            self._wire.send(self._packed(request, *parameters), lambda value, _: None)

    def _start_again(self, why: str) -> None:
        _log.error("Redis at %s: %s; limited calls are denied until it is known again", self._address, why)
        if self._wire is not None:
            self._wire.close()

    # The connection

    async def _stay_connected(self) -> None:
        tries = 0
        while True:
            try:
                async with asyncio.timeout(_CONNECT_WITHIN):
                    wire = await self._opened()
            except Exception as problem:
                foreseen = isinstance(problem, OSError | WireError | NotDurable)
                self._failed((str(problem) if foreseen else "") or type(problem).__name__)
                await asyncio.sleep(_AGAIN_AFTER[min(tries, len(_AGAIN_AFTER) - 1)])
                tries += 1
                continue
            tries, self._failing = 0, ""
            await wire.lost
            self._wire = None

    async def _opened(self) -> Wire:
        wire = await connect(self._address)
        try:
            replication = await _check_settings(wire)
            run = await _run_id(wire)
            await wire.ask("SCRIPT", "LOAD", self._script)
            epoch, wall = self._store.epoch or secrets.token_hex(16), self._clock.wall_ms()
            sent = time.monotonic()
            asked = (epoch, "begin", epoch, run, "" if wall is None else wall, _promoted(replication))
            begun = _Told.read(await wire.ask("EVALSHA", self._sha, 0, *asked))
            known, doubt, fresh = _text_parts(begun.answer)
            if self._clock.leapt(begun.now, sent):
                _log.error("the clock of Redis at %s leapt forward while nobody was there", self._address)
                self._doubting = True
            if self._doubting or not self._store.is_still(known, begun.turn):
                await wire.ask("EVALSHA", self._sha, 0, known, "doubt")
                doubt, self._doubting = "now", False
            if fresh or doubt == "now":
                self._store.accounted = known
            self._store.know(known, begun.turn)
        except BaseException:
            wire.close()
            raise
        self._wire = wire
        self._give_back_unsure(wire)
        if doubt:
            _log.warning("the limits in Redis at %s are in doubt for their own windows", self._address)
        return wire

    async def _look_after(self) -> None:
        """Ends waits in the promised time, and leaves a Redis that does not answer. It waits for nothing."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            now = time.monotonic()
            self._give_up(now - _GIVEN_UP_AFTER)
            wire = self._wire
            since = None if wire is None else wire.waits_since
            if wire is not None and since is not None and now - since > _DEAD_AFTER:
                self._failed("it does not answer")
                wire.close()

    async def _keep_checked(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_SETTINGS_EVERY)
            if self._wire is None:
                continue
            await self._check(self._wire)
            if (known := self._known()) is not None:
                self._ask(_nothing, None, "note", time.time_ns() // 1_000_000)
                await asyncio.to_thread(self._store.write_down, known)

    def _known(self) -> Known | None:
        """None while the store has not heard of a doubt: the process after us must find its cause again."""
        if self._doubting:
            return None
        self._store.clock = self._clock.known
        return self._store.so_far()

    def _give_up(self, before: float) -> None:
        while self._asked:
            oldest = next(iter(self._asked))
            if oldest.asked > before:
                return
            del self._asked[oldest]
            if not oldest.answer.done():
                oldest.answer.set_result(oldest.otherwise)

    async def _check(self, wire: Wire) -> None:
        try:
            async with asyncio.timeout(1):
                await _check_settings(wire)
        except TimeoutError:
            return
        except (WireError, NotDurable) as problem:
            self._failed(str(problem))
            self._tell("careless")
            await asyncio.sleep(_LOOK_EVERY)
            wire.close()

    def _failed(self, why: str) -> None:
        if self._failing != why:
            _log.error("limits cannot be checked in Redis at %s: %s", self._address, why)
        self._failing = why


@dataclass(frozen=True, slots=True)
class _Told:
    """The script's answer to any request, with how far the store has come and which counters to merge."""

    answer: Sequence[Any]
    now: int
    turn_before: int
    turn: int
    crowded: Sequence[bytes]

    @classmethod
    def read(cls, value: Any) -> "_Told":
        answer, now, before, turn, crowded = value
        return cls(answer, int(now), int(before), int(turn), crowded.split())


async def _check_settings(wire: Wire) -> Mapping[str, str]:
    """Raises NotDurable if Redis may forget or is a replica. Returns what it says about its replication."""
    said: dict[str, str] = {}
    for name in _MUST_HOLD:
        answer = await wire.ask("CONFIG", "GET", name)
        said |= {_text(key): _text(value) for key, value in _pairs(answer)}
    wrong = {name: said.get(name, "unknown") for name, must in _MUST_HOLD.items() if said.get(name) != must}
    if wrong:
        raise NotDurable(
            "it may forget what it answered for: "
            + ", ".join(f"{name} is {value}, not {_MUST_HOLD[name]}" for name, value in wrong.items())
        )
    replication = await _info(wire, "replication")
    if replication.get("role") != "master":
        raise NotDurable("it is a replica")
    return replication


def _promoted(replication: Mapping[str, str]) -> str:
    """Not empty if it was a replica before, which may lack the last changes its master answered for."""
    return "1" if replication.get("master_replid2", "").strip("0") else ""


async def _run_id(wire: Wire) -> str:
    return (await _info(wire, "server")).get("run_id", "")


async def _info(wire: Wire, section: str) -> Mapping[str, str]:
    answer = await wire.ask("INFO", section)
    lines = [line.partition(":") for line in _text(answer).splitlines()]
    return {name: value for name, colon, value in lines if colon}


def _pairs(answer: object) -> list[tuple[object, object]]:
    listed = answer if isinstance(answer, list) else []
    return list(zip(listed[::2], listed[1::2], strict=False))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _parameters(charges: Sequence[Charge]) -> list[Part]:
    """Every counter once, with the largest cost that its limits have for this call; then the limits."""
    counters: dict[tuple[str, str], int] = {}
    for charge in charges:
        names = _names(charge)
        counters[names] = max(counters.get(names, 0), charge.cost_micros)
    place = {names: number for number, names in enumerate(counters, 1)}
    parameters: list[Part] = [len(counters)]
    for (counter, family), cost in counters.items():
        parameters += [counter, family, *divmod(cost, MICROS)]
    for charge in charges:
        parameters += [place[_names(charge)], charge.window_ms, charge.max]
    return parameters


def _names(charge: Charge) -> tuple[str, str]:
    """Hashed names of the counter and of its key's family: values of arguments never get into the store."""
    return _hashed(
        charge.organization, charge.scope_kind, charge.scope_id, charge.counter, key_text(charge.key)
    )


@lru_cache(8_192)
def _hashed(organization: str, scope_kind: str, scope_id: str, counter: str, key: str) -> tuple[str, str]:
    # None of the parts but the key can hold a line feed.
    family = "\n".join((organization, scope_kind, scope_id, counter))
    return _digest(f"{family}\n{key}"), _digest(family) if key else ""


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _reservation(answer: Sequence[Any]) -> Reservation:
    if answer[0] == b"reserved":
        return Reserved()
    _, index, seconds, units, micros = answer
    return Full(index, None if seconds < 0 else seconds, units * MICROS + micros)


def _settlement(answer: Sequence[Any]) -> Settlement:
    return Reserved() if answer[0] == b"reserved" else NotHeld()


def _text_parts(answer: Sequence[Any]) -> list[str]:
    return [part.decode() for part in answer]


def _nothing(_: Sequence[Any]) -> None:
    return None
