"""Names as they are compared and stand in addresses. Pure."""

from __future__ import annotations

from catalog.classify import words_of


def name_key(name: str) -> str:
    """`createIssue`, `create-issue` and `create_issue` are one name."""
    return "_".join(words_of(name))[:128] or name.lower()


def slug_asked(text: str) -> str:
    """A slug out of an address: no database takes a NUL."""
    return text.replace("\0", "")[:240]
