"""Where a path leads: every end value, or what stands in its place."""

import json
import re
from enum import Enum

from .values import Json


class End(Enum):
    MISSING = "nothing stands there"
    WRONG = "a step met a value of the wrong kind"


class Star(Enum):
    STAR = "[*]"


Step = str | int | Star
ONE_STEP = re.compile(r'\.([A-Za-z0-9_$-]+)|\[(\d+)\]|\[(\*)\]|\[("(?:[^"\\]|\\.)*")\]')


def steps_of(path: str) -> list[Step]:
    steps: list[Step] = []
    for member, index, star, quoted in ONE_STEP.findall(path.removeprefix("args")):
        if star:
            steps.append(Star.STAR)
        elif index:
            steps.append(int(index))
        else:
            steps.append(json.loads(quoted) if quoted else member)
    return steps


def has_star(path: str) -> bool:
    return Star.STAR in steps_of(path)


def ends(arguments: Json, path: str) -> list[Json | End]:
    values: list[Json | End] = [arguments]
    for step in steps_of(path):
        values = [end for value in values for end in _after(value, step)]
    return values


def _after(value: Json | End, step: Step) -> list[Json | End]:
    if value is End.WRONG:
        return [End.WRONG]
    if value is End.MISSING or value is None:
        return [End.MISSING]
    if isinstance(step, str):
        if not isinstance(value, dict):
            return [End.WRONG]
        return [value[step]] if step in value else [End.MISSING]
    if not isinstance(value, list):
        return [End.WRONG]
    if step is Star.STAR:
        return list(value)
    assert isinstance(step, int)
    return [value[step]] if step < len(value) else [End.MISSING]
