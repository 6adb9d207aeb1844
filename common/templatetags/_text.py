"""Making visible what a stranger's text hides."""

from __future__ import annotations

import re
import unicodedata

from django.utils.html import escape, format_html_join
from django.utils.safestring import SafeString

# Letters and marks by category, yet nothing is drawn for them.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    map(chr, range(0x180B, 0x1810))
)
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_LAYOUT = {ord("\n"): None, ord("\t"): None}
_HIDING = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def one_line(text: str) -> str:
    # Not str.split(): it would swallow spaces that only look like one, and those are to be shown.
    return re.sub(r"[ \t\r\n]+", " ", text).strip(" ")


def visible(text: str) -> SafeString:
    if text.isascii() and text.translate(_LAYOUT).isprintable():
        return escape(text)  # most texts, and pages show thousands
    return format_html_join("", "{}", ((piece,) for piece in _pieces(text)))


def visible_plain(text: str) -> str:
    """The same where no markup can stand: titles, options, labels."""
    return "".join(f"U+{ord(each):04X}" if is_hidden(each) else each for each in one_line(text))


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for at, character in enumerate(text):
        if character == "\ufe0f" and at and unicodedata.category(text[at - 1]) == "So":
            pieces.append(character)  # the selector that makes a sign an emoji
        elif is_hidden(character):
            pieces.append(format_html_join("", '<span class="inv">{}</span>', [(f"U+{ord(character):04X}",)]))
        else:
            pieces.append(character)
    return pieces


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
