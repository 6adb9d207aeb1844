"""Makes visible what a stranger's text hides."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.templatetags._moulds import escaped, joined

# Letters and marks by category, but nothing is drawn for them.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    map(chr, range(0x180B, 0x1810))
)
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_LAYOUT = {ord("\n"): None, ord("\t"): None}
_SPACES = re.compile(r"[ \t\r\n]+")
_CODE = re.compile(
    r"(?<![\w*.])(?:args(?:\.[A-Za-z0-9_$-]+|\[[^\]\s]*\])+|[A-Za-z0-9*]+(?:_[A-Za-z0-9*]+)+)", re.ASCII
)
_HIDING = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def one_line(text: str) -> str:
    # Not str.split(): it would swallow characters that only look like a space, and those must be shown.
    return _SPACES.sub(" ", text).strip(" ")


def visible(text: str) -> SafeString:
    if hides_nothing(text):
        return escaped(text)
    return joined(_mark(each) if hidden else each for each, hidden in _told_apart(text))


def with_code(text: str) -> SafeString:
    """A sentence, in which names that cannot be prose (`args.branch`, `push_files`) are marked as code."""
    return joined(
        format_html('<span class="mono">{}</span>', visible(each)) if code else visible(each)
        for code, each in _codes_apart(text)
    )


def _codes_apart(text: str) -> Iterator[tuple[bool, str]]:
    end = 0
    for found in _CODE.finditer(text):
        yield False, text[end : found.start()]
        yield True, found.group()
        end = found.end()
    yield False, text[end:]


def visible_plain(text: str) -> str:
    """As `visible`, on one line, where markup is impossible: titles, options, labels."""
    return named(one_line(text))


def named(text: str) -> str:
    """As `visible_plain`, but lines stay lines."""
    if hides_nothing(text):
        return text
    return "".join(_name(each) if hidden else each for each, hidden in _told_apart(text))


def hides_nothing(text: str) -> bool:
    """A quick check: most texts pass it, and pages show thousands."""
    return text.isascii() and (text.isprintable() or text.translate(_LAYOUT).isprintable())


def _mark(character: str) -> SafeString:
    return format_html('<span class="inv">{}</span>', _name(character))


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"


def _told_apart(text: str) -> Iterator[tuple[str, bool]]:
    """Each character, and whether it is invisible."""
    before = ""
    for character in text:
        # A variation selector that turns a symbol into an emoji hides nothing.
        emoji = character == "\ufe0f" and before != "" and unicodedata.category(before) == "So"
        yield character, is_hidden(character) and not emoji
        before = character


def is_hidden(character: str) -> bool:
    if character in " \n\t":
        return False
    category = unicodedata.category(character)
    return (
        category in _HIDING
        or category == "Zs"
        or character in _BLANK
        or any(ord(character) in selectors for selectors in _SELECTORS)
    )
