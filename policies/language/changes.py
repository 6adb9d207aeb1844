"""What one policy does differently from another: typed changes with a sentence each, looser ones first."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from .document import Limit, Predicate
from .effects import Effect
from .sentences import Thing, listed

Section: TypeAlias = Literal["require", "deny_if", "approve_if"]


class Direction(StrEnum):
    """`BOTH`: some calls get further, others less far. `WORDS`: only the words that agents read differ."""

    LOOSER = "looser"
    TIGHTER = "tighter"
    BOTH = "both"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a change is about. A `tool` is one of the server's; the others may come later or never."""

    kind: Literal["tool", "unknown", "pattern", "class", "other"]
    name: str = ""

    @property
    def words(self) -> str:
        match self.kind:
            case "tool" | "unknown":
                return self.name
            case "pattern":
                return f"whatever {self.name} matches"
            case "class":
                return f"other {self.name} tools"
            case "other":
                return "any other tool"


@dataclass(frozen=True, slots=True)
class _ForTools:
    subjects: tuple[Subject, ...]
    direction: Direction
    sentence: str
    everywhere: bool  # a part of `all_tools`

    @property
    def whom(self) -> str:
        return listed(subject.words for subject in self.subjects)

    @property
    def title(self) -> str:
        return "Every call" if self.everywhere else self.whom

    @property
    def tools(self) -> tuple[str, ...]:
        """The server's own tools among the subjects."""
        return tuple(subject.name for subject in self.subjects if subject.kind == "tool")


@dataclass(frozen=True, slots=True)
class ReachChange(_ForTools):
    """A tool can now be called or seen, or no longer can. `details` say what applies to calls now."""

    before: Effect
    after: Effect
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalChange(_ForTools):
    """Every call now waits for a person, or no longer does."""

    before: bool
    after: bool


@dataclass(frozen=True, slots=True)
class PredicateChange(_ForTools):
    """`before` is None if the predicate is new, `after` if it is gone; neither if it has changed."""

    section: Section
    before: Predicate | None
    after: Predicate | None


@dataclass(frozen=True, slots=True)
class LimitChange(_ForTools):
    """`before` is None if the limit is new, `after` if it is gone; neither if it has changed."""

    before: Limit | None
    after: Limit | None


@dataclass(frozen=True, slots=True)
class WordsChange(_ForTools):
    """Agents read something else when a call is not allowed."""


@dataclass(frozen=True, slots=True)
class AccessChange:
    thing: Thing
    direction: Direction
    sentence: str

    @property
    def title(self) -> str:
        return "Resources" if self.thing == "resource" else "Prompts"

    @property
    def tools(self) -> tuple[str, ...]:
        return ()


ToolChange: TypeAlias = ReachChange | ApprovalChange | PredicateChange | LimitChange | WordsChange
Change: TypeAlias = ToolChange | AccessChange
OPEN = frozenset([Effect.ALLOWED, Effect.LIMITED, Effect.CONDITIONAL, Effect.NEEDS_APPROVAL])


@dataclass(frozen=True, slots=True)
class Changes:
    """`looser` also holds what goes both ways, because it is read first."""

    looser: tuple[Change, ...]
    tighter: tuple[Change, ...]
    reworded: tuple[Change, ...]
    unchanged: tuple[str, ...]  # the server's tools whose calls are treated as before

    @property
    def nothing(self) -> bool:
        return not (self.looser or self.tighter or self.reworded)

    @property
    def becomes_callable(self) -> tuple[str, ...]:
        return tuple(tool for change in self.looser if _opens(change) for tool in change.tools)

    @property
    def no_longer_callable(self) -> tuple[str, ...]:
        return tuple(tool for change in self.tighter if _closes(change) for tool in change.tools)

    @property
    def headline(self) -> tuple[str, ...]:
        """The changes in few words, looser ones first; empty if no call is treated differently."""
        opened, closed = self.becomes_callable, self.no_longer_callable
        rest_looser = sum(not _opens(change) for change in self.looser)
        rest_tighter = sum(not _closes(change) for change in self.tighter)
        said = (
            (len(opened), f"{_become(opened)} callable"),
            (rest_looser, f"{rest_looser} other {_things(rest_looser)} looser"),
            (len(closed), f"{_are(closed)} no longer callable"),
            (rest_tighter, f"{rest_tighter} other {_things(rest_tighter)} tighter"),
        )
        return tuple(words for count, words in said if count)


def _opens(change: Change) -> bool:
    return isinstance(change, ReachChange) and change.after in OPEN


def _closes(change: Change) -> bool:
    return isinstance(change, ReachChange) and change.before in OPEN


def _become(tools: tuple[str, ...]) -> str:
    return f"{tools[0]} becomes" if len(tools) == 1 else f"{len(tools)} tools become"


def _are(tools: tuple[str, ...]) -> str:
    return f"{tools[0]} is" if len(tools) == 1 else f"{len(tools)} tools are"


def _things(count: int) -> str:
    return "change is" if count == 1 else "changes are"
