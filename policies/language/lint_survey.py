"""What the linter knows: which rule applies to which tool."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from .compile import ToolFacts, known_class
from .document import Condition, Document, Predicate, Rule
from .matching import NameList, Ranked, by_strength, is_pattern, is_too_much
from .problems import Suggestions, escape_token
from .schema_refs import resolved

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


# The effect of a predicate that always or never holds, by its section.
COMES_OF: Final = {
    ("require", True): "nothing is asked here",
    ("require", False): "every call is denied",
    ("deny_if", True): "every call is denied",
    ("deny_if", False): "no call is denied here",
    ("approve_if", True): "every call waits for a person",
    ("approve_if", False): "nobody is asked here",
}


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

    asked: tuple[tuple[str, str, Predicate], ...]
    """Section, pointer and predicate: read again and again, so built only once."""
    conditions: tuple[tuple[str, str, Condition], ...]

    @classmethod
    def of(cls, at: str, name: str, rule: Rule, tools: tuple[ToolFacts, ...]) -> "Entry":
        asked: list[tuple[str, str, Predicate]] = []
        for section, predicates in zip(SECTIONS, (rule.require, rule.deny_if, rule.approve_if), strict=True):
            for index, predicate in enumerate(predicates):
                asked.append((section, f"{at}/{section}/{index}", predicate))
        conditions = [
            (section, f"{below}/conditions/{index}", condition)
            for section, below, predicate in asked
            for index, condition in enumerate(predicate.conditions)
        ]
        return cls(at, name, rule, tools, tuple(asked), tuple(conditions))


class Patience:
    """Hostile policies and schemas could keep the linter busy for minutes; it is given a second or two.

    Time is counted in steps of about a tenth of a microsecond.
    """

    PAIR: Final = 10
    LOOK: Final = 40
    PART: Final = 30

    def __init__(self) -> None:
        self._left = 20_000_000

    def spend(self, steps: int) -> bool:
        """Spend the steps and return whether there is still time."""
        self._left -= steps
        return self._left > 0

    @property
    def is_over(self) -> bool:
        return self._left <= 0


def _readable(tool: ToolFacts, patience: Patience) -> ToolFacts:
    """Return the tool with what the references of its schema lead to in their place."""
    schema = resolved(tool.input_schema, lambda: patience.spend(Patience.PART))
    if schema is tool.input_schema or not isinstance(schema, Mapping):
        return tool
    return replace(tool, input_schema=schema)


class _Reach:
    """Which entry applies to which tool, and which others match it."""

    def __init__(
        self, document: Document, hide: NameList, patterns: Ranked[str], places: Mapping[str, str]
    ) -> None:
        self._document, self._hide, self._patterns, self._places = document, hide, patterns, places
        self.reached: dict[str, list[ToolFacts]] = {}
        self.matched: dict[str, tuple[str, ...]] = {}
        self.met: set[str] = set()

    def add(self, tool: ToolFacts, patience: Patience) -> None:
        matching = self._matching(tool.name, patience)
        if self._hide.first_match(tool.name) is not None:
            return
        exact = self._places.get(tool.name) if not is_pattern(tool.name) else None
        of_class = known_class(tool)
        at = exact or matching or (f"/classes/{of_class}" if of_class in self._document.classes else None)
        if at is not None or self._document.default == "allow":
            self.reached.setdefault(at or BY_DEFAULT, []).append(tool)

    def _matching(self, name: str, patience: Patience) -> str | None:
        """Return the entry of the pattern that applies; the others are remembered while there is time."""
        if patience.is_over:
            return self._patterns.first_match(name)
        entries = [self._patterns.values[number] for number in self._patterns.index.every(name)]
        patience.spend(Patience.PAIR * len(entries))
        self.met.update(entries)
        if len(entries) > 1:
            self.matched[name] = tuple(entries)
        return entries[0] if entries else None


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
    patterns: Ranked[str]  # pointers of entries
    matched: Mapping[str, tuple[str, ...]]  # by tool: the entries with a pattern that matches it, if several
    met: frozenset[str]  # entries with a pattern that matches some tool, hidden ones too
    suggestions: Suggestions = field(default_factory=Suggestions)
    patience: Patience = field(default_factory=Patience)

    def look_at(self, tools: Iterable[ToolFacts]) -> Iterator[ToolFacts]:
        """Yield the tools, as long as there is time to look at their schemas."""
        for tool in tools:
            if not self.patience.spend(Patience.LOOK):
                return
            yield tool

    @classmethod
    def of(cls, document: Document, given: Iterable[ToolFacts]) -> "Survey":
        patience = Patience()
        tools = tuple(_readable(tool, patience) for tool in given)
        places = {name: f"/tools/{escape_token(name)}" for name in document.tools}
        hide, patterns = NameList.of(document.hide), by_strength(document.tools, places)
        reach = _Reach(document, hide, patterns, places)
        if not is_too_much("", hide.index, patterns.index):
            for tool in tools:
                reach.add(tool, patience)
        reached, found = reach.reached, {id(tool) for some in reach.reached.values() for tool in some}
        reachable = tuple(tool for tool in tools if id(tool) in found)

        def entries(section: str, rules: Iterable[tuple[str, Rule]]) -> tuple[Entry, ...]:
            placed = ((f"/{section}/{escape_token(name)}", name, rule) for name, rule in rules)
            return tuple(Entry.of(at, name, rule, tuple(reached.get(at, ()))) for at, name, rule in placed)

        own_entries = entries("tools", document.tools.items())
        classes = entries("classes", document.classes.items())
        # What a tool's own rule denies is denied before any rule for all tools is judged.
        denied = {
            id(tool) for one in (*own_entries, *classes) if one.rule.action == "deny" for tool in one.tools
        }
        judged = tuple(tool for tool in reachable if id(tool) not in denied)
        everywhere = document.all_tools
        return cls(
            document=document,
            hide=hide,
            tools=tools,
            reachable=reachable,
            by_default=tuple(reached.get(BY_DEFAULT, ())),
            entries=own_entries,
            classes=classes,
            all_tools=Entry.of(ALL_TOOLS, "", everywhere, judged) if everywhere else None,
            patterns=patterns,
            matched=reach.matched,
            met=frozenset(reach.met),
            patience=patience,
        )

    def every(self) -> tuple[Entry, ...]:
        return (*self.entries, *self.classes, *((self.all_tools,) if self.all_tools else ()))

    def own(self) -> tuple[Entry, ...]:
        return (*self.entries, *self.classes)
