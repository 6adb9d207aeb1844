"""The files of `deploy/`, read as the programs that use them read them."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.foreign import CLIENTS, ROOT, foreign_program

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "policylayer"
PROCESSES = ("prepare", "web", "internal", "worker", "gateway")
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::(-|\?)([^}]*))?\}")


def example() -> dict[str, str]:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def services(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The compose file's services with their variables filled in, as `docker compose config` does."""
    read = YAML(typ="safe").load(DEPLOY / "compose.yaml")
    found: dict[str, dict[str, Any]] = _filled(read["services"], environment)
    return found


def networks() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = YAML(typ="safe").load(DEPLOY / "compose.yaml")["networks"]
    return found


def _filled(part: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(value, environment) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, environment) for value in part]
    if not isinstance(part, str):
        return part

    def value(found: re.Match[str]) -> str:
        given = environment.get(found[1], "")
        if not given and found[2] == "?":
            raise LookupError(f"{found[1]} is required: {found[3]}")
        return given or (found[3] or "" if found[2] == "-" else "")

    return _VARIABLE.sub(value, part)


# ---- images
@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    base: str
    steps: tuple[tuple[str, str], ...]

    def all(self, keyword: str) -> list[str]:
        return [words for said, words in self.steps if said == keyword]


def stages() -> dict[str, Stage]:
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    found: dict[str, Stage] = {}
    steps: list[tuple[str, str]] = []
    for line in text.splitlines():
        keyword, _, words = line.strip().partition(" ")
        if keyword == "FROM":
            base, _, name = words.partition(" AS ")
            steps = []
            found[name] = Stage(name, base, ())
        elif keyword and not keyword.startswith("#") and found:
            steps.append((keyword, words))
            last = list(found)[-1]
            found[last] = Stage(last, found[last].base, tuple(steps))
    return found


def lay_out(image: str, folder: Path) -> None:
    """What the image's /app holds: every COPY from the context, which .dockerignore has thinned out."""
    for words in stages()[image].all("COPY"):
        how, *sources, target = shlex.split(words)
        if how.startswith("--from"):
            continue
        assert how == "--chmod=755", f"{sources} may be unreadable for who runs there"
        for source in sources:
            _copy(ROOT / source, folder / target, into=target.endswith("/"))


def _copy(source: Path, target: Path, *, into: bool) -> None:
    assert is_sent(source.relative_to(ROOT)), f"{source} is not in the context"
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        return
    place = target / source.name if into else target
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)


def is_sent(path: Path) -> bool:
    """Whether the builder gets this path; the last line of .dockerignore that speaks of it decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().removeprefix("!")
        if (
            pattern
            and not pattern.startswith("#")
            and any(_speaks_of(pattern, part) for part in _parts(path))
        ):
            sent = line.startswith("!")
    return sent


def _parts(path: Path) -> Iterator[Path]:
    yield path
    yield from (parent for parent in path.parents if parent != Path())


def _speaks_of(pattern: str, path: Path) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(path.name, pattern[3:])
    return fnmatch.fnmatch(str(path), pattern)


# ---- the chart
VALUES: dict[str, Any] = {
    "publicUrl": "https://policylayer.example.com",
    "gatewayPublicUrl": "https://gateway.example.com",
}


def read_chart(*values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each values what Helm and Kubernetes say of the chart, and its manifests."""
    python = foreign_program("deploy-linters")
    done = subprocess.run(
        [str(python), str(CLIENTS / "deploy-linters" / "read.py"), str(CHART), *map(json.dumps, values)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
