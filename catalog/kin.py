"""Which tools of a server are about the same things, by the words of their names. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Final

from catalog.classifier.things import singular
from catalog.classifier.vocabulary import PLAIN, word_set
from catalog.classify import words_of

# In a smaller server, words that many tools have may well be what they are about.
_FEW: Final = 8
_MOST_CUT: Final = 300
_MOST_READING: Final = 20
_LINKS: Final = word_set("a all an and as at batch bulk by for from in into my of on or the to with")


def things(name: str) -> frozenset[str]:
    """What the name is about: its words without plain verbs and what only joins words."""
    return frozenset(singular(word) for word in words_of(name) if word not in PLAIN and word not in _LINKS)


def nearest(name: str, others: Sequence[str]) -> list[str]:
    """The others that share a thing with it: those that share the most and add the least come first.

    What most tools of a server name, such as the product, says nothing, unless the name says nothing else.
    """
    mine = things(name)
    in_small = {other: other.lower() for other in others}
    telling = mine - _everywhere(mine, in_small.values()) or mine
    roots = [_root(word) for word in telling]
    # Cutting a name into words is dear, and a server may have thousands of tools.
    maybe = (other for other, small in in_small.items() if any(root in small for root in roots))
    of_others = {other: things(other) for other in islice(maybe, _MOST_CUT)}

    def order(other: str) -> tuple[int, int, int, str]:
        its = of_others[other]
        return -len(telling & its), -len(mine & its), len(its - mine), other

    return sorted((other for other, its in of_others.items() if telling & its), key=order)


def _everywhere(mine: Collection[str], others: Collection[str]) -> frozenset[str]:
    named = len(others) + 1
    if named < _FEW:
        return frozenset()
    return frozenset(word for word in mine if 2 * (1 + sum(_root(word) in each for each in others)) > named)


def _root(word: str) -> str:
    """What `repository` and `repositories` have in common."""
    return word[:-1] if word.endswith("y") else word


def looks_first(name: str, near: Iterable[str], readers: Collection[str]) -> list[str]:
    """At most two of those nearest that only read what this one changes: where an agent looks first."""
    mine = things(name)
    reading = [other for other in near if other in readers][:_MOST_READING]
    most = [other for other in reading if len(things(other) & mine) == len(things(reading[0]) & mine)]
    return [other for other in most[:2] if 2 * len(things(other) & mine) >= len(mine)]
