"""Finds the part of a description that says what its tool does, as sentences of words. Pure.

What is meant for the caller is left out: labels in front, a price, what it needs and when to call it. Of
“Call after `validate` to screen a company” only what follows the “to” is kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_letters
from typing import Final, TypeAlias

from catalog.classifier.inflected import ANSWERS_WITH, INFLECTED, PARTICIPLES
from catalog.classifier.things import THINGS
from catalog.classifier.vocabulary import TOLD_LAST, word_set

Sentence: TypeAlias = tuple[str, ...]

READ: Final = 480
MOST: Final = 3
# Lower-case letters, and a space for everything else.
_LETTERS: Final = bytes(ord(chr(byte).lower()) if chr(byte) in ascii_letters else 32 for byte in range(256))
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
# `[blueprint]`, `<use_case>`, symbols and emoji.
_IN_FRONT: Final = re.compile(r"(?:\s|\[[^\]\n]{1,40}\]|<[^>\n]{1,40}>|\([^)\n]{1,40}\)|[^\w\s'\"`(\[<$]+)+")
_BETWEEN: Final = re.compile(r"[.!?;:\n—–-](?:(?<=\n)|(?=\s))[\s*•#-]*")
_PRICED: Final = re.compile(r"[$€£]\s?\d|\d\s?(?:usdc?|sats|credits?)\b|\bx402\b", re.IGNORECASE)
_LONGEST_PRICE: Final = 9
# A sentence that begins with one of these says what the tool needs or is like.
_ASIDES: Final = word_set("""
    alias beta caution cheap cost costs deprecated don example examples experimental free important needs
    never note paid prerequisite prerequisites recommended required requires slow step tip todo warning
""")
# A sentence other than the first that begins with one of these says what to pass.
_GIVEN: Final = word_set("enter include omit pass provide set specify supply")
# Said about how it is done.
_HOW: Final = word_set("advanced also always auto batch bulk force only please safely")
_CALLED: Final = word_set("call if invoke prefer run use used useful using when whenever")
# After one of _RUN_TOO, these say when.
_WHEN: Final = word_set("""
    after as at before early every first for if immediately in instead it me once only periodically right
    sparingly the this to tool when whenever with you
""")
_SUBORDINATES: Final = word_set("after based before for from given if once using when whenever with")
_RUN_TOO: Final = word_set("call invoke run")
_QUESTIONS: Final = word_set("are can could did do does has have is should was will would")
# “Enables searching across notes”, “A tool that lists pods”: what follows is what is done.
_LETS: Final = word_set("allow allows enable enables help helps let lets permit permits support supports")
_TOOLS: Final = word_set("""
    action api command endpoint function helper interface method service tool utility wrapper
""")
_TOOLS_FOR: Final = word_set("builder editor manager tool")
_OF_TOOLS: Final = word_set("allows can designed enables for lets that to used which will")
_BEFORE_TOOLS: Final = word_set("a an the this") | _TOOLS
_WITHIN: Final = 8
# A sentence that begins with one of these is not shortened in front.
_BEGINS_PLAINLY: Final = frozenset(INFLECTED) - _ASIDES - _CALLED - _HOW - _SUBORDINATES
_OPERATIONS: Final = word_set("action command endpoint function method operation tool")
_INVOKES: Final = word_set("call calls execute executes invoke invokes perform performs run runs")
_THE_TOOL: Final = word_set("api function tool")
# Put after a label that no deed follows: “Company intelligence: owners, filings”.
LABEL: Final = ":"
# Put after a question: “Is this address worth sending to?”
ASKED: Final = "?"
# A line that goes on.
_BROKEN: Final = re.compile(r"\n(?=[a-z])")
_LABELS: Final = {":": 3} | dict.fromkeys("—–-", 8)
_INITIALS: Final = re.compile(r"[A-Z]{2,5}\b")


def sentences_of(description: str) -> tuple[Sentence, ...]:
    return _sentences(description[:READ])


# Cached: the description of one tool is asked for more than once.
@lru_cache(maxsize=64)
def _sentences(text: str) -> tuple[Sentence, ...]:
    text = without_accents(text).replace("Re-", "Re").replace(" re-", " re")
    kept: list[Sentence] = []
    is_label = is_later = False
    for part, end in _parts(text):
        words = words_in(part)
        words = _without_operation(words)
        if not words or words[0] not in _BEGINS_PLAINLY:
            words = _without_tool(_without_when(_without_how(words), part))
        elif words[0] in _LETS:
            words = _what_is_let(words)
        if not words or _is_aside(words, part) or (is_later and words[0] in _GIVEN):
            is_later = True
            continue
        if is_label and _is_of(kept[-1], words[0]):
            break
        if is_label and (_does(words[0]) or words[0] == "perform") and not _is_shouted(part):
            kept.clear()
        is_label = not is_later and len(words) <= _LABELS.get(end, 0) and not _is_verb(words[0])
        names = is_label or (not is_later and _is_initials(words[0], part))
        kept.append((*words, LABEL) if names else (*words, ASKED) if _asks(words, end) else words)
        if len(kept) == MOST:
            break
        is_later = True
    return tuple(kept)


def parts_of(description: str) -> Iterator[Sentence]:
    """Every sentence, including asides."""
    return (words_in(part) for part, _ in _parts(_BROKEN.sub(" ", description[:READ])))


def without_accents(text: str) -> str:
    return text if text.isascii() else _ACCENTS.sub("", unicodedata.normalize("NFD", text))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Each sentence, and the character after it."""
    in_front = _IN_FRONT.match(text)
    start = in_front.end() if in_front else 0
    for found in _BETWEEN.finditer(text, start):
        yield text[start : found.start()], found[0][0]
        start = found.end()
    yield text[start:], ""


def words_in(part: str) -> Sentence:
    return tuple(part.encode("ascii", "replace").translate(_LETTERS).decode("ascii").split())


def _asks(words: Sentence, end: str) -> bool:
    return end == ASKED and words[0] in _QUESTIONS


def _is_verb(word: str) -> bool:
    return word in INFLECTED or word in ANSWERS_WITH


def _does(word: str) -> bool:
    return _is_verb(word) and word not in PARTICIPLES


def _is_of(label: Sentence, word: str) -> bool:
    """True for “Policy summary: groups, rules”: the label says what is answered, and of what."""
    return len(label) > 1 and label[-2] in TOLD_LAST and word in THINGS


def _is_shouted(part: str) -> bool:
    """True for “CLEAN / SUSPICIOUS”: the possible answers."""
    return part.isupper()


def _is_initials(word: str, part: str) -> bool:
    """True for “DEX pairs”: an abbreviation, not a deed."""
    found = _INITIALS.match(part) if part[1:2].isupper() else None
    return found is not None and found[0].lower() == word and word not in INFLECTED


def _is_aside(words: Sentence, part: str) -> bool:
    return words[0] in _ASIDES or (len(words) <= _LONGEST_PRICE and _PRICED.search(part) is not None)


def _without_how(words: Sentence) -> Sentence:
    """Reduce “Permanently delete …” to what is done."""
    while len(words) > 1 and (words[0] in _HOW or (words[0].endswith("ly") and words[0] not in INFLECTED)):
        words = words[1:]
    return words


def _without_when(words: Sentence, part: str) -> Sentence:
    """Reduce “Use this to …” to what follows; empty if nothing does."""
    if not words:
        return words
    if words[0] in _SUBORDINATES and "," in part:
        # “When a law is named, resolve it”
        behind = words_in(part.partition(",")[2])
        return behind if behind and _does(behind[0]) else ()
    if words[0] not in _CALLED or (words[0] in _RUN_TOO and not _says_when(words)):
        return words
    for place, word in enumerate(words[:-1]):
        verb = words[place + 1]
        if word == "to" and verb.endswith("ly") and place + 2 < len(words):
            return words[place + 2 :]
        if (word == "to" and verb in INFLECTED) or (word == "for" and verb.endswith("ing")):
            return words[place + 1 :]
    return ()


def _without_operation(words: Sentence) -> Sentence:
    """Reduce “Invoke the pull_image operation” to what it is called: that says no more than the name."""
    if words[2:] and words[-1] in _OPERATIONS and words[1] == "the" and words[0] in _INVOKES:
        return words[2:-1]
    return words


def _without_tool(words: Sentence) -> Sentence:
    """Reduce “A tool that lists pods” to what it does; leave “A simple tool” as it is."""
    if len(words) < 4:
        return words
    if words[0] not in _BEFORE_TOOLS:
        # “Asset tool to list …”
        is_tool = words[1] in _TOOLS_FOR and words[2] == "to" and not _is_verb(words[0])
        return words[3:] if is_tool and (_does(words[3]) or words[3] == "perform") else words
    at = next((place for place, word in enumerate(words[:5]) if word in _TOOLS), -1)
    behind = words[at + 1 :]
    if at < 0 or len(behind) < 2 or behind[0] not in _OF_TOOLS or not _does(behind[1]):
        return words
    return _what_is_let(behind) if behind[0] in _LETS else behind[1:]


def _what_is_let(words: Sentence) -> Sentence:
    """Reduce “Enables agents to search” and “Allows reading” to the deed."""
    if words[1:2] and words[1].endswith("ing") and words[1] in INFLECTED:
        return words[1:]
    to = next((place for place, word in enumerate(words[:_WITHIN]) if word == "to"), -1)
    return words[to + 1 :] if to > 0 and words[to + 1 : to + 2] and _does(words[to + 1]) else words


def _says_when(words: Sentence) -> bool:
    if len(words) < 2 or words[1] not in _WHEN:
        return False
    return words[1] != "the" or (len(words) > 2 and words[2] in _THE_TOOL)
