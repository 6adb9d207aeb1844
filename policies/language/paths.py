"""Paths: where in a call's arguments a condition or a limit looks."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Each(Enum):
    """The step `[*]`: every element of a list."""

    EACH = "[*]"


EACH = Each.EACH
Step: TypeAlias = str | int | Each

_STEP = re.compile(
    r"\.(?P<member>[A-Za-z0-9_$-]+)"
    r"|\[(?P<index>0|[1-9][0-9]{0,8})\]"
    r"|(?P<each>\[\*\])"
    r'|\[(?P<quoted>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")\]'
)
_PLAIN_MEMBER = re.compile(r"[A-Za-z0-9_$-]+\Z")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Path:
    text: str
    steps: tuple[Step, ...]

    @property
    def quantified(self) -> bool:
        return EACH in self.steps


def parse_path(text: str) -> Path | None:
    if not text.startswith("args"):
        return None
    steps: list[Step] = []
    at = len("args")
    while at < len(text):
        found = _STEP.match(text, at)
        step = _step(found) if found else None
        if found is None or step is None:
            return None
        steps.append(step)
        at = found.end()
    return Path(text, tuple(steps))


def _step(found: re.Match[str]) -> Step | None:
    member, index, each, quoted = found.group("member", "index", "each", "quoted")
    if member is not None:
        return str(member)
    if index is not None:
        return int(index)
    if each is not None:
        return EACH
    key: str = json.loads(quoted)
    return None if _LONE_SURROGATE.search(key) else key


def member_path(name: str) -> str:
    """Return the path of one top-level argument."""
    return f"args.{name}" if _PLAIN_MEMBER.match(name) else f"args[{json.dumps(name, ensure_ascii=False)}]"


def path_text(steps: Sequence[Step]) -> str:
    text = "args"
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else "[*]" if step is EACH else member_path(step)[4:]
    return text
