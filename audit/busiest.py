"""What was called most, what was stopped most, and who called: a row of the overview each."""

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
    """Calls of one outcome. `reason`: what was said to the last of them; empty where that is long ago."""

    calls: int
    words: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """One of the most called or most stopped: as long as its share of `most`, coloured by what is most."""

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
