"""Tools of public servers as one knows them, labelled by reading before any answer was seen.

`R name(argument,other:number) @hint,-hint What it does.` under the name of its server. A second letter is a
class that the reader would have taken, too; `?` is a tool whose work the reader could not tell. `first` and
`second` were written down; the others were drawn by chance (`tests.catalog.drawing`) without descriptions.
`python -m tests.catalog.labelled [first|drawn-1]` tells how often the classifier is right, with the
descriptions and without, and each miss. Every set was met once before its misses were looked at, by their
kinds: see `docs/measurements.md`.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.classifier.vocabulary import ToolClass
from catalog.classify import Classification, Param, ToolInput, classify

_CLASSES: Final = {
    "R": ToolClass.READ,
    "W": ToolClass.WRITE,
    "X": ToolClass.EXECUTE,
    "D": ToolClass.DESTRUCTIVE,
    "F": ToolClass.FINANCIAL,
}
_LINE = re.compile(r"([RWXDF]+|\?) ([^( ]+)\(([^)]*)\)(?: @(\S+))? ?(.*)")
WRITTEN: Final = ("first", "second")
CASES: Final = Path(__file__).parent.parent / "cases" / "classify"
DRAWN: Final = tuple(sorted(path.stem for path in CASES.glob("drawn-*.txt")))
SETS: Final = (*WRITTEN, *DRAWN)


@dataclass(frozen=True, slots=True)
class Labelled:
    server: str
    name: str
    params: tuple[Param, ...]
    hints: Mapping[str, bool]
    description: str
    label: ToolClass | None
    allowed: frozenset[ToolClass]


@dataclass(frozen=True, slots=True)
class Answered:
    tool: Labelled
    found: Classification

    @property
    def is_right(self) -> bool:
        return self.found.tool_class is self.tool.label

    @property
    def is_allowed(self) -> bool:
        return self.found.tool_class in self.tool.allowed


def labelled(name: str) -> Iterator[Labelled]:
    server = ""
    for line in (CASES / f"{name}.txt").read_text().splitlines():
        if line.startswith("# "):
            server = line[2:]
        elif read := _LINE.fullmatch(line):
            classes = [_CLASSES[letter] for letter in read[1] if letter != "?"]
            first = classes[0] if classes else None
            known = (_params(read[3]), _hints(read[4] or ""), read[5])
            yield Labelled(server, read[2], *known, first, frozenset(classes))
        else:
            raise ValueError(line)


def _params(text: str) -> tuple[Param, ...]:
    named = (each.partition(":") for each in text.split(",") if each)
    return tuple((name, kind or "string", True) for name, _, kind in named)


def _hints(text: str) -> dict[str, bool]:
    return {each.removeprefix("-"): not each.startswith("-") for each in text.split(",") if each}


def answered(name: str, *, described: bool) -> list[Answered]:
    """Those that the reader could tell."""
    return [one for one in asked(name, described=described) if one.tool.label is not None]


def asked(name: str, *, described: bool) -> list[Answered]:
    tools = list(labelled(name))
    siblings = listed_beside()
    for tool in tools:
        if tool.name not in siblings[tool.server]:
            siblings[tool.server].append(tool.name)
    return [
        Answered(
            tool,
            classify(
                ToolInput(
                    tool.name,
                    tool.description if described else "",
                    tool.params,
                    tool.hints,
                    siblings=tuple(siblings[tool.server]),
                    server=tool.server,
                )
            ),
        )
        for tool in tools
    ]


def listed_beside() -> dict[str, list[str]]:
    """The other tools of each server, where the public lists are at hand."""
    found: dict[str, list[str]] = defaultdict(list)
    if folder := os.environ.get("POLICYLAYER_TEST_DATA"):
        with gzip.open(Path(folder) / "catalog" / "tools.jsonl.gz", "rt") as lines:
            for row in map(json.loads, lines):
                found[row["server"]].append(row["tool"])
    return found


def share(kept: list[bool]) -> float:
    return sum(kept) / len(kept)


def macro_f1(given: list[Answered]) -> float:
    scores = []
    for label in {one.tool.label for one in given}:
        said = sum(one.found.tool_class is label for one in given)
        true = sum(one.tool.label is label for one in given)
        both = sum(one.is_right for one in given if one.tool.label is label)
        scores.append(2 * both / (said + true))
    return sum(scores) / len(scores)


def _tell(name: str, described: bool) -> Iterator[str]:
    everything = asked(name, described=described)
    given = [a for a in everything if a.tool.label is not None]
    right, allowed = share([a.is_right for a in given]), share([a.is_allowed for a in given])
    unsure = share([a.found.needs_review for a in given])
    yield f"== {name}, {'with' if described else 'without'} descriptions: {len(given)} tools"
    yield f"right {right:.3f}   or of a class the reader allowed {allowed:.3f}   needs review {unsure:.3f}"
    grave = [a for a in given if a.tool.label in (ToolClass.DESTRUCTIVE, ToolClass.FINANCIAL)]
    light = [a for a in grave if a.found.tool_class in (ToolClass.READ, ToolClass.WRITE)]
    yield f"macro-F1 {macro_f1(given):.3f}   Destructive or Financial said less: {len(light)} of {len(grave)}"
    counts = Counter((a.tool.label, a.found.tool_class) for a in given)
    for label in ToolClass:
        yield f"{label:>12}" + "".join(f"{counts[label, said]:>12}" for said in ToolClass)
    for a in everything:
        if not a.is_allowed and not (a.tool.label is None and a.found.needs_review):
            why = a.found.evidence[0].sentence
            yield f"  {a.tool.server}/{a.tool.name}: {a.tool.label}, said {a.found.tool_class}: {why}"


if __name__ == "__main__":
    for wanted in sys.argv[1:] or SETS:
        for with_descriptions in (True, False) if wanted in WRITTEN else (False,):
            for told in _tell(wanted, with_descriptions):
                print(told)
