"""What a name leaves open, so that what its server says besides may say less than it. Pure."""

from __future__ import annotations

from catalog.classifier.said import Said
from catalog.classifier.verbs import RANK, in_context, verb_of
from catalog.classifier.vocabulary import (
    COMMAND_WORDS,
    EXECUTE,
    LEFT_OPEN,
    READ,
    SAYS_LITTLE,
    SENT_OFF,
    TOLD_OF_IT,
    WRITE,
)


def leaves_open(verb: str, words: tuple[str, ...], *, plain: bool) -> bool:
    """`code_generate`, `route_optimize`, `shell_which`: a noun, too, or a verb that says little."""
    if plain:
        return (verb in SENT_OFF and words[-1] in TOLD_OF_IT) or verb == words[-1] == "change"
    if verb in COMMAND_WORDS and verb != words[-1]:
        return True
    if RANK[in_context(verb, words)] > RANK[WRITE]:
        return False
    return verb in SAYS_LITTLE or (verb == words[-1] and verb in LEFT_OPEN)


def holds(led: Said, verb: str, words: tuple[str, ...], *, is_open_name: bool) -> bool:
    """`delete`, “Returns the deleted item.”: whoever describes a tool does not talk its name away."""
    if words == (verb,) and in_context(verb, words) is EXECUTE:
        return led.tool_class is READ
    return not is_open_name


def says_nothing_worse(words: tuple[str, ...]) -> bool:
    """Whether a name may be marked read-only."""
    found = verb_of(words)
    if not found:
        return True
    verb, plain = found
    return in_context(verb, words) is READ or leaves_open(verb, words, plain=plain)
