"""The product's own keys: created once, kept in the data folder, readable only by this user.

Keys that the operator sets in the environment take precedence and are not written here.
"""

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.tokens import WORKER, new_token
from config.supervisor.access import APP_ROLE_PASSWORD, SUPERUSER_PASSWORD, WORKER_ROLE_PASSWORD
from config.supervisor.stops import CannotStart


def _named_key() -> str:
    return f"k{secrets.token_hex(3)}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _password() -> str:
    return secrets.token_urlsafe(32)


MADE: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "SEALING_KEYS": _named_key,
    "ARGUMENT_KEYS": _named_key,
    "BUNDLE_KEYS": _named_key,
    "SIGNING_KEY": _named_key,
    SUPERUSER_PASSWORD: _password,
    APP_ROLE_PASSWORD: _password,
    WORKER_ROLE_PASSWORD: _password,
}

OLD_VERIFY_KEYS = "OLD_VERIFY_KEYS"
_SEVERAL = ("SEALING_KEYS", "ARGUMENT_KEYS", "BUNDLE_KEYS")
_TOKEN_OF = "WORKER_TOKEN "  # noqa: S105 - what comes before a worker's name
ROTATED = (*_SEVERAL, "SIGNING_KEY", "WORKER_TOKENS")


class Keys:
    def __init__(self, file: Path, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ
        self._kept = _read(file)

    @property
    def are_there(self) -> bool:
        return self._file.exists()

    def make_missing(self) -> None:
        missing = [name for name in MADE if name not in self._kept and not self._environ.get(name)]
        self._kept.update({name: MADE[name]() for name in missing})
        if missing:
            write_private(self._file, self._kept)

    def rotate(self, name: str) -> None:
        """Put a new key in front; whatever the old one sealed or signed stays valid. Tokens are replaced."""
        if name == "WORKER_TOKENS":
            self._kept |= {kept: new_token(WORKER) for kept in self._kept if kept.startswith(_TOKEN_OF)}
        elif name not in self._kept:
            raise CannotStart(f"{name} is not kept here: change it where it is set.")
        elif name == "SIGNING_KEY":
            public = [verify_key(self._kept[name]), *filter(None, [self._kept.get(OLD_VERIFY_KEYS)])]
            self._kept |= {name: _named_key(), OLD_VERIFY_KEYS: ",".join(public)}
        else:
            self._kept[name] = f"{_named_key()},{self._kept[name]}"
        write_private(self._file, self._kept)

    def old_ids(self, name: str) -> set[str]:
        kept = self._kept.get(OLD_VERIFY_KEYS, "") if name == "SIGNING_KEY" else self._kept.get(name, "")
        ids = [part.partition(":")[0].strip() for part in kept.split(",") if part]
        return set(ids if name == "SIGNING_KEY" else ids[1:])

    def retire_old(self, name: str) -> None:
        if name == "SIGNING_KEY":
            self._kept.pop(OLD_VERIFY_KEYS, None)
        else:
            self._kept[name] = self._kept[name].partition(",")[0]
        write_private(self._file, self._kept)

    def worker_token(self, worker: str, *, make: bool) -> str:
        name = f"{_TOKEN_OF}{worker}"
        if make and name not in self._kept:
            self._kept[name] = new_token(WORKER)
            write_private(self._file, self._kept)
        return self[name]

    def __getitem__(self, name: str) -> str:
        found = self._environ.get(name) or self._kept.get(name)
        if found is None and name == "VERIFY_KEYS":
            return ",".join(filter(None, [verify_key(self["SIGNING_KEY"]), self._kept.get(OLD_VERIFY_KEYS)]))
        if found is None:
            raise CannotStart(
                f"{name.split()[0]} is not set: give it in the environment, as the control plane has it."
            )
        return found


def verify_key(signing_key: str) -> str:
    key_id, _, seed = signing_key.partition(":")
    try:
        key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed, validate=True))
    except ValueError:
        raise CannotStart("SIGNING_KEY must be written id:base64 of 32 bytes.") from None
    return f"{key_id}:{base64.b64encode(key.public_key().public_bytes_raw()).decode()}"


def write_private(file: Path, content: object) -> None:
    """Write the file atomically, and never readable by anyone else, not even for a moment."""
    fresh = file.with_name(f"{file.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(content, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    fresh.rename(file)


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise CannotStart(
            f"{file} cannot be read: it holds the keys of everything kept here, so put back a copy of it."
        )
    return found
