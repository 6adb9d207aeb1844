"""A policy that is brought from elsewhere: what it is taken for, and what it is here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies.language.convert import Conversion, convert
from policies.language.parse import LARGEST_TEXT
from policies.outlook import facts_of
from servers.models import Tool

_DIALECTS: Final = {"faq": "the short form of catalogue pages", "yaml": "an older rule file"}


def converted(text: str, tools: Iterable[Tool]) -> Conversion | None:
    """None for what is no other dialect: that is taken as it stands, problems and all."""
    if len(text) > LARGEST_TEXT:
        return None
    conversion = convert(text, [facts_of(tool) for tool in tools])
    foreign = conversion.dialect not in (None, "canonical") and conversion.policy_text is not None
    return conversion if foreign else None


def dialect_words(conversion: Conversion | None) -> str:
    return _DIALECTS.get(conversion.dialect or "", "") if conversion else ""
