"""Which tools of a server are about the same things, by the words of their names. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from catalog.classifier.vocabulary import PLAIN, word_set
from catalog.classify import words_of

# In a smaller server, words that many tools have may well be what they are about.
_FEW: Final = 8
_LINKS: Final = word_set("a all an and as at batch bulk by for from in into my of on or the to with")


def things(name: str) -> frozenset[str]:
    """What the name is about: its words without plain verbs and what only joins words."""
    return frozenset(_singular(word) for word in words_of(name) if word not in PLAIN and word not in _LINKS)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def nearest(name: str, others: Sequence[str]) -> list[str]:
    """The others that share a thing with it: those that share the most and add the least come first.

    What most tools of a server name, such as the product, says nothing, unless the name says nothing else.
    """
    of_others = {other: things(other) for other in others}
    mine = things(name)
    telling = mine - _everywhere([mine, *of_others.values()]) or mine

    def order(other: str) -> tuple[int, int, int, str]:
        its = of_others[other]
        return -len(telling & its), -len(mine & its), len(its - mine), other

    return sorted((other for other, its in of_others.items() if telling & its), key=order)


def _everywhere(named: Sequence[frozenset[str]]) -> frozenset[str]:
    if len(named) < _FEW:
        return frozenset()
    counts = Counter(word for words in named for word in words)
    return frozenset(word for word, count in counts.items() if count * 2 > len(named))


def looks_first(name: str, near: Iterable[str], readers: Collection[str]) -> list[str]:
    """At most two of those nearest that only read what this one changes: where an agent looks first."""
    mine = things(name)
    reading = [other for other in near if other in readers]
    most = [other for other in reading if len(things(other) & mine) == len(things(reading[0]) & mine)]
    return [other for other in most[:2] if 2 * len(things(other) & mine) >= len(mine)]
