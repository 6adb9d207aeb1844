"""A tool's arguments by its own schema: what a condition can be about, and which operators fit it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeAlias

from policies.language.document import Operator
from policies.language.lint_schema import but_null, choices, is_optional, properties, types
from policies.language.paths import member_path
from policies.language.schema_refs import resolved

Kind: TypeAlias = Literal["text", "number", "yesno", "list", "object", "any"]

MOST_ARGUMENTS: Final = 100
_DEEPEST: Final = 4
_LONGEST_PATH: Final = 300
_KINDS: Final[Mapping[str, Kind]] = {
    "string": "text",
    "number": "number",
    "integer": "number",
    "boolean": "yesno",
    "array": "list",
    "object": "object",
}
_WORDS: Final[Mapping[Kind, str]] = {
    "text": "text",
    "number": "number",
    "yesno": "yes/no",
    "list": "list",
    "object": "object",
    "any": "",
}
OPERATOR_WORDS: Final[Mapping[Operator, str]] = {
    "eq": "is",
    "neq": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "lt": "is less than",
    "lte": "is at most",
    "gt": "is more than",
    "gte": "is at least",
    "contains": "contains",
    "not_contains": "does not contain",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "matches": "matches as a whole",
    "regex": "contains the pattern",
    "under_path": "is below the path",
    "host_in": "is a URL at the host",
    "length_lte": "has a length of at most",
    "length_gte": "has a length of at least",
    "exists": "is present",
}
_OF_TEXT: Final[tuple[Operator, ...]] = (
    *("eq", "neq", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with"),
    *("matches", "regex", "under_path", "host_in", "length_lte", "length_gte", "exists"),
)
_FITTING: Final[Mapping[Kind, tuple[Operator, ...]]] = {
    "text": _OF_TEXT,
    "number": ("eq", "neq", "lt", "lte", "gt", "gte", "in", "not_in", "exists"),
    "yesno": ("eq", "exists"),
    "list": ("contains", "not_contains", "length_lte", "length_gte", "exists"),
    "object": ("exists", "length_lte", "length_gte"),
    "any": tuple(OPERATOR_WORDS),
}


@dataclass(frozen=True, slots=True)
class Argument:
    """`choices`: the texts, if the schema allows a list of them and nothing else. Bounds are for numbers.

    `element`: what a list holds. `held`: which of several tools have it, unless all do.
    """

    path: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: str = ""
    maximum: str = ""
    element: Kind = "any"
    held: str = ""

    @property
    def words(self) -> str:
        said = [word for word in (_WORDS[self.kind], "required" if self.required else "", self.held) if word]
        return f"{self.path} ({', '.join(said)})" if said else self.path

    @property
    def operators(self) -> tuple[Operator, ...]:
        return _FITTING[self.kind]


class _Spot(NamedTuple):
    """Where an argument is. `place` sorts spots as the schema lists them, each before what is inside it."""

    place: tuple[int, ...]
    path: str
    schema: object
    required: bool = False


def arguments_of(schema: object) -> tuple[Argument, ...]:
    """Returns a bounded number of arguments, and never fails: schemas come from servers."""
    found: list[_Spot] = []
    level = _below(resolved(schema), "args", ())
    for _ in range(_DEEPEST):
        # Level by level: the many parts of one argument must not push the other arguments out.
        kept = [*islice(level, MOST_ARGUMENTS - len(found))]
        found += kept
        level = (inner for spot in kept for inner in _inside(spot))
    found.sort(key=lambda spot: spot.place)
    return tuple(_argument(spot.schema, spot.path, spot.required) for spot in found)


def shared_arguments(schemas: Iterable[object]) -> tuple[Argument, ...]:
    """Returns the arguments of several tools, the most common first; one of two kinds becomes `any`."""
    by_path: dict[str, Argument] = {}
    times: Counter[str] = Counter()
    every = [*schemas]
    for schema in every:
        for argument in arguments_of(schema):
            before = by_path.get(argument.path, argument)
            kind: Kind = argument.kind if before.kind == argument.kind else "any"
            element: Kind = argument.element if before.element == argument.element else "any"
            by_path[argument.path] = Argument(argument.path, kind, element=element)
            times[argument.path] += 1
    return tuple(
        replace(by_path[path], held="" if count == len(every) else f"in {count} of {len(every)} tools")
        for path, count in times.most_common(MOST_ARGUMENTS)
    )


def argument_at(path: str, known: Iterable[Argument]) -> Argument:
    return next((argument for argument in known if argument.path == path), Argument(path, "any"))


def _below(schema: object, path: str, place: tuple[int, ...]) -> Iterator[_Spot]:
    for number, (name, inner) in enumerate((properties(schema) or {}).items()):
        # Unprintable names are spelt out: paths appear in controls, where nothing could mark them.
        at = path + (member_path(name)[len("args") :] if name.isprintable() else f"[{json.dumps(name)}]")
        if len(at) <= _LONGEST_PATH and not _is_odd(at):
            yield _Spot((*place, number), at, inner, is_optional(schema, name) is False)


def _inside(spot: _Spot) -> Iterator[_Spot]:
    schema = but_null(spot.schema)
    if _kind(schema) == "object":
        yield from _below(schema, spot.path, spot.place)
    items = schema.get("items") if isinstance(schema, Mapping) else None
    if _kind(schema) == "list" and isinstance(items, Mapping):
        yield _Spot((*spot.place, 0), f"{spot.path}[*]", items)


def _argument(schema: object, path: str, required: bool) -> Argument:
    schema = but_null(schema)
    kind = _kind(schema)
    listed = choices(schema) if kind == "text" else None
    texts = tuple(each for each in listed or () if isinstance(each, str) and not _is_odd(each))
    return Argument(
        path,
        kind,
        required,
        texts if listed and len(texts) == len(listed) <= MOST_ARGUMENTS else (),
        _bound(schema, "minimum") if kind == "number" else "",
        _bound(schema, "maximum") if kind == "number" else "",
        _kind(schema.get("items")) if kind == "list" and isinstance(schema, Mapping) else "any",
    )


def _kind(schema: object) -> Kind:
    kinds = {_KINDS[word] for word in (types(schema) or ()) if word != "null"}
    return kinds.pop() if len(kinds) == 1 else "any"


def _bound(schema: object, key: str) -> str:
    value = schema.get(key) if isinstance(schema, Mapping) else None
    return json.dumps(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _is_odd(text: str) -> bool:
    return not is_typable(text)


def is_typable(text: str) -> bool:
    """True if a single-line field gives the text back unchanged: no control characters or lone surrogates."""
    return all(" " <= character != "\x7f" and not "\ud800" <= character <= "\udfff" for character in text)
