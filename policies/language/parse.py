"""Reads the text of a policy as a document, or finds every problem in it."""

from typing import Final

from .document import Document
from .findings import Finding, as_problems
from .grammar import Reader
from .json_reader import TextError, read_json
from .pause import collector_paused
from .problems import PolicyInvalid, Problem

LARGEST_TEXT: Final = 1_048_576
# Its indent makes the canonical form longer than a dense text, and a stored policy must always load.
_LARGEST_STORED: Final = 64 * LARGEST_TEXT


def parse_policy(text: str | bytes, *, stored: bool = False) -> Document:
    """Return the document, or raise PolicyInvalid with every problem.

    `stored`: a canonical text of ours, which may be longer than a text that a person may submit.
    """
    document, problems = _read(text, _LARGEST_STORED if stored else LARGEST_TEXT)
    if document is None or problems:
        raise PolicyInvalid(problems)
    return document


def find_problems(text: str | bytes) -> tuple[Problem, ...]:
    return _read(text, LARGEST_TEXT)[1]


def _read(text: str | bytes, largest: int) -> tuple[Document | None, tuple[Problem, ...]]:
    decoded = decode(text, largest)
    if isinstance(decoded, Problem):
        return None, (decoded,)
    with collector_paused():
        return _judged(decoded)


def _judged(text: str) -> tuple[Document | None, tuple[Problem, ...]]:
    try:
        tree = read_json(text)
    except TextError as stop:
        return None, as_problems(text, [Finding(stop.at, stop.code, None, stop.message)])
    reader = Reader(text)
    document = reader.policy(tree)
    return document, as_problems(text, reader.findings)


def decode(text: str | bytes, largest: int) -> str | Problem:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > largest:
        message = f"A policy has at most {largest:,} bytes; this one has {len(raw):,}."
        return Problem("", "too_large", message, 1, 1)
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return Problem("", "bad_encoding", "The text must be UTF-8; it is not from here on.", line, column)
    if decoded.startswith("\ufeff"):
        return Problem("", "bom", "The text begins with a byte order mark. Save it without one.", 1, 1)
    return decoded
