"""How texts of the index are cut into the words one can search for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from catalog.classify import words_of

_TOKEN = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"[a-z][A-Z]")
LONGEST_WORD = 60
MOST_WORDS = 8


def tokens(*texts: str) -> list[str]:
    """Each word whole, and the parts of words like `createPullRequest`."""
    found: dict[str, None] = {}
    for text in texts:
        for token in _TOKEN.findall(text):
            found[token.lower()[:LONGEST_WORD]] = None
        for part in words_of(text[:200]):
            found[part[:LONGEST_WORD]] = None
    return list(found)


def name_key(name: str) -> str:
    """`createIssue`, `create-issue` and `create_issue` are one name."""
    return "_".join(words_of(name))[:128] or name.lower()


def vector(words: Iterable[str], facets: Iterable[str] = ()) -> str:
    """A tsvector as PostgreSQL reads it. Words hold letters and digits only."""
    quoted = (f"'{_quoted(each)}'" for each in dict.fromkeys([*words, *facets]))
    return " ".join(quoted)


def query(typed: str, facets: Iterable[Iterable[str]] = ()) -> str:
    """A tsquery: every word as the beginning of one, one of each group of facets. Empty: none was asked."""
    asked = asked_words(typed)
    parts = [f"'{_quoted(word)}'" + (":*" if len(word) > 1 else "") for word in asked]
    groups = [[f"'{_quoted(facet)}'" for facet in group] for group in facets]
    return " & ".join([*parts, *(f"({' | '.join(group)})" for group in groups if group)])


def slug_asked(text: str) -> str:
    """A slug out of an address: no database takes a NUL."""
    return text.replace("\0", "")[:240]


def asked_words(typed: str) -> list[str]:
    """`createIssue` asks for its two words; what is written as one word is looked for as one."""
    found: list[str] = []
    for token in _TOKEN.findall(typed[:400]):
        found += words_of(token) if _HUMP.search(token) else [token.lower()]
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in found))[:MOST_WORDS]


def _quoted(word: str) -> str:
    return word.replace("\\", "\\\\").replace("'", "''").replace("\0", "")
