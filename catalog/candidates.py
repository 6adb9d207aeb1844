"""The worst tools that answer a question, and the largest servers, found without reading what is not shown.

Few answers are read and put in order. Where there are very many, one level of severity is asked after the
other until there are enough, and of each level a sample first: whatever is asked, a bounded number of rows is
looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from catalog.lexemes import MOST_SIZES, SAMPLES, all_of, any_of, kinds_of
from catalog.vocabulary import Severity

# Tools of one exact name are few, but for names like `search`.
MOST_EXACT: Final = 50
# As many are read to be put in order; about so many have to be expected for it to be tried.
MOST_READ: Final = 3_000
FEW: Final = 2_000
_NEAR: Final = 100
_COLUMNS: Final = "id, server_id, tool_class, severity, name_key"
_ANY: Final = f"SELECT {_COLUMNS} FROM catalog_catalogtool WHERE search @@ %s::tsquery LIMIT %s"  # noqa: S608
_ORDERED: Final = f"""
    WITH found AS MATERIALIZED ({_ANY})
    SELECT *, count(*) OVER () FROM found ORDER BY severity DESC, name_key, id LIMIT %s
"""  # noqa: S608
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
    """`parts` of a tsquery that all have to hold. `expected` is about how many answer it, were its terms
    independent of each other; `of_level` shares them out."""

    parts: tuple[str, ...]
    classes: tuple[str, ...]
    levels: Mapping[int, float]
    expected: float
    exact: str = ""

    def at(self, level: int) -> str:
        """The whole question at one level of severity."""
        here = kinds_of(self.classes, level) or [f"severity={level}"]
        return all_of([*self.parts, any_of(here)])

    def anywhere(self) -> str:
        kinds = [kind for level in self.levels for kind in kinds_of(self.classes, level)]
        return all_of([*self.parts, any_of(kinds or [f"severity={level}" for level in self.levels])])


def worst(asked: Question, wanted: int) -> list[Candidate]:
    """At most `wanted`: the exact name first, then the worst, each level in the order of names."""
    with by_index() as cursor:
        exact = _exact(cursor, asked)
        found = _read(cursor, asked, wanted) if asked.expected <= FEW else None
        if found is None:
            found = _walked(cursor, asked, wanted)
    known = {one.pk for one in exact}
    return [*exact, *(one for one in found if one.pk not in known)][:wanted]


def _exact(cursor: CursorWrapper, asked: Question) -> list[Candidate]:
    if not asked.exact:
        return []
    cursor.execute(_EXACT, [asked.exact, asked.anywhere(), MOST_EXACT])
    return [Candidate(*row) for row in cursor.fetchall()]


def _read(cursor: CursorWrapper, asked: Question, wanted: int) -> list[Candidate] | None:
    """None where there are more than are read."""
    narrowed = asked.anywhere() if asked.classes or len(asked.levels) < len(Severity) else all_of(asked.parts)
    cursor.execute(_ORDERED, [narrowed, MOST_READ + 1, wanted])
    rows = cursor.fetchall()
    return None if rows and rows[0][-1] > MOST_READ else [Candidate(*row[:-1]) for row in rows]


def _walked(cursor: CursorWrapper, asked: Question, wanted: int) -> list[Candidate]:
    found: list[Candidate] = []
    for level in asked.levels:
        found += sorted(
            _of_level(cursor, asked, level, wanted - len(found)), key=lambda one: (one.name_key, one.pk)
        )
        if len(found) >= wanted:
            break
    return found


def _of_level(cursor: CursorWrapper, asked: Question, level: int, wanted: int) -> list[Candidate]:
    whole = asked.at(level)
    samples = [size for size in SAMPLES if asked.expected * asked.levels[level] > wanted * size / 2]
    for terms in [*(all_of([whole, any_of([f"sample={size}"])]) for size in samples), whole]:
        cursor.execute(_ANY, [terms, wanted])
        here = [Candidate(*row) for row in cursor.fetchall()]
        if len(here) >= wanted:
            return here
    return here


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
        cursor.execute(_ANY, [all_of(parts), 1])
        return cursor.fetchone() is not None


@contextmanager
def by_index() -> Iterator[CursorWrapper]:
    """The planner takes words for independent of each other and of a severity; where it is wrong it would
    read the whole table for the first thousand rows."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL work_mem = '16MB'; SET LOCAL jit = off")
        yield cursor
        # Where this stands inside of another transaction, the rest of that is planned as ever.
        cursor.execute(
            "SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL work_mem TO DEFAULT; SET LOCAL jit TO DEFAULT"
        )
