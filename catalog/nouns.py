"""Names without a verb: what their nouns and arguments say. Pure.

`trial_searcher` and `code_validation` are verbs in disguise; `pods_top` and `cves_by_product` name what is
answered. Weaker than any verb, and a name that takes an `action` says nothing by its nouns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from catalog.vocabulary import CREDENTIALS, LOOSE, PLAIN, SECRETS, ToolClass, word_set

_ANSWERS: Final = word_set("""
    activity age altitude analysis analytics answer attribution averages background benchmark biography
    bmi breakdown calendar candles captions catalog changelog coordinates counts coverage data
    definition dictionary difference direction directions directory distance dominance duration earnings
    elevation encyclopedia etymology excerpt explanation fact findings flow fundamentals glossary
    headlines headline heatmap highlights historical horoscope hotspots index insight insights intraday
    inventory joke kline klines knowledge leaderboard lineage linting listing listings lookalikes lyrics
    manifest matrix meaning metadata methodology news nutrition ohlc ohlcv outline outlook percentile
    performance playbook popular portfolio preview previews prognosis properties provenance quota
    ranking rankings rate rates ratio ratios readme recent recipe recommended references result results
    riddle route schedule score scores sentiment series similarity size specification spectrum standings
    stat statement states status subtitles sunrise supported synonyms synopsis syntax telemetry tide
    time timezone tips top total totals traffic transcript transcripts trends trivia uptime usages
    utilization volume vocabulary whois
""")
_CHOOSES: Final = word_set("action actions command mode op operation operations")
_CARRIES: Final = word_set(
    "body content contents data fields html message new patch payload prompt text updates value values"
)
_ASKS: Final = word_set("am are can did does has how is should was what when where which who why will")
# What is turned into these is made anew: a file, and often a bill.
_MEDIA: Final = word_set("animation audio image images music picture song sound speech video videos voice")
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
    if not words:
        return ()
    if words[0] in _ASKS and len(words) > 1:
        return words[:1]
    if found := tuple(word for word in words if word in _ANSWERS):
        return found[-1:]
    for joint in ("by", "to"):
        if joint in words[1:-1] and words[-1] not in _MEDIA:
            return (joint,)
    last = words[-1]
    plural = len(words) > 1 and len(last) > 4 and last.endswith("s") and not last.endswith(("ss", "us", "is"))
    return (last,) if plural and CREDENTIALS.isdisjoint(words) else ()
