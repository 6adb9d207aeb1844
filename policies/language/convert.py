"""Converts policies from other dialects. The result is never more permissive than the source."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .canonical import canonical_text
from .compile import ToolFacts
from .dialects.faq import convert_faq
from .dialects.notes import Note, Notes, in_order
from .dialects.source import Data, NotData, read_data, write_data
from .dialects.yaml_rules import convert_yaml
from .parse import LARGEST_TEXT, decode, parse_policy
from .problems import PolicyInvalid, Problem

Dialect = Literal["canonical", "faq", "yaml"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """`policy_text` is canonical, and None when there are problems.

    `changed`: parts kept in another form, or dropped without effect on a verdict. `not_kept`: parts that deny
    their tool. Both point into the source. `problems` point into the converted policy, or into a source that
    could not be read at all (`dialect` is None then).
    """

    dialect: Dialect | None
    policy_text: str | None
    changed: tuple[Note, ...] = ()
    not_kept: tuple[Note, ...] = ()
    problems: tuple[Problem, ...] = ()


def convert(text: str | bytes, tools: Iterable[ToolFacts]) -> Conversion:
    try:
        return Conversion("canonical", canonical_text(parse_policy(text)))
    except PolicyInvalid as invalid:
        source = _read(text)
        if source is None:
            return Conversion(None, None, problems=invalid.problems)
    notes = Notes()
    dialect: Dialect = "yaml" if _has_rules(source) else "faq"
    if dialect == "yaml":
        result = convert_yaml(source, notes)
    else:
        result = convert_faq(source, {tool.name: tool for tool in tools}, notes)
    changed, not_kept = in_order(notes.changed, source), in_order(notes.not_kept, source)
    converted = write_data(result)
    try:
        return Conversion(dialect, canonical_text(parse_policy(converted, stored=True)), changed, not_kept)
    except PolicyInvalid as invalid:
        return Conversion(dialect, None, changed, not_kept, invalid.problems)


def _read(text: str | bytes) -> dict[str, Data] | None:
    decoded = decode(text, LARGEST_TEXT)
    if isinstance(decoded, Problem):
        return None
    try:
        source = read_data(decoded)
    except NotData:
        return None
    return source if isinstance(source, dict) else None


def _has_rules(source: dict[str, Data]) -> bool:
    tools = source.get("tools")
    return isinstance(tools, dict) and any(
        isinstance(entry, dict) and "rules" in entry for entry in tools.values()
    )
