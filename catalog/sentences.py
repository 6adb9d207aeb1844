"""What a description says that a tool does: the first verb of its first sentence, and what that is done to.

Pure. A description belongs to a stranger, so it speaks only where the name does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from catalog.money import is_about_money
from catalog.rare import RARE
from catalog.tongues import UNSPACED
from catalog.verbs import RANK, in_context
from catalog.vocabulary import (
    ANSWERS_WITH,
    INFLECTED,
    LEADS_TO_VERB,
    LOOSE,
    MEDIA,
    PARTICIPLES,
    PLAIN,
    READ_ONLY,
    ToolClass,
    forms,
)

SENTENCE: Final = 14
_CLAUSE: Final = 6
_LISTED: Final = 30
_A_ROW: Final = 2
_JOINING: Final = frozenset({"and", "or"})
# In a name `from` means that something is taken off something.
_SMALL: Final = frozenset({"a", "all", "an", "from", "the"})
# As a description spells rare verbs; what was done to a thing is no verb of it.
_RARE_FORMS: Final = {
    form: verb for verb in RARE for form in forms(verb) if not form.endswith("ed") and form not in INFLECTED
}
_UNSPACED: Final = re.compile("|".join(sorted(UNSPACED, key=len, reverse=True)))


@dataclass(frozen=True, slots=True)
class Said:
    words: tuple[str, ...]
    tool_class: ToolClass
    confidence: float


def deed_said(said: tuple[str, ...], first: int = SENTENCE) -> Said | None:
    """Looked for among the `first` words; the others tell what it means."""
    if said and said[0] in ANSWERS_WITH:
        return Said(said[:1], ToolClass.READ, 0.65)
    return next((_done(said, place, verb, sure) for place, verb, sure in _verbs(said, first)), None)


def worst_listed(said: tuple[str, ...]) -> Said | None:
    """Of verbs that stand in a row: “manage issues: list, create, update or delete”."""
    row: list[str] = []
    best: list[str] = []
    for word in said[:_LISTED]:
        if word in PLAIN:
            row.append(word)
        elif word not in _JOINING:
            row = []
        best = max(best, row, key=len)
    if len(best) < _A_ROW:
        return None
    worst = max(best, key=lambda word: RANK[PLAIN[word]])
    return Said((worst,), PLAIN[worst], 0.65)


def deed_unspaced(text: str) -> Said | None:
    if text.isascii() or not (found := _UNSPACED.search(text)):
        return None
    return Said((found[0],), PLAIN[UNSPACED[found[0]]], 0.6)


def _verbs(said: tuple[str, ...], first: int) -> Iterator[tuple[int, str, float]]:
    """Those that stand where a sentence has its verb, before those that stand anywhere."""
    looked_at = said[:first]
    for leads, lexicon, sure in (
        (True, PLAIN, 0.65), (True, LOOSE, 0.55), (True, RARE, 0.55),
        (False, PLAIN, 0.55), (False, LOOSE, 0.5),
    ):  # fmt: skip
        forms_known = _RARE_FORMS if lexicon is RARE else INFLECTED
        for place, word in enumerate(looked_at):
            if leads and place and not _leads(said[place - 1]):
                continue
            # “the text that is scanned” says what is there, not what is done.
            verb = forms_known.get(word) if place == 0 or word not in PARTICIPLES else None
            if verb in lexicon:
                yield place, verb, sure


def _leads(word: str) -> bool:
    return word in LEADS_TO_VERB or word.endswith("ly")


def _done(said: tuple[str, ...], place: int, verb: str, sure: float) -> Said:
    clause = (verb, *(word for word in said[place + 1 : place + _CLAUSE] if word not in _SMALL))
    tool_class = in_context(verb, clause)
    if money := is_about_money(verb, tool_class, clause, said, ()):
        return Said((said[place], money), ToolClass.FINANCIAL, sure)
    if tool_class is ToolClass.EXECUTE and any(pair in READ_ONLY for pair in pairwise(said)):
        return Said((said[place],), ToolClass.READ, sure)
    if tool_class is ToolClass.WRITE and verb in LOOSE and _only_answers(said):
        return Said((said[place],), ToolClass.READ, sure)
    return Said((said[place],), tool_class, sure)


def _only_answers(said: tuple[str, ...]) -> bool:
    """“Loads a snapshot and returns its paths”; an image that was made is kept."""
    return not {"return", "returns"}.isdisjoint(said) and MEDIA.isdisjoint(said)
