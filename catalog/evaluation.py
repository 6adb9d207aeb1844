"""Measures how often the classifier is right on labelled tools, and where it is worst.

Tools are split into folds by server, never by row.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from catalog.classifier.vocabulary import WORST_LAST
from catalog.classify import Classification, ToolInput, classify

_CHANGES: Final = "NotRead"
CLASSES: Final = [*(str(tool_class) for tool_class in WORST_LAST), _CHANGES]
FOLDS: Final = 5
MOST_MISSES: Final = 20


@dataclass(frozen=True, slots=True)
class Answer:
    label_set: str
    server: str
    tool: str
    label: str
    found: Classification

    @property
    def said(self) -> str:
        """The class in the terms of the labels: some sets say only whether a tool reads."""
        said = str(self.found.tool_class)
        return said if self.label_set != "annotation" or said == "Read" else _CHANGES

    @property
    def is_right(self) -> bool:
        return self.said == self.label

    @property
    def fold(self) -> int:
        """All tools of a server fall into the same fold."""
        return zlib.crc32(self.server.encode()) % FOLDS


def answers(folder: Path) -> list[Answer]:
    lines = (folder / "dev_descriptions.jsonl").read_text().splitlines()
    descriptions = {entry["id"]: entry["description"] or "" for entry in map(json.loads, lines)}
    with (folder / "dev.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    siblings: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        siblings[row["server"]].append(row["tool"])
    return [_answer(row, descriptions, siblings) for row in rows]


def _answer(row: dict[str, str], descriptions: dict[str, str], siblings: dict[str, list[str]]) -> Answer:
    params: list[Any] = json.loads(row["params"] or "null") or []
    # Where the hint is the label, it must not be evidence as well.
    hints = {} if row["set"] == "annotation" else json.loads(row["annotations"] or "null") or {}
    tool = ToolInput(
        name=row["tool"],
        description=descriptions.get(row["id"], ""),
        params=tuple((str(name), str(kind), bool(required)) for name, kind, required in params),
        annotations=hints,
        siblings=tuple(siblings[row["server"]]),
        server=row["server"],
    )
    return Answer(row["set"], row["server"], row["tool"], row["category"], classify(tool))


def accuracy(given: list[Answer]) -> float:
    return sum(answer.is_right for answer in given) / len(given) if given else 0.0


def macro_f1(given: list[Answer]) -> float:
    scores = []
    for tool_class in {answer.label for answer in given}:
        said = sum(answer.said == tool_class for answer in given)
        true = sum(answer.label == tool_class for answer in given)
        both = sum(answer.said == answer.label == tool_class for answer in given)
        scores.append(2 * both / (said + true))
    return sum(scores) / len(scores) if scores else 0.0


def evaluate(folder: Path) -> Iterator[str]:
    everything = answers(folder)
    for name in sorted({answer.label_set for answer in everything}):
        yield from _of_set(name, [answer for answer in everything if answer.label_set == name])


def _of_set(name: str, given: list[Answer]) -> Iterator[str]:
    unsure = sum(answer.found.needs_review for answer in given) / len(given)
    grave = [answer for answer in given if answer.label in ("Destructive", "Financial")]
    light = sum(answer.said in ("Read", "Write") for answer in grave)
    yield f"== {name}: {len(given)} tools of {len({answer.server for answer in given})} servers"
    yield f"accuracy {accuracy(given):.3f}   macro-F1 {macro_f1(given):.3f}   needs review {unsure:.3f}"
    yield f"Destructive or Financial taken for Read or Write: {light} of {len(grave)}"
    parts = [[answer for answer in given if answer.fold == fold] for fold in range(FOLDS)]
    folds = [f"{accuracy(part):.3f}" for part in parts if part]
    yield f"accuracy by fifth of the servers: {' '.join(folds)}"
    yield from _confusion(given)
    yield from _misses(given)


def _confusion(given: list[Answer]) -> Iterator[str]:
    counts = Counter((answer.label, answer.said) for answer in given)
    yield " " * 12 + "".join(f"{said:>12}" for said in CLASSES) + "   <- said"
    for label in [name for name in CLASSES if any(answer.label == name for answer in given)]:
        yield f"{label:>12}" + "".join(f"{counts[label, said]:>12}" for said in CLASSES)


def _misses(given: list[Answer]) -> Iterator[str]:
    """The most confident mistakes first, and among equally confident ones those furthest off."""
    missed = [answer for answer in given if not answer.is_right]
    missed.sort(
        key=lambda a: (-a.found.confidence, -abs(CLASSES.index(a.said) - CLASSES.index(a.label)), a.tool)
    )
    for answer in missed[:MOST_MISSES]:
        why = answer.found.evidence[0].sentence
        yield f"  {answer.tool}: {answer.label}, said {answer.said} ({answer.found.confidence:.2f}): {why}"
