"""What is known about a server and its tools, read from whatever a stranger sent. Pure.

Facts only: names, titles, parameter names and types, the values to choose from, the standard hints. No
prose of a server is kept.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from catalog.classifier.choices import Choices, choices_of_schema, referred
from catalog.classify import Param
from catalog.lines import LONGEST_PARAM, MOST_PARAMS, line_of

HINTS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
LONGEST_NAME: Final = 128
LONGEST_TITLE: Final = 160
LONGEST_IDENTITY: Final = 400
MOST_TOOLS: Final = 5_000
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_ALSO: Final = {"int": "integer", "str": "string", "bool": "boolean", "float": "number", "list": "array"}
_PLAIN_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_NO_SLUG = re.compile(r"[^a-z0-9]+")


class Provenance(StrEnum):
    """How a tool came to be known, best last."""

    PARSED = "parsed"
    PUBLISHED = "published"
    SERVED = "served"


class FactRefused(Exception):  # noqa: N818
    """Why one entry is refused, in one sentence that repeats nothing from the entry."""


@dataclass(frozen=True, slots=True)
class ToolFact:
    name: str
    title: str = ""
    params: tuple[Param, ...] = ()
    annotations: Mapping[str, bool] = field(default_factory=dict)
    provenance: Provenance = Provenance.SERVED
    source: str = ""  # package and version, or repository, commit and path
    choices: Choices = ()


@dataclass(frozen=True, slots=True)
class ServerFact:
    """Repository, subfolder and package identify a server; `listed_as` replaces the latter two if both are
    missing."""

    slug: str
    title: str
    vendor: str = ""
    repository: str = ""
    subfolder: str = ""
    package: str = ""
    version: str = ""
    listed_as: str = ""
    registered: bool = False  # `listed_as` is its name in a registry, its publisher's alone
    transports: tuple[str, ...] = ()
    endpoint: str = ""
    headers: tuple[str, ...] = ()  # names of the headers that the endpoint must be sent
    checked: str = ""  # ISO date

    @property
    def identity(self) -> str:
        if self.package or self.subfolder:
            said = f"{self.repository}/{self.subfolder}#{self.package}"
        else:
            said = f"{self.repository}#~{self.listed_as or self.slug}"
        return said if len(said) <= LONGEST_IDENTITY else hashlib.sha256(said.encode()).hexdigest()


def read_tool(said: Mapping[str, Any], provenance: Provenance, source: str) -> ToolFact:
    """One entry of a `tools/list` answer."""
    hints = said.get("annotations")
    hints = hints if isinstance(hints, Mapping) else {}
    return ToolFact(
        name=tool_name(said.get("name")),
        title=line_of(said.get("title") or hints.get("title"), LONGEST_TITLE),
        params=tuple(params_of_schema(said.get("inputSchema"))),
        annotations=hints_of(hints),
        provenance=provenance,
        source=source,
        choices=choices_of_schema(said.get("inputSchema")),
    )


def tool_name(said: object) -> str:
    if not isinstance(said, str) or not said.strip():
        raise FactRefused("a tool without a name")
    if len(said) > LONGEST_NAME:
        raise FactRefused(f"a tool's name of more than {LONGEST_NAME} characters")
    if any(unicodedata.category(each) in ("Cc", "Cs", "Cn") for each in said):
        raise FactRefused("a tool's name with characters that are none")
    return said


def hints_of(said: object) -> dict[str, bool]:
    if not isinstance(said, Mapping):
        return {}
    return {hint: said[hint] for hint in HINTS if isinstance(said.get(hint), bool)}


def params_of_schema(schema: object) -> Iterator[Param]:
    """Name, type and whether it is required: the first level only, so no schema is too deep."""
    if not isinstance(schema, Mapping):
        return
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping):
        return
    must = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    for name, described in list(properties.items())[:MOST_PARAMS]:
        shown = line_of(name, LONGEST_PARAM)
        if shown:
            yield shown, _type_of(described, schema), name in must


def params_of_rows(rows: object) -> Iterator[Param]:
    """`[[name, type, required]]`, the form of our own lists."""
    for row in rows[:MOST_PARAMS] if isinstance(rows, list) else []:
        if isinstance(row, list) and len(row) == 3 and (name := line_of(row[0], LONGEST_PARAM)):
            yield name, _known_types(str(row[1]).split("|")), row[2] is True


def _type_of(described: object, schema: Mapping[str, Any]) -> str:
    for _ in range(4):  # a reference may lead to itself
        if not isinstance(described, Mapping):
            return "any"
        reference = described.get("$ref")
        if not isinstance(reference, str):
            break
        described = referred(reference, schema)
    if not isinstance(described, Mapping):
        return "any"
    kind = described.get("type")
    if isinstance(kind, str):
        return _known_types([kind])
    if isinstance(kind, list):
        return _known_types(kind)
    for several in ("anyOf", "oneOf"):
        choices = described.get(several)
        if isinstance(choices, list):
            kinds = [c.get("type") if isinstance(c, Mapping) else None for c in choices[:8]]
            return _known_types(kinds)
    return "string" if isinstance(described.get("enum"), list) else "any"


def _known_types(said: Iterable[object]) -> str:
    kinds = [_ALSO.get(str(kind), str(kind)) for kind in said]
    known = sorted({kind for kind in kinds if kind in _TYPES and kind != "null"})
    return "|".join(known) or "any"


def slug_of(text: str) -> str:
    """For an address: lower case and never empty; texts of which nothing readable is left get a digest."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = _NO_SLUG.sub("-", plain).strip("-")[:80].rstrip("-")
    return slug or "s-" + hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]


def tool_slug(name: str) -> str:
    """The name itself if it can be part of an address; otherwise a slug with a digest."""
    if _PLAIN_SLUG.match(name):
        return name
    return f"{slug_of(name)[:60]}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"
