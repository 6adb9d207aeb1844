"""What a description says that a tool does. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from catalog.classifier.vocabulary import ToolClass

CLAUSE: Final = 6


class Said(NamedTuple):
    """`verb` is empty if a thing is named and nothing is done."""

    words: tuple[str, ...]
    tool_class: ToolClass
    confidence: float
    verb: str = ""
