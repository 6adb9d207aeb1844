"""The official conformance suite and its Node 22, both from npm, in a cache folder of their own."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.foreign import ROOT

HERE: Final = Path(__file__).parent
CACHE: Final = ROOT / ".cache" / "conformance"
FETCHING_SECONDS: Final = 300
OLDEST_NODE: Final = 22


class SuiteUnavailable(Exception):  # noqa: N818
    """The suite cannot be fetched here; the text says why."""


@dataclass(frozen=True, slots=True)
class Suite:
    node: Path
    program: Path

    async def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run the suite; return its exit code, which counts the checks that failed, and what it printed."""
        process = await asyncio.create_subprocess_exec(
            str(self.node),
            str(self.program),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": os.environ.get("HOME", "/"),
                **(environment or {}),
            },
        )
        printed, _ = await process.communicate()
        return process.returncode or 0, printed.decode(errors="replace")


def fetch() -> Suite:
    """Fetch the suite unless it is in the cache; raises SuiteUnavailable."""
    locked = (HERE / "package.json").read_bytes() + (HERE / "package-lock.json").read_bytes()
    folder = CACHE / hashlib.sha256(locked).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            _install(folder)
            (folder / ".complete").touch()
    modules = folder / "node_modules"
    return Suite(_node(modules), modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js")


def _install(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SuiteUnavailable("npm was not found")
    shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCHING_SECONDS)
    except subprocess.TimeoutExpired:
        raise SuiteUnavailable("npm took too long") from None
    if made.returncode != 0:
        raise SuiteUnavailable(f"npm could not fetch it: {made.stderr.strip()[-300:]}")


def _node(modules: Path) -> Path:
    """The Node that was fetched with it; on other systems an installed one, if it is new enough."""
    for fetched in sorted(modules.glob("node-*/bin/node")):
        fetched.chmod(0o755)
        return fetched
    found = shutil.which("node")
    if found is None or _major(found) < OLDEST_NODE:
        raise SuiteUnavailable(f"there is no Node {OLDEST_NODE} for this machine")
    return Path(found)


def _major(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    return int(said.strip().removeprefix("v").split(".")[0] or 0)


# Its results

Checks = dict[tuple[str, str, str], list[str]]
"""The verdicts, in order, by scenario, check id and check name."""

# A scenario's folder name ends in the time it was made: -2026-11-21T15-03-50-202Z.
_MADE_AT: Final = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z?$")
# These only count the pieces in which a stream was read: they are not verdicts.
_NO_VERDICT: Final = frozenset({"outgoing-request", "incoming-response", "incoming-sse-event"})


def read_checks(folder: Path, scenarios: Sequence[str] = ()) -> Checks:
    checks: Checks = {}
    for path in sorted(folder.glob("**/checks.json")):
        scenario = _MADE_AT.sub("", path.parent.name).removeprefix("server-")
        for check in json.loads(path.read_text()):
            if check["id"] not in _NO_VERDICT:
                checks.setdefault((scenario, check["id"], check["name"]), []).append(check["status"])
    assert checks, f"nothing was written to {folder}"
    return checks
