"""Rows of the board, cached: an act changes one of a hundred and fifty, and the others stay as they were."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from policies.builder.board_view import BoardRow
from policies.builder.look import Look
from policies.language.sentences import a_span
from policies.together import together

register = template.Library()

_ROW: Final = "policies/_row.html"
# About 2 KB each.
_MOST_KEPT: Final = 4_096


register.filter("together", together)
register.filter("a_span", a_span)


@register.simple_tag(takes_context=True)
def board_row(
    context: template.Context, row: BoardRow, grp: bool = False, rest: bool = False, count: int | None = None
) -> SafeString:
    may_edit, look = bool(context["may_edit"]), context["look"]
    given = {"row": row, "grp": grp, "rest": rest, "count": count}
    if row.opened:
        return _drawn({**context.flatten(), **given})
    return _closed(row, grp, rest, count, may_edit, replace(look, opened="", page=1))


@lru_cache(maxsize=_MOST_KEPT)
def _closed(
    row: BoardRow, grp: bool, rest: bool, count: int | None, may_edit: bool, look: Look
) -> SafeString:
    """The markup depends on the arguments alone, so it is the same for everyone who sees this row."""
    return _drawn({"row": row, "grp": grp, "rest": rest, "count": count, "may_edit": may_edit, "look": look})


def _drawn(context: dict[Any, Any]) -> SafeString:
    return render_to_string(_ROW, context)
