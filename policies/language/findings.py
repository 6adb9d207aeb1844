"""Problems while they are being collected: places are offsets and pointers are links until the end."""

from bisect import bisect_right
from typing import NamedTuple, TypeAlias

from .problems import Problem, escape_token

# A link to the parent and the token below it; None is the document itself.
Pointer: TypeAlias = "tuple[Pointer, str | int] | None"

# Pointers of a hostile text could add up to gigabytes (a key of half a megabyte over thousands of mistakes).
_POINTER_CHARACTERS = 64 * 1024 * 1024


class Finding(NamedTuple):
    at: int
    code: str
    pointer: Pointer
    message: str


class Places:
    """Lines and columns of offsets in one text."""

    def __init__(self, text: str) -> None:
        self._starts = [0]
        at = text.find("\n")
        while at != -1:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def line_and_column(self, at: int) -> tuple[int, int]:
        line = bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1


def pointer_text(pointer: Pointer) -> str:
    tokens: list[str] = []
    while pointer is not None:
        pointer, token = pointer
        tokens.append(escape_token(token) if isinstance(token, str) else str(token))
    return "".join(f"/{token}" for token in reversed(tokens))


def as_problems(text: str, findings: list[Finding]) -> tuple[Problem, ...]:
    """Return the problems in the order of their places, then of their codes."""
    places, problems, characters = Places(text), list[Problem](), 0
    for finding in sorted(findings, key=lambda finding: (finding.at, finding.code)):
        pointer = pointer_text(finding.pointer)
        characters += len(pointer)
        if problems and characters > _POINTER_CHARACTERS:
            break
        line, column = places.line_and_column(finding.at)
        problems.append(Problem(pointer, finding.code, finding.message, line, column))
    return tuple(problems)
