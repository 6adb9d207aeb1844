"""Finds where a description says that what is made or fetched is kept. Pure."""

from __future__ import annotations

from typing import Final

from catalog.classifier.clauses import Sentence
from catalog.classifier.vocabulary import word_set

_KEEPS: Final = word_set("save saved saves saving store stores write writes")
_KEPT: Final = word_set("disk file image it result results them to")
# “… and store in the database”
_KEEPS_IT: Final = word_set("save saves store stores")
_PLACES: Final = word_set("directory disk folder subdirectory")
_PLACED: Final = {"as": frozenset({"files"}), "into": _PLACES, "to": _PLACES}
_PLACE_WITHIN: Final = 6
_THEN: Final = word_set("and then to")


def kept_said(sentences: tuple[Sentence, ...]) -> tuple[str, ...]:
    """The words that say so: “save it”, “to the models directory”; empty if none do."""
    for said in sentences:
        for place, word in enumerate(said[:-1]):
            if word in _KEEPS and not _KEPT.isdisjoint(said[place + 1 : place + 3]):
                return (word,)
            if word in _THEN and said[place + 1] in _KEEPS_IT:
                return (said[place + 1],)
            if places := _PLACED.get(word):
                behind = said[place + 1 : place + _PLACE_WITHIN]
                if where := next((other for other in behind if other in places), None):
                    return (word, where)
    return ()
