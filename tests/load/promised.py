"""The speeds that are promised, and a table that compares them with what a run measured.

A measurement reports its figures with note(). `python -m tests.load` makes the table of all that were noted.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

_NOTED_IN: Final = "POLICYLAYER_NOTED_FIGURES"


class Promise(NamedTuple):
    """`floor` is what a figure must reach, `goal` what it should."""

    measure: str
    floor: float
    goal: float
    unit: str = ""
    more_is_better: bool = False

    def holds(self, figure: float, bound: float) -> bool:
        return figure >= bound if self.more_is_better else figure <= bound


PROMISED: Final = {
    "share": Promise("share of nginx, 16 connections", 0.30, 0.60, more_is_better=True),
    "peer": Promise("times less CPU a call than FastMCP's proxy", 40, 100, more_is_better=True),
    "added p50": Promise("added latency over nginx at 500 calls a second, p50", 0.5, 0.1, "ms"),
    "added p99": Promise("the same, p99", 2, 0.5, "ms"),
    "decision": Promise("decision with five conditions, arguments decoded", 5, 2, "us"),
    "requests": Promise("requests at the server for a call", 1, 1),
    "redis": Promise("limit in Redis, CPU a call at 32 in flight", 150, 10, "us"),
    "grants load": Promise("a million grants: loading them", 2, 0.1, "s"),
    "grants memory": Promise("a million grants: memory", 400, 0, "MB"),
    "grants lookup": Promise("a million grants: finding one", 3, 3, "us"),
    "memory": Promise("memory of a worker at rest", 80, 40, "MB"),
}


def note(what: str, figure: float) -> None:
    """Keep a figure for the table, if one is being made. Of several of one kind the last counts."""
    if what not in PROMISED:
        raise KeyError(what)
    if path := os.environ.get(_NOTED_IN):
        with Path(path).open("a") as file:
            file.write(json.dumps([what, figure]) + "\n")


@contextmanager
def noted() -> Iterator[dict[str, float]]:
    """The figures noted inside, also by other processes; filled in when the block ends."""
    figures: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "figures"
        path.touch()
        os.environ[_NOTED_IN] = str(path)
        try:
            yield figures
            figures.update(json.loads(line) for line in path.read_text().splitlines())
        finally:
            del os.environ[_NOTED_IN]


def table(figures: Mapping[str, float]) -> str:
    lines = ["| measure | measured | floor | goal | |", "|---|---|---|---|---|"]
    for what, promise in PROMISED.items():
        figure, unit = figures.get(what), promise.unit and f" {promise.unit}"
        told = "not measured" if figure is None else f"{figure:,.4g}{unit}"
        verdict = "" if figure is None else _verdict(promise, figure)
        lines.append(f"| {promise.measure} | {told} | {promise.floor:g} | {promise.goal:g} | {verdict} |")
    return "\n".join(lines)


def _verdict(promise: Promise, figure: float) -> str:
    if promise.holds(figure, promise.goal):
        return "goal"
    return "floor" if promise.holds(figure, promise.floor) else "**missed**"
