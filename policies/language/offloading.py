"""Decides which calls are too much work to judge on an event loop that others wait for.

Deciding this costs little and uses upper estimates: a call that passes takes about a millisecond at most.
Judging elsewhere gives the same decision.
"""

from collections.abc import Sequence
from typing import Final

from .amount import LIGHT_NANOSECONDS, amount_read
from .compile import CompiledAccess, CompiledPolicy
from .decision import Call, PromptGet, ResourceRead, ToolCall
from .work import NO_SOURCES

# A URI is searched for dot segments even where no pattern is compared with it.
_CHARACTER_NANOSECONDS: Final = 4
_ACCESS_NANOSECONDS: Final = 5_000


def needs_offloading(compiled: CompiledPolicy | None, call: Call) -> bool:
    if compiled is None:
        return False
    if type(call) is not ToolCall:
        return together_need_offloading(compiled, [call])
    applies = compiled.known.get(call.tool)
    if applies is None:
        if compiled.look_up_nanoseconds(len(call.tool)) > LIGHT_NANOSECONDS:
            return True
        applies = compiled.applies_to(call.tool)
    sources = applies.sources
    if sources is NO_SOURCES or not isinstance(call.arguments, dict):
        return False
    reading = sources.reading
    return reading is not None and not amount_read(reading, call.arguments, only_whether_light=True).is_light


def light_size(compiled: CompiledPolicy | None, tool: str) -> int:
    """Return the size in bytes up to which no request that calls this tool needs offloading.

    Negative if that is not known.
    """
    if compiled is None:
        return -1
    if tool not in compiled.known and compiled.look_up_nanoseconds(len(tool)) > LIGHT_NANOSECONDS:
        return -1
    return compiled.applies_to(tool).sources.light_size


def together_need_offloading(
    compiled: CompiledPolicy | None, things: Sequence[ResourceRead | PromptGet]
) -> bool:
    """Return whether judging all of them in one go takes too long."""
    return compiled is not None and sum(_of_access(compiled, thing) for thing in things) > LIGHT_NANOSECONDS


def _of_access(compiled: CompiledPolicy, thing: ResourceRead | PromptGet) -> int:
    if isinstance(thing, ResourceRead):
        return _access_nanoseconds(compiled.resources, len(thing.uri))
    return _access_nanoseconds(compiled.prompts, len(thing.name))


def _access_nanoseconds(access: CompiledAccess | None, length: int) -> int:
    searching = 0 if access is None else access.nanoseconds(length)
    return _ACCESS_NANOSECONDS + _CHARACTER_NANOSECONDS * length + searching
