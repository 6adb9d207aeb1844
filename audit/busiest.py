"""The overview's rows: the tools called most, the tools stopped most, and the grants that called most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from audit.chart import STACK
from audit.figures import Counted

_KEYS: Final = {name: key for name, key, _ in STACK}
_WORDS: Final = [(name, words) for name, _, words in STACK]


@dataclass(frozen=True, slots=True)
class Part:
    """Calls with one outcome. `reason`: the reason given to the latest of them; empty if that is long ago."""

    calls: int
    words: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """A bar for one of the most called or stopped tools: as long as its share of `most`, in the colour of its
    most frequent outcome."""

    tool: Counted
    most: int
    key: str
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Busy:
    """A grant and how often it called."""

    public_id: str
    label: str
    server: str
    calls: int


def shared_among(
    counted: list[Counted], reasons: Mapping[tuple[str, str], str] = MappingProxyType({})
) -> list[Shared]:
    most = max((one.count for one in counted), default=1)
    return [Shared(one, most, _KEYS[one.mostly], _parts(one, reasons)) for one in counted]


def _parts(one: Counted, reasons: Mapping[tuple[str, str], str]) -> list[Part]:
    return [
        Part(one.outcomes[name], words, reasons.get((one.name, name), ""))
        for name, words in _WORDS
        if name in one.outcomes
    ]
