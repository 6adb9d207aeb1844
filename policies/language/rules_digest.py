"""A digest of the rules that judged a call. An approval is bound to it."""

import hashlib

from .canonical import Plain, render, rule_value
from .compile import CompiledPolicy, Plan


def rules_digest(compiled: CompiledPolicy, tool: str) -> str:
    """Return the hex SHA-256 of the rules that apply to this tool, with their places, and of `hide`."""
    applies = compiled.applies_to(tool)
    said: dict[str, Plain] = {"hide": list(compiled.document.hide)}
    if isinstance(applies, Plan):
        said |= {rule.at: rule_value(rule.source) for rule in applies.rules}
        said["allowed by"] = applies.allowed_by
    return hashlib.sha256(render(said).encode()).hexdigest()
