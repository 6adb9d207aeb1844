"""Prints the last lines of `make test`: which tests did not run because this machine lacks a program."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from config.supervisor.postgres_programs import find_programs
from tests.foreign_npm import is_made, npm_names
from tests.postgres import VARIABLE


@dataclass(frozen=True, slots=True)
class Needed:
    program: str
    is_here: Callable[[], bool]
    without_it: str


def _any_on_path(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


NEEDED = (
    Needed(
        "the folder that POLICYLAYER_TEST_DATA names",
        lambda: bool(os.environ.get("POLICYLAYER_TEST_DATA")),
        "the classifier on labelled tools, and the registry's recorded pages",
    ),
    Needed("redis-server", _any_on_path("redis-server"), "what counts and carries messages through Redis"),
    Needed(
        "chromium",
        _any_on_path("chromium", "chromium-browser", "google-chrome"),
        "every journey in a browser",
    ),
    Needed("npm", _any_on_path("npm"), "the official conformance suite (`make conformance`)"),
    Needed(
        "postgres",
        lambda: bool(os.environ.get(VARIABLE) or find_programs()),
        "everything that needs a database",
    ),
    Needed(
        "npm, or what it was to fetch,",
        lambda: all(is_made(name) for name in npm_names()),
        "the clients and servers that run on Node",
    ),
)


def main() -> None:
    missing = [needed for needed in NEEDED if not needed.is_here()]
    for needed in missing:
        print(f"Left out, because {needed.program} was not found: {needed.without_it}.")
    if not missing:
        print("Nothing was left out for want of a program.")


if __name__ == "__main__":
    main()
