"""Where the address and the key are kept: in the environment, or else in a file only its owner can read."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec


@dataclass(frozen=True, slots=True)
class Login:
    url: str
    key: str

    def __repr__(self) -> str:
        return f"Login({self.url!r}, a key)"


class NotLoggedIn(Exception):  # noqa: N818 - the word of the house
    """The text says what to do."""


def file() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "policylayer" / "login.json"


def find() -> Login:
    """Finds the address and the key, or raises NotLoggedIn. The environment wins: pipelines use it."""
    url, key = os.environ.get("POLICYLAYER_URL", ""), os.environ.get("POLICYLAYER_KEY", "")
    if url and key:
        return Login(checked(url), key)
    if url or key:
        raise NotLoggedIn("Set both POLICYLAYER_URL and POLICYLAYER_KEY, or neither.")
    try:
        return msgspec.json.decode(file().read_bytes(), type=Login)
    except FileNotFoundError:
        raise NotLoggedIn(
            "Log in first: policylayer login URL. In a pipeline set POLICYLAYER_URL and POLICYLAYER_KEY."
        ) from None
    except (OSError, msgspec.MsgspecError):
        raise NotLoggedIn(f"{file()} cannot be read. Log in again: policylayer login URL.") from None


def keep(login: Login) -> Path:
    path = file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(msgspec.json.encode(login))
    beside.replace(path)
    return path


def secret(prompt: str) -> str:
    """Reads from the terminal or standard input: everyone on the machine can see a command line."""
    return (getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()).strip()


def checked(url: str) -> str:
    """Raises NotLoggedIn if the key would travel in the clear, or nowhere."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise NotLoggedIn("Give the address as in the browser: https://policylayer.example.com")
    here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme == "http" and not here:
        raise NotLoggedIn("Use https: over http anyone on the way could read the key.")
    return f"{parts.scheme}://{parts.netloc}"
