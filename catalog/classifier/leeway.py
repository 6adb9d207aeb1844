"""What a name leaves open, so that what its server says besides may lower the class. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from catalog.classifier.clauses import Sentence, sentences_of
from catalog.classifier.inflected import INFLECTED
from catalog.classifier.said import Said
from catalog.classifier.verbs import RANK, in_context, verb_of
from catalog.classifier.vocabulary import (
    COMMAND_WORDS,
    EXECUTE,
    LEFT_OPEN,
    PLAIN,
    READ,
    SAYS_LITTLE,
    SENT_OFF,
    TOLD_OF_IT,
    WRITE,
    word_set,
)

# What begins with one of these looks and does no more; validating or previewing may come before a deed.
ONLY_LOOKS: Final = word_set(
    "analyse analyze browse compare describe fetch find get list read retrieve search"
)
_TAKEN_FOR_GRANTED: Final = (
    ("destructiveHint", True),
    ("readOnlyHint", False),
    ("idempotentHint", False),
    ("openWorldHint", True),
)
_THEN: Final = word_set("and or then to")


def leaves_open(verb: str, words: tuple[str, ...], *, plain: bool) -> bool:
    """True for `code_generate`, `route_optimize`, `shell_which`: also a noun, or a verb that says little."""
    if plain:
        return (verb in SENT_OFF and words[-1] in TOLD_OF_IT) or verb == words[-1] == "change"
    if verb in COMMAND_WORDS and verb != words[-1]:
        return True
    if RANK[in_context(verb, words)] > RANK[WRITE]:
        return False
    return verb in SAYS_LITTLE or (verb == words[-1] and verb in LEFT_OPEN)


def holds(led: Said, verb: str, words: tuple[str, ...], description: str, *, is_open_name: bool) -> bool:
    """True if no description may talk the name away: `delete`, “Returns the deleted item.”."""
    if words == (verb,) and in_context(verb, words) is EXECUTE:
        return led.tool_class is READ
    return not (is_open_name or _is_looked_at(led, verb, words, description))


def _is_looked_at(led: Said, verb: str, words: tuple[str, ...], description: str) -> bool:
    """True for `open_task_details`, “Get details …”: a word that is as often a noun, and it only looks.

    Not if the description does in the end what the name says: “Find the position and close it”.
    """
    if verb in PLAIN or led.tool_class is not READ or in_context(verb, words) is not WRITE:
        return False
    sentences = sentences_of(description)
    begins = INFLECTED.get(sentences[0][0]) if sentences else ""
    return begins in ONLY_LOOKS and not any(_comes_to(said, verb) for said in sentences)


def _comes_to(said: Sentence, verb: str) -> bool:
    return any(
        INFLECTED.get(word) == verb and (place == 0 or word.endswith("ing") or said[place - 1] in _THEN)
        for place, word in enumerate(said)
    )


def say_nothing(hints: Mapping[str, object]) -> bool:
    """True if the hints only spell out all of the protocol's defaults."""
    return all(hints.get(hint) is value for hint, value in _TAKEN_FOR_GRANTED)


def says_nothing_worse(words: tuple[str, ...]) -> bool:
    """True if a read-only hint does not contradict the name."""
    found = verb_of(words)
    if not found:
        return True
    verb, plain = found
    return in_context(verb, words) is READ or leaves_open(verb, words, plain=plain)
