"""What a text would do to a server's tools, compared with what is in force, as the screens show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from policies.beside import NOTHING_BESIDE, Beside
from policies.language.alike import alike_for, recounted
from policies.language.cases import TestResult
from policies.language.changes import ToolChange
from policies.language.compile import CompiledPolicy, Plan, ToolFacts, compile_policy
from policies.language.diff import diff_beyond
from policies.language.diff_shared import shared_changes
from policies.language.document import Access, Document
from policies.language.effects import Effect, effects
from policies.language.explain import Explanation, explanation
from policies.language.glance import value_of
from policies.language.once import apart, are_kept, once, piece
from policies.language.parse import parse_policy
from policies.language.problems import Problem
from policies.models import PolicyRevision
from policies.services import Finding, judge
from servers.models import Server, Severity, Tool
from servers.reach import BEST_FIRST

_WEIGHT_OF_WORDS = 100
_NOT_CALLABLE = frozenset([Effect.DENIED, Effect.HIDDEN])


@dataclass(frozen=True, slots=True)
class ToolOutlook:
    """One tool under the text (`after`, `now`) and under the revision in force (`before`, `was`)."""

    tool: Tool
    before: Effect
    was: Explanation
    after: Effect
    now: Explanation
    # What the pill says instead of the effect's word, such as 30/min; set only where the two differ.
    before_value: str = ""
    after_value: str = ""
    # The same words for different rules: a long value or a text for agents has changed.
    otherwise: bool = False
    # What is new about its counters: their names, and which other tools count in them.
    counting: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        return self.now.of(self.tool.name)

    @property
    def moved(self) -> int:
        """Below 0: looser. Above 0: tighter."""
        return BEST_FIRST.index(self.after) - BEST_FIRST.index(self.before)

    @property
    def changed(self) -> bool:
        return self.before != self.after or self.was != self.now or self.otherwise or bool(self.counting)

    @property
    def becomes_callable(self) -> bool:
        return self.before in _NOT_CALLABLE and self.after not in _NOT_CALLABLE

    @property
    def before_word(self) -> str:
        return self.before.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a policy says about anything that is not one of the server's tools."""

    title: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class Outlook:
    """`problems` or `tools`, never both. Tools come worst first; `findings` are the linter's."""

    problems: tuple[Problem, ...]
    tools: tuple[ToolOutlook, ...]
    elsewhere: tuple[Elsewhere, ...]
    known_tools: int
    has_live: bool
    findings: tuple[Finding, ...] = ()
    tests: tuple[TestResult, ...] = ()
    failed: tuple[Problem, ...] = ()
    compiled: CompiledPolicy | None = None
    in_force: CompiledPolicy | None = None

    @cached_property
    def errors(self) -> list[Problem | Finding]:
        """Everything that must be mended before the text can be published."""
        errors = (found for found in self.findings if found.severity == "error")
        return [*self.problems, *errors, *self.failed]

    @cached_property
    def failing(self) -> list[TestResult]:
        """One for each of `failed`, in the same order."""
        return [result for result in self.tests if not result.passed]

    @cached_property
    def told(self) -> list[Problem | Finding]:
        """The failed tests and the findings: all there is to tell about a text without problems."""
        return [*self.failed, *self.findings]

    @cached_property
    def warnings(self) -> list[Finding]:
        return [found for found in self.findings if found.severity != "error"]

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(str(row.after) for row in self.tools)

    @cached_property
    def counts_live(self) -> Counter[str] | None:
        return Counter(str(row.before) for row in self.tools) if self.has_live else None

    @cached_property
    def looser(self) -> list[ToolOutlook]:
        return [row for row in self.tools if row.moved < 0]

    @cached_property
    def altered(self) -> list[ToolOutlook]:
        """Tools with the same effect under different rules, such as a larger limit or another condition."""
        return [row for row in self.tools if row.moved == 0 and row.changed]

    @cached_property
    def tighter(self) -> list[ToolOutlook]:
        return [row for row in self.tools if row.moved > 0]

    @cached_property
    def changed_elsewhere(self) -> list[Elsewhere]:
        return [row for row in self.elsewhere if row.changed]

    @cached_property
    def beyond(self) -> list[ToolChange]:
        """What changes for tools that the server may have one day."""
        if self.compiled is None:
            return []
        return diff_beyond(self.in_force, self.compiled, [row.tool.name for row in self.tools])

    @property
    def changes_beyond(self) -> int:
        return len(self.changed_elsewhere) + len(self.beyond)

    @property
    def unchanged(self) -> int:
        return len(self.tools) - len(self.looser) - len(self.altered) - len(self.tighter)

    @property
    def changes_nothing(self) -> bool:
        return self.unchanged == len(self.tools) and not self.changes_beyond

    @cached_property
    def critical_opened(self) -> list[ToolOutlook]:
        """Critical tools that become callable under the text: the one thing publishing asks about."""
        return [row for row in self.looser if row.tool.severity == Severity.CRITICAL and row.becomes_callable]


def outlook(
    server: Server,
    text: str,
    live: PolicyRevision | None,
    tools: Sequence[Tool] = (),
    beside: Beside = NOTHING_BESIDE,
) -> Outlook:
    """Judges any text without raising. A caller that already has the `tools` can save the query."""
    rows = tools or tools_of(server)
    judgement = judge(text, [facts_of(tool) for tool in rows], beside)
    if judgement.compiled is None:
        return Outlook(judgement.problems, (), (), len(rows), live is not None)
    after = _told(judgement.compiled, rows, judgement.effects)
    seen = _outlook(rows, _told_in_force(live, rows), after, judgement.compiled, live is not None)
    return replace(
        seen,
        findings=judgement.findings,
        tests=judgement.tests,
        failed=judgement.failed,
    )


def between(server: Server, old: PolicyRevision, new: PolicyRevision) -> Outlook:
    """Compares two revisions, each as gateways ran it."""
    rows = tools_of(server)
    after = in_force(new, rows)
    if after is None:
        return Outlook((), (), (), len(rows), True)
    return _outlook(rows, _told_in_force(old, rows), _told(after, rows), after, True)


def tools_of(server: Server) -> list[Tool]:
    wanted = (
        *("name", "tool_class", "class_rank", "severity", "needs_review", "digest", "input_schema"),
        *("confidence", "signals"),
    )
    return list(Tool.objects.filter(server=server).present().worst_first().only(*wanted))


def facts_of(tool: Tool) -> ToolFacts:
    return ToolFacts(tool.name, tool.tool_class or None, tool.input_schema)


def in_force(live: PolicyRevision | None, tools: Iterable[Tool]) -> CompiledPolicy | None:
    """Compiles the revision as gateways run it: a class counts only for the definition it was given to."""
    if live is None:
        return None
    facts = facts_in_force(live, tools)
    classes = known_classes(facts)
    return once("in force", live.text, lambda: _compiled(live.document, facts), (live.pk, classes))


def _compiled(document: str, facts: Sequence[ToolFacts]) -> CompiledPolicy:
    with apart():
        return compile_policy(parse_policy(document, stored=True), facts)


def known_classes(facts: Iterable[ToolFacts]) -> tuple[tuple[str, str | None], ...]:
    """Returns all that the effects of a policy depend on in tools; part of the key of what is cached."""
    return tuple((tool.name, tool.tool_class) for tool in facts)


@dataclass(frozen=True, slots=True)
class _Told:
    """A policy and what it does to each tool, as an effect and in sentences."""

    compiled: CompiledPolicy | None
    effects: Mapping[str, Effect]
    explained: Mapping[str, Explanation]

    def value(self, tool: str) -> str:
        return value_of(self.compiled, tool, self.effects[tool]) if self.compiled else ""


def _told_in_force(live: PolicyRevision | None, tools: Sequence[Tool]) -> _Told:
    compiled = in_force(live, tools)
    if live is None or compiled is None:
        return _told(None, tools)
    classes = known_classes(facts_in_force(live, tools))
    return once("told in force", live.text, lambda: _told(compiled, tools), (live.pk, classes))


def _told(
    compiled: CompiledPolicy | None, tools: Sequence[Tool], known: Mapping[str, Effect] | None = None
) -> _Told:
    """`known`: the policy's effects on these tools, if they have been worked out already."""
    names = [tool.name for tool in tools]
    return _Told(
        compiled, known or effects(compiled, names), {name: _explained(compiled, name) for name in names}
    )


def _explained(compiled: CompiledPolicy | None, tool: str) -> Explanation:
    """The words depend only on the plan that applies, so they are cached by its id.

    The plan is kept beside them, so that no other object can get that id.
    """
    applies = compiled.applies_to(tool) if compiled else None
    if not isinstance(applies, Plan) or not are_kept():
        return explanation(compiled, tool)
    key, weight = ("explained", id(applies)), _WEIGHT_OF_WORDS
    explained, _ = piece(key, weight, lambda: ((explanation(compiled, tool), applies), True))
    return explained


def facts_in_force(live: PolicyRevision, tools: Iterable[Tool]) -> list[ToolFacts]:
    frozen = {name: (tool_class, digest) for name, tool_class, digest in live.classes}
    facts = []
    for tool in tools:
        tool_class, digest = frozen.get(tool.name, (None, None))
        facts.append(ToolFacts(tool.name, tool_class if digest == tool.digest else None, tool.input_schema))
    return facts


def _outlook(
    tools: Sequence[Tool], before: _Told, after: _Told, compiled: CompiledPolicy, has_live: bool
) -> Outlook:
    return Outlook(
        problems=(),
        tools=tuple(_compare(tools, before, after)),
        elsewhere=tuple(_elsewhere(before.compiled, compiled)),
        known_tools=len(tools),
        has_live=has_live,
        compiled=compiled,
        in_force=before.compiled,
    )


def _compare(tools: Sequence[Tool], before: _Told, after: _Told) -> Iterable[ToolOutlook]:
    counting: dict[str, tuple[str, ...]] = {}
    for change in shared_changes(before.compiled, after.compiled, [tool.name for tool in tools]):
        for name in change.tools:
            counting[name] = (*counting.get(name, ()), change.sentence)
    for tool in tools:
        name = tool.name
        row = ToolOutlook(
            tool,
            before.effects[name],
            before.explained[name],
            after.effects[name],
            after.explained[name],
            counting=counting.get(name, ()),
        )
        if row.before != row.after or row.was != row.now:
            yield _with_values(row, before, after)
        else:
            yield _beyond_words(row, before.compiled, after.compiled)


def _beyond_words(
    row: ToolOutlook, before: CompiledPolicy | None, after: CompiledPolicy | None
) -> ToolOutlook:
    name = row.tool.name
    if alike_for(before, after, name):
        return row
    new = recounted(before, after, name)
    return replace(row, counting=(*new, *row.counting)) if new else replace(row, otherwise=True)


def _with_values(row: ToolOutlook, before: _Told, after: _Told) -> ToolOutlook:
    was, now = before.value(row.tool.name), after.value(row.tool.name)
    return row if was == now else replace(row, before_value=was, after_value=now)


def _elsewhere(before: CompiledPolicy | None, after: CompiledPolicy) -> Iterable[Elsewhere]:
    then = _places(before.document if before else Document(default="deny"))
    now = _places(after.document)
    return [Elsewhere(title, then[title], words) for title, words in now.items()]


def _places(document: Document) -> dict[str, str]:
    return {
        "Any other tool": _DEFAULT_WORDS[document.default],
        "Resources": _access_words(document, document.resources),
        "Prompts": _access_words(document, document.prompts),
    }


_DEFAULT_WORDS = {"allow": "Allowed", "deny": "Denied"}


def _access_words(document: Document, access: Access | None) -> str:
    if access is None:
        return f"{_DEFAULT_WORDS[document.default]}, as any other tool"
    said = [_DEFAULT_WORDS[access.default]]
    said += [f"{word} {', '.join(names)}" for word, names in _exceptions(access) if names]
    return "; ".join(said)


def _exceptions(access: Access) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (("allowed:", access.allow), ("denied:", access.deny))
