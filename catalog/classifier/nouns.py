"""What the nouns and arguments of a tool say if its name has no verb. Pure.

`trial_searcher` and `code_validation` are verbs in disguise; `user_analysis` and `cves_by_product` name what
is answered. All of it is weaker than a verb, and naming an answer says nothing if the tool takes an `action`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from catalog.classifier.paid import RAILS
from catalog.classifier.phrases import without_things
from catalog.classifier.rare import surely_a_verb
from catalog.classifier.things import THINGS, only_things
from catalog.classifier.verbs import without_products
from catalog.classifier.vocabulary import (
    FINANCIAL,
    LOOKS,
    LOOSE,
    MAKES_ANEW,
    MEDIA,
    PLAIN,
    RUNS_WHAT,
    SECRETS,
    TOLD_LAST,
    word_set,
)

_ANSWERS: Final = word_set("""
    achievements aggregations altitude analysis analytics biography breakdown candles changelog directions
    distance determinant dominance earnings eigenvalues elevation etymology excerpt findings fundamentals
    headlines heatmap historical gradient horoscope hotspots insight insights intraday isochrone joke
    jokes kline klines leaderboard lineage lookalikes lyrics matrix methodology ohlc ohlcv outlook
    percentile ps ranking rankings readme riddle sentiment similarity standings sunrise antonyms synonyms
    synopsis telemetry tide trends trivia uptime utilization
""")
# Only in front: after a word we do not know they may be what something is done to.
_OF_MANY: Final = word_set(
    "daily hourly monthly nearby nearest now popular random recent recommended supported top upcoming weekly"
)
_FORMATS: Final = word_set("""
    address coordinates csv docx geojson gpx html id json key kml latex location markdown md pdf rest rss
    sql svg text topojson unix utc wkt xlsx xml yaml
""")
_THOUGHTS: Final = (
    "approach",
    "argumentation",
    "debate",
    "framework",
    "method",
    "monologue",
    "paradigm",
    "pattern",
    "reasoning",
    "thinking",
)
_TRAILING: Final = word_set("now today tomorrow tool yesterday")
_WHO_DOES: Final = word_set("agent assistant bot service tool")
_CHOOSES: Final = word_set("action actions command mode op operation operations")
# Arguments about what is looked up in the world or calculated, and belongs to nobody.
_LOOKED_UP: Final = word_set("""
    article_url city country_code date day doi equation exp expr expression formula isbn language lat latitude
    lng locale lon longitude month page_url pdf_url pmid question repo_url station timezone units video_url
    website_url word year zip_code zipcode
""")
_NARROWS: Final = word_set("filter query search")
_CARRIES: Final = word_set(
    "body content contents data fields html message new patch payload prompt text updates value values"
)
_ASKS: Final = word_set("am are can did does has how is should was what when where which who why will")
_START: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# Nouns of these verbs are more often things than deeds: a poster, a holder, an order, a caller.
_NO_DEED: Final = word_set("""
    act arm attach attack book browse call charge collect command compute control cool dig draw drop fill
    follow get heat hold inspect jump label land list make map mark message note notify order park pay play
    post press put record rm score set share show stat store tag tip track trade tree use vacuum wait walk
    watch
""")


def _disguises(verb: str) -> Iterator[str]:
    """The nouns of a verb: `search` in searcher, searching; `validate` in validator, validation."""
    stem = verb[:-1] if verb.endswith("e") else verb
    doubled = verb + verb[-1]
    yield from (f"{verb}ing", f"{stem}ing", f"{doubled}ing", f"{stem}er", f"{stem}or", f"{doubled}er")
    yield from (f"{stem}ion", f"{stem}ation", f"{verb}ment")
    if verb.endswith("fy"):
        yield f"{verb[:-1]}ication"


# Nouns made from verbs in irregular ways.
_IRREGULAR: Final = {
    "analysis": "analyze", "approval": "approve", "comparison": "compare", "conversion": "convert",
    "diagnosis": "diagnose", "discovery": "discover", "getter": "get", "inspection": "inspect",
    "playback": "play", "recognition": "recognize", "removal": "remove", "renewal": "renew",
    "erasure": "erase", "retrieval": "retrieve", "runner": "run", "setter": "set", "understanding": "analyze",
}  # fmt: skip
DEEDS: Final[dict[str, str]] = {
    form: verb
    for lexicon in (LOOSE, PLAIN)
    for verb, tool_class in lexicon.items()
    if len(verb) > 3 and tool_class is not FINANCIAL and verb not in _NO_DEED
    for form in _disguises(verb)
    if form not in PLAIN and form not in LOOSE
} | {noun: verb for noun, verb in _IRREGULAR.items() if noun not in PLAIN and noun not in LOOSE}


# These ask about a deed: `connection_state`.
_OF_DEEDS: Final = word_set(
    "checklist guide info instructions rate rates state states stats status steps tips type types"
)


def deed_of(words: tuple[str, ...]) -> tuple[str, str] | None:
    """A noun made from a verb, and the verb; the last such noun, since the head of a compound comes last."""
    if len(words) > 1 and words[-1] in _OF_DEEDS:
        return None
    if words and words[0] in _ASKS:
        return None
    last = len(words) - 1 - (len(words) > 1 and words[-1] in _WHO_DOES)
    for place in range(last, -1, -1):
        word = words[place]
        # A noun for who does it is a thing unless it comes last: `home_manager_options`.
        if word in DEEDS and (place == last or not word.endswith(("er", "or"))):
            return word, DEEDS[word]
    return None


_OPERANDS: Final = word_set(
    "a addend b c dividend divisor first_number m minuend multiplicand multiplier n num num1 num2 number "
    "number1 number2 numbers nums second_number"
)
# Places on a screen or a map as well, so they count only if the name says that it is a sum.
_PLACES: Final = word_set("x x1 x2 y y1 y2 z value1 value2 first second")
_SUMS: Final = word_set("add divide multiply pow power subtract sum")
_NUMERIC: Final = word_set("array float int integer number")


def only_numbers(words: tuple[str, ...], params: tuple[tuple[str, str, bool], ...]) -> tuple[str, ...]:
    """The arguments of a calculation: `add(a, b)` adds nothing to anything."""
    if not params or len(words) > 5:
        return ()
    known = _OPERANDS if _SUMS.isdisjoint(words) else _OPERANDS | _PLACES
    if params[0][0].lower() not in known:
        return ()
    if all(name.lower() in known and kind in _NUMERIC for name, kind, _ in params):
        return tuple(name for name, _, _ in params)
    return ()


_MODELS: Final = word_set("chat completion completions prompt")
_ASKED: Final = word_set("max_tokens messages model models prompt query question temperature")


def asks_a_model(words: tuple[str, ...], params: tuple[tuple[str, str, bool], ...]) -> tuple[str, ...]:
    """The argument that tells that this goes to a model, and not, like a message, to a person."""
    if _MODELS.isdisjoint(words):
        return ()
    return next(((name,) for name, _, _ in params if name.lower() in _ASKED), ())


def makes_media(words: tuple[str, ...]) -> tuple[str, ...]:
    return words[-1:] if "to" in words[1:-1] and words[-1] in MEDIA else ()


def without_product(words: tuple[str, ...], siblings: tuple[str, ...]) -> tuple[str, ...]:
    """The words without the product's name: the first one of most tools, unless it is a verb or a thing."""
    words = without_things(without_products(words))
    if len(siblings) < 3 or len(words) < 2 or not _is_a_name(words[0]):
        return words
    return words[1:] if words[0] == _shared(siblings) else words


def without_server(words: tuple[str, ...], server: str) -> tuple[str, ...]:
    """The words without those in front that belong to the server's name."""
    named = _named(server)
    while len(words) > 1 and words[0] in named and _is_a_name(words[0]):
        words = words[1:]
    return words


def _is_a_name(word: str) -> bool:
    return not (word in THINGS or word in PLAIN or word in LOOSE or word in RAILS or surely_a_verb(word))


@lru_cache(maxsize=512)
def _named(server: str) -> frozenset[str]:
    return frozenset(part.lower() for part in _START.findall(server[:200]))


@lru_cache(maxsize=512)
def _shared(siblings: tuple[str, ...]) -> str:
    starts = Counter(found[0].lower() for name in siblings if (found := _START.match(name)))
    word, times = starts.most_common(1)[0] if starts else ("", 0)
    return word if times * 2 > len(siblings) else ""


def names_an_answer(words: tuple[str, ...], params: tuple[tuple[str, str, bool], ...]) -> tuple[str, ...]:
    """The words that name what is answered; empty if the tool takes content or a choice of what to do."""
    named = _naming(words[:-1] if len(words) > 1 and words[-1] in _TRAILING else words)
    if not named or not SECRETS.isdisjoint(words):
        return ()
    if named[0].endswith(_THOUGHTS):
        return named
    one = ((name, kind) for name, kind, _ in params if kind != "array")
    return () if any(_chooses_or_carries(name, kind) for name, kind in one) else named


def _chooses_or_carries(param: str, kind: str) -> bool:
    """True for `html_content`; `content_id` only says which, and `fields` as a text says what to answer."""
    parts = [part.lower() for part in _START.findall(param)]
    if not parts or parts[0] in _NARROWS or (parts[-1] == "fields" and kind in ("string", "array")):
        return False
    return parts[-1] in _CARRIES or parts[0] in ("new", "patch") or not _CHOOSES.isdisjoint(parts)


def _is_thought(word: str) -> bool:
    return word.endswith(_THOUGHTS) and word not in _THOUGHTS


def _naming(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words that name something. An unknown word may be a verb, and a bare plural its object: those say
    nothing."""
    if len(words) < 2:
        alone = words and (words[0] in _ANSWERS or _is_thought(words[0]))
        return words if alone else only_things(words)
    if words[0] in _ASKS or words[0] in _OF_MANY:
        return words[:1]
    if words[-1] in _ANSWERS or words[-1].endswith(_THOUGHTS):
        return words[-1:]
    if "to" in words[1:-1] and words[-1] in _FORMATS and words[words.index("to") - 1] in _FORMATS:
        return ("to",)
    if words[1] == "by" and words[0].endswith("s") and len(words) > 2:
        return ("by",)
    if "between" in words[1:-1]:
        return ("between",)
    return only_things(words)


# Arguments that ask for a part of many.
_PARTS: Final = word_set("""
    cursor end_date enddate from_date keyword keywords limit max_results maxresults num_results offset
    order_by orderby page page_number page_size pagenumber pagesize per_page perpage q search search_term
    search_query searchquery searchterm since skip sort sort_by sort_order sortby start_date startdate
    to_date top_k topk
""")


def asks_for(words: tuple[str, ...], params: tuple[tuple[str, str, bool], ...]) -> tuple[str, ...]:
    """The argument that says what, or which part; empty if one carries content or chooses what is done."""
    if not SECRETS.isdisjoint(words):
        return ()
    if any(_chooses_or_carries(name, kind) or name.lower() in RUNS_WHAT for name, kind, _ in params):
        return ()
    if params and all(name.lower() in _LOOKED_UP for name, _, _ in params):
        return (params[0][0],)
    return next(((name,) for name, _, _ in params if name.lower() in _PARTS), ())


def switches(verb: str, params: tuple[tuple[str, str, bool], ...]) -> tuple[str, ...]:
    """The flag that switches: `profile(enabled)` starts and ends it. A verb that looks may ask for what is
    enabled."""
    if verb in PLAIN or verb in LOOKS or verb in TOLD_LAST:
        return ()
    flags = ((name,) for name, kind, _ in params if name in ("enable", "enabled") and kind == "boolean")
    return next(flags, ())


# What these fetch or compare is only answered, too, unless an argument says where it is kept.
_FETCHES: Final = word_set("diff download export extract format report")
_KEPT_WHERE: Final = word_set("""
    output_dir output_directory output_file output_file_path output_path outputdir outputfile outputfilepath
    destination_dir destination_path destinationdir destinationpath output_filename outputfilename outputpath
    save_dir save_path savedir savepath target_dir target_path targetdir targetfilepath targetpath
""")


def kept_where(verb: str, params: tuple[tuple[str, str, bool], ...]) -> tuple[str, ...]:
    """The argument that says where the result is written to."""
    if verb not in MAKES_ANEW and verb not in _FETCHES:
        return ()
    names = [name for name, _, _ in params]
    if "overwrite" in names and "output" in names:
        return ("output",)
    return next(((name,) for name in names if name.lower() in _KEPT_WHERE), ())
