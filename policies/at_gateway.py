"""What a gateway refuses although the policy allows it."""

from __future__ import annotations

from collections.abc import Collection

from policies.language.compile import CompiledPolicy, Plan
from policies.language.decide import names_exactly
from policies.language.decision import Decision, Outcome, ToolCall
from policies.language.sentences import named_twice_sentence, not_available_sentence
from policies.language.twins import has_twin


def refused_by_gateway(
    compiled: CompiledPolicy, call: ToolCall, decision: Decision, listed: Collection[str]
) -> str | None:
    """Returns what the agent reads. `listed`: the names of the tools that the server has."""
    if decision.outcome is Outcome.DENY:
        return None
    if call.tool not in listed and not names_exactly(compiled, call.tool):
        return not_available_sentence(call.tool)
    applies = compiled.applies_to(call.tool)
    twin = isinstance(applies, Plan) and has_twin(applies.sources.names, call.arguments)
    return named_twice_sentence() if twin else None
