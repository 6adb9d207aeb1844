"""Loaded by every process of a product under test; kills the process with SIGKILL at the armed point.

The file `armed` in CRASH_FOLDER names the point; the first process to get there takes the file and dies.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(os.environ.get("CRASH_FOLDER", "/nowhere"))


def meets(point: str) -> None:
    armed = FOLDER / "armed"
    try:
        if armed.read_text() == point:
            armed.rename(FOLDER / "fired")
            os.kill(os.getpid(), signal.SIGKILL)
    except FileNotFoundError:
        pass


def deadly(function: Callable[..., Any], point: str, when: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            meets(point)
        result = function(*args, **kwargs)
        if when == "after":
            meets(point)
        return result

    @functools.wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            meets(point)
        result = await function(*args, **kwargs)
        if when == "after":
            meets(point)
        return result

    return awaited if inspect.iscoroutinefunction(function) else called


def forgive(supervise: Any) -> None:
    """Make the supervisor treat each crash as the first: it waits longer before each later restart."""
    supervise.Patience.delay = lambda self, crashes: self.first_seconds


def arm(module: ModuleType, points: Sequence[Sequence[str]]) -> None:
    for point, name, when in points:
        *outer, attribute = name.split(".")
        owner = functools.reduce(getattr, outer, module)
        setattr(owner, attribute, deadly(getattr(owner, attribute), point, when))


class Finder(importlib.abc.MetaPathFinder):
    def __init__(self, points: dict[str, list[list[str]]]) -> None:
        self.points = points

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        points = [[]] if fullname == "config.supervisor.supervise" else self.points.get(fullname)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path) if points else None
        if spec is None or spec.loader is None or not points:
            return None
        execute = spec.loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            if points == [[]]:
                forgive(module)
            else:
                arm(module, points)

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec


if "CRASH_POINTS" in os.environ:
    sys.meta_path.insert(0, Finder(json.loads(os.environ["CRASH_POINTS"])))
