"""Turns a stranger's text into what we keep: one line, without control characters, bounded. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST_PARAM: Final = 80
MOST_PARAMS: Final = 200


def line_of(said: object, longest: int) -> str:
    """The text on one line, cut to `longest`; empty for anything that is not text."""
    if not isinstance(said, str):
        return ""
    cut = said[: longest * 2]
    kept = cut if cut.isprintable() else "".join(" " if _is_no_character(c) else c for c in cut)
    return " ".join(kept.split())[:longest]


def lower_line_of(said: object, longest: int) -> str:
    """The same in lower case, cut once more, since lower case may be longer than the original."""
    return line_of(line_of(said, longest).lower(), longest)


def _is_no_character(each: str) -> bool:
    return unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")
