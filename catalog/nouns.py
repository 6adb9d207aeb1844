"""Names without a verb: what their nouns and arguments say. Pure.

`trial_searcher` and `code_validation` are verbs in disguise; `user_analysis` and `cves_by_product` name what
is answered. Weaker than any verb, and a name that takes an `action` says nothing by its nouns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from catalog.vocabulary import LOOSE, PLAIN, SECRETS, ToolClass, word_set

_ANSWERS: Final = word_set("""
    altitude analysis analytics biography breakdown candles changelog directions distance dominance earnings
    elevation etymology excerpt findings fundamentals headlines heatmap historical horoscope hotspots insight
    insights intraday kline klines leaderboard lineage lookalikes lyrics matrix methodology ohlc ohlcv
    outlook percentile ranking rankings readme riddle sentiment similarity standings sunrise synonyms
    synopsis telemetry tide trends trivia uptime utilization
""")
# In front; behind a word we do not know they may be what is done something to.
_OF_MANY: Final = word_set("now popular recent recommended supported top upcoming")
_FORMATS: Final = word_set("""
    address coordinates csv docx geojson html json latex location markdown md pdf rest sql svg text topojson
    unix utc xlsx xml yaml
""")
_CHOOSES: Final = word_set("action actions command mode op operation operations")
_CARRIES: Final = word_set(
    "body content contents data fields html message new patch payload prompt text updates value values"
)
_ASKS: Final = word_set("am are can did does has how is should was what when where which who why will")
# Nouns of these verbs are more often things than deeds: a poster, a holder, an order, a caller.
_NO_DEED: Final = word_set("""
    book call charge draw drop fill get hold label list make map mark message note order pay play post
    press put record rm score set share show stat store tag tip trade tree track use wait watch browse
    collect notify attach compute inspect control command
""")


def _disguises(verb: str) -> Iterator[str]:
    """`search`: searcher, searching; `validate`: validator, validation."""
    stem = verb[:-1] if verb.endswith("e") else verb
    doubled = verb + verb[-1]
    yield from (f"{verb}ing", f"{stem}ing", f"{doubled}ing", f"{stem}er", f"{stem}or", f"{doubled}er")
    yield from (f"{stem}ion", f"{stem}ation", f"{verb}ment")
    if verb.endswith("fy"):
        yield f"{verb[:-1]}ication"


DEEDS: Final[dict[str, str]] = {
    form: verb
    for lexicon in (LOOSE, PLAIN)
    for verb, tool_class in lexicon.items()
    if len(verb) > 3 and tool_class is not ToolClass.FINANCIAL and verb not in _NO_DEED
    for form in _disguises(verb)
    if form not in PLAIN and form not in LOOSE
}


def deed_of(words: tuple[str, ...]) -> tuple[str, str] | None:
    """A noun made of a verb, and the verb; the last one, since a noun's own noun comes last."""
    return next(((word, DEEDS[word]) for word in reversed(words) if word in DEEDS), None)


def names_an_answer(words: tuple[str, ...], params: tuple[tuple[str, str, bool], ...]) -> tuple[str, ...]:
    """The words that name what is answered; empty where it takes content or a choice of what to do."""
    named = _naming(words)
    if not named or not SECRETS.isdisjoint(words):
        return ()
    given = {part for name, _, _ in params for part in name.lower().split("_")}
    return () if given & _CHOOSES or given & _CARRIES else named


def _naming(words: tuple[str, ...]) -> tuple[str, ...]:
    """A word we do not know may be a verb, and a bare plural what it is done to: that says nothing."""
    if len(words) < 2:
        return ()
    if words[0] in _ASKS or words[0] in _OF_MANY:
        return words[:1]
    if words[-1] in _ANSWERS:
        return words[-1:]
    if "to" in words[1:-1] and words[-1] in _FORMATS and words[words.index("to") - 1] in _FORMATS:
        return ("to",)
    return ("by",) if words[1] == "by" and words[0].endswith("s") and len(words) > 2 else ()
