"""Finds arguments whose names some servers take for one that a rule reads.

To a rule `Path` is not `path`, which is missing or says something harmless. To servers that ignore the case
of names they are one argument, and the last one wins. Members of `__proto__` are found by their own names
where a server in JavaScript copied the object. No such call has a single meaning.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from .paths import Path, Step


@dataclass(slots=True)
class Names:
    """The names that rules read in one object, and what they read below; `each`: in a list's elements.

    `fine`: names that need no further check, including some that were met before.
    """

    members: dict[str, "Names"] = field(default_factory=dict)
    each: "Names | None" = None
    folded: frozenset[str] = frozenset()
    fine: set[str] = field(default_factory=set, compare=False)


_NOTHING: Final = Names()
_MOST_FINE: Final = 64
_LONGEST_FINE: Final = 64
_FOR_ANY: Final = frozenset({"__proto__"})


def names_in(paths: Iterable[Path]) -> Names:
    names = Names()
    for path in paths:
        _note(names, path.steps)
    _finish(names)
    return names


def has_twin(names: Names, value: object) -> bool:
    if type(value) is dict:
        if names.fine.issuperset(value):
            return False
        members = names.members
        for name, inner in value.items():
            below = members.get(name)
            if below is None:
                if name.casefold() in names.folded:
                    return True
                # Callers choose the names: they must not be able to fill this.
                if len(names.fine) < _MOST_FINE and len(name) <= _LONGEST_FINE:
                    names.fine.add(name)
            elif below is not _NOTHING and has_twin(below, inner):
                return True
    elif type(value) is list and names.each is not None:
        return any(has_twin(names.each, element) for element in value)
    return False


def _note(names: Names, steps: tuple[Step, ...]) -> None:
    for step in steps:
        if isinstance(step, str):
            names = names.members.setdefault(step, Names())
        else:
            # Whichever element a rule reads, no other may have a name with two meanings either.
            names.each = names.each or Names()
            names = names.each


def _finish(names: Names) -> None:
    if names.members:
        names.folded = _FOR_ANY.union(name.casefold() for name in names.members)
    if names.each is not None:
        _finish(names.each)
    for name, below in names.members.items():
        _finish(below)
        if below == _NOTHING:
            names.members[name] = _NOTHING
            names.fine.add(name)
