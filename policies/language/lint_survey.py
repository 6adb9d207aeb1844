"""What the linter knows: which rule applies to which tool."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from .compile import ToolFacts, known_class
from .document import Condition, Document, Predicate, Rule
from .matching import NameList, applying, by_strength, is_pattern
from .problems import Suggestions, escape_token

RISKY: Final = ("Destructive", "Financial", "Execute")
ALL_TOOLS: Final = "/all_tools"
BY_DEFAULT: Final = "(default allow)"
MOST_CONDITIONS: Final = 1000
SECTIONS: Final = ("require", "deny_if", "approve_if")


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class LintFinding:
    pointer: str
    code: str
    severity: Severity
    message: str


def error(pointer: str, code: str, message: str) -> LintFinding:
    return LintFinding(pointer, code, Severity.ERROR, message)


def warning(pointer: str, code: str, message: str) -> LintFinding:
    return LintFinding(pointer, code, Severity.WARNING, message)


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule with its place and the known tools that it applies to."""

    at: str
    name: str
    rule: Rule
    tools: tuple[ToolFacts, ...]

    def predicates(self) -> Iterator[tuple[str, str, Predicate]]:
        """Section, pointer and predicate."""
        for section in SECTIONS:
            predicates: tuple[Predicate, ...] = getattr(self.rule, section)
            for index, predicate in enumerate(predicates):
                yield section, f"{self.at}/{section}/{index}", predicate

    def condition_count(self) -> int:
        return sum(len(predicate.conditions) for predicate in self.rule.predicates())

    def conditions(self) -> Iterator[tuple[str, str, Condition]]:
        for section, at, predicate in self.predicates():
            for index, condition in enumerate(predicate.conditions):
                yield section, f"{at}/conditions/{index}", condition


class Patience:
    """Hostile policies and schemas could keep the linter busy for minutes; it is given about a second.

    Counted in steps of about a tenth of a microsecond.
    """

    MATCH: Final = 4
    PAIR: Final = 10
    LOOK: Final = 40

    def __init__(self) -> None:
        self._left = 20_000_000

    def spend(self, steps: int) -> bool:
        """Whether there is still time for it."""
        self._left -= steps
        return self._left > 0

    @property
    def is_over(self) -> bool:
        return self._left <= 0


@dataclass(frozen=True, slots=True)
class Survey:
    document: Document
    hide: NameList
    tools: tuple[ToolFacts, ...]
    reachable: tuple[ToolFacts, ...]
    by_default: tuple[ToolFacts, ...]  # tools that no entry and no class rule applies to
    entries: tuple[Entry, ...]
    classes: tuple[Entry, ...]
    all_tools: Entry | None
    suggestions: Suggestions = field(default_factory=Suggestions)
    patience: Patience = field(default_factory=Patience)

    def look_at(self, tools: Iterable[ToolFacts]) -> Iterator[ToolFacts]:
        """The tools, as long as there is time to look at their schemas."""
        for tool in tools:
            if not self.patience.spend(Patience.LOOK):
                return
            yield tool

    @classmethod
    def of(cls, document: Document, given: Iterable[ToolFacts]) -> "Survey":
        tools, hide = tuple(given), NameList.of(document.hide)
        reached: dict[str, list[ToolFacts]] = {}
        places = {name: f"/tools/{escape_token(name)}" for name in document.tools}
        exact = {name: at for name, at in places.items() if not is_pattern(name)}
        patterns = by_strength(document.tools, places)
        for tool in tools:
            if hide.first_match(tool.name) is None:
                name = known_class(tool)
                of_class = f"/classes/{name}" if name in document.classes else None
                at = applying(tool.name, exact, patterns, of_class) or BY_DEFAULT
                reached.setdefault(at, []).append(tool)
        if document.default == "deny":
            reached.pop(BY_DEFAULT, None)
        found = {id(tool) for some in reached.values() for tool in some}
        reachable = tuple(tool for tool in tools if id(tool) in found)

        def entries(section: str, rules: Iterable[tuple[str, Rule]]) -> tuple[Entry, ...]:
            placed = ((f"/{section}/{escape_token(name)}", name, rule) for name, rule in rules)
            return tuple(Entry(at, name, rule, tuple(reached.get(at, ()))) for at, name, rule in placed)

        everywhere = document.all_tools
        return cls(
            document=document,
            hide=hide,
            tools=tools,
            reachable=reachable,
            by_default=tuple(reached.get(BY_DEFAULT, ())),
            entries=entries("tools", document.tools.items()),
            classes=entries("classes", document.classes.items()),
            all_tools=Entry(ALL_TOOLS, "", everywhere, reachable) if everywhere else None,
        )

    def every(self) -> tuple[Entry, ...]:
        return (*self.entries, *self.classes, *((self.all_tools,) if self.all_tools else ()))

    def own(self) -> tuple[Entry, ...]:
        return (*self.entries, *self.classes)
