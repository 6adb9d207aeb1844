"""Renders the overview's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString

from audit.busiest import Busy, Part, Shared
from common.templatetags._moulds import filled, joined
from common.templatetags.ui import oneline, plain

register = template.Library()


@register.simple_tag
def called_rows(rows: Iterable[Shared]) -> SafeString:
    """Render tools, each with how many grants called it."""
    return filled("audit/_most_row.html", _fillings(rows, _by_how_many))


@register.simple_tag
def held_rows(rows: Iterable[Shared]) -> SafeString:
    """Render tools, each with what held its calls back."""
    return filled("audit/_most_row.html", _fillings(rows, _by_what))


@register.simple_tag
def grant_rows(rows: Iterable[Busy]) -> SafeString:
    return filled("audit/_busy_row.html", _of_grants(rows))


def _fillings(rows: Iterable[Shared], said: Callable[[Shared], SafeString]) -> Iterator[dict[str, object]]:
    log = reverse("audit:log")
    for one in rows:
        name = one.tool.name
        yield {
            "href": f"{log}?tool={quote(name)}",
            "name": oneline(name),
            "plain": plain(name),
            "calls": one.tool.count,
            "key": one.key,
            "most": one.most,
            "said": said(one),
        }


def _by_how_many(one: Shared) -> SafeString:
    return filled("audit/_most_called.html", [{"grants": one.tool.grants}], one=one.tool.grants == 1)


def _by_what(one: Shared) -> SafeString:
    return joined(_part(each, len(one.parts) > 1) for each in one.parts)


def _part(part: Part, many: bool) -> SafeString:
    filling = {"calls": part.calls, "words": part.words, "reason": oneline(part.reason)}
    return filled("audit/_most_held.html", [filling], many=many, told=bool(part.reason))


def _of_grants(rows: Iterable[Busy]) -> Iterator[dict[str, object]]:
    within = reverse("grants:list")
    for one in rows:
        yield {
            "href": f"{within}{one.public_id}/",
            "label": oneline(one.label),
            "server": oneline(one.server),
            "calls": one.calls,
        }
