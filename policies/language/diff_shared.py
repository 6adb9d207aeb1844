"""Which tools stopped or began to share a counter: news also for a tool whose own rule did not change."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from .changes import Direction, LimitChange, Subject
from .compile import CompiledPolicy, Plan
from .document import Limit
from .sentences import listed

# The scope, the counter, and whether it has a count for each value of an argument.
_Counter: TypeAlias = tuple[str, str, bool]


def shared_changes(
    old: CompiledPolicy | None, new: CompiledPolicy | None, tools: Iterable[str]
) -> Iterator[LimitChange]:
    """Yield a change for each tool that counts where it did, but no longer with the same tools.

    Of a tool that can be called only before or after, it is said already what became of it itself.
    """
    if old is None or new is None:
        return
    names = tuple(tools)
    before, after = _users(old, names), _users(new, names)
    for counter, was in before.items():
        now = after.get(counter, {})
        stayed = [name for name in was if name in now]
        left, came = [name for name in was if name not in now], [name for name in now if name not in was]
        for direction, sentence in _said(counter[1], left, came):
            for name in stayed:
                yield LimitChange((Subject("tool", name),), direction, sentence, False, was[name], now[name])


def _users(compiled: CompiledPolicy, names: Iterable[str]) -> dict[_Counter, dict[str, Limit]]:
    """Return which tools count where. A tool that is denied counts nowhere, whatever its rule says."""
    users: dict[_Counter, dict[str, Limit]] = {}
    for name in names:
        applies = compiled.applies_to(name)
        if not isinstance(applies, Plan) or applies.denied is not None:
            continue
        for limit in applies.limits:
            source = limit.source
            counter = source.scope, source.counter.replace("{tool}", name), source.key is not None
            users.setdefault(counter, {}).setdefault(name, source)
    return users


def _said(counter: str, left: list[str], came: list[str]) -> Iterator[tuple[Direction, str]]:
    if left:
        yield Direction.LOOSER, f"No longer shares the counter {counter} with {listed(left)}."
    if came:
        yield Direction.TIGHTER, f"Shares the counter {counter} with {listed(came)} now."
