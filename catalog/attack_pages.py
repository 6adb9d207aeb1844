"""What an attack's page shows beside its words: its policy judged, and tools of the index it wants."""

from __future__ import annotations

from catalog.advice import as_text
from catalog.attack_shape import Attack, Attempt
from catalog.models import CatalogTool
from policies.language.cases import TestResult, run_tests
from policies.language.compile import ToolFacts, compile_policy
from policies.language.parse import parse_policy

_SIGNALS = {
    "credential-leaks": "secret_result",
    "token-misuse": "credentials",
    "free-form-execution": "free_form_command",
    "data-exfiltration": "outbound_message",
}
_CLASSES = {"destructive-autonomy": "Destructive", "runaway-loops": "Execute", "rug-pull": "Execute"}
MOST_TOOLS = 6


def judged(attack: Attack) -> list[tuple[Attempt, TestResult]]:
    """Each call of the example and what the policy makes of it, decided by the engine now."""
    facts = [ToolFacts(name, tool_class, None) for name, tool_class in attack.tools.items()]
    compiled = compile_policy(parse_policy(as_text(attack.policy)), facts)
    results = run_tests(compiled, tuple(attempt.test for attempt in attack.attempts))
    return list(zip(attack.attempts, results, strict=True))


def wanting(attack: Attack) -> list[CatalogTool]:
    tools = (
        CatalogTool.objects.filter(removed_at=None).select_related("server").defer("search", "server__search")
    )
    if signal := _SIGNALS.get(attack.key):
        tools = tools.filter(signals__contains=[signal])
    else:
        tools = tools.filter(tool_class=_CLASSES.get(attack.key, "Write"))
    return list(tools.order_by("-severity", "name_key", "id")[:MOST_TOOLS])
