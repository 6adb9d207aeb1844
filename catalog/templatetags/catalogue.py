"""What only the catalogue's pages need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from catalog.worth import type_words
from common.templatetags._icons import SIGNAL_ICONS
from common.templatetags._moulds import filled
from common.templatetags._text import hides_nothing, is_hidden
from common.templatetags.ui import _icon, effect, oneline, plain, severity, tool_class

register = template.Library()
_TOKEN = re.compile(
    r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?|true|false|null)|([^"\d\-tfn]+|.)', re.DOTALL
)
_ESCAPED = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026", ord("{"): "{{", ord("}"): "}}"}


@register.simple_tag
def json_text(text: str) -> SafeString:
    """JSON with its keys, texts and numbers told apart; what cannot be seen as JSON escapes it."""
    if not hides_nothing(text):
        text = "".join(json.dumps(each)[1:-1] if is_hidden(each) else each for each in text)
    return format_html_join("", "{}", ((_coloured(*match.groups()),) for match in _TOKEN.finditer(text)))


# The same few keys and values make up nearly all of every policy.
@lru_cache(maxsize=4096)
def _coloured(string: str | None, colon: str | None, literal: str | None, rest: str | None) -> SafeString:
    if string is not None:
        kind = "k" if colon else "s"
        return format_html('<span class="{}">{}</span>{}', kind, string, colon or "")
    if literal is not None:
        return format_html('<span class="n">{}</span>', literal)
    return format_html("{}", rest)


@register.simple_tag
def ld_json(value: Any) -> SafeString:
    """A data block, never run. As `json_script` escapes: nothing in it can end the element."""
    body = json.dumps(value, ensure_ascii=True).translate(_ESCAPED)
    return format_html('<script type="{}">' + body + "</script>", "application/ld+json")


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
def tool_rows(rows: Iterable[Any], with_server: bool = False) -> SafeString:
    """A line for each tool. A page has up to two hundred."""
    return filled("catalog/_row.html", _fillings(rows, with_server), with_server=with_server)


def _fillings(rows: Iterable[Any], with_server: bool) -> Iterator[dict[str, Any]]:
    for row in rows:
        tool = row.tool
        yield {
            "href": tool.get_absolute_url(),
            "title": plain(tool.name),
            "name": oneline(tool.name),
            "server_href": tool.server.get_absolute_url() if with_server else "",
            "server": oneline(tool.server.title) if with_server else "",
            "tool_class": tool_class(tool.tool_class),
            "severity": severity(tool.severity),
            "effect": effect(row.effect, text=row.words),
            "because": row.because,
        }
