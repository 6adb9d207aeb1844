"""What a gateway refuses by itself, whatever the policy says of the call."""

from __future__ import annotations

from collections.abc import Collection

from policies.language.compile import CompiledPolicy, Plan
from policies.language.decide import is_listed, names_exactly
from policies.language.decision import Decision, Outcome, ToolCall
from policies.language.sentences import named_twice_sentence, not_available_sentence
from policies.language.twins import has_twin


def refused_by_gateway(
    compiled: CompiledPolicy, call: ToolCall, decision: Decision, listed: Collection[str]
) -> str | None:
    """Returns what the agent reads instead of the reason. `listed`: the names of the server's tools."""
    missing = call.tool not in listed and not names_exactly(compiled, call.tool)
    if missing and is_listed(compiled, call.tool):
        return not_available_sentence(call.tool)
    if decision.outcome is Outcome.DENY:
        return None
    applies = compiled.applies_to(call.tool)
    twin = isinstance(applies, Plan) and has_twin(applies.sources.names, call.arguments)
    return named_twice_sentence() if twin else None
