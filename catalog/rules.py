"""The classifier as the index uses it: which rules gave a class, and how it is stored in a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from catalog.classifier.choices import Choices
from catalog.classifier.vocabulary import Severity, ToolClass
from catalog.classify import Classification, Evidence, ToolInput, classify
from catalog.facts import ToolFact
from catalog.models import CatalogTool

_HERE = Path(__file__).parent


@cache
def digest() -> str:
    """Changes with the rules: if the summary names another digest, all tools are classified again."""
    return _digest(_HERE / "classify.py", *sorted((_HERE / "classifier").glob("*.py")))


@cache
def digest_of_lexemes() -> str:
    """Changes with the rules by which rows are found: another one means that all are indexed again."""
    return _digest(_HERE / "lexemes.py")


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def classified(tools: Iterable[ToolFact], server: str = "") -> list[tuple[ToolFact, Classification]]:
    """All tools of one server, each judged among its siblings; `server` is the server's name."""
    known = list(tools)
    siblings = tuple(tool.name for tool in known)
    return [
        (
            tool,
            classify(
                ToolInput(
                    tool.name,
                    "",
                    tool.params,
                    tool.annotations,
                    siblings,
                    tool.title,
                    tool.choices,
                    server,
                )
            ),
        )
        for tool in known
    ]


def choices_of_row(tool: CatalogTool) -> Choices:
    return tuple((name, tuple(values)) for name, values in tool.choices)


def as_rows(evidence: Iterable[Evidence]) -> list[list[Any]]:
    return [[one.rule, one.field, list(one.words), one.sentence] for one in evidence]


def classification_of(tool: CatalogTool) -> Classification:
    """The classification that the row holds."""
    return _classification(
        tool, tuple(Evidence(rule, where, tuple(words), said) for rule, where, words, said in tool.evidence)
    )


def verdict_of(tool: CatalogTool) -> Classification:
    """The same without its evidence: lists show none, and it is the largest part of a row."""
    return _classification(tool, ())


def _classification(tool: CatalogTool, evidence: tuple[Evidence, ...]) -> Classification:
    return Classification(
        tool_class=ToolClass(tool.tool_class),
        severity=Severity(tool.severity),
        confidence=tool.confidence,
        evidence=evidence,
        signals=tuple(tool.signals),
        needs_review=tool.needs_review,
    )
