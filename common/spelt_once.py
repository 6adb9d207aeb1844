"""Queries that every page makes, turned into SQL once.

Django takes up to a millisecond to make SQL of a queryset, every time. Here a queryset is built once per
process, with blanks in place of its arguments, and its SQL is run with the current values. Neither those
values nor any rows are kept: results are as fresh as ever, and within the asker's organization.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from types import SimpleNamespace
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import QuerySet

Given = TypeVarTuple("Given")
Row = TypeVar("Row")

_LONG_AGO: Final = datetime(1000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Spelt:
    """`places`: for each value in the text, which argument belongs there, or the value it always has."""

    text: str
    places: tuple[tuple[int | None, Any], ...]

    def values(self, given: Sequence[object]) -> list[Any]:
        known = [_plain(one) for one in given]
        return [always if place is None else known[place] for place, always in self.places]


def spelt_once(
    build: Callable[[Unpack[Given]], QuerySet[Any, Row]],
) -> Callable[[Unpack[Given]], list[Row]]:
    """For querysets of plain columns (`values_list`) that get everything variable as an argument.

    Arguments may be the asker, ids, moments and words, and must be used in the conditions unchanged. A
    function that reads the clock itself, or changes an argument, is refused when it is first called.
    """
    spelt: _Spelt | None = None

    @wraps(build)
    def ask(*given: *Given) -> list[Row]:
        nonlocal spelt
        if spelt is None:
            spelt = _spell(build, given)
        with connection.cursor() as cursor:
            cursor.execute(spelt.text, spelt.values(given))
            rows: list[Row] = cursor.fetchall()
        return rows

    return ask


def _spell(build: Callable[..., QuerySet[Any, Any]], given: Sequence[object]) -> _Spelt:
    blanks = [_blank(one) for one in given]
    compiler = build(*blanks).query.get_compiler(connection=connection)
    text, values = compiler.as_sql()
    if not all(_is_plain(column) for column, _, _ in compiler.select):
        raise TypeError(f"{build.__qualname__} asks for columns that are not plain")
    places = tuple(_place(value, [_plain(one) for one in blanks]) for value in values)
    if {place for place, _ in places if place is not None} != set(range(len(blanks))):
        raise TypeError(f"{build.__qualname__} does not use all it is given as it is")
    if any(place is None and isinstance(always, UUID | datetime) for place, always in places):
        raise TypeError(f"{build.__qualname__} would always ask about the moment it was first asked")
    return _Spelt(text, places)


def _is_plain(column: Any) -> bool:
    """True if the column's values are used as the database gives them."""
    made = column.output_field.get_db_converters(connection), connection.ops.get_db_converters(column)
    return not any(made)


def _place(value: object, blanks: Sequence[object]) -> tuple[int | None, Any]:
    return (blanks.index(value), None) if value in blanks else (None, value)


def _plain(one: Any) -> Any:
    return getattr(one, "organization_id", one)


def _blank(one: object) -> object:
    """A value unlike any that the query always holds."""
    match one:
        case UUID():
            return uuid4()
        case datetime():
            return _LONG_AGO + timedelta(microseconds=secrets.randbelow(10**15))
        case str():
            return secrets.token_hex(16)
        case _:
            return SimpleNamespace(organization_id=uuid4())
