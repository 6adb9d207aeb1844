"""Names as they are compared, and as they appear in addresses. Pure."""

from __future__ import annotations

from catalog.classify import words_of


def name_key(name: str) -> str:
    """One key for `createIssue`, `create-issue` and `create_issue`."""
    return "_".join(words_of(name))[:128] or name.lower()


def slug_asked(text: str) -> str:
    """A slug from an address, cut to a bound and without NUL, which the database does not take."""
    return text.replace("\0", "")[:240]
