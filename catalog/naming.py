"""Reads what people call a server by: its address, its package, the command that starts it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

LONGEST: Final = 2000
_NPM = r"(?:@[a-z0-9._~-]+/)?[a-z0-9._~-]+"
_PYPI = r"[a-z0-9][a-z0-9._-]*"
_PACKAGE = re.compile(r"(npm|pypi|oci|nuget|mcpb):(\S{1,180})\Z", re.IGNORECASE)
_WITH_VERSION = re.compile(rf"({_NPM})(?:@[\w.^~*-]+)?\Z", re.IGNORECASE)
_WITH_RELEASE = re.compile(rf"({_PYPI})(?:\[[\w,-]*\])?(?:[=@<>~!].*)?\Z", re.IGNORECASE)
_STARTERS: Final = {
    "npx": "npm", "pnpx": "npm", "bunx": "npm", "npm": "npm", "pnpm": "npm", "yarn": "npm",
    "uvx": "pypi", "pipx": "pypi", "uv": "pypi", "pip": "pypi",
}  # fmt: skip
_SUBCOMMANDS: Final = frozenset({"exec", "dlx", "run", "tool", "install", "x", "i"})
_FROM: Final = ("--from", "--spec", "--package", "-p")
_TRANSPORT_STEPS: Final = frozenset({"mcp", "sse", "http", "stream", "streamable", "streamable-http"})
_REPOSITORY_HOSTS: Final = ("github.com", "gitlab.com")


@dataclass(frozen=True, slots=True)
class Naming:
    """What a text names; empty where nothing was found. `endpoint` has no query, which may contain a key."""

    endpoint: str = ""
    packages: tuple[str, ...] = ()
    repository: str = ""
    subfolder: str = ""


def read_naming(typed: str) -> Naming:
    text = typed.strip()
    if not text or len(text) > LONGEST or not text.isprintable():
        return Naming()
    if "://" in text:
        return _of_address(text)
    if found := _PACKAGE.match(text):
        return Naming(packages=_spelled(found[1].lower(), found[2]))
    words = text.split()
    if len(words) > 1:
        return Naming(packages=_of_command(words))
    return Naming(packages=_either(text))


def _of_address(text: str) -> Naming:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return Naming()
    steps = [unquote(step) for step in parts.path.split("/") if step]
    named = host.removeprefix("www.")
    if named in _REPOSITORY_HOSTS and len(steps) >= 2:
        folder = "/".join(steps[4:]) if steps[2:3] in (["tree"], ["blob"]) else ""
        return Naming(repository=f"{steps[0]}/{steps[1].removesuffix('.git')}".lower(), subfolder=folder)
    if named in ("npmjs.com", "pypi.org") and len(steps) >= 2 and steps[0] in ("package", "project"):
        kind = "npm" if named == "npmjs.com" else "pypi"
        name = "/".join(steps[1:3]) if steps[1].startswith("@") else steps[1]
        return Naming(packages=_spelled(kind, name))
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return Naming()
    return Naming(endpoint=plain_endpoint(host, port, parts.scheme, parts.path))


def plain_endpoint(host: str, port: int | None, scheme: str, path: str) -> str:
    shown = f"[{host}]" if ":" in host else host.lower()
    usual = port in (None, 443 if scheme == "https" else 80)
    return f"{scheme}://{shown}{'' if usual else f':{port}'}{path or '/'}"


def root_of(endpoint: str) -> str:
    """The address without trailing names of transports: one server's `/sse` and `/mcp` have the same root."""
    steps = endpoint.rstrip("/").split("/")
    while len(steps) > 3 and steps[-1].lower() in _TRANSPORT_STEPS:
        steps.pop()
    return "/".join(steps)


def _of_command(words: list[str]) -> tuple[str, ...]:
    """`npx -y @acme/tools@1.2`, `uvx --from acme-tools acme`, `pip install acme-tools`."""
    kind = _STARTERS.get(words[0].lower())
    if kind is None:
        return ()
    rest = words[1:]
    for flag in _FROM:
        if flag in rest[:-1]:
            return _one(kind, rest[rest.index(flag) + 1])
    named = [word for word in rest if not word.startswith("-")]
    while named and named[0].lower() in _SUBCOMMANDS:
        named = named[1:]
    return _one(kind, named[0]) if named else ()


def _either(text: str) -> tuple[str, ...]:
    return _one("npm", text) + (() if text.startswith("@") else _one("pypi", text))


def _one(kind: str, text: str) -> tuple[str, ...]:
    found = (_WITH_VERSION if kind == "npm" else _WITH_RELEASE).match(text)
    return _spelled(kind, found[1]) if found else ()


def _spelled(kind: str, name: str) -> tuple[str, ...]:
    """As the registry compares names and, for PyPI, as the program is called: `acme.tools` keeps its dot."""
    one = package_name(kind, name)
    return tuple(f"{kind}:{each}" for each in dict.fromkeys((one, name.lower() if kind == "pypi" else one)))


def package_name(kind: str, name: str) -> str:
    """The name as its registry compares it: for PyPI `Acme_Tools` is `acme-tools`; npm has no capitals."""
    if kind == "pypi":
        return re.sub(r"[-_.]+", "-", name).lower()
    return name.lower() if kind == "npm" else name


def starting(package: str) -> str:
    """The command that starts the package's program. People paste it into a shell, so it is empty unless the
    name is one that its registry allows."""
    kind, _, name = package.partition(":")
    if kind == "npm" and re.fullmatch(rf"(?!-){_NPM}", name):
        return f"npx -y {name}"
    return f"uvx {name}" if kind == "pypi" and re.fullmatch(_PYPI, name) else ""
