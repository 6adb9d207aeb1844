"""Calls that arrive together are carried out together.

All calls that arrive within a few iterations of the event loop are judged, the limiter is asked once for all
of them, their records are written in one write, and then they are sent. So none costs a task or a wait of its
own. A call that would have to wait goes on alone from where it is: for a limiter that another process holds,
for a connection to be opened, for a person, or for an answer that comes in parts.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from gateway.counters.base import Charge
from gateway.driver import Driver, not_answered
from gateway.effects import FORWARD, Answer, Effect, Ending, Record, Reserve, Ruling
from gateway.pipeline import Pipeline
from gateway.relay import Relay
from gateway.visits import Visit

# At most this many before other work has its turn, and another worker can have the limiter.
_AT_ONCE: Final = 64
# A transaction, a write and waking the servers cost as much as several calls: if calls came together last
# time, more are waited for, for this many iterations of the loop. A call that comes alone does not wait.
_PASSES: Final = 5

Play: TypeAlias = tuple[Pipeline, Visit]
"""A call being judged."""
_Asks: TypeAlias = list[tuple[Play, Effect | None]]
"""What each call asks for now; None: it has ended, or has been handed on."""


class Turns:
    """`over` is told how a call ended; `alone` goes on with it; `broken` ends what could not be judged."""

    def __init__(
        self,
        driver: Driver,
        relay: Relay,
        *,
        over: Callable[[Visit, Ending], None],
        alone: Callable[[Play, Effect], None],
        broken: Callable[[Visit, Exception], None],
    ) -> None:
        self._driver = driver
        self._relay = relay
        self._over = over
        self._alone = alone
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._plays: list[Play] = []
        self._passes = 0
        self._came_together = False

    def join(self, pipeline: Pipeline, visit: Visit) -> None:
        if not self._plays:
            self._passes = _PASSES if self._came_together else 0
            self._loop.call_soon(self._wait_for_others)
        self._plays.append((pipeline, visit))

    def _wait_for_others(self) -> None:
        if self._passes and len(self._plays) < _AT_ONCE:
            self._passes -= 1
            self._loop.call_soon(self._wait_for_others)
        else:
            self._turn()

    def _turn(self) -> None:
        plays, self._plays = self._plays[:_AT_ONCE], self._plays[_AT_ONCE:]
        self._came_together = len(plays) > 1
        if self._plays:
            self._loop.call_soon(self._turn)
        asks = [(play, self._next(play, None)) for play in plays]
        for play, effect in self._recorded(self._reserved(asks)):
            if effect is FORWARD:
                self._forward(play)
            elif effect is not None:
                self._alone(play, effect)

    def _next(self, play: Play, answer: Answer) -> Effect | None:
        """Send the pipeline what it asked for, and return what it asks for next."""
        pipeline, visit = play
        try:
            return pipeline.send(answer)
        except StopIteration as stop:
            self._driver.ended(stop.value, visit)
            self._over(visit, stop.value)
        except Exception as failure:
            self._broken(visit, failure)
        return None

    def _reserved(self, asks: _Asks) -> _Asks:
        waiting: _Asks = []
        charged: list[tuple[str, tuple[Charge, ...]]] = []
        others: _Asks = []
        for ask in asks:
            effect = ask[1]
            if type(effect) is Reserve and effect.hold_seconds is None:
                waiting.append(ask)
                charged.append((ask[0][1].decision_id, effect.charges))
            else:
                others.append(ask)
        if not charged:
            return asks
        for ask, reservation in zip(waiting, self._driver.reserve_all(charged), strict=True):
            # A call that has no reservation yet waits for it alone.
            others.append(ask if reservation is None else (ask[0], self._next(ask[0], reservation)))
        return others

    def _recorded(self, asks: _Asks) -> _Asks:
        judged: list[Play] = []
        rulings: list[tuple[Ruling, Visit]] = []
        others: _Asks = []
        for ask in asks:
            play, effect = ask
            if type(effect) is Record:
                judged.append(play)
                rulings.append((effect.ruling, play[1]))
            else:
                others.append(ask)
        if not judged:
            return asks
        for play, recorded in zip(judged, self._driver.record_all(rulings), strict=True):
            others.append((play, self._next(play, recorded)))
        return others

    def _forward(self, play: Play) -> None:
        visit = play[1]
        try:
            sent = self._relay.send_at_once(visit, self._answered, play)
        except Exception as failure:
            self._ended(play, not_answered(visit, failure))
        else:
            if not sent:
                self._alone(play, FORWARD)

    def _answered(self, play: Play) -> None:
        visit = play[1]
        try:
            forwarded = self._relay.pass_on_at_once(visit)
        except Exception as failure:
            self._ended(play, not_answered(visit, failure))
        else:
            if forwarded is None:
                self._alone(play, FORWARD)
            else:
                self._ended(play, forwarded)

    def _ended(self, play: Play, answer: Answer) -> None:
        effect = self._next(play, answer)
        if effect is not None:
            self._alone(play, effect)
