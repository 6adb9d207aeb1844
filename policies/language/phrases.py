"""Conditions and limits in words, the same words wherever they are shown."""

import json
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from .document import Condition, JsonValue, Limit, Operator
from .exact import plain_text
from .sentences import rate_words, window_words

_LONGEST_VALUE = 80
_MARKS: Final = frozenset("“”")
# How a text of the policy appears in a sentence: as in code for agents, as in prose for people.
Quoted: TypeAlias = Callable[[str], str]


def in_code(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def in_prose(text: str) -> str:
    """Put a text in “quotation marks”; as in code if it holds such marks or invisible characters."""
    return f"“{text}”" if text.isprintable() and not _MARKS & {*text} else in_code(text)


def value_words(value: JsonValue, quoted: Quoted = in_prose) -> str:
    """Return as much of the value as is shown: a value in a policy may be a megabyte long."""
    if isinstance(value, str):
        return quoted(value if len(value) <= _LONGEST_VALUE else f"{value[: _LONGEST_VALUE - 1]}…")
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > _LONGEST_VALUE:
            return text[: _LONGEST_VALUE - 1] + "…"
    return text


def _pieces(value: JsonValue) -> Iterator[str]:
    if isinstance(value, list):
        yield "["
        for index, element in enumerate(value):
            yield ", " if index else ""
            yield from _pieces(element)
        yield "]"
    elif isinstance(value, dict):
        yield "{"
        for index, (key, inner) in enumerate(value.items()):
            yield f"{', ' if index else ''}{json.dumps(key)}: "
            yield from _pieces(inner)
        yield "}"
    elif isinstance(value, str):
        yield in_code(value[: _LONGEST_VALUE + 1])
    else:
        yield json.dumps(value) if isinstance(value, bool) or value is None else plain_text(value)


def is_words(condition: Condition, quoted: Quoted = in_prose) -> str:
    """Say what the condition asks of its argument, after a form of "is": `args.amount` ... "at most 500"."""
    value = condition.value
    if condition.op == "exists":
        return "present" if value is True else "absent"
    if condition.op in ("in", "not_in", "host_in"):
        return _membership(condition.op, value if isinstance(value, list) else [value], quoted)
    return IS[condition.op].format(value_words(value, quoted))


IS: dict[Operator, str] = {
    "eq": "{}",
    "neq": "anything but {}",
    "lt": "less than {}",
    "lte": "at most {}",
    "gt": "more than {}",
    "gte": "at least {}",
    "contains": "something that contains {}",
    "not_contains": "something without {}",
    "starts_with": "a text that begins with {}",
    "ends_with": "a text that ends with {}",
    "regex": "a text in which the pattern {} is found",
    "matches": "a text that the pattern {} matches as a whole",
    "length_lte": "at most {} long",
    "length_gte": "at least {} long",
    "under_path": "a path that is or lies below {}",
}


def _membership(op: Operator, values: list[JsonValue], quoted: Quoted) -> str:
    listing = ", ".join(value_words(value, quoted) for value in values[:6]) or "nothing"
    listing += f" and {len(values) - 6} more" if len(values) > 6 else ""
    if op == "host_in":
        return f"a URL whose host is one of {listing}"
    return f"one of {listing}" if op == "in" else f"none of {listing}"


def condition_words(
    condition: Condition, verb: str = "is", each: str = "every", quoted: Quoted = in_prose
) -> str:
    """`each`: how a path with `[*]` is read, as *every* value in a requirement, as *any* elsewhere."""
    subject = f"{each} {condition.path.text}" if condition.path.quantified else condition.path.text
    return f"{subject} {verb} {is_words(condition, quoted)}"


def of_argument(condition: Condition, each: str = "any") -> str:
    """Say it as a person looking at the arguments would: "amount is more than 500"."""
    subject = condition.path.text.removeprefix("args").removeprefix(".") or "what is asked for"
    return f"{f'{each} ' if condition.path.quantified else ''}{subject} is {is_words(condition)}"


MUST_BE: dict[Operator, str] = {
    "eq": "it must hold only numbers that 64-bit computers read exactly",
    "neq": "it must hold only numbers that 64-bit computers read exactly",
    "in": "it must hold only numbers that 64-bit computers read exactly",
    "not_in": "it must hold only numbers that 64-bit computers read exactly",
    "lt": "it must be a number",
    "lte": "it must be a number",
    "gt": "it must be a number",
    "gte": "it must be a number",
    "contains": "it must be a text or a list",
    "not_contains": "it must be a text or a list",
    "starts_with": "it must be a text",
    "ends_with": "it must be a text",
    "regex": "it must be a text",
    "matches": "it must be a text",
    "exists": "it must be reachable",
    "length_lte": "it must be a text, a list or an object",
    "length_gte": "it must be a text, a list or an object",
    "under_path": "it must be a path that begins with / and holds no backslash",
    "host_in": "it must be a URL like https://example.com/page",
}


def limit_words(limit: Limit) -> str:
    if limit.increment_from is None:
        words = f"at most {rate_words(limit.max, limit.window_seconds)}"
    else:
        window = window_words(limit.window_seconds)
        words = f"{limit.increment_from.text} adds up to at most {limit.max:,} {window}"
    return words + _counted_for(limit)


def over_words(limit: Limit) -> str:
    """Say what was wrong with a call that the limit held back: "over 30 calls per minute for each grant"."""
    if limit.increment_from is None:
        words = f"over {rate_words(limit.max, limit.window_seconds)}"
    else:
        window = window_words(limit.window_seconds)
        words = f"{limit.increment_from.text} over {limit.max:,} {window}"
    return words + _counted_for(limit)


def _counted_for(limit: Limit) -> str:
    apart = ["each grant"] if limit.scope == "grant" else []
    apart += [f"each {limit.key.text}"] if limit.key is not None else []
    together = {
        "grant": "",
        "server": ", all grants of the server together",
        "organization": ", the whole organization together",
    }
    return (f" for {' and '.join(apart)}" if apart else "") + together[limit.scope]
