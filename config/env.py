"""Reads the environment, once per process; nothing else in the control plane does.

Every variable is listed in `SETTINGS`: others cannot be read. A missing or malformed value stops the process
with one sentence that names the variable and says what would be right. The sentence never repeats the value
of a secret.
"""

import base64
import binascii
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from common.tls import AuthoritiesUnusable, trusting


class EnvironmentInvalid(Exception):  # noqa: N818 - the house names what is wrong
    """One sentence for the operator, which manage.py shows without a traceback."""


class Kind(StrEnum):
    TEXT = "text"
    INTEGER = "whole number"
    BOOLEAN = "yes or no"
    URL = "URL"
    LIST = "comma-separated list"
    SECRET = "secret"  # noqa: S105 - the name of a kind, not a secret
    KEYS = "id:base64, comma-separated"
    DATABASE = "PostgreSQL URL"
    NETWORKS = "comma-separated networks"
    LISTENERS = "comma-separated ip:port"


@dataclass(frozen=True, slots=True)
class Setting:
    """`default` is written as an operator would write it. None: required; empty: optional."""

    name: str
    kind: Kind
    default: str | None
    description: str
    read_by: str = "web, internal, worker"


_EVERY_DJANGO = "web, internal, worker"

SETTINGS: list[Setting] = [
    Setting("DATABASE_URL", Kind.DATABASE, None, "The database, with the role this process may use."),
    Setting("SECRET_KEY", Kind.SECRET, None, "Signs sessions and one-time links; at least 32 characters."),
    Setting(
        "SEALING_KEYS",
        Kind.KEYS,
        None,
        "Seal secrets in the database: 32 bytes each; the first seals, all open.",
        "web, worker",
    ),
    Setting(
        "ARGUMENT_KEYS",
        Kind.KEYS,
        "",
        "Seal the arguments of calls that wait for approval: 32 bytes each; the first seals, all open.",
        "web, internal",
    ),
    Setting(
        "BUNDLE_KEYS",
        Kind.KEYS,
        None,
        "Seal upstream credentials inside bundles: 32 bytes each; the first seals, all open.",
        "worker, gateway",
    ),
    Setting(
        "SIGNING_KEY", Kind.KEYS, None, "The Ed25519 seed (32 bytes) that signs bundles. One key.", "worker"
    ),
    Setting(
        "VERIFY_KEYS",
        Kind.KEYS,
        None,
        "The Ed25519 public keys (32 bytes each) whose bundles a gateway accepts.",
        "gateway",
    ),
    Setting("CELERY_BROKER_URL", Kind.TEXT, "", "Carries Celery's messages; empty: a folder in DATA_DIR."),
    Setting(
        "CACHE_URL",
        Kind.TEXT,
        "",
        "Where request counters are kept, redis://…; empty: under DATA_DIR, separately on each machine.",
        "web",
    ),
    Setting("API_REQUESTS_A_MINUTE", Kind.INTEGER, "6000", "REST requests of one key or person.", "web"),
    Setting(
        "API_REQUESTS_A_MINUTE_UNKNOWN",
        Kind.INTEGER,
        "120",
        "REST requests that one address may send in a minute without a valid key.",
        "web",
    ),
    Setting("DATA_DIR", Kind.TEXT, ".data", "Where everything that must outlive a process is kept.", "all"),
    Setting("PORT", Kind.INTEGER, "8000", "The web port.", "web"),
    Setting(
        "WEB_PROCESSES",
        Kind.INTEGER,
        "0",
        "How many processes serve the site; 0: one for each core it may use, at most four.",
        "up, web",
    ),
    Setting(
        "INTERNAL_PORT",
        Kind.INTEGER,
        "",
        "Where gateways fetch their configuration under `up`. Empty: the one after PORT.",
        "internal",
    ),
    Setting("GATEWAY_PORT", Kind.INTEGER, "8100", "The port agents connect to.", "gateway"),
    Setting("GATEWAY_HOST", Kind.TEXT, "127.0.0.1", "The address the gateway listens on.", "gateway"),
    Setting(
        "GATEWAY_SHARED_PORT",
        Kind.BOOLEAN,
        "no",
        "Several gateways of this machine listen on GATEWAY_PORT together.",
        "gateway",
    ),
    Setting(
        "METRICS_PORT",
        Kind.INTEGER,
        "",
        "Where the gateway serves its metrics, on loopback; empty: nowhere. With several gateways under `up`,"
        " the second uses the next port, and so on.",
        "gateway",
    ),
    Setting(
        "HANDOVER_DIR",
        Kind.TEXT,
        "",
        "Where gateways of one machine hand messages to each other; empty: a folder under DATA_DIR.",
        "gateway",
    ),
    Setting(
        "HANDOVER_ADDRESS",
        Kind.LISTENERS,
        "",
        "This gateway's ip:port on a private network, where those of other machines hand it messages;"
        " empty: none."
        " With several gateways under `up`, the second uses the next port, and so on.",
        "gateway",
    ),
    Setting(
        "CONTROL_URL",
        Kind.URL,
        "http://127.0.0.1:8001",
        "The internal listener that a gateway gets its configuration from.",
        "gateway",
    ),
    Setting("WORKER_NAME", Kind.TEXT, "gw-1", "The gateway's name on the Workers page.", "gateway"),
    Setting("WORKER_TOKEN", Kind.SECRET, None, "What the gateway shows to the internal listener.", "gateway"),
    Setting(
        "WORKER_TOKENS",
        Kind.LIST,
        "",
        "Gateways on other machines that may connect: name:token, comma-separated.",
        "up, prepare",
    ),
    Setting(
        "POSTGRES_PASSWORD",
        Kind.SECRET,
        "",
        "The password of the owner of the database that `up` runs; empty: one is made and kept.",
        "up",
    ),
    Setting(
        "APP_ROLE_PASSWORD",
        Kind.SECRET,
        "",
        "The password of policylayer_app; if empty, `up` makes one and keeps it.",
        "up, prepare",
    ),
    Setting(
        "WORKER_ROLE_PASSWORD",
        Kind.SECRET,
        "",
        "The password of policylayer_worker; if empty, `up` makes one and keeps it.",
        "up, prepare",
    ),
    Setting(
        "LIMITER_URL",
        Kind.TEXT,
        "",
        "Where counters live: `redis://...` for many machines (append-only, `appendfsync always`,"
        " `noeviction`); empty: an SQLite file under DATA_DIR.",
        "gateway",
    ),
    Setting(
        "APPROVAL_ANSWER_MS",
        Kind.INTEGER,
        "1000",
        "How long a call that needs approval waits for the control plane, in milliseconds.",
        "gateway",
    ),
    Setting(
        "APPROVAL_HOLD_SECONDS",
        Kind.INTEGER,
        "0",
        "How long such a call is held open for a person before the agent is told to repeat it; 0: not held.",
        "gateway",
    ),
    Setting(
        "EGRESS_ALLOW_PRIVATE",
        Kind.NETWORKS,
        "",
        "Private networks that upstream servers may be in; empty: none.",
        "web, worker, gateway",
    ),
    Setting(
        "UPSTREAM_CA_FILE",
        Kind.TEXT,
        "",
        "A PEM file with certificate authorities of your own, trusted in addition to the system's when"
        " connecting to servers and webhooks.",
        "web, internal, worker, gateway",
    ),
    Setting(
        "OWN_LISTENERS",
        Kind.LISTENERS,
        "",
        "The product's own addresses, never reachable as an upstream.",
        "web, worker, gateway",
    ),
    Setting(
        "GATEWAY_PUBLIC_URL",
        Kind.URL,
        "http://127.0.0.1:8100",
        "The gateway as agents reach it.",
        f"{_EVERY_DJANGO}, gateway",
    ),
    Setting(
        "TRUSTED_PROXIES",
        Kind.NETWORKS,
        "",
        "Networks of the proxies whose `X-Forwarded-For` is believed; from anybody else it is ignored.",
        "web",
    ),
    Setting(
        "PUBLIC_URL",
        Kind.URL,
        "http://localhost:8000",
        "The site as people reach it. Use a name, not an address: passkeys are bound to a name.",
    ),
    Setting(
        "EMAIL_URL",
        Kind.SECRET,
        "",
        "The mail server, with TLS: `smtp://user:password@host:587` (STARTTLS) or `smtps://...:465`; empty:"
        " mail is written to the log.",
        "web, worker",
    ),
    Setting(
        "EMAIL_FROM", Kind.TEXT, "PolicyLayer <no-reply@localhost>", "Who mail comes from.", "web, worker"
    ),
    Setting(
        "ALLOWED_HOSTS", Kind.LIST, "", "Host names the site answers to; empty: the one in PUBLIC_URL.", "web"
    ),
    Setting(
        "ALLOWED_ORIGINS", Kind.LIST, "", "Browser origins that may call a gateway; empty: none.", "gateway"
    ),
    Setting(
        "DJANGO_URLCONF", Kind.TEXT, "config.urls", "Set to config.internal_urls for the internal listener."
    ),
    Setting(
        "CONTACT_EMAIL",
        Kind.TEXT,
        "",
        "Who receives visitors' messages; empty: they are only stored.",
        "worker",
    ),
    Setting("ADMIN_ENABLED", Kind.BOOLEAN, "no", "Opens the read-only staff pages under /admin/.", "web"),
    Setting("LOG_LEVEL", Kind.TEXT, "info", "debug, info, warning or error.", "all"),
]


def text(name: str) -> str:
    setting = _setting(name)
    value = os.environ.get(name, "").strip() or setting.default
    if value is None:
        raise EnvironmentInvalid(f"{name} is not set; it must hold a {setting.kind}: {setting.description}")
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
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return Database(
        host=query.pop("host", "") or unquote(parts.hostname or ""),
        port=_port_of(name, parts, query.pop("port", "")),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        name=unquote(found),
        options=tuple(sorted(query.items())),
    )


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


def listeners(name: str) -> frozenset[tuple[IPv4Address | IPv6Address, int]]:
    return frozenset(_listener(name, part) for part in items(name))


def _setting(name: str) -> Setting:
    for setting in SETTINGS:
        if setting.name == name:
            return setting
    raise LookupError(f"{name} is read but not listed in config.env.SETTINGS")


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
    try:
        return ip_address(host.strip("[]")), int(number)
    except ValueError:
        raise _wrong(name, "listeners like 127.0.0.1:8000 or [::1]:8000", part) from None
