"""The standard sentences, and the codes an agent may see.

Sentences name tools, paths, counters and numbers of the policy. They never hold the value of an argument.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from .document import WINDOW_WORDS

Thing = Literal["tool", "resource", "prompt"]

_NOT_AVAILABLE: Final = frozenset({"hidden", "default_deny", "not_listed"})
_MOST_PATHS = 8
# 90 seconds and 36 hours are said like that; 5,000 seconds are not.
_MOST_OF_A_UNIT = 120
_UNITS: Final = tuple(sorted(WINDOW_WORDS.items(), reverse=True))
_LONGEST_PATH = 120


def wire_code(code: str) -> str:
    """Return the code for the agent. Only the log tells hidden, default-denied and unlisted tools apart."""
    return "not_available" if code in _NOT_AVAILABLE else code


def not_available_sentence(name: str, thing: Thing = "tool") -> str:
    return f"No {thing} named {name} is available here."


def no_policy_sentence() -> str:
    return "This grant has no policy, so every call is denied."


def malformed_sentence() -> str:
    return "The arguments must be a JSON object."


def denied_sentence(tool: str, paths: Sequence[str] = ()) -> str:
    """`paths`: what decided, for organizations that explain denials."""
    return f"This call of {tool} is not allowed{': ' + listed(paths) if paths else ''}."


def requirement_failed_sentence(tool: str, paths: Sequence[str]) -> str:
    return f"These arguments of {tool} are not allowed: {listed(paths)}."


def undecidable_sentence(path: str, must_be: str) -> str:
    return f"{_clipped(path)} cannot be judged: {must_be}."


def named_twice_sentence() -> str:
    return (
        "Some servers take an argument of this call for another one, which a rule reads: its name differs by "
        "case, or is __proto__."
    )


def limit_exceeded_sentence(tool: str, retry_after_seconds: int | None) -> str:
    return f"{tool} has reached a limit; {_again(retry_after_seconds)}."


def limit_explained_sentence(
    tool: str, most: int, window_seconds: int, retry_after_seconds: int | None, adds_up: str = ""
) -> str:
    """`adds_up`: the path of the argument whose values are added up, where calls are not counted."""
    if adds_up:
        most_words = f"{most:,} {window_words(window_seconds)}"
        return (
            f"{_clipped(adds_up)} of {tool} adds up to at most {most_words}; {_again(retry_after_seconds)}."
        )
    return f"{tool} is limited to {rate_words(most, window_seconds)}; {_again(retry_after_seconds)}."


def limiter_unavailable_sentence(tool: str) -> str:
    return f"The limits of {tool} cannot be checked now; try again."


def approval_required_sentence(tool: str) -> str:
    return f"{tool} needs a person's approval."


def approval_declined_sentence() -> str:
    return "A person declined this call."


def approval_expired_sentence() -> str:
    return "The approval came or was used too late. Repeat the call to ask again."


def listed(items: Iterable[str], last: str = "and") -> str:
    """Join the items, each of them once, and leave out a long tail."""
    unique = list(dict.fromkeys(map(_clipped, items)))
    if len(unique) > _MOST_PATHS:
        return ", ".join(unique[:_MOST_PATHS]) + f" {last} {len(unique) - _MOST_PATHS} more"
    return f" {last} ".join(filter(None, (", ".join(unique[:-1]), unique[-1]))) if unique else "none"


def _clipped(path: str) -> str:
    return path if len(path) <= _LONGEST_PATH else path[:_LONGEST_PATH] + "…"


def rate_words(most: int, window_seconds: int, unit: str = "call") -> str:
    plural = "" if most == 1 else "s"
    return f"{most:,} {unit}{plural} {window_words(window_seconds)}"


def window_words(window_seconds: int) -> str:
    one = window_seconds in WINDOW_WORDS
    return f"{'per' if one else 'every'} {span_words(window_seconds)}"


def a_span(seconds: int) -> str:
    """Say a span as after "for" or "in": a minute, an hour, 15 minutes."""
    words = span_words(seconds)
    if seconds not in WINDOW_WORDS:
        return words
    return f"an {words}" if words == "hour" else f"a {words}"


def span_words(seconds: int) -> str:
    """Say a span in the units people use: minute, 15 minutes, 90 seconds, 1 hour and 1 second."""
    count, word = whole_span(seconds)
    if count <= _MOST_OF_A_UNIT:
        return word if count == 1 else f"{count} {word}s"
    parts = []
    for length, word in _UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {word}{'' if count == 1 else 's'}")
    return listed(parts)


def whole_span(seconds: int) -> tuple[int, str]:
    """Return the span as a whole number of the largest unit that divides it, and that unit's word."""
    return next((seconds // length, word) for length, word in _UNITS if seconds % length == 0)


def _again(retry_after_seconds: int | None) -> str:
    if retry_after_seconds is None:
        return "it asks for more than the limit ever allows"
    return f"try again in {retry_after_seconds} s"
