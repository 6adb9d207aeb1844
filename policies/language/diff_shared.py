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

    Only between tools that can be called under both: of others it is said already what became of them.
    """
    if old is None or new is None:
        return
    names = [name for name in tools if _is_open(old, name) and _is_open(new, name)]
    before, after = _users(old, names), _users(new, names)
    for counter, was in before.items():
        now = after.get(counter, {})
        stayed = [name for name in was if name in now]
        left, came = [name for name in was if name not in now], [name for name in now if name not in was]
        for direction, sentence in _said(counter[1], left, came):
            for name in stayed:
                yield LimitChange((Subject("tool", name),), direction, sentence, False, was[name], now[name])


def _is_open(compiled: CompiledPolicy, name: str) -> bool:
    applies = compiled.applies_to(name)
    return isinstance(applies, Plan) and applies.denied is None


def _users(compiled: CompiledPolicy, names: Iterable[str]) -> dict[_Counter, dict[str, Limit]]:
    users: dict[_Counter, dict[str, Limit]] = {}
    for name in names:
        applies = compiled.applies_to(name)
        for limit in applies.limits if isinstance(applies, Plan) else ():
            source = limit.source
            counter = source.scope, source.counter.replace("{tool}", name), source.key is not None
            users.setdefault(counter, {}).setdefault(name, source)
    return users


def _said(counter: str, left: list[str], came: list[str]) -> Iterator[tuple[Direction, str]]:
    if left:
        yield Direction.LOOSER, f"No longer shares the counter {counter} with {listed(left)}."
    if came:
        yield Direction.TIGHTER, f"Shares the counter {counter} with {listed(came)} now."
