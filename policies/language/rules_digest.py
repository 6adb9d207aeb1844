"""What an approval is bound to: a digest of the very rules that judged the call."""

import hashlib

from .canonical import Plain, render, rule_value
from .compile import CompiledPolicy, Plan


def rules_digest(compiled: CompiledPolicy, tool: str) -> str:
    """Hex SHA-256 of the rules that apply to this tool, with their places, and of what is hidden."""
    applies = compiled.applies_to(tool)
    said: dict[str, Plain] = {"hide": list(compiled.document.hide)}
    if isinstance(applies, Plan):
        said |= {rule.at: rule_value(rule.source) for rule in applies.rules}
        said["allowed by"] = applies.allowed_by
    return hashlib.sha256(render(said).encode()).hexdigest()
