"""Writes many rows with one statement: a list of 600,000 tools takes minutes, not hours.

The statements are made only of the models' own names; what strangers wrote is passed as one parameter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from django.db import connection, models

# As text, this many rows stay within a few megabytes, both here and in the database.
A_STATEMENT: Final = 1000


def insert_rows(rows: Sequence[models.Model]) -> None:
    """Insert new rows. Their objects are not given their keys."""
    for part in _parts(rows):
        fields = [field for field in part[0]._meta.concrete_fields if not field.primary_key]
        names = ", ".join(f'"{field.column}"' for field in fields)
        table = part[0]._meta.db_table
        _run(f'INSERT INTO "{table}" ({names}) SELECT {names} FROM {_given(fields)}', part, fields)  # noqa: S608


def update_rows(rows: Sequence[models.Model], names: Iterable[str]) -> None:
    """Update the named fields of existing rows."""
    named = list(names)
    for part in _parts(rows):
        meta = part[0]._meta
        changed = [meta.get_field(name) for name in named]
        sets = ", ".join(f'"{field.column}" = given."{field.column}"' for field in changed)  # type: ignore[union-attr]
        key = meta.pk
        assert key is not None
        fields: list[Any] = [key, *changed]
        where = f'held."{key.column}" = given."{key.column}"'
        _run(f'UPDATE "{meta.db_table}" AS held SET {sets} FROM {_given(fields)} WHERE {where}', part, fields)  # noqa: S608


def _parts(rows: Sequence[models.Model]) -> Iterable[Sequence[models.Model]]:
    return (rows[start : start + A_STATEMENT] for start in range(0, len(rows), A_STATEMENT))


def _given(fields: list[Any]) -> str:
    columns = ", ".join(f'"{field.column}" {field.rel_db_type(connection)}' for field in fields)
    return f"json_to_recordset(%s::json) AS given({columns})"


def _run(statement: str, rows: Sequence[models.Model], fields: list[Any]) -> None:
    said = [{field.column: _plain(getattr(row, field.attname)) for field in fields} for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(said, ensure_ascii=False, separators=(",", ":"))])


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
