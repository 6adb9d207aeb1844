"""Reads one page of `tools/list` from the server's own bytes.

Everything in it is untrusted. What cannot be used is left out and counted; what is kept is bounded and holds
no NUL and no number that a database cannot store. The digest is of the definition as sent.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jiter

from common.blotting import Secrets
from gateway_config.wire.digest import DefinitionUnusable, definition_digest

NAME_MAX: Final = 256
TITLE_MAX: Final = 256
DESCRIPTION_MAX: Final = 16_384
DEFINITION_MAX: Final = 524_288
CURSOR_MAX: Final = 16_384
NAMED_IN_A_PROBLEM: Final = 3

_CONTROLS: Final = frozenset({"Cc", "Cs"})
_LINE_ENDS = re.compile(rb"\r\n|\n|\r")


class PageUnreadable(Exception):  # noqa: N818
    """The bytes contain no result of `tools/list`."""


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """`input_schema`, `annotations` and `raw` are ordinary JSON values, ready to be stored."""

    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]
    annotations: Mapping[str, Any]
    raw: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class Page:
    tools: list[Any]
    next_cursor: str | None


@dataclass(slots=True)
class Collected:
    """The tools of all pages so far, and what was left out."""

    secrets: Secrets | None = None
    tools: dict[str, ToolDefinition] = field(default_factory=dict)
    unnamed: int = 0
    unusable: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    @property
    def seen(self) -> int:
        return len(self.tools) + self.unnamed + len(self.unusable) + len(self.repeated)

    def add(self, listed: object) -> None:
        name = listed.get("name") if isinstance(listed, dict) else None
        if not isinstance(listed, dict) or not isinstance(name, str) or not self._may_be_named(name):
            self.unnamed += 1
        elif name in self.tools:
            self.repeated.append(name)
        else:
            self._keep(name, listed)

    def _may_be_named(self, name: str) -> bool:
        return is_tool_name(name) and (self.secrets is None or self.secrets.blotted(name) == name)

    def _keep(self, name: str, listed: dict[str, Any]) -> None:
        try:
            self.tools[name] = tool_definition(name, listed, self.secrets)
        except DefinitionUnusable:
            self.unusable.append(name)

    def problems(self) -> tuple[str, ...]:
        found = []
        if self.unnamed:
            left_out = "1 tool was" if self.unnamed == 1 else f"{self.unnamed} tools were"
            wanted = f"a name has 1 to {NAME_MAX} characters, none a control, and holds no credential"
            found.append(f"{left_out} left out: {wanted}.")
        if self.unusable:
            found.append(f"Left out, too long or too deeply nested: {_some(self.unusable)}.")
        if self.repeated:
            found.append(f"Listed more than once, the first definition counts: {_some(self.repeated)}.")
        return tuple(found)


def is_tool_name(name: str) -> bool:
    return 1 <= len(name) <= NAME_MAX and not any(unicodedata.category(char) in _CONTROLS for char in name)


def tool_definition(name: str, listed: dict[str, Any], secrets: Secrets | None) -> ToolDefinition:
    """Puts stars in place of any credential of ours that the server repeats. The digest, which reveals
    nothing, is of what the server said."""
    digest = definition_digest(listed)
    raw = _storable(listed)
    if secrets is not None:
        raw = secrets.blotted(raw)
    if len(json.dumps(raw, ensure_ascii=False)) > DEFINITION_MAX:
        raise DefinitionUnusable("too large")
    annotations = _object(raw.get("annotations"))
    return ToolDefinition(
        name=name,
        title=shown(raw.get("title") or annotations.get("title"), TITLE_MAX),
        description=shown(raw.get("description"), DESCRIPTION_MAX),
        input_schema=_object(raw.get("inputSchema")),
        annotations=annotations,
        raw=raw,
        digest=digest,
    )


def shown(text: object, longest: int) -> str:
    """Returns untrusted text, bounded and without control characters other than line ends and tabs."""
    if not isinstance(text, str):
        return ""
    kept = (char for char in text[:longest] if char in "\n\t" or unicodedata.category(char) not in _CONTROLS)
    return "".join(kept).strip()


def read_page(content_type: str, body: bytes) -> Page:
    for message in _messages(content_type, body):
        result = _result(message)
        if result is not None:
            tools, cursor = result.get("tools"), result.get("nextCursor")
            if not isinstance(tools, list) or (cursor is not None and not isinstance(cursor, str)):
                raise PageUnreadable
            return Page(tools, cursor)
    raise PageUnreadable


def _messages(content_type: str, body: bytes) -> Iterator[bytes]:
    if not content_type.lower().startswith("text/event-stream"):
        yield body
        return
    data: list[bytes] = []
    for line in _LINE_ENDS.split(body):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []


def _result(message: bytes) -> dict[str, Any] | None:
    try:
        # Floats keep their text: the digest is of what was sent, not of what a double makes of it.
        parsed = jiter.from_json(
            message, float_mode="lossless-float", allow_inf_nan=False, catch_duplicate_keys=True
        )
    except ValueError:
        return None
    result = parsed.get("result") if isinstance(parsed, dict) else None
    return result if isinstance(result, dict) else None


def _storable(value: Any) -> Any:
    match value:
        case dict():
            return {_without_nul(key): _storable(member) for key, member in value.items()}
        case list():
            return [_storable(element) for element in value]
        case str():
            return _without_nul(value)
        case None | bool() | int():
            return value
        case _:
            number = float(value)
            return number if abs(number) != float("inf") else str(value)


def _without_nul(text: str) -> str:
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _some(names: list[str]) -> str:
    first = ", ".join(names[:NAMED_IN_A_PROBLEM])
    rest = len(names) - NAMED_IN_A_PROBLEM
    return f"{first} and {rest} more" if rest > 0 else first
