"""What the command prints. Text from servers and agents is shown without anything a terminal would obey."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

FINE, USAGE, PROBLEMS, TESTS_FAILED, CHANGES, FAILED = 0, 2, 3, 4, 5, 1


def say(text: str) -> None:
    """Prints at once: whoever reads a tail through a pipe waits for each line."""
    print(plain(text), flush=True)  # noqa: T201


def complain(text: str) -> None:
    print(plain(text), file=sys.stderr)  # noqa: T201


def as_json(value: object) -> None:
    """Prints one line; all but ASCII is escaped, so that nothing in it moves a cursor."""
    print(json.dumps(msgspec.to_builtins(value)), flush=True)  # noqa: T201


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    lines = [tuple(heads), *(tuple(plain(str(cell or "")) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())  # noqa: T201


def listed(
    found: Sequence[T],
    in_json: bool,
    heads: Sequence[str],
    row: Callable[[T], Sequence[Any]],
    none: str,
) -> int:
    """Prints a table, or one JSON object per line. `none` goes to standard error if nothing was found."""
    if in_json:
        for one in found:
            as_json(one)
    elif found:
        table(heads, map(row, found))
    else:
        complain(none)
    return FINE


def plain(text: str) -> str:
    """Keeps line breaks; other control and invisible characters are written as escapes."""
    return "".join(one if one == "\n" or one.isprintable() else ascii(one)[1:-1] for one in text)
