"""Which calls are too much work to be judged on an event loop that others wait for.

The answer costs little itself, and is an estimate from above: what it lets pass takes about a millisecond at
most. Judging elsewhere gives the same decision.
"""

from typing import Final, assert_never

from .amount import amount_read
from .compile import CompiledAccess, CompiledPolicy, Refusal
from .decision import Call, PromptGet, ResourceRead, ToolCall

# A pattern costs a look at its ends, or a search through the name.
_LIGHT_PATTERNS: Final = 1000
_LIGHT_NAME_CHARACTERS: Final = 250_000


def needs_offloading(compiled: CompiledPolicy | None, call: Call) -> bool:
    if compiled is None:
        return False
    match call:
        case ToolCall():
            return _is_heavy_call(compiled, call)
        case ResourceRead(uri):
            return _is_heavy_name(_patterns(compiled.resources), uri)
        case PromptGet(name):
            return _is_heavy_name(_patterns(compiled.prompts), name)
        case _:
            assert_never(call)


def _is_heavy_call(compiled: CompiledPolicy, call: ToolCall) -> bool:
    if not compiled.knows(call.tool):
        count = len(compiled.hide.patterns) + len(compiled.patterns)
        if _is_heavy_name(count, call.tool):
            return True
    applies = compiled.applies_to(call.tool)
    if isinstance(applies, Refusal) or not isinstance(call.arguments, dict):
        return False
    reading = applies.sources.reading
    return reading is not None and not amount_read(reading, call.arguments, only_whether_light=True).is_light


def _patterns(access: CompiledAccess | None) -> int:
    return access.pattern_count if access else 0


def _is_heavy_name(patterns: int, name: str) -> bool:
    # One more: a URI is searched for its segments even where no pattern asks for it.
    return patterns > _LIGHT_PATTERNS or (patterns + 1) * len(name) > _LIGHT_NAME_CHARACTERS
