"""Template tags and filters that only the catalogue's pages need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog.worth import type_words
from common.templatetags._icons import SIGNAL_ICONS
from common.templatetags._moulds import filled, joined
from common.templatetags._text import one_line, visible
from common.templatetags.ui import _icon, effect, oneline, plain, severity, tool_class

register = template.Library()
# A name of up to this many characters fits on one line of every list.
_SHORT = 24
_MAY_END = format_html("{}<wbr>", "_")
_ESCAPED = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026", ord("{"): "{{", ord("}"): "}}"}


@register.simple_tag
def ld_json(value: Any) -> SafeString:
    """A data block, never run. Escaped as by `json_script`, so that nothing in it can end the element."""
    body = json.dumps(value, ensure_ascii=True).translate(_ESCAPED)
    return format_html('<script type="{}">' + body + "</script>", "application/ld+json")


@register.simple_block_tag
def titled(content: str) -> str:
    """The title of the page, for the browser and for the preview of a link to it."""
    return render_to_string("catalog/_titled.html", {"content": content})


@register.simple_tag
def signal_icon(signal: str) -> SafeString:
    return _icon(SIGNAL_ICONS[signal], "ic-s mute mt-0.5")


@register.filter
def words_of_type(kind: str) -> str:
    return type_words(kind)


@register.filter
def day(moment: Any) -> str:
    return f"{moment:%-d %b %Y}"


@register.simple_tag
def tool_rows(rows: Iterable[Any], with_server: bool = False, with_severity: bool = True) -> SafeString:
    """One line per tool. A page has up to two hundred."""
    shown = {"with_server": with_server, "with_severity": with_severity}
    return filled("catalog/_row.html", _fillings(rows, with_server), **shown)


def _fillings(rows: Iterable[Any], with_server: bool) -> Iterator[dict[str, Any]]:
    for row in rows:
        tool = row.tool
        yield {
            "href": tool.get_absolute_url(),
            "title": plain(tool.name),
            "name": _in_words(tool.name),
            "server_href": tool.server.get_absolute_url() if with_server else "",
            "server": oneline(tool.server.title) if with_server else "",
            "tool_class": tool_class(tool.tool_class),
            "severity": severity(tool.severity),
            "effect": effect(row.effect, text=row.words),
            "because": row.because,
        }


def _in_words(name: str) -> SafeString:
    """Like `oneline`, for a name that may take two lines: a line ends after a word, never inside one."""
    if len(name) <= _SHORT or "_" not in name:
        return oneline(name)
    words = [visible(word) for word in one_line(name).split("_")]
    parts = [part for word in words for part in (_MAY_END, word)][1:]
    return filled("components/_line.html", [{"text": joined(parts)}])
