"""What a policy does to one tool in as few words as a table has room for."""

from .board import rate_pill
from .compile import HIDDEN, CompiledPolicy, Plan
from .effects import Effect


def value_of(compiled: CompiledPolicy, tool: str, effect: Effect) -> str:
    """Return the pill's text instead of a word, like 30/min or 2 rules; empty where the word says all."""
    applies = compiled.applies_to(tool)
    if not isinstance(applies, Plan):
        return ""
    match effect:
        case Effect.LIMITED:
            first, more = applies.limits[0].source, len(applies.limits) - 1
            return rate_pill(f"{first.max:,}", first.window_seconds) + (f" +{more}" if more else "")
        case Effect.CONDITIONAL:
            asked = len(applies.approve_if)
            count = len(applies.require) + len(applies.deny_if) + asked
            return f"{count} rule{'' if count == 1 else 's'}"
        case Effect.ALLOWED | Effect.NEEDS_APPROVAL | Effect.DENIED | Effect.HIDDEN:
            return ""


def decided_by(compiled: CompiledPolicy, tool: str) -> str:
    """Return the place of the rule that applies, `(default allow)`, `(default deny)` or `(hidden)`."""
    applies = compiled.applies_to(tool)
    if isinstance(applies, Plan):
        return applies.allowed_by
    return "(hidden)" if applies is HIDDEN else "(default deny)"


def rule_words(rule: str, subject: str) -> str:
    """Say a rule in words: `/classes/Read/limits/0` is the "Read rule", a tool's own entry its "own rule"."""
    if not rule.startswith("/"):
        return {"(default allow)": "no rule; the default allows", "(default deny)": "no rule"}.get(
            rule, rule.strip("()")
        )
    section, _, rest = rule[1:].partition("/")
    name = rest.split("/")[0].replace("~1", "/").replace("~0", "~")
    match section:
        case "tools":
            return "own rule" if name == subject else f"rule for {name}"
        case "classes":
            return f"{name} rule"
        case "all_tools":
            return "rule for all tools"
        case _:
            return f"{section}: {rest.replace('/', ' ')}"
