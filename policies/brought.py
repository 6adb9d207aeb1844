"""Policies brought from elsewhere: finds out their dialect and converts them into this language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies.language.convert import Conversion, convert
from policies.language.parse import LARGEST_TEXT
from policies.outlook import facts_of
from servers.models import Tool

_DIALECTS: Final = {"faq": "the short form of catalogue pages", "yaml": "an older rule file"}


def converted(text: str, tools: Iterable[Tool]) -> Conversion | None:
    """Converts a text of another dialect. None for any other text: it is used as it is, problems and all."""
    if len(text) > LARGEST_TEXT:
        return None
    conversion = convert(text, [facts_of(tool) for tool in tools])
    foreign = conversion.dialect not in (None, "canonical") and conversion.policy_text is not None
    return conversion if foreign else None


def dialect_words(conversion: Conversion | None) -> str:
    return _DIALECTS.get(conversion.dialect or "", "") if conversion else ""
