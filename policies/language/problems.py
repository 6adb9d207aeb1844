"""Problems in a policy's text, worded so that its writer can fix them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_SHOWN_CHARACTERS = 60
_LONGEST_COMPARED = 32
_LARGEST_SLIP = 3
# In pairs of characters: about a second of work.
_MOST_COMPARED = 4_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """`pointer`: RFC 6901, with JSON escapes in keys decoded; `line` and `column` from 1, in code points."""

    pointer: str
    code: str
    message: str
    line: int
    column: int


class PolicyInvalid(Exception):  # noqa: N818 - the word of the house
    """The text is not a policy. Carries every problem, in the order of their places."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.message for problem in problems[:3]))
        self.problems = problems


def escape_token(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def shown(text: str) -> str:
    """Return a quoted excerpt that is safe to print: clipped, and with invisible characters escaped."""
    clipped = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    quoted = json.dumps(clipped, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in quoted)


_ASKED: Final = " Did you mean "


def did_you_mean(near: str | None) -> str:
    """Return the end of a message, or nothing: a word too long to show whole is not worth suggesting."""
    return f"{_ASKED}{shown(near)}?" if near and len(near) <= _SHOWN_CHARACTERS else ""


def meant(message: str) -> str | None:
    """Return the word that a message ending in `did_you_mean` suggests, if it does."""
    _, asked, rest = message.rpartition(_ASKED)
    if not asked or not rest.endswith('"?'):
        return None
    try:
        word = json.loads(rest[:-1])
    except ValueError:
        return None
    return word if isinstance(word, str) else None


def one_of(words: Sequence[str]) -> str:
    quoted = [shown(word) for word in words]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]


def near_miss(word: str, candidates: Sequence[str]) -> str | None:
    """Return the candidate that `word` is most likely a misspelling of, if there is one."""
    if not 1 < len(word) <= _LONGEST_COMPARED:
        return None
    folded = word.casefold()
    best, best_distance = None, 1 + max(1, min(_LARGEST_SLIP, len(word) // 3))
    for candidate in candidates:
        if abs(len(candidate) - len(folded)) < best_distance:
            distance = _distance(folded, candidate.casefold())
            if distance < best_distance:
                best, best_distance = candidate, distance
    return best


class Suggestions:
    """Near misses for the words of one text, up to a bound on the work: it may hold thousands of slips."""

    def __init__(self) -> None:
        self._left = _MOST_COMPARED

    def near(self, word: str, candidates: Sequence[str]) -> str | None:
        alike = [one for one in candidates if abs(len(one) - len(word)) <= _LARGEST_SLIP]
        self._left -= len(word) * sum(map(len, alike))
        return near_miss(word, alike) if self._left > 0 else None


def _distance(left: str, right: str) -> int:
    """Count the edits (insert, remove, replace, swap two neighbours) from one word to the other."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
