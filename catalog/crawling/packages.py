"""Installs a registry's package without running any of it, and says how its server is started."""

from __future__ import annotations

import configparser
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from catalog.crawling.cage import SEARCHED, Cage

_REPOSITORY = re.compile(
    r"(?:github|gitlab)\.com[/:]([\w.-]{1,90})/([\w.-]{1,100}?)(?:\.git)?(?:[/#?].*)?\Z", re.ASCII
)
_SHORT_REPOSITORY = re.compile(r"(?:github:)?([\w.-]{1,90})/([\w.-]{1,100})\Z", re.ASCII)
_NAME = re.compile(r"(npm|pypi):((?:@[a-z0-9._-]+/)?[A-Za-z0-9._-]+)\Z")


_UNREADABLE: Final = (
    *(OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError),
    configparser.Error,
)


class PackageRefused(Exception):  # noqa: N818
    """Why this package gives no server, in one sentence."""


@dataclass(frozen=True, slots=True)
class Package:
    registry: str
    name: str

    def __str__(self) -> str:
        return f"{self.registry}:{self.name}"


@dataclass(frozen=True, slots=True)
class Installed:
    package: Package
    version: str
    command: tuple[str, ...]
    environment: dict[str, str]
    repository: str
    subfolder: str
    vendor: str


def read_package(text: str) -> Package:
    """`npm:@scope/name` or `pypi:name`. Nothing else is installed: no address, no path, no option."""
    found = _NAME.match(text)
    if found is None or found[2].startswith(("-", ".")):
        raise PackageRefused(f"“{text}” names no package: write npm:<name> or pypi:<name>.")
    return Package(found[1], found[2])


def install(package: Package, cage: Cage, *, program: str = "") -> Installed:
    """Install a package. `program` chooses one of several that it brings."""
    folder = (_from_npm if package.registry == "npm" else _from_pypi)(package, cage)
    return installed_in(folder, package, program)


def installed_in(folder: Path, package: Package, program: str = "") -> Installed:
    read = _of_npm if package.registry == "npm" else _of_pypi
    try:
        return read(folder, package, program)
    except _UNREADABLE:
        raise PackageRefused("what it says of itself cannot be read") from None


def _from_npm(package: Package, cage: Cage) -> Path:
    folder = cage.home / "npm"
    npm = shutil.which("npm", path=SEARCHED) or "npm"
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--omit=dev"]
    said = cage.install([npm, "install", *flags, "--prefix", str(folder), package.name], {})
    if said:
        raise PackageRefused(f"npm could not install it: {said}")
    return folder


def _of_npm(folder: Path, package: Package, program: str) -> Installed:
    home = folder / "node_modules" / package.name
    described = json.loads((home / "package.json").read_bytes())
    bins = described.get("bin") or {}
    if isinstance(bins, str):
        bins = {package.name.rpartition("/")[2]: bins}
    chosen = _choose(bins, program, package.name.rpartition("/")[2])
    repository, subfolder = _npm_repository(described.get("repository"))
    author = described.get("author")
    return Installed(
        package=package,
        version=str(described.get("version", "")),
        command=("node", "--max-old-space-size=1024", str((home / bins[chosen]).resolve())),
        environment={},
        repository=repository,
        subfolder=subfolder,
        vendor=str(author.get("name", "") if isinstance(author, dict) else author or ""),
    )


def _from_pypi(package: Package, cage: Cage) -> Path:
    folder = cage.home / "pypi"
    flags = ["-q", "--only-binary", ":all:", "--no-cache-dir", "--disable-pip-version-check"]
    pip = (_python(), "-m", "pip")
    said = cage.install([*pip, "install", *flags, "--target", str(folder), package.name], {})
    if said:
        raise PackageRefused(f"pip could not install it: {said}")
    return folder


def _of_pypi(folder: Path, package: Package, program: str) -> Installed:
    info = _dist_info(folder, package.name)
    points = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    points.optionxform = str  # type: ignore[assignment,method-assign]
    points.read(info / "entry_points.txt")
    scripts = dict(points["console_scripts"]) if points.has_section("console_scripts") else {}
    chosen = _choose(scripts, program, package.name)
    metadata = (info / "METADATA").read_text(errors="replace").partition("\n\n")[0]
    return Installed(
        package=package,
        version=info.name.removesuffix(".dist-info").rpartition("-")[2],
        command=(_python(), str((folder / "bin" / chosen).resolve())),
        environment={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        repository=_repository_in(metadata),
        subfolder="",
        vendor=_header(metadata, "Author") or _header(metadata, "Author-email").partition("<")[0].strip(),
    )


def _python() -> str:
    return shutil.which("python3", path=SEARCHED) or "python3"


def _choose(programs: dict[str, Any], wanted: str, name: str) -> str:
    for candidate in (wanted, name, name.replace("_", "-"), name.replace(".", "-")):
        if candidate and candidate in programs:
            return candidate
    if len(programs) == 1 and not wanted:
        return next(iter(programs))
    raise PackageRefused(
        "it brings no program to start" if not programs else "it brings several programs; name one"
    )


def _dist_info(folder: Path, name: str) -> Path:
    wanted = re.sub(r"[-_.]+", "-", name).lower()
    for info in folder.glob("*.dist-info"):
        if re.sub(r"[-_.]+", "-", info.name.removesuffix(".dist-info").rpartition("-")[0]).lower() == wanted:
            return info
    raise PackageRefused("pip installed something of another name")


def _npm_repository(said: object) -> tuple[str, str]:
    if isinstance(said, str):
        return repository_of(said), ""
    if isinstance(said, dict):
        return repository_of(str(said.get("url", ""))), str(said.get("directory", "") or "")
    return "", ""


def _repository_in(metadata: str) -> str:
    found = re.findall(r"^(?:Project-URL: [^,\n]*,|Home-page:)\s*(\S+)", metadata, re.MULTILINE)
    return next((name for name in map(repository_of, found) if name), "")


def _header(metadata: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*)$", metadata, re.MULTILINE)
    return found[1].strip() if found else ""


def repository_of(url: str) -> str:
    """`owner/name` of a GitHub or GitLab address, in lower case; empty for anything else."""
    named = _REPOSITORY.search(url) or _SHORT_REPOSITORY.match(url)
    return f"{named[1]}/{named[2]}".lower() if named else ""
