"""What a tool lets its caller choose to do: `manage_issue(action: get | close | delete)`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from catalog.classifier.money import is_about_money
from catalog.classifier.rare import rare_verb
from catalog.classifier.verbs import RANK, in_context, verb_of
from catalog.classifier.vocabulary import LOOSE, PLAIN, ToolClass, word_set
from catalog.lines import LONGEST_PARAM, MOST_PARAMS, line_of

Choices: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]

# Values kept for one parameter, and for one tool in all.
MOST_VALUES: Final = 60
MOST_KEPT: Final = 240
LONGEST_VALUE: Final = 60
_CHOOSES: Final = word_set("action actions command method op operation operations verb")
# `dropIndexSuggestions` names what is answered.
_ADVICE: Final = word_set("candidates recommendations suggestions")
# These write a call down and do not make it: `add_request(method)`.
_WRITTEN_DOWN: Final = word_set("add create define edit insert register save set update")
# These look through calls and do not make them either: `list_requests(method)`.
_LOOKS_THROUGH: Final = word_set("analyze filter find get list monitor observe search show trace watch")
_OF_HTTP: Final = frozenset({"get", "post"})
# Operations on numbers change nothing else.
_SUMS: Final = word_set("average divide max min modulo multiply pow subtract sum")
_PART: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
# The schema of a parameter may consist of other schemas, and a reference may lead back to it.
_MOST_PARTS: Final = 120
# Values read for one tool, however few of them are kept.
_MOST_READ: Final = 5 * MOST_KEPT


@dataclass(frozen=True, slots=True)
class Chosen:
    """The worst. `is_plain`: its verb is hardly ever anything else; `all_known`: all others say something."""

    param: str
    value: str
    tool_class: ToolClass
    is_plain: bool
    all_known: bool


def choices_of_schema(schema: object) -> Choices:
    """The choices in whatever a stranger calls a schema: only its first level, and only texts."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(properties, Mapping):
        return ()
    return _kept((name, _values(described, schema)) for name, described in _first(properties))


def choices_of_rows(rows: object) -> Choices:
    """`{"action": ["get", "delete"]}`, the form of our own lists."""
    return (
        _kept((name, _listed(values)) for name, values in _first(rows)) if isinstance(rows, Mapping) else ()
    )


def _first(said: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return list(said.items())[:MOST_PARAMS]


def _kept(said: Iterable[tuple[Any, Iterable[object]]]) -> Choices:
    """Bounded choices. A parameter that says what is done comes first: no list of colours takes its place."""
    named = [(line_of(name, LONGEST_PARAM), values) for name, values in said]
    kept: dict[str, tuple[str, ...]] = {}
    left, turns = MOST_KEPT, iter(range(_MOST_READ))
    for name, values in sorted(named, key=lambda one: not chooses(one[0])):
        if name and name not in kept and (fits := _texts(values, min(left, MOST_VALUES), turns)):
            kept[name] = fits
            left -= len(fits)
    return tuple(kept.items())


@lru_cache(maxsize=4096)
def chooses(name: str) -> bool:
    """True if an argument of this name says what is done."""
    return bool(parts := _PART.findall(name)) and parts[-1].lower() in _CHOOSES


def _listed(values: object) -> list[object]:
    return values[:MOST_VALUES] if isinstance(values, list) else []


def _texts(values: Iterable[object], most: int, turns: Iterator[int]) -> tuple[str, ...]:
    """Distinct texts, while there are turns: a short schema can refer to one list from everywhere."""
    found: dict[str, None] = {}
    for _, one in zip(turns if most else (), values, strict=False):
        line = line_of(one, LONGEST_VALUE + 1)
        if 0 < len(line) <= LONGEST_VALUE:
            found[line] = None
        if len(found) == most:
            break
    return tuple(found)


def _values(described: object, schema: Mapping[str, Any]) -> Iterator[object]:
    """The values of a parameter and of the schemas that it consists of."""
    parts = [described]
    for part in parts:  # grows in the loop
        if isinstance(part, Mapping):
            yield from _listed(part.get("enum"))
            yield from [part["const"]] if "const" in part else []
            parts += _made_of(part, schema)[: _MOST_PARTS - len(parts)]


def _made_of(part: Mapping[str, Any], schema: Mapping[str, Any]) -> list[object]:
    made: list[object] = [part["items"]] if "items" in part else []
    for several in ("anyOf", "oneOf", "allOf"):
        more = part.get(several)
        made += more[:MOST_VALUES] if isinstance(more, list) else []
    if isinstance(reference := part.get("$ref"), str):
        made.append(referred(reference, schema))
    return made


def referred(reference: str, schema: Mapping[str, Any]) -> object:
    """What a reference such as `#/$defs/Name` leads to, within the schema itself."""
    found: object = schema
    for step in reference.removeprefix("#/").split("/")[:6]:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


@lru_cache(maxsize=4096)
def _words(value: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in _PART.findall(value))


def worst_choice(words: tuple[str, ...], choices: Choices, siblings: tuple[str, ...]) -> Chosen | None:
    """The worst value that can be chosen; None if none says anything. A parameter with a sum is skipped."""
    things = tuple(word for word in words if word not in PLAIN and word not in LOOSE)
    found: list[tuple[str, str, ToolClass, bool]] = []
    unknown = False
    for param, values in choices:
        told = {value.lower() for value in values}
        if not chooses(param) or not _SUMS.isdisjoint(told):
            continue
        if words and told >= _OF_HTTP and (words[0] in _WRITTEN_DOWN or words[0] in _LOOKS_THROUGH):
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
    if len(said) > 2 and said[-1] in _ADVICE:
        return ToolClass.READ, True
    verb, plain = verb_of(said) or (rare_verb(said), False)
    if verb is None:
        return None
    together = said + things
    tool_class = in_context(verb, together)
    if is_about_money(verb, tool_class, together, siblings):
        tool_class = ToolClass.FINANCIAL
    return tool_class, plain
