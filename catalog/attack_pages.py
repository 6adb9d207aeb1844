"""What an attack's page shows besides its text: its policy judged, and tools of the index that it wants."""

from __future__ import annotations

from catalog.advice import as_text
from catalog.attack_shape import Attack, Attempt
from catalog.models import CatalogTool
from catalog.summary import picked, tools_in_order
from policies.language.cases import TestResult, run_tests
from policies.language.compile import ToolFacts, compile_policy
from policies.language.parse import parse_policy


def judged(attack: Attack) -> list[tuple[Attempt, TestResult]]:
    """Each call of the example with what the policy makes of it, as the engine decides it now."""
    facts = [ToolFacts(name, tool_class, None) for name, tool_class in attack.tools.items()]
    compiled = compile_policy(parse_policy(as_text(attack.policy)), facts)
    results = run_tests(compiled, tuple(attempt.test for attempt in attack.attempts))
    return list(zip(attack.attempts, results, strict=True))


def wanting(attack: Attack) -> list[CatalogTool]:
    keys = picked(attack.key) or picked("others")
    return tools_in_order(keys)
