"""What a tool lets its caller choose to do: `manage_issue(action: get | close | delete)`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from catalog.money import is_about_money
from catalog.rare import rare_verb
from catalog.verbs import RANK, in_context, verb_of
from catalog.vocabulary import LOOSE, PLAIN, ToolClass, word_set

Choices: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]

MOST_VALUES: Final = 60
LONGEST_VALUE: Final = 60
_CHOOSES: Final = word_set("action actions command method op operation operations verb")
# What is done to numbers is done to nothing else.
_SUMS: Final = word_set("average divide max min modulo multiply pow subtract sum")
_PART: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_LEVELS: Final = 4


@dataclass(frozen=True, slots=True)
class Chosen:
    """The worst. `is_plain`: its verb is hardly ever anything else; `all_known`: all others say something."""

    param: str
    value: str
    tool_class: ToolClass
    is_plain: bool
    all_known: bool


def choices_of_schema(schema: object) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The first level only, whatever a stranger calls a schema."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(properties, Mapping):
        return
    for name, described in list(properties.items())[:200]:
        if isinstance(name, str) and _chooses(name) and (values := _values(described, schema, _LEVELS)):
            yield name, tuple(dict.fromkeys(values))[:MOST_VALUES]


def choices_of_rows(rows: object) -> Choices:
    """`{"action": ["get", "delete"]}`, the form of our own lists."""
    if not isinstance(rows, Mapping):
        return ()
    found = ((str(name), tuple(_texts(values))[:MOST_VALUES]) for name, values in rows.items())
    return tuple((name, values) for name, values in found if values and _chooses(name))


def _chooses(name: str) -> bool:
    return bool(parts := _PART.findall(name[:80])) and parts[-1].lower() in _CHOOSES


def _texts(values: object) -> list[str]:
    if not isinstance(values, list):
        return []
    return [one for one in values[:MOST_VALUES] if isinstance(one, str) and 0 < len(one) <= LONGEST_VALUE]


def _values(described: object, schema: Mapping[str, Any], levels: int) -> list[str]:
    if not isinstance(described, Mapping) or not levels:
        return []
    found = _texts(described.get("enum")) + _texts([described.get("const")])
    parts = [described.get("items")]
    for several in ("anyOf", "oneOf"):
        more = described.get(several)
        parts += more[:MOST_VALUES] if isinstance(more, list) else []
    if isinstance(reference := described.get("$ref"), str):
        parts.append(_referred(reference, schema))
    for part in parts:
        found += _values(part, schema, levels - 1)
    return found[:MOST_VALUES]


def _referred(reference: str, schema: Mapping[str, Any]) -> object:
    found: object = schema
    for step in reference.removeprefix("#/").split("/")[:6]:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


@lru_cache(maxsize=4096)
def _words(value: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in _PART.findall(value))


def worst_choice(words: tuple[str, ...], choices: Choices, siblings: tuple[str, ...]) -> Chosen | None:
    """Among all that can be chosen; None where no value says anything, or all of them are sums."""
    things = tuple(word for word in words if word not in PLAIN and word not in LOOSE)
    found: list[tuple[str, str, ToolClass, bool]] = []
    unknown = False
    for param, values in choices:
        if not _SUMS.isdisjoint(value.lower() for value in values):
            continue
        for value in values:
            judged = _judged(_words(value), things, siblings)
            unknown |= judged is None
            found += [(param, value, *judged)] if judged else []
    if not found:
        return None
    return Chosen(*max(found, key=lambda one: RANK[one[2]]), not unknown)


def _judged(
    said: tuple[str, ...], things: tuple[str, ...], siblings: tuple[str, ...]
) -> tuple[ToolClass, bool] | None:
    verb, plain = verb_of(said) or (rare_verb(said), False)
    if verb is None:
        return None
    together = said + things
    tool_class = in_context(verb, together)
    if is_about_money(verb, tool_class, together, (), siblings):
        tool_class = ToolClass.FINANCIAL
    return tool_class, plain
