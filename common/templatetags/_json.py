"""JSON with its keys, strings and numbers in different colours."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from common.templatetags._text import hides_nothing, is_hidden, visible

# A page waits for it: anything longer is in one colour.
LONGEST: Final = 100_000
# Longer pieces hardly ever repeat, and a stranger could fill this process's memory with them.
_LONGEST_KEPT: Final = 64
_TOKEN: Final = re.compile(
    r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?|true|false|null)|([^"\d\-tfn]+|.)', re.DOTALL
)


def to_copy(text: str) -> SafeString:
    """Invisible characters are escaped as in JSON."""
    if not hides_nothing(text):
        text = "".join(json.dumps(each)[1:-1] if is_hidden(each) else each for each in text)
    return _in_colours(text) if len(text) <= LONGEST else escape(text)


def line(text: str) -> SafeString:
    """The line as it is written: an invisible character is not the same as its escape."""
    return _in_colours(text) if hides_nothing(text) else visible(text)


def _in_colours(text: str) -> SafeString:
    return format_html_join("", "{}", ((_piece(match),) for match in _TOKEN.finditer(text)))


def _piece(match: re.Match[str]) -> SafeString:
    coloured = _coloured if len(match[0]) <= _LONGEST_KEPT else _coloured.__wrapped__
    return coloured(*match.groups())


# The same few keys and values make up nearly all of every policy.
@lru_cache(maxsize=4096)
def _coloured(string: str | None, colon: str | None, literal: str | None, rest: str | None) -> SafeString:
    if string is not None:
        kind = "k" if colon else "s"
        return format_html('<span class="{}">{}</span>{}', kind, string, colon or "")
    if literal is not None:
        return format_html('<span class="n">{}</span>', literal)
    return format_html("{}", rest)
