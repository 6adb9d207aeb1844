"""Foreign programs from npm, exactly as their committed locks say, and the Node 22 they run on.

Each environment is made once, under `.cache/clients/<name>/<hash of the lock>`, as in `tests.foreign`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.foreign import CACHE, CLIENTS, MAKING_SECONDS, ForeignUnavailable, alone

NODE = "node-22"


def npm_environment(name: str) -> Path:
    """The folder that holds its `node_modules`; raises ForeignUnavailable."""
    environment = _place(name)
    if not is_made(name):
        with alone(name):
            if not is_made(name):
                _make(CLIENTS / name, environment)
                (environment / ".complete").touch()
    return environment


def npm_names() -> list[str]:
    return [package.parent.name for package in CLIENTS.glob("*/package.json")]


def is_made(name: str) -> bool:
    return (_place(name) / ".complete").exists()


def find_node() -> Path:
    """Node 22, whatever node this machine has; raises ForeignUnavailable."""
    modules = npm_environment(NODE) / "node_modules"
    found = next(modules.glob("node-*/bin/node"), None)
    if found is None:
        raise ForeignUnavailable("there is no Node 22 for this kind of machine")
    return found


def node_command(name: str, script: str) -> list[str]:
    """The command that runs a script of the environment, or one of ours that uses it.

    The test is skipped where the environment or Node cannot be had; in CI it fails.
    """
    try:
        environment = npm_environment(name)
        node = find_node()
    except ForeignUnavailable as unavailable:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{name}: {unavailable}")
    ours = CLIENTS / name / script
    return [str(node), str(_beside_modules(ours, environment) if ours.exists() else environment / script)]


def _place(name: str) -> Path:
    here = CLIENTS / name
    locked = (here / "package.json").read_bytes() + (here / "package-lock.json").read_bytes()
    return CACHE / name / hashlib.sha256(locked).hexdigest()[:16]


def _beside_modules(script: Path, environment: Path) -> Path:
    # Node looks for imports beside the script itself, and that folder is outside git.
    copied = environment / script.name
    fresh = environment / f"{script.name}.{os.getpid()}"
    fresh.write_bytes(script.read_bytes())
    fresh.rename(copied)
    return copied


def _make(here: Path, environment: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ForeignUnavailable("npm is not installed")
    shutil.rmtree(environment, ignore_errors=True)  # left by an interrupted run
    environment.mkdir(parents=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copy(here / file, environment)
    made = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=environment,
        capture_output=True,
        text=True,
        timeout=MAKING_SECONDS,
    )
    if made.returncode != 0:
        raise ForeignUnavailable(f"npm could not make it: {made.stderr.strip()[-300:]}")
