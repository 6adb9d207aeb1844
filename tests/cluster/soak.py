"""The cluster tests at full size: `make soak`, or

    python -m tests.cluster.soak [PART ...] [--share 1] [--seed N] [--gateways 4]

Each part starts a cluster of its own, does its worst to it, and checks the whole history against every law.
It first says what it is going to do and which laws it checks (`--plan`: only that), then what it found, part
by part, with commit and seed, as rows for docs/measurements.md. `--share 0.05` does a twentieth of it all. It
exits with 0 if every law was kept. Times are reported but not judged: they mean something only on a quiet
machine.
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
from tests.cluster.laws import LAWS
from tests.cluster.scenarios import EVERY_FAULT, Figures
from tests.cluster.stage import OPEN, Stage, stage


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `large`: how many, or how many seconds, of what `does` says; `act` gets it scaled."""

    promise: int
    large: int
    does: str
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


_A_LIMIT = "a limit through all gateways, some of them killed"
PARTS = {
    "limits": Part(6, 200, f"runs of {_A_LIMIT}, counted in Redis", scenarios.limits),
    "limits-embedded": Part(6, 200, f"runs of {_A_LIMIT}, counted in SQLite", scenarios.limits, "sqlite"),
    "clocks": Part(
        6, 60, "runs of a limit while the limiter's clock is stepped", scenarios.clock_steps, clock=True
    ),
    "records": Part(10, 500, "kills of any process or store while agents call", scenarios.kills),
    "approvals": Part(14, 100, "approvals, each called fifty times at once", scenarios.approvals),
    "edits": Part(
        4, 300, "edits while agents call: how soon in force", lambda on, _, count: scenarios.edits(on, count)
    ),
    "faults": Part(4, 20, "rounds of every fault on every way: how soon named and healed", _faults),
    "alone": Part(5, 3600, "seconds without control plane, database and broker", scenarios.alone),
}
# These figures must be zero, whatever else is found.
MUST_BE_NONE = ("overshoot", "wrong verdicts", "sent more than once", "executions on changed arguments")
# Needs no cluster: it is a test of the suite, with more requests.
BYPASS = "bypass"
BYPASS_REQUESTS = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(_names())} (all)")
    parser.add_argument("--share", type=float, default=1.0, help="of the large figures (1)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--gateways", type=int, default=4)
    parser.add_argument("--plan", action="store_true", help="only say what would be done")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(_names()):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    print(
        f"commit {_commit()}, seed {given.seed}, {given.gateways} gateways, share {given.share:g}", flush=True
    )
    names = given.parts or _names()
    _say_what_is_done(names, given.share)
    if given.plan:
        return 0
    print("\n| promise | part | found | took |\n|---|---|---|---|", flush=True)
    wrong = [name for name in names if not _did_well(name, given)]
    print(f"wrong: {', '.join(wrong)}" if wrong else "every law was kept")
    return len(wrong)


def _say_what_is_done(names: list[str], share: float) -> None:
    for name in names:
        does = PARTS[name].does if name in PARTS else "mutated requests of what is denied: none may arrive"
        print(f"  {name}: {_size(name, share):,} {does}")
    print("Held against the whole history of each part (of bypass: that nothing arrived):")
    for law in (*LAWS, *(f"{what}: 0" for what in MUST_BE_NONE)):
        print(f"  - {law}")


def _size(name: str, share: float) -> int:
    if name == BYPASS:
        return max(int(BYPASS_REQUESTS * share), 1_000)
    return max(round(PARTS[name].large * share), 1)


def _names() -> list[str]:
    return [*PARTS, BYPASS]


def _did_well(name: str, given: argparse.Namespace) -> bool:
    if name == BYPASS:
        return _bypass(_size(name, given.share), given.seed)
    part, size = PARTS[name], _size(name, given.share)
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
    return not broken and not any(figures.get(what) for what in MUST_BE_NONE)


def _bypass(requests: int, seed: int) -> bool:
    test = "tests/gateway/test_bypass.py::test_nothing_arrives_in_fifty_thousand_requests"
    asked = {"POLICYLAYER_BYPASS_REQUESTS": str(requests), "POLICYLAYER_BYPASS_SEED": str(seed)}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", test], cwd=ROOT, check=False, env={**os.environ, **asked}
    )
    found = "passed" if done.returncode == 0 else "FAILED"
    print(f"| 1 | {BYPASS} {requests} | {found} | {time.monotonic() - began:.0f} s |", flush=True)
    return done.returncode == 0


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
