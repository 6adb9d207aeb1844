"""How often the classifier is right on labelled tools, where the labels are at hand.

The labels are not part of the project: `POLICYLAYER_TEST_DATA` names the folder that holds `catalog/dev.csv`.
"""

import csv
import json
import os
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import pytest

from catalog.classify import Classification, ToolInput, classify

Labelled = tuple[dict[str, str], Classification]
WHY_LEFT_OUT = "POLICYLAYER_TEST_DATA is not set: accuracy on labelled tools was not measured"


@lru_cache(maxsize=1)
def labelled() -> list[Labelled]:
    folder = os.environ.get("POLICYLAYER_TEST_DATA")
    if not folder:
        pytest.skip(WHY_LEFT_OUT)
    catalog = Path(folder) / "catalog"
    lines = (catalog / "dev_descriptions.jsonl").read_text().splitlines()
    descriptions = {entry["id"]: entry["description"] or "" for entry in map(json.loads, lines)}
    with (catalog / "dev.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    siblings: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        siblings[row["server"]].append(row["tool"])
    return [(row, classify(tool_of(row, descriptions, siblings[row["server"]]))) for row in rows]


def tool_of(row: dict[str, str], descriptions: dict[str, str], siblings: list[str]) -> ToolInput:
    params = json.loads(row["params"] or "null") or []
    # Where the hint is the label, it may not be the evidence.
    hints = {} if row["set"] == "annotation" else json.loads(row["annotations"] or "null") or {}
    return ToolInput(
        name=row["tool"],
        description=descriptions.get(row["id"], ""),
        params=tuple((str(name), str(kind), bool(required)) for name, kind, required in params),
        annotations=hints,
        siblings=tuple(siblings),
    )


def of_set(name: str) -> list[Labelled]:
    return [(row, found) for row, found in labelled() if row["set"] == name]


def accuracy(answers: list[Labelled]) -> float:
    return sum(found.tool_class == row["category"] for row, found in answers) / len(answers)


def macro_f1(answers: list[Labelled]) -> float:
    scores = []
    for tool_class in {row["category"] for row, _ in answers}:
        said = [found.tool_class == tool_class for _, found in answers]
        true = [row["category"] == tool_class for row, _ in answers]
        both = sum(s and t for s, t in zip(said, true, strict=True))
        scores.append(2 * both / (sum(said) + sum(true)))
    return sum(scores) / len(scores)


def test_labels_made_by_reading_are_met() -> None:
    answers = of_set("hand")
    assert accuracy(answers) >= 0.95
    assert macro_f1(answers) >= 0.88


def test_the_incumbents_own_labels_are_met() -> None:
    answers = of_set("policylayer")
    assert accuracy(answers) >= 0.91
    assert macro_f1(answers) >= 0.88


def test_what_destroys_or_moves_money_is_hardly_ever_taken_for_less() -> None:
    grave = [(row, found) for row, found in of_set("hand") if row["category"] in ("Destructive", "Financial")]
    missed = [row["tool"] for row, found in grave if found.tool_class in ("Read", "Write")]
    assert len(missed) <= 0.02 * len(grave), missed


@pytest.mark.parametrize("name", ["hand", "policylayer", "annotation"])
def test_few_answers_need_a_review(name: str) -> None:
    answers = of_set(name)
    assert sum(found.needs_review for _, found in answers) <= 0.12 * len(answers)


def test_reading_is_told_from_changing_as_the_servers_themselves_say() -> None:
    answers = of_set("annotation")
    agreed = sum((found.tool_class == "Read") == (row["category"] == "Read") for row, found in answers)
    assert agreed / len(answers) >= 0.95
