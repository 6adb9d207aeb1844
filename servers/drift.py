"""What changed between two scans of a server, in words. Pure.

A changed definition has no class until its policy is published again, so people are told exactly what moved.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

SHOWN = 5


class Definition(Protocol):
    """A tool as one scan saw it. The rows that store tools fit this protocol, too."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def input_schema(self) -> Mapping[str, Any]: ...
    @property
    def annotations(self) -> Mapping[str, Any]: ...
    @property
    def digest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Change:
    tool: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def drift_between(before: Iterable[Definition], now: Iterable[Definition]) -> Drift:
    old = {definition.name: definition for definition in before}
    new = {definition.name: definition for definition in now}
    return Drift(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(
            Change(name, describe_change(old[name], definition))
            for name, definition in new.items()
            if name in old and old[name].digest != definition.digest
        ),
    )


def describe_change(before: Definition, now: Definition) -> tuple[str, ...]:
    """Returns at least one sentence: if nothing that we keep differs, the rest of the definition does."""
    sentences = [
        *_arguments(now.name, _properties(before), _properties(now)),
        *_required(now.name, before.input_schema, now.input_schema),
        *_hints(now.name, before.annotations, now.annotations),
    ]
    if before.description != now.description:
        sentences.append(f"{now.name} has another description.")
    return tuple(sentences) or (f"{now.name} is defined differently.",)


def _arguments(tool: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    gained = [name for name in now if name not in before]
    lost = [name for name in before if name not in now]
    altered = [name for name in now if name in before and now[name] != before[name]]
    for names, verb in ((gained, "gained"), (lost, "lost")):
        if names:
            yield f"{tool} {verb} the {_listed('argument', names)}."
    if altered:
        yield f"{tool} takes the {_listed('argument', altered)} differently."


def _required(tool: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    old, new = _names(before.get("required")), _names(now.get("required"))
    if wanted := [name for name in new if name not in old]:
        yield f"{tool} now requires {_some(wanted)}."
    if optional := [name for name in old if name not in new and name in _members(now)]:
        yield f"{tool} no longer requires {_some(optional)}."


def _hints(tool: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    for name in ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"):
        old, new = before.get(name), now.get(name)
        if old is not new and isinstance(new, bool):
            yield f"{tool} now says {name}: {str(new).lower()}."
        elif old is not new and isinstance(old, bool):
            yield f"{tool} no longer says {name}."


def _properties(definition: Definition) -> Mapping[str, Any]:
    return _members(definition.input_schema)


def _members(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _listed(noun: str, names: list[str]) -> str:
    return f"{noun if len(names) == 1 else noun + 's'} {_some(names)}"


def _some(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
