"""Which calls are too much work to be judged on an event loop that others wait for.

The answer costs little itself, and is an estimate from above: what it lets pass takes about a millisecond at
most. Judging elsewhere gives the same decision.
"""

from typing import Final, assert_never

from .amount import LIGHT_NANOSECONDS, amount_read
from .compile import CompiledAccess, CompiledPolicy, Refusal
from .decision import Call, PromptGet, ResourceRead, ToolCall

# A URI is searched for its segments even where no pattern asks for it.
_LIGHT_CHARACTERS: Final = 250_000


def needs_offloading(compiled: CompiledPolicy | None, call: Call) -> bool:
    if compiled is None:
        return False
    match call:
        case ToolCall():
            return _is_heavy_call(compiled, call)
        case ResourceRead(uri):
            return _is_heavy_access(compiled.resources, uri)
        case PromptGet(name):
            return _is_heavy_access(compiled.prompts, name)
        case _:
            assert_never(call)


def _is_heavy_call(compiled: CompiledPolicy, call: ToolCall) -> bool:
    if not compiled.knows(call.tool) and compiled.look_up_nanoseconds(len(call.tool)) > LIGHT_NANOSECONDS:
        return True
    applies = compiled.applies_to(call.tool)
    if isinstance(applies, Refusal) or not isinstance(call.arguments, dict):
        return False
    reading = applies.sources.reading
    return reading is not None and not amount_read(reading, call.arguments, only_whether_light=True).is_light


def _is_heavy_access(access: CompiledAccess | None, name: str) -> bool:
    if len(name) > _LIGHT_CHARACTERS:
        return True
    return access is not None and access.nanoseconds(len(name)) > LIGHT_NANOSECONDS
