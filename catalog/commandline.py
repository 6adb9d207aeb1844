"""The classifier from the shell: `manage.py catalog classify`, without a database or settings."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from catalog.classifier.choices import choices_of_rows
from catalog.classify import Classification, ToolInput, classify
from catalog.facts import hints_of, params_of_rows
from catalog.listing import LONGEST_LINE, lines_of

FINE: Final = 0
USAGE: Final = 2
PROBLEMS: Final = 3


class Output(Protocol):
    def write(self, text: str, /) -> object: ...


class _LineRefused(Exception):  # noqa: N818
    pass


def main(arguments: Sequence[str], out: Output | None = None) -> int:
    """Write one line of JSON per line read; return 3 if a line could not be read, 2 if the file could not."""
    parser = argparse.ArgumentParser(
        prog="manage.py catalog classify", description="What tools can do, and why."
    )
    parser.add_argument("file", metavar="FILE.jsonl", help="one tool a line, .gz too; - is what is piped in")
    file, out = parser.parse_args(arguments).file, out or sys.stdout
    try:
        return _classify_all(sys.stdin.buffer if file == "-" else lines_of(Path(file)), out)
    except OSError as error:
        print(f"{file} cannot be read: {error.strerror or error}.", file=sys.stderr)  # noqa: T201
        return USAGE


def _classify_all(lines: Iterable[bytes], out: Output) -> int:
    worst = FINE
    for line in lines:
        if not line.strip():
            continue
        try:
            said = _value(classify(_read(line)))
        except _LineRefused as why:
            said, worst = {"problems": [{"pointer": "", "message": str(why)}]}, PROBLEMS
        out.write(json.dumps(said) + "\n")
    return worst


def _read(line: bytes) -> ToolInput:
    if len(line) > LONGEST_LINE:
        raise _LineRefused(f"The line is longer than {LONGEST_LINE >> 20} MB.")
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        raise _LineRefused("The line is not well-formed JSON.") from None
    name = given.get("tool") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(name, str) or not name.strip():
        raise _LineRefused('A line is an object that names a tool: {"tool": "delete_user"}.')
    description, siblings = given.get("description"), given.get("siblings")
    return ToolInput(
        name,
        description if isinstance(description, str) else "",
        tuple(params_of_rows(given.get("params"))),
        hints_of(given.get("annotations")),
        tuple(one for one in siblings if isinstance(one, str)) if isinstance(siblings, list) else (),
        given["title"] if isinstance(given.get("title"), str) else "",
        choices_of_rows(given.get("choices")),
        given["server"] if isinstance(given.get("server"), str) else "",
    )


def _value(found: Classification) -> dict[str, Any]:
    return {
        "class": str(found.tool_class),
        "severity": found.severity.label,
        "confidence": found.confidence,
        "needs_review": found.needs_review,
        "evidence": [
            {"rule": one.rule, "field": one.field, "words": list(one.words), "sentence": one.sentence}
            for one in found.evidence
        ],
        "signals": list(found.signals),
    }
