"""Calls that arrive together are carried out together.

All the calls that arrive in a turn or two of the event loop are judged; the limiter is asked once for all of
them, their records are written at one stroke, and then they are sent. So none costs a task or a wait of its
own. Whatever would have to wait goes on alone from where it is: for a limiter that another process holds, for
a connection to be opened, for a person, for an answer that comes in parts.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.driver import Driver, not_answered
from gateway.effects import Answer, Effect, Ending, Forward, Record, Reserve
from gateway.pipeline import Pipeline
from gateway.relay import Relay
from gateway.visits import Visit

# So many at most before others have a turn, and before another worker can have the limiter.
_AT_ONCE: Final = 64


@dataclass(slots=True, eq=False)
class Play:
    """A call being judged. `effect` is what it asks for; None once it is over or somebody else's."""

    pipeline: Pipeline
    visit: Visit
    effect: Effect | None = None


class Turns:
    """`over` is told how a call ended; `alone` goes on with it; `broken` ends what could not be judged."""

    def __init__(
        self,
        driver: Driver,
        relay: Relay,
        *,
        over: Callable[[Visit, Ending], None],
        alone: Callable[[Play], None],
        broken: Callable[[Visit, Exception], None],
    ) -> None:
        self._driver = driver
        self._relay = relay
        self._over = over
        self._alone = alone
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._plays: list[Play] = []

    def join(self, pipeline: Pipeline, visit: Visit) -> None:
        if not self._plays:
            self._loop.call_soon(self._after_these)
        self._plays.append(Play(pipeline, visit))

    def _after_these(self) -> None:
        # What came meanwhile is judged along: a transaction and a write cost as much as some calls.
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        plays, self._plays = self._plays[:_AT_ONCE], self._plays[_AT_ONCE:]
        if self._plays:
            self._loop.call_soon(self._turn)
        for play in plays:
            self._tell(play, None)
        self._reserve([
            play for play in plays if type(play.effect) is Reserve and play.effect.hold_seconds is None
        ])  # fmt: skip
        self._record([play for play in plays if type(play.effect) is Record])
        for play in plays:
            if type(play.effect) is Forward:
                self._forward(play)
            elif play.effect is not None:
                self._alone(play)

    def _tell(self, play: Play, answer: Answer) -> None:
        """Sends the pipeline what it asked for, and hears what it asks for next."""
        try:
            play.effect = play.pipeline.send(answer)
        except StopIteration as stop:
            play.effect = None
            self._driver.ended(stop.value, play.visit)
            self._over(play.visit, stop.value)
        except Exception as failure:
            play.effect = None
            self._broken(play.visit, failure)

    def _reserve(self, plays: Sequence[Play]) -> None:
        if not plays:
            return
        asked = [(play.effect, play.visit) for play in plays if isinstance(play.effect, Reserve)]
        for play, reservation in zip(plays, self._driver.reserve_all(asked), strict=True):
            if reservation is not None:  # else it waits for itself
                self._tell(play, reservation)

    def _record(self, plays: Sequence[Play]) -> None:
        if not plays:
            return
        rulings = [(play.effect.ruling, play.visit) for play in plays if isinstance(play.effect, Record)]
        for play, recorded in zip(plays, self._driver.record_all(rulings), strict=True):
            self._tell(play, recorded)

    def _forward(self, play: Play) -> None:
        try:
            sent = self._relay.send_at_once(play.visit, self._answered, play)
        except Exception as failure:
            self._ended(play, not_answered(play.visit, failure))
        else:
            if not sent:
                self._alone(play)

    def _answered(self, play: Play) -> None:
        try:
            forwarded = self._relay.pass_on_at_once(play.visit)
        except Exception as failure:
            self._ended(play, not_answered(play.visit, failure))
        else:
            if forwarded is None:
                self._alone(play)
            else:
                self._ended(play, forwarded)

    def _ended(self, play: Play, answer: Answer) -> None:
        self._tell(play, answer)
        if play.effect is not None:
            self._alone(play)
