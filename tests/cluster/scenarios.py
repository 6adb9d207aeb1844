"""What is done to a cluster. Each scenario returns figures; tests.cluster.laws says if a law was broken."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from common.ids import public_id
from tests.cluster.cluster import CONTROL, Database
from tests.cluster.faults import Delay, Dribble, Drop, Fault, HalfOpen, Pass, Refuse, ResetMidBody
from tests.cluster.history import ALLOWED
from tests.cluster.stage import ASKED, DENIED, EDITED, HIDDEN, OPEN, PROBE, Stage, limited
from tests.journeys.api import wait_until
from tests.redis_server import RedisServer

EVERY_FAULT: Final[tuple[Fault, ...]] = (
    Drop(), HalfOpen(), ResetMidBody(40), Dribble(20, 0.1), Delay(0.3), Refuse(),
)  # fmt: skip
CONVERGED_WITHIN: Final = 60.0
MOST_WAVES: Final = 10


@dataclass(slots=True)
class Figures:
    """What was counted or measured, by name."""

    found: dict[str, float] = field(default_factory=dict)

    def __setitem__(self, name: str, value: float) -> None:
        self.found[name] = value

    def add(self, name: str, value: float = 1) -> None:
        self.found[name] = self.found.get(name, 0) + value

    def most(self, name: str, value: float) -> None:
        self.found[name] = max(self.found.get(name, value), value)


# ---- promise 10
def kills(stage: Stage, rng: random.Random, count: int) -> Figures:
    """Kill or stop some part of the cluster so many times, while agents call and someone edits."""
    figures = Figures()
    stop = stage.clients.go_on(stage.agent, (OPEN, DENIED, HIDDEN, EDITED), callers=6, pause=0.02)
    try:
        for number in range(count):
            victim = _victim(stage, rng, number)
            _VERBS[victim](stage, rng, victim) if victim in _VERBS else _kill_process(stage, rng, victim)
            figures.add(f"killed {victim.partition('-')[0]}")
            if number % 3 == 0:
                stage.try_to_edit()
    finally:
        stop()
    _everything_runs(stage)
    return figures


def _victim(stage: Stage, rng: random.Random, number: int) -> str:
    """Choose the victim. Every other one is a gateway: they hold what can be lost."""
    if number % 2 == 0:
        return rng.choice(stage.cluster.names)
    return rng.choice((*CONTROL, "database", "broker", "limiter", "stopped"))


def _kill_process(stage: Stage, rng: random.Random, victim: str) -> None:
    time.sleep(rng.uniform(0.05, 0.4))
    stage.cluster.processes[victim].kill()
    time.sleep(rng.uniform(0, 0.3))
    stage.cluster.processes[victim].start()
    if victim in stage.cluster.names:
        stage.cluster.wait_for(victim)


def _kill_store(stage: Stage, rng: random.Random, victim: str) -> None:
    stores: dict[str, Database | RedisServer] = {
        "database": stage.cluster.database,
        "broker": stage.cluster.broker,
        "limiter": stage.cluster.limiter,
    }
    stores[victim].kill()
    time.sleep(rng.uniform(0.1, 0.6))
    stores[victim].start()


def _stop_one(stage: Stage, rng: random.Random, _: str) -> None:
    process = stage.cluster.processes[rng.choice(stage.cluster.names)]
    process.send(signal.SIGSTOP)
    time.sleep(rng.uniform(0.5, 1.5))
    process.send(signal.SIGCONT)


_VERBS: dict[str, Callable[[Stage, random.Random, str], None]] = {
    "database": _kill_store,
    "broker": _kill_store,
    "limiter": _kill_store,
    "stopped": _stop_one,
}


def _everything_runs(stage: Stage) -> None:
    for name, process in stage.cluster.processes.items():
        if not process.lives:
            process.start()
        stage.cluster.wait_for(name)


# ---- promise 6
def limits(stage: Stage, rng: random.Random, runs: int, first: int = 0) -> Figures:
    """In each run, make three times as many calls as are allowed, over all gateways, while something dies."""
    figures = Figures()
    for number in range(first, first + runs):
        tool = limited(number)
        victim = ("nobody", "limiter", rng.choice(stage.cluster.names))[number % 3]
        asked = [rng.choice(stage.cluster.names) for _ in range(3 * stage.most)]
        calling = stage.clients.together(stage.agent, tool, asked)
        if victim == "limiter":
            _kill_store(stage, rng, victim)
        elif victim != "nobody":
            stage.cluster.processes[victim].kill()
            stage.cluster.processes[victim].start()
        said = [one.call.said for one in calling.result(90)]
        _until_limited(stage, tool)
        figures.add("runs")
        figures.add("overshoot", max(stage.received(tool) - stage.most, 0))
        if victim == "nobody":
            # On a busy machine the store may answer too late. Such a call is denied, which is not undershoot.
            late = said.count("limiter_unavailable")
            figures.add("denied for a late answer without a kill", late)
            figures.add("undershoot without a kill", max(stage.most - stage.received(tool) - late, 0))
    _everything_runs(stage)
    return figures


def _until_limited(stage: Stage, tool: str) -> None:
    """Call until every gateway says the limit is reached: calls denied for want of a store left room."""
    for name in stage.cluster.names:
        stage.cluster.wait_for(name)
        wait_until(
            lambda one=name: stage.clients.once(stage.agent, tool, one).call.said == "limit_exceeded",
            f"{name} never said that the limit is reached",
            60,
        )


CLOCK_STEPS: Final = (-90_000.0, -3_600.0, -5.0, 0.4, 90_000.0, 30.0)


def clock_steps(stage: Stage, rng: random.Random, runs: int, first: int = 0) -> Figures:
    """Set the clock of the limiter's store back and forward in the middle of three times as many calls as are
    allowed in a day, over all gateways, and again afterwards."""
    figures = Figures()
    for number in range(first, first + runs):
        tool, step = limited(number), CLOCK_STEPS[number % len(CLOCK_STEPS)]
        _no_doubt(stage)
        asked = [rng.choice(stage.cluster.names) for _ in range(3 * stage.most)]
        for some, clock in ((asked[: len(asked) // 6], 0.0), (asked, step), (asked, 0.0), (asked, -step)):
            stage.cluster.limiter.set_clock(clock)
            calling = stage.clients.together(stage.agent, tool, some)
            stage.cluster.limiter.set_clock(clock + rng.choice((0.0, step)))
            said = [one.call.said for one in calling.result(90)]
            figures.add("denied in doubt", said.count("limiter_unavailable"))
        figures.add("runs")
        figures.add("received", stage.received(tool))
        figures.add("overshoot", max(stage.received(tool) - stage.most, 0))
    return figures


def _no_doubt(stage: Stage) -> None:
    """Clear the doubt, as a person does who accepts what the last leap may have lost: the next run starts
    afresh."""
    stage.cluster.limiter.set_clock(0)

    def trusted() -> bool:
        stage.cluster.limiter.client().hdel("pl:meta", "doubt")
        said = [stage.clients.once(stage.agent, PROBE, name).call.said for name in stage.cluster.names]
        return "limiter_unavailable" not in said

    wait_until(trusted, "the store stays in doubt", 60)


# ---- promise 14
def approvals(stage: Stage, rng: random.Random, runs: int, alike: int = 50) -> Figures:
    """Approve one call and repeat it many times at once, while a gateway or the internal listener dies."""
    figures = Figures()
    for number in range(runs):
        arguments = {"approval": f"{number}-{rng.random()}"}
        gateway = rng.choice(stage.cluster.names)
        approval = _asked(stage, gateway, arguments)
        stage.api.ask("POST", f"/approvals/{approval}/approve/", {"note": ""})
        before = stage.received(ASKED)
        # A gateway that has not heard of the answer yet may say that the call waits: then repeat.
        for _ in range(MOST_WAVES):
            asked = [rng.choice(stage.cluster.names) for _ in range(alike)]
            calling = stage.clients.together(stage.agent, ASKED, asked, arguments)
            changed = stage.clients.together(stage.agent, ASKED, asked[:5], arguments | {"amount": 1})
            if number % 2:
                _kill_process(stage, rng, rng.choice((*stage.cluster.names, "internal")))
            said = [one.call.said for one in calling.result(90)]
            evaded = sum(one.call.said == ALLOWED for one in changed.result(90))
            figures.add("executions on changed arguments", evaded)
            figures.add("repeats", len(said))
            if stage.received(ASKED) > before or not {"approval_required", "approval_unavailable"} & set(
                said
            ):
                break
        sent = stage.received(ASKED) - before
        figures.add("approvals")
        figures.add("sent", sent)
        figures.add("sent more than once", max(sent - 1, 0))
    _everything_runs(stage)
    return figures


def _asked(stage: Stage, gateway: str, arguments: dict[str, Any]) -> str:
    found: list[str] = []

    def asks() -> bool:
        meta = stage.clients.once(stage.agent, ASKED, gateway, arguments).meta
        found[:] = [public_id("apr", UUID(meta["approval_id"]))] if meta.get("approval_id") else []
        return bool(found)

    wait_until(asks, "the call never waited for a person", 60)
    return found[0]


# ---- promise 4
def edits(stage: Stage, count: int) -> Figures:
    """Edit in sequence while agents call, and measure how long until all gateways judge by each edit."""
    figures = Figures()
    stop = stage.clients.go_on(stage.agent, (OPEN, EDITED), callers=4, pause=0.05)
    took: list[float] = []
    try:
        for _ in range(count):
            published = stage.edit()
            wait_until(lambda one=published: stage.in_step(one.revision), "not in force", CONVERGED_WITHIN)
            took.append(time.time() - published.at)
    finally:
        stop()
    took.sort()
    figures["edits"] = count
    figures["in force p50 s"] = took[len(took) // 2]
    figures["in force p99 s"] = took[min(int(len(took) * 0.99), len(took) - 1)]
    return figures


# ---- faults between gateways and what they need
def cut_off(stage: Stage, faults: tuple[Fault, ...]) -> Figures:
    """Hurt a gateway's link to the internal listener during an edit: it goes on, is shown as behind, catches
    up."""
    figures = Figures()
    stop = stage.clients.go_on(stage.agent, (OPEN, DENIED, EDITED), callers=4, pause=0.05)
    try:
        for number, fault in enumerate(faults):
            hurt = stage.cluster.names[number % len(stage.cluster.names)]
            link = stage.cluster.links[hurt, "internal"]
            link.fault = fault
            published = stage.edit()
            if isinstance(fault, (Drop, HalfOpen, Refuse)):
                wait_until(
                    lambda who=hurt, it=published: _is_behind(stage, who, it.revision), "not named", 60
                )
                figures.add("named")
                figures.most("named after s", time.time() - published.at)
            link.fault = Pass()
            healed = time.time()
            wait_until(lambda it=published: stage.in_step(it.revision), f"after {fault}", CONVERGED_WITHIN)
            figures.most("in step after healing s", time.time() - healed)
            figures.add("faults")
    finally:
        stop()
        stage.cluster.faults.heal()
    return figures


def _is_behind(stage: Stage, worker: str, revision: int) -> bool:
    return any(view.worker == worker and (view.gone or view.revision < revision) for view in stage.look())


def hurt_stores(stage: Stage, faults: tuple[Fault, ...], tool: str) -> Figures:
    """Hurt the links to the limiter and to the server: other calls go on, and all calls are recorded."""
    figures = Figures()
    for fault in faults:
        for what in ("limiter", "upstream"):
            link = stage.cluster.links["gateways", what]
            link.fault = fault
            for gateway in stage.cluster.names:
                assert stage.clients.once(stage.agent, DENIED, gateway).call.said == "denied"
                stage.clients.once(stage.agent, tool, gateway)
            link.fault = Pass()
            figures.add("faults")
    return figures


# ---- promise 5
RIGHT: Final = {OPEN: ALLOWED, DENIED: "denied", HIDDEN: "not_available"}


def alone(stage: Stage, rng: random.Random, seconds: float) -> Figures:
    """Leave only gateways, limiter and server alive; gateways are killed, too, and come back from disk."""
    figures = Figures()
    for name in CONTROL:
        stage.cluster.processes[name].kill()
    stage.cluster.database.kill()
    stage.cluster.broker.kill()
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            _judge_everything(stage, figures)
            name = rng.choice(stage.cluster.names)
            figures.most("ready again s", stage.cluster.restart(name, "/readyz"))
            figures.add("restarts")
            _judge_everything(stage, figures)
    finally:
        stage.cluster.database.start()
        stage.cluster.broker.start()
        _everything_runs(stage)
    return figures


def _judge_everything(stage: Stage, figures: Figures) -> None:
    for gateway in stage.cluster.names:
        for tool, right in RIGHT.items():
            said = stage.clients.once(stage.agent, tool, gateway).call.said
            figures.add("verdicts")
            figures.add("wrong verdicts", said != right)
