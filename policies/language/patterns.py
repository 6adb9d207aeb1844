"""RE2 patterns: which ones a policy may hold, and matching at little cost.

RE2 compiles a pattern of a thousand characters in microseconds or, if it is hostile, in seconds:
`(.{0,1000}){50}` becomes half a million instructions. The time for compiling a document's patterns is
therefore rationed by the size of their programs; no document that a person would write comes near the ration.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import re2

from .document import Condition
from .problems import shown

LONGEST_PATTERN: Final = 1000
# With a larger program, a single text of the largest size that is judged can take more than a second.
LARGEST_PROGRAM: Final = 10_000
_MEMORY_STEPS: Final = (256 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20)
_BYTES_OF_INSTRUCTION: Final = 16
_RATION_MICROSECONDS: Final = 2_500_000
_ROOMY_PATTERNS: Final = 256
# A repetition with a range becomes nested options, which take time quadratic in their size to compile.
_RANGE: Final = re.compile(r"\{[0-9]*,[0-9]")

# A Unicode class expands to hundreds of ranges.
_CLASS: Final = re.compile(r"\\[pP]")
_CLASS_MICROSECONDS: Final = 120

# Its arguments: where it must match (the anchor), the text, and the start and end of the part to search.
Match: TypeAlias = Callable[[object, bytes, int, int], list[tuple[int, int]]]
_TOO_LARGE: Final = "This pattern needs too much memory. Ask for fewer repetitions."
_TOO_MUCH: Final = "The patterns of this policy together take too long to prepare. Ask for fewer repetitions."

# RE2 itself: the module's wrapper around it takes three times as long on a short text as RE2 does.
_Program: Any = type(re2.compile("")._regexp)
ANYWHERE: Final[object] = _Program.Anchor.UNANCHORED
WHOLE: Final[object] = _Program.Anchor.ANCHOR_BOTH
NOWHERE: Final = (-1, -1)


class PatternJudge:
    """Judges the patterns of one document, each distinct one once."""

    def __init__(self) -> None:
        self._left = _RATION_MICROSECONDS
        self._known: dict[str, str | None] = {}
        self.asked = 0

    def problem(self, pattern: str) -> str | None:
        """Return what is wrong with a pattern, in a sentence; None if nothing is."""
        self.asked += 1
        if pattern not in self._known:
            self._known[pattern] = self._judge(pattern)
        return self._known[pattern]

    def _judge(self, pattern: str) -> str | None:
        if len(pattern) > LONGEST_PATTERN:
            return f"A pattern has at most {LONGEST_PATTERN:,} characters; this one has {len(pattern):,}."
        for memory in _MEMORY_STEPS:
            if _microseconds(pattern, memory // _BYTES_OF_INSTRUCTION) > self._left:
                return _TOO_MUCH
            program = _program(pattern, memory, captures=True)
            too_large = not program.ok() and _is_too_large(program)
            # A pattern that fails to compile has taken its time too.
            size = program.ProgramSize() if program.ok() else memory // _BYTES_OF_INSTRUCTION * too_large
            self._left -= _microseconds(pattern, size)
            if program.ok():
                return None
            if not too_large:
                return _syntax_message(program)
        return _TOO_LARGE


def _microseconds(pattern: str, instructions: int) -> int:
    """Return an upper estimate of the time to read a pattern and compile it to so many instructions."""
    reading = 10 + len(pattern) + _CLASS_MICROSECONDS * len(_CLASS.findall(pattern))
    ranging = instructions + instructions * instructions // 25_000 if _RANGE.search(pattern) else 0
    return reading + instructions // 2 + ranging


def _program(pattern: str, memory: int, *, captures: bool = False) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = not captures
    options.max_mem = memory
    return _Program(pattern.encode(), options)


def _is_too_large(program: Any) -> bool:
    return b"too large" in program.error()


def _syntax_message(program: Any) -> str:
    reason = shown(program.error().decode(errors="replace"))[1:-1]
    return f"This is not an RE2 pattern (RE2 has no look-around and no back-references): {reason}."


class Patterns:
    """The patterns of one compiled policy, each distinct one compiled once.

    RE2 caches what it learns from the texts it sees, up to the memory it was given; with many patterns each
    gets less, so that no policy and no caller can fill the worker's memory.
    """

    def __init__(self) -> None:
        self._programs: dict[str, Any] = {}

    def size_of(self, condition: Condition) -> int:
        """Return how many instructions the program of its pattern has; 0 for other operators."""
        if condition.op not in ("regex", "matches") or not isinstance(condition.value, str):
            return 0
        return int(self._program(condition.value).ProgramSize())

    def match(self, pattern: str) -> Match:
        found: Match = self._program(pattern).Match
        return found

    def _program(self, pattern: str) -> Any:
        program = self._programs.get(pattern)
        if program is None:
            program = self._programs[pattern] = self._smallest(pattern)
        return program

    def _smallest(self, pattern: str) -> Any:
        steps = _MEMORY_STEPS if len(self._programs) >= _ROOMY_PATTERNS else _MEMORY_STEPS[1:]
        for memory in steps:
            program = _program(pattern, memory)
            if program.ok():
                return program
        # The parser has judged every pattern. One that cannot run must not pass for one that never matches.
        raise ValueError("a pattern that RE2 refuses")
