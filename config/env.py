"""Reads the environment, once per process; nothing else in the control plane does.

Every variable is listed in `config.env_table`: others cannot be read. A missing or malformed value stops the
process with one sentence that names the variable and says what would be right. The sentence never repeats the
value of a secret.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from common.tls import AuthoritiesUnusable, trusting
from config.env_table import SETTINGS as SETTINGS
from config.env_table import Kind as Kind
from config.env_table import Setting as Setting


class EnvironmentInvalid(Exception):  # noqa: N818 - the house names what is wrong
    """One sentence for the operator, which manage.py shows without a traceback."""


@contextmanager
def or_exit() -> Iterator[None]:
    """End the process with the sentence alone, where nobody else would catch it."""
    try:
        yield
    except EnvironmentInvalid as problem:
        raise SystemExit(str(problem)) from None


def text(name: str) -> str:
    setting = _setting(name)
    value = os.environ.get(name, "").strip() or setting.default
    if value is None:
        raise EnvironmentInvalid(f"{name} is not set ({setting.kind}). {setting.description}")
    return value


def integer(name: str, *, least: int = 0, most: int = 2**31 - 1) -> int:
    value = text(name)
    if not re.fullmatch(r"-?[0-9]{1,18}", value) or not least <= int(value) <= most:
        raise _wrong(name, f"a whole number from {least} to {most}", value)
    return int(value)


def port(name: str) -> int:
    return integer(name, least=1, most=65535)


def optional_port(name: str) -> int | None:
    return port(name) if text(name) else None


def positive(name: str) -> int:
    return integer(name, least=1)


def audit_retention(name: str) -> int:
    """At least as long as any organization keeps its decisions: the two logs explain each other."""
    return integer(name, least=365, most=36_500)


def boolean(name: str) -> bool:
    value = text(name).lower()
    if value in {"1", "yes", "true", "on"}:
        return True
    if value in {"0", "no", "false", "off"}:
        return False
    raise _wrong(name, "yes or no", value)


def url(name: str, schemes: Iterable[str] = ("http", "https")) -> str:
    """Read a URL, without a trailing slash, so that a path can be joined with a plain `+`."""
    value = text(name)
    parts = _split(name, value)
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
        # A URL may contain a password, so the value is not repeated.
        raise _wrong(name, f"a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return value.rstrip("/")


def items(name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text(name).split(",") if part.strip())


def secret(name: str, *, least: int = 32) -> str:
    value = text(name)
    if len(value) < least:
        raise _wrong(name, f"a secret of at least {least} characters")
    return value


@dataclass(frozen=True, slots=True, repr=False)
class NamedKey:
    id: str
    key: bytes


def keys(name: str) -> tuple[NamedKey, ...]:
    """Read at least one key. Ids are unique and without dots, because they are part of sealed values."""
    found = tuple(_named_key(name, place, part) for place, part in enumerate(items(name), start=1))
    if not found:
        raise _wrong(name, "at least one key, written id:base64")
    if len({key.id for key in found}) < len(found):
        raise _wrong(name, "keys with different ids")
    return found


def one_key(name: str) -> NamedKey:
    found = keys(name)
    if len(found) != 1:
        raise _wrong(name, "exactly one key, written id:base64")
    return found[0]


@dataclass(frozen=True, slots=True, repr=False)
class Database:
    """`host` is an address or the folder of a Unix socket; empty: libpq's own default."""

    host: str
    port: int
    user: str
    password: str
    name: str
    options: tuple[tuple[str, str], ...]


def database(name: str = "DATABASE_URL") -> Database:
    value = text(name)
    return parse_database_url(value, name)


def parse_database_url(value: str, name: str = "DATABASE_URL") -> Database:
    parts = _split(name, value)
    found = parts.path.lstrip("/")
    if parts.scheme not in {"postgres", "postgresql"} or not found or "/" in found:
        raise _wrong(name, "a URL like postgresql://user:password@host:5432/database")
    _as_libpq_reads_it(name, value)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return Database(
        host=query.pop("host", "") or unquote(parts.hostname or ""),
        port=_port_of(name, parts, query.pop("port", "")),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        name=unquote(found),
        options=tuple(sorted(query.items())),
    )


def _as_libpq_reads_it(name: str, value: str) -> None:
    """It is stricter than we are, and its own words would repeat the password."""
    try:
        conninfo_to_dict(value)
    except (ProgrammingError, UnicodeError):
        raise _wrong(
            name, "a URL that PostgreSQL accepts: percent-encode its user and password, and check its options"
        ) from None


@dataclass(frozen=True, slots=True, repr=False)
class MailServer:
    """`tls`: TLS from the first byte; otherwise STARTTLS, never an unencrypted connection."""

    host: str
    port: int
    user: str
    password: str
    tls: bool


def mail_server(name: str = "EMAIL_URL") -> MailServer | None:
    value = text(name)
    if not value:
        return None
    parts = _split(name, value)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path.strip("/"):
        raise _wrong(name, "a URL like smtp://user:password@host:587 or smtps://user:password@host:465")
    tls = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname,
        port=parts.port or (465 if tls else 587),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=tls,
    )


def named_tokens(name: str = "WORKER_TOKENS") -> dict[str, str]:
    found = {}
    for place, part in enumerate(items(name), start=1):
        worker, _, token = part.partition(":")
        if not worker or not token or worker in found:
            raise _wrong(name, f"different name:token pairs, comma-separated; see pair {place}")
        found[worker] = token
    return found


def networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    found = []
    for part in items(name):
        try:
            found.append(ip_network(part))
        except ValueError:
            raise _wrong(name, "networks like 10.0.0.0/8 or ::1/128", part) from None
    return tuple(found)


def ca_file(name: str) -> str:
    value = text(name)
    try:
        trusting(value)
    except AuthoritiesUnusable as problem:
        raise EnvironmentInvalid(f"{name} {problem}.") from None
    return value


def log_level(name: str = "LOG_LEVEL") -> str:
    value = text(name).lower()
    if value not in {"debug", "info", "warning", "error"}:
        raise _wrong(name, "debug, info, warning or error", value)
    return value


def broker(name: str) -> str:
    """Read the URL of a Redis or a broker, which may have what `url` refuses; empty: none."""
    value = text(name)
    if value and "://" not in value:
        raise _wrong(name, "a URL like redis://host:6379/0")
    return value


def one_listener(name: str) -> str:
    value = text(name)
    if len(listeners(name)) > 1:
        raise _wrong(name, "one ip:port", value)
    return value


def listeners(name: str) -> frozenset[tuple[IPv4Address | IPv6Address, int]]:
    return frozenset(_listener(name, part) for part in items(name))


_READERS: Final[Mapping[Kind, Callable[[str], object]]] = {
    Kind.INTEGER: integer,
    Kind.BOOLEAN: boolean,
    Kind.URL: url,
    Kind.KEYS: keys,
    Kind.DATABASE: database,
    Kind.NETWORKS: networks,
    Kind.LISTENERS: listeners,
}
_OWN_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "SECRET_KEY": secret,
    "SIGNING_KEY": one_key,
    "WORKER_TOKENS": named_tokens,
    "EMAIL_URL": mail_server,
    "HANDOVER_ADDRESS": one_listener,
    "UPSTREAM_CA_FILE": ca_file,
    "CELERY_BROKER_URL": broker,
    "CACHE_URL": broker,
    "LOG_LEVEL": log_level,
    "AUDIT_RETENTION_DAYS": audit_retention,
    "API_REQUESTS_A_MINUTE": positive,
    "API_REQUESTS_A_MINUTE_UNKNOWN": positive,
}


def check_given() -> None:
    """Read whatever is set, for `up`: its processes would each stumble over their part, and be restarted."""
    for setting in SETTINGS:
        if os.environ.get(setting.name, "").strip():
            (_OWN_READERS.get(setting.name) or _READERS.get(setting.kind, text))(setting.name)


def _setting(name: str) -> Setting:
    for setting in SETTINGS:
        if setting.name == name:
            return setting
    raise LookupError(f"{name} is read but not listed in config.env_table")


def _wrong(name: str, right: str, value: str | None = None) -> EnvironmentInvalid:
    found = "" if value is None else f", got `{value}`" if value else ", got nothing"
    return EnvironmentInvalid(f"{name} must be {right}{found}.")


def _split(name: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises on a port that is not a number
    except ValueError:
        raise _wrong(name, "a well-formed URL") from None
    return parts


def _port_of(name: str, parts: SplitResult, stated: str) -> int:
    if stated and not re.fullmatch(r"[0-9]{1,5}", stated):
        raise _wrong(name, "a URL whose port is a number")
    return int(stated) if stated else parts.port or 5432


def _named_key(name: str, place: int, part: str) -> NamedKey:
    key_id, colon, encoded = part.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id):
        raise _wrong(name, f"keys written id:base64 (letters, digits, - and _ in the id); see key {place}")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(name, f"keys in base64; key {place} (`{key_id}`) is not") from None
    if len(key) != 32:
        raise _wrong(name, f"keys of 32 bytes; key {place} (`{key_id}`) has {len(key)}")
    return NamedKey(key_id, key)


def _listener(name: str, part: str) -> tuple[IPv4Address | IPv6Address, int]:
    host, _, number = part.rpartition(":")
    if re.fullmatch(r"[0-9]{1,5}", number) and 1 <= int(number) <= 65535:
        with suppress(ValueError):
            return ip_address(host.strip("[]")), int(number)
    raise _wrong(name, "listeners like 127.0.0.1:8000 or [::1]:8000", part)
