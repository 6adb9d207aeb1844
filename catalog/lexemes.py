"""What the index is searched by: the lexemes of tools and servers, and queries for them. Pure.

There are three kinds in one column, so that one index answers any mixture of them: words (`create`), names
written as one word (`~createissue`), and properties (`transport=stdio`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from catalog.classify import words_of
from catalog.facts import slug_of

_TOKEN = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"[a-z][A-Z]")
# An address of a repository or a package, pasted as it is, asks for what it is the address of.
_HOST = re.compile(
    r"(?:https?://)?(?:www\.)?(?:(?:github|gitlab)\.com/|npmjs\.com/package/|pypi\.org/project/)|/tree/[^/\s]+(?:/src\b)?"
    r"|https?://|\.git\b",
    re.I,
)
LONGEST_WORD: Final = 60
MOST_WORDS: Final = 8
SHORTEST_GLUED: Final = 5


def words_in(*texts: str) -> list[str]:
    """Each word, and the parts of words like `createPullRequest`."""
    found: dict[str, None] = {}
    for text in texts:
        for token in _TOKEN.findall(text):
            if not _HUMP.search(token):
                found[token.lower()[:LONGEST_WORD]] = None
        for part in words_of(text[:200]):
            found[part[:LONGEST_WORD]] = None
    return list(found)


def glued(name_key: str) -> str:
    """The name as one word, kept apart from words: nearly all names differ, and any prefix begins many."""
    return f"~{name_key.replace('_', '')[:LONGEST_WORD]}"


def vendor_term(vendor: str) -> str:
    return f"vendor={slug_of(vendor)}"


def facet_terms(transports: Iterable[str]) -> list[str]:
    return [f"transport={transport}" for transport in transports]


def vector(lexemes: Iterable[str]) -> str:
    """A tsvector as PostgreSQL reads it."""
    return " ".join(f"'{_quoted(each)}'" for each in dict.fromkeys(lexemes))


def asked_words(typed: str) -> list[str]:
    """`createIssue` asks for its two words; what is written as one word is looked for as one."""
    found: list[str] = []
    for token in _TOKEN.findall(_HOST.sub(" ", typed[:400])):
        found += words_of(token) if _HUMP.search(token) else [token.lower()]
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in found))[:MOST_WORDS]


def begun(word: str, common: Mapping[str, int]) -> list[str]:
    """The common words that begin with this one. They are taken to be what is meant: walking every rare one,
    too, takes long, and they alone fill what is shown. One letter stands only for itself."""
    if len(word) == 1:
        return [word] if word in common else []
    return [each for each in common if each.startswith(word)]


def of_words(asked: Iterable[str], common: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """A part of a tsquery for each word: the rare ones, by which rows are found, and the common ones."""
    rare: list[str] = []
    rest: list[str] = []
    for word in asked:
        (rest if begun(word, common) else rare).append(f"({' | '.join(_begun(word, common))})")
    return rare, rest


def _begun(word: str, common: Mapping[str, int]) -> list[str]:
    if known := begun(word, common):
        return [_lexeme(each) for each in known]
    return [_lexeme(word) if len(word) == 1 else _beginning(word)]


def of_glued(asked: Iterable[str], common: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """The same, where a typed word may be several words of a name in one; `rare` is empty if none can be. Too
    many names begin with a short word, or with one that common words begin with, for it to be meant so."""
    glued_ones, rest = [], []
    for word in asked:
        choices = _begun(word, common)
        if len(word) >= SHORTEST_GLUED and not begun(word, common):
            glued_ones.append(f"({' | '.join([*choices, _beginning('~' + word)])})")
        else:
            rest.append(f"({' | '.join(choices)})")
    return glued_ones, rest


def _beginning(word: str) -> str:
    return f"{_lexeme(word)}:*"


def any_of(lexemes: Iterable[str]) -> str:
    return f"({' | '.join(map(_lexeme, lexemes))})"


def all_of(parts: Iterable[str]) -> str:
    return " & ".join(parts)


def _lexeme(text: str) -> str:
    return f"'{_quoted(text)}'"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "''").replace("\0", "")
