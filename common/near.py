"""What was probably meant, when nothing was found. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

# How many words are looked at: a page that found nothing must not take long to say so.
MOST_LOOKED_AT: Final = 10_000
_LONGEST: Final = 60
_ALIKE: Final = 0.7
_BETWEEN: Final = re.compile(r"[\s_.\-/]+")


def near_miss(wanted: str, names: Iterable[str]) -> str:
    """The name, or the word of one, that is most like it; empty if none is."""
    wanted = wanted.casefold()
    if not 2 < len(wanted) <= _LONGEST:
        return ""
    words: dict[str, None] = {}
    for name in dict.fromkeys(names):
        if len(words) >= MOST_LOOKED_AT:
            break
        words |= dict.fromkeys((name.casefold(), *_BETWEEN.split(name.casefold())))
    near = get_close_matches(wanted, _worth_a_look(wanted, words), 1, _ALIKE)
    return near[0] if near and near[0].isprintable() else ""


def _worth_a_look(wanted: str, words: Iterable[str]) -> list[str]:
    """Leaves out words with too few of its letters to be alike, in any order: nearly all of them."""
    has, length = set(wanted).__contains__, len(wanted)
    return [
        word
        for word in words
        if 2 < len(word) <= _LONGEST
        and 2.0 * min(sum(map(has, word)), length) / (length + len(word)) >= _ALIKE
    ]
