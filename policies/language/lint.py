"""The linter: finds what a policy's writer probably did not mean, given the tools that the policy is for.

Errors block publishing. A check that cannot be sure stays silent: a wrong warning teaches people to ignore
them all.
"""

from collections.abc import Collection, Iterable
from typing import Final

from .compile import ToolFacts
from .document import Document, Scope
from .lint_arguments import argument_findings
from .lint_limits import limit_findings, named_beyond_a_grant
from .lint_reach import reach_findings
from .lint_survey import LintFinding, Severity, Survey
from .pause import collector_paused

__all__ = ["LintFinding", "Severity", "lint", "shared_counters"]

_APPROVAL_SECONDS: Final = 900
_MOST_COUNTERS: Final = 5000


def lint(
    document: Document,
    tools: Iterable[ToolFacts],
    *,
    approval_seconds: int = _APPROVAL_SECONDS,
    other_counters: Collection[tuple[Scope, str]] = (),
) -> tuple[LintFinding, ...]:
    """Return the findings, errors first, then by pointer.

    `other_counters`: the counters of scope `organization` or `server` that other policies name.
    """
    with collector_paused():
        return _linted(document, tools, approval_seconds, other_counters)


def shared_counters(document: Document, tools: Iterable[ToolFacts]) -> list[tuple[Scope, str]]:
    """Return the counters of scope `organization` or `server` that calls of the tools name, in order."""
    with collector_paused():
        return sorted(named_beyond_a_grant(Survey.of(document, tools)))[:_MOST_COUNTERS]


def _linted(
    document: Document,
    tools: Iterable[ToolFacts],
    approval_seconds: int,
    other_counters: Collection[tuple[Scope, str]],
) -> tuple[LintFinding, ...]:
    survey = Survey.of(document, tools)
    found = {
        *reach_findings(survey),
        *argument_findings(survey),
        *limit_findings(survey, approval_seconds, other_counters),
    }
    if survey.patience.is_over:
        found.add(_not_all_checked())
    return tuple(sorted(found, key=lambda finding: (finding.severity, finding.pointer, finding.code)))


def _not_all_checked() -> LintFinding:
    message = (
        "This policy and its tools are too large to check every rule against every tool: more "
        "may be wrong than is named here. Try calls, or write fewer rules."
    )
    return LintFinding("", "not_all_checked", Severity.WARNING, message)
