"""What is offered where nothing is found: the question in words that are in the index, or a part of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import combinations
from typing import Final

from catalog.candidates import anything, words_that_begin
from catalog.classifier.things import singular
from catalog.summary import common_words

SHORTEST_MISSPELT: Final = 4
SHORTEST_ALONE: Final = 3
LIKENESS: Final = 0.8
# Words of a question beyond these are not looked at: each costs a look at the index.
MOST_WORDS: Final = 6
# Of a question with more unknown words than these, something else is misspelt than a word.
MOST_UNKNOWN: Final = 2
# Misspelt words begin mostly as the right ones do.
_BEGINNINGS: Final = (4, 2)


def near_miss(asked: list[str]) -> str:
    """Something like what was asked that does find something; empty if nothing does."""
    words, common = asked[:MOST_WORDS], common_words("tool")
    unknown = [word for word in words if not anything([word], common)]
    if len(unknown) > MOST_UNKNOWN:
        return ""
    meant = [known for word in words if (known := _like(word, common) if word in unknown else word)]
    for some in _parts(meant):
        if some != words and anything(some, common):
            return " ".join(some)
    return ""


def _like(word: str, common: Mapping[str, int]) -> str:
    """A word of the index that this one is a misspelling of; empty if there is none."""
    if len(word) < SHORTEST_MISSPELT:
        return ""
    near = [each for each in common if each[0] == word[0] and abs(len(each) - len(word)) <= 1]
    for beginning in _BEGINNINGS:
        near += words_that_begin(word[:beginning])
        if alike := get_close_matches(word, near, 1, LIKENESS):
            return alike[0]
    return ""


def _parts(words: list[str]) -> Iterator[list[str]]:
    """All words, the same words of one instead of many, all but one, then each alone; the longest first."""
    if len(words) > 1:
        yield words
        yield [singular(word) for word in words]
        yield from _longest_first(list(some) for some in combinations(words, len(words) - 1) if len(some) > 1)
    yield from _longest_first([word] for word in words if len(word) >= SHORTEST_ALONE)


def _longest_first(parts: Iterable[list[str]]) -> list[list[str]]:
    return sorted(parts, key=lambda part: -sum(map(len, part)))
