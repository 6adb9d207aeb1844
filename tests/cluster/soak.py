"""The large figures: `make soak`, or

    python -m tests.cluster.soak [PART ...] [--share 1] [--seed N] [--gateways 4]

Each part starts a cluster of its own, does its worst to it, and holds the whole history against every law.
What it found is printed as it comes, with commit and seed, as rows for docs/measurements.md. `--share 0.05`
does a twentieth of everything.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from config.supervisor.product import ROOT
from tests.cluster import scenarios
from tests.cluster.scenarios import EVERY_FAULT, Figures
from tests.cluster.stage import OPEN, Stage, stage


@dataclass(frozen=True, slots=True)
class Part:
    """`large`: how many, or how many seconds. `act` gets the stage and that number, scaled."""

    promise: int
    large: int
    act: Callable[[Stage, random.Random, int], Figures]
    limiter: str = "redis"
    clock: bool = False


def _faults(running: Stage, rng: random.Random, rounds: int) -> Figures:
    figures = Figures()
    for _ in range(rounds):
        for found in (
            scenarios.cut_off(running, tuple(rng.sample(EVERY_FAULT, len(EVERY_FAULT)))),
            scenarios.hurt_stores(running, EVERY_FAULT, OPEN),
        ):
            for name, value in found.found.items():
                figures.most(name, value) if name.endswith(" s") else figures.add(name, value)
    return figures


PARTS = {
    "limits": Part(6, 200, lambda running, rng, runs: scenarios.limits(running, rng, runs)),
    "limits-embedded": Part(
        6, 200, lambda running, rng, runs: scenarios.limits(running, rng, runs), "sqlite"
    ),
    "clocks": Part(6, 60, lambda running, rng, runs: scenarios.clock_steps(running, rng, runs), clock=True),
    "records": Part(10, 500, lambda running, rng, kills: scenarios.kills(running, rng, kills)),
    "approvals": Part(14, 100, lambda running, rng, runs: scenarios.approvals(running, rng, runs)),
    "edits": Part(4, 300, lambda running, _, count: scenarios.edits(running, count)),
    "faults": Part(4, 20, _faults),
    "alone": Part(5, 3600, lambda running, rng, seconds: scenarios.alone(running, rng, seconds)),
}
# Not a cluster's: the suite's own test, asked for more.
BYPASS = "bypass"
BYPASS_REQUESTS = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(_names())} (all)")
    parser.add_argument("--share", type=float, default=1.0, help="of the large figures (1)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--gateways", type=int, default=4)
    given = parser.parse_args()
    if unknown := set(given.parts) - set(_names()):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    print(
        f"commit {_commit()}, seed {given.seed}, {given.gateways} gateways, share {given.share:g}", flush=True
    )
    wrong = [name for name in given.parts or _names() if not _did_well(name, given)]
    print(f"wrong: {', '.join(wrong)}" if wrong else "every law was kept")
    return len(wrong)


def _names() -> list[str]:
    return [*PARTS, BYPASS]


def _did_well(name: str, given: argparse.Namespace) -> bool:
    if name == BYPASS:
        return _bypass(max(int(BYPASS_REQUESTS * given.share), 1_000), given.seed)
    part = PARTS[name]
    size = max(round(part.large * given.share), 1)
    began = time.monotonic()
    with stage(
        gateways=given.gateways, limits=max(size, 8), limiter=part.limiter, clock=part.clock
    ) as running:
        figures = part.act(running, random.Random(f"{given.seed} {name}"), size).found
        broken = running.broken_laws()
        history = running.history
    figures["calls"], figures["receipts"] = len(history.calls), len(history.receipts)
    shown = ", ".join(f"{what} {value:g}" for what, value in figures.items())
    print(f"| {part.promise} | {name} {size} | {shown} | {time.monotonic() - began:.0f} s |", flush=True)
    for one in broken:
        print(f"BROKEN {one.law}: {one.how}", flush=True)
    must_be_none = ("overshoot", "wrong verdicts", "sent more than once", "executions on changed arguments")
    return not broken and not any(figures.get(what) for what in must_be_none)


def _bypass(requests: int, seed: int) -> bool:
    test = "tests/gateway/test_bypass.py::test_nothing_arrives_in_fifty_thousand_requests"
    asked = {"POLICYLAYER_BYPASS_REQUESTS": str(requests), "POLICYLAYER_BYPASS_SEED": str(seed)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", test], cwd=ROOT, check=False, env={**os.environ, **asked}
    )
    print(f"| 1 | {BYPASS} {requests} | {'passed' if done.returncode == 0 else 'FAILED'} | |", flush=True)
    return done.returncode == 0


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
