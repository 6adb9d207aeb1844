"""Safe cells for CSV files: a spreadsheet takes whatever begins like a formula for one."""

from __future__ import annotations

from typing import Final

# A formula may begin with a full-width sign, too.
_FORMULAS: Final = (*"=+-@＝＋－＠", "\t", "\r", "\n")


def csv_cell(value: object) -> object:
    if isinstance(value, list):
        value = " ".join(value)
    return csv_text(value) if isinstance(value, str) else value


def csv_text(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text
