"""How often a signal is raised where it should be, on tools of public servers that were drawn by chance.

`tests/cases/classify/signals.jsonl` says of each tool, by server and name, whether one reader would raise the
signal. They were drawn by seed from those it was raised for, and from those it was not whose words are near;
each stands for as many as it was drawn out of. `looked at` is what the rules were learnt from; of `aside`, a
quarter of the servers, no miss was looked at, but the names were read for the labels before there were rules;
`met once` was drawn from that quarter when the rules stood. `POLICYLAYER_TEST_DATA=... python -m
tests.catalog.signals` tells precision, recall and, with `misses`, the names.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from catalog.classify import Classification, ToolInput, classify

_LABELS: Final = Path(__file__).parents[1] / "cases" / "classify" / "signals.jsonl"
SETS: Final = ("looked at", "aside", "met once")


@dataclass(slots=True)
class Measured:
    """`met`, `said` and `missed` weigh each tool by how many it stands for."""

    met: float = 0
    said: float = 0
    missed: float = 0
    wrongly: list[str] = field(default_factory=list)
    not_at_all: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.met / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        return self.met / (self.met + self.missed) if self.met + self.missed else 1.0


def measured(name: str) -> dict[str, Measured]:
    found = _classified()
    lines = [line for line in map(json.loads, _LABELS.read_text().splitlines()) if line["set"] == name]
    drawn: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        drawn[line["signal"], line["drawn from"]] += len(line["tools"])
    told: dict[str, Measured] = defaultdict(Measured)
    for line in lines:
        if line["should be raised"] == "doubtful":
            continue
        weight = line["of"] / drawn[line["signal"], line["drawn from"]]
        for server, tool in line["tools"]:
            raised = any(each.startswith(line["signal"]) for each in found[server, tool].signals)
            _count(
                told[line["signal"]], weight, tool, should=line["should be raised"] == "yes", raised=raised
            )
    return told


def _count(one: Measured, weight: float, tool: str, *, should: bool, raised: bool) -> None:
    one.said += weight * raised
    one.met += weight * (should and raised)
    one.missed += weight * (should and not raised)
    if raised and not should:
        one.wrongly.append(tool)
    if should and not raised:
        one.not_at_all.append(tool)


def _classified() -> dict[tuple[str, str], Classification]:
    folder = Path(os.environ["POLICYLAYER_TEST_DATA"]) / "catalog"
    found: dict[tuple[str, str], Classification] = {}
    for rows in (list(_listed(folder)), list(_developed_with(folder))):
        siblings: dict[str, list[str]] = defaultdict(list)
        for server, tool in rows:
            siblings[server].append(tool["name"])
        for server, tool in rows:
            if (server, tool["name"]) not in found:
                found[server, tool["name"]] = classify(
                    ToolInput(**tool, siblings=tuple(siblings[server]), server=server)
                )
    return found


def _listed(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with gzip.open(folder / "tools.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            yield (
                row["server"],
                {"title": row["title"] or "", **_facts(row, row["params"], row["annotations"])},
            )


def _developed_with(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = (folder / "dev_descriptions.jsonl").read_text().splitlines()
    descriptions = {entry["id"]: entry["description"] or "" for entry in map(json.loads, lines)}
    with (folder / "dev.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            # Where the hint is the label, it may not be the evidence.
            hints = None if row["set"] == "annotation" else json.loads(row["annotations"] or "null")
            facts = _facts(row, json.loads(row["params"] or "null"), hints)
            yield row["server"], {"description": descriptions.get(row["id"], ""), **facts}


def _facts(row: dict[str, Any], params: Any, hints: Any) -> dict[str, Any]:
    known = tuple((str(name), str(kind), bool(required)) for name, kind, required in params or [])
    return {"name": row["tool"], "params": known, "annotations": hints or {}}


if __name__ == "__main__":
    for name in SETS:
        print(f"== {name}")
        for signal, one in measured(name).items():
            print(f"{signal:17} precision {one.precision:.2f}   recall {one.recall:.2f}")
            if "misses" in sys.argv:
                print(f"  raised wrongly: {' '.join(one.wrongly)}\n  not raised: {' '.join(one.not_at_all)}")
