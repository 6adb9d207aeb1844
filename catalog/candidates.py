"""The worst tools that answer a question, and the largest servers, found without reading what is not shown.

A question may be as wide as half the index. So levels of severity are asked one after the other until there
are enough, and where every term is common only a few parts of a level at first: whatever is asked, a bounded
number of rows is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from catalog.lexemes import MOST_SIZES, PARTS, all_of, any_of

# Tools of one exact name are few, but for names like `search`.
MOST_EXACT: Final = 50
# Up to as many hits a whole level is read through at once.
FEW: Final = 20_000
_SHARES: Final = (4, 24, PARTS)
_NEAR: Final = 100
_COLUMNS: Final = "id, server_id, tool_class, severity, name_key"
_LEVEL: Final = f"""(SELECT {_COLUMNS} FROM catalog_catalogtool WHERE search @@ %s::tsquery LIMIT %s)"""  # noqa: S608
_EXACT: Final = f"""
    SELECT {_COLUMNS} FROM catalog_catalogtool
    WHERE name_key = %s AND search @@ %s::tsquery ORDER BY severity DESC, id LIMIT %s
"""  # noqa: S608
_SERVERS: Final = (
    "(SELECT id, tool_count, slug FROM catalog_catalogserver WHERE search @@ %s::tsquery LIMIT %s)"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    pk: int
    server: int
    tool_class: str
    severity: int
    name_key: str


@dataclass(frozen=True, slots=True)
class Question:
    """`parts` of a tsquery that all have to hold; `most` is the least of what is known of their counts, 0
    where one of them is rare."""

    parts: tuple[str, ...]
    levels: tuple[int, ...]
    most: int
    exact: str = ""


def worst(asked: Question, wanted: int) -> list[Candidate]:
    """At most `wanted`: the exact name first, then the worst, each level in the order of names."""
    with by_index() as cursor:
        exact = _exact(cursor, asked)
        found = _few(cursor, asked, wanted) if asked.most <= FEW else _many(cursor, asked, wanted)
    known = {one.pk for one in exact}
    rest = [one for one in found if one.pk not in known]
    rest.sort(key=lambda one: (-one.severity, one.name_key, one.pk))
    return [*exact, *rest][:wanted]


def _exact(cursor: CursorWrapper, asked: Question) -> list[Candidate]:
    if not asked.exact:
        return []
    severity = any_of(f"severity={level}" for level in asked.levels)
    cursor.execute(_EXACT, [asked.exact, all_of([*asked.parts, severity]), MOST_EXACT])
    return _rows(cursor)


def _few(cursor: CursorWrapper, asked: Question, wanted: int) -> list[Candidate]:
    """One statement: a level is begun when those before it gave too little."""
    levels = " UNION ALL ".join([_LEVEL] * len(asked.levels))
    given: list[Any] = []
    for level in asked.levels:
        given += [all_of([*asked.parts, any_of([f"severity={level}"])]), wanted]
    cursor.execute(f"SELECT * FROM ({levels}) AS found LIMIT %s", [*given, wanted])  # noqa: S608
    return _rows(cursor)


def _many(cursor: CursorWrapper, asked: Question, wanted: int) -> list[Candidate]:
    found: list[Candidate] = []
    for level in asked.levels:
        found += _of_level(cursor, asked, level, wanted - len(found))
        if len(found) >= wanted:
            break
    return found


def _of_level(cursor: CursorWrapper, asked: Question, level: int, wanted: int) -> list[Candidate]:
    here: list[Candidate] = []
    for share in _SHARES:
        terms = [*asked.parts, any_of([f"severity={level}"])]
        if share < PARTS:
            terms.append(any_of(f"part={number}" for number in range(share)))
        cursor.execute(_LEVEL, [all_of(terms), wanted])
        here = _rows(cursor)
        if len(here) >= wanted:
            break
    return here


def _rows(cursor: CursorWrapper) -> list[Candidate]:
    return [Candidate(*row) for row in cursor.fetchall()]


def largest_servers(parts: Sequence[str], wanted: int) -> list[int]:
    """Keys, those of the most tools first."""
    sizes = [any_of([f"size={size}"]) for size in range(MOST_SIZES, -1, -1)]
    given: list[Any] = []
    for size in sizes:
        given += [all_of([*parts, size]), _NEAR]
    each = " UNION ALL ".join([_SERVERS] * len(sizes))
    with by_index() as cursor:
        cursor.execute(
            f"SELECT id FROM (SELECT * FROM ({each}) AS near LIMIT %s) AS found"  # noqa: S608
            " ORDER BY tool_count DESC, slug LIMIT %s",
            [*given, _NEAR, wanted],
        )
        return [row[0] for row in cursor.fetchall()]


def any_tool(parts: Sequence[str]) -> bool:
    with by_index() as cursor:
        cursor.execute(_LEVEL, [all_of(parts), 1])
        return cursor.fetchone() is not None


@contextmanager
def by_index() -> Iterator[CursorWrapper]:
    """The planner takes words for independent of each other and of a severity; where it is wrong it would
    read the whole table for the first thousand rows."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL work_mem = '16MB'; SET LOCAL jit = off")
        yield cursor
