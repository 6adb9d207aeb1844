"""Rows by the hundred: rendering a template takes up to half a millisecond for each.

A mould is a template with names in braces. It is rendered once, and filled as `format_html` does: with
escaping. Numbers may be written as `{calls:,}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from html import escape

from django.conf import settings
from django.template import loader
from django.utils.safestring import SafeString


def filled(template: str, fillings: Iterable[Mapping[str, object]], **fixed: str | bool) -> SafeString:
    """`fixed`: the context of the template itself, the same for every row."""
    mould = _draw(template, tuple(fixed.items()))
    return SafeString("".join([mould.format_map(_escaped(filling)) for filling in fillings]))


def joined(parts: Iterable[str]) -> SafeString:
    """Joins what is already filled; anything else is escaped."""
    return SafeString("".join([one if type(one) is SafeString else _written(one) for one in parts]))


def escaped(text: str) -> SafeString:
    return SafeString(_written(text))


def _escaped(filling: Mapping[str, object]) -> dict[str, object]:
    """Without `format_html`, whose five calls around each value are most of what a page of rows costs."""
    return {name: value if type(value) in _HARMLESS else _written(value) for name, value in filling.items()}


def _written(value: object) -> str:
    text = str(value)
    return escape(text) if _has_markup(text) else text


# Types with nothing to escape, or already escaped. Their subclasses are treated as anything else is.
_HARMLESS = frozenset({int, float, SafeString})
# Everything that `escape` replaces, character by character; most texts have none of it.
_has_markup = re.compile("[&<>\"']").search


def _drawn(template: str, fixed: tuple[tuple[str, str | bool], ...]) -> str:
    return loader.render_to_string(template, dict(fixed))


_draw = _drawn if settings.DEBUG else lru_cache(maxsize=256)(_drawn)
