"""The environment, read once. If a value is missing or malformed, one sentence says so and nothing starts."""

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from common.egress import EgressPolicy, Listener, Network, parse_listeners, parse_networks
from common.machine import is_ours
from common.sealing import Keyring, SealingError
from common.tls import AuthoritiesUnusable, trusting
from common.tokens import WORKER, is_well_formed
from gateway.counters.redis_wire import Address as RedisAddress
from gateway.handover import Door
from gateway.limits import Limits
from gateway_config.wire.signing import KeyInvalid, VerifyKeys

VERSION: Final = "0.1.0"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_YES: Final = frozenset({"yes", "true", "on", "1"})
_NO: Final = frozenset({"no", "false", "off", "0"})
_LEVELS: Final = ("debug", "info", "warning", "error")
_LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_Value = TypeVar("_Value")


class SettingsInvalid(Exception):  # noqa: N818
    """One sentence for the operator: the variable, and what would be accepted. Never a secret's value."""


@dataclass(frozen=True, slots=True)
class Settings:
    host: str
    port: int
    hosts: frozenset[str]
    """The values that a request's Host header may have."""
    allowed_origins: frozenset[str]
    control_url: str
    worker_name: str
    worker_token: str = field(repr=False)
    bundle_keys: Keyring
    verify_keys: VerifyKeys
    folder: Path
    """This worker's own: it holds the configuration, the spool, and what is known of the limiter."""
    limiter: Path | RedisAddress
    """A file shared by all workers of this machine, or a Redis shared by the workers of many machines."""
    metrics_host: str
    metrics_port: int | None
    shared_port: bool
    """Other workers of this machine listen on the same port."""
    path_prefix: str
    """The path before /mcp/ in the URLs of clients, which is removed before requests reach us."""
    door: Door
    approval_answer_seconds: float
    """How long a call that needs approval waits for the control plane."""
    approval_hold_seconds: float
    """The longest that it is then kept waiting for a person."""
    limits: Limits
    egress: EgressPolicy
    tls: ssl.SSLContext
    """The authorities that servers' certificates may be signed by."""
    log_level: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    read = _Reader(environment)
    host, port = read.host("GATEWAY_HOST"), read.port("GATEWAY_PORT", "8100")
    name = read.worker_name()
    metrics_host, metrics = read.host("METRICS_HOST"), read.port("METRICS_PORT", "") or None
    data = Path(read.text("DATA_DIR", ".data")).absolute()
    public = read.url("GATEWAY_PUBLIC_URL", f"http://127.0.0.1:{port}")
    door = Door(name, Path(read.text("HANDOVER_DIR", str(data / "doors"))).absolute(), read.internal())
    limiter = read.limiter(data)
    listeners = [(host, port)] + ([(metrics_host, metrics)] if metrics else [])
    own = read.own_listeners(listeners, door.address) | read.listeners_of(limiter)
    return Settings(
        host=host,
        port=port,
        hosts=_hosts(public, host),
        allowed_origins=read.origins(),
        control_url=read.url("CONTROL_URL", "http://127.0.0.1:8001").geturl().rstrip("/"),
        worker_name=name,
        worker_token=read.worker_token(),
        bundle_keys=read.keys("BUNDLE_KEYS", Keyring.parse),
        verify_keys=read.keys("VERIFY_KEYS", VerifyKeys.parse),
        folder=data / name,
        limiter=limiter,
        metrics_host=metrics_host,
        metrics_port=metrics,
        approval_answer_seconds=read.number("APPROVAL_ANSWER_MS", "1000", 50, 30_000) / 1000,
        approval_hold_seconds=read.number("APPROVAL_HOLD_SECONDS", "0", 0, 600),
        shared_port=read.yes("GATEWAY_SHARED_PORT"),
        path_prefix=public.path.rstrip("/"),
        door=door,
        limits=read.limits(),
        egress=EgressPolicy(read.opened_networks(host, door.address), own, is_ours),
        tls=read.authorities(),
        log_level=read.log_level(),
    )


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str | None) -> str:
        value = self._environment.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise SettingsInvalid(f"{name} is not set; the supervisor or the operator must give it")
        return default

    def port(self, name: str, default: str) -> int:
        """Return the port, or 0 if it is empty."""
        value = self.text(name, default)
        if not value:
            return 0
        if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
            raise SettingsInvalid(f"{name} must be a port from 1 to 65535, got `{value}`")
        return int(value)

    def number(self, name: str, default: str, least: int, most: int) -> int:
        value = self.text(name, default)
        if not (value.isascii() and value.isdigit() and len(value) <= 9 and least <= int(value) <= most):
            raise SettingsInvalid(f"{name} must be a whole number from {least} to {most}, got `{value}`")
        return int(value)

    def limits(self) -> Limits:
        plain = Limits()

        def seconds(name: str, default: float, least: int, most: int) -> int:
            return self.number(name, str(int(default)), least, most)

        return replace(
            plain,
            body_bytes=self.number("MOST_BODY_BYTES", str(plain.body_bytes), 16_384, 4_194_304),
            head_seconds=seconds("CLIENT_HEAD_SECONDS", plain.head_seconds, 1, 120),
            idle_seconds=seconds("CLIENT_IDLE_SECONDS", plain.idle_seconds, 5, 3_600),
            answer_seconds=seconds("SERVER_ANSWER_SECONDS", plain.answer_seconds, 1, 3_600),
            stream_idle_seconds=seconds("SERVER_IDLE_SECONDS", plain.stream_idle_seconds, 30, 86_400),
        )

    def url(self, name: str, default: str) -> SplitResult:
        value = self.text(name, default)
        try:
            url = urlsplit(value)
            usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        except ValueError:
            usable = False
        if not usable or url.username or url.query or url.fragment:
            raise SettingsInvalid(f"{name} must be a URL like http://127.0.0.1:8001 without a user or query")
        return url

    def host(self, name: str) -> str:
        value = self.text(name, "127.0.0.1").removeprefix("[").removesuffix("]")
        if value != "localhost" and _address(value) is None:
            raise SettingsInvalid(f"{name} must be an address to listen on, like 127.0.0.1, got `{value}`")
        return value

    def yes(self, name: str) -> bool:
        value = self.text(name, "no").lower()
        if value not in _YES | _NO:
            raise SettingsInvalid(f"{name} must be yes or no, got `{value}`")
        return value in _YES

    def internal(self) -> str:
        value = self.text("HANDOVER_ADDRESS", "")
        if len(self._parsed("HANDOVER_ADDRESS", parse_listeners)) > 1:
            raise SettingsInvalid(f"HANDOVER_ADDRESS must be one ip:port, got `{value}`")
        return value

    def worker_name(self) -> str:
        value = self.text("WORKER_NAME", "gw-1")
        if not _NAME.fullmatch(value):
            raise SettingsInvalid("WORKER_NAME must be 1 to 64 letters, digits, dots, - and _, like gw-1")
        return value

    def worker_token(self) -> str:
        value = self.text("WORKER_TOKEN", None)
        if not is_well_formed(value, WORKER):
            raise SettingsInvalid("WORKER_TOKEN must be a worker's token as it was issued, plw_...")
        return value

    def keys(self, name: str, parse: Callable[[str], _Value]) -> _Value:
        value = self.text(name, None)
        try:
            return parse(value)
        except (SealingError, KeyInvalid) as problem:
            raise SettingsInvalid(f"{name} must be id:base64,...: {problem}") from None

    def origins(self) -> frozenset[str]:
        origins = [part.strip().rstrip("/") for part in self.text("ALLOWED_ORIGINS", "").split(",")]
        for origin in filter(None, origins):
            url = urlsplit(origin)
            if (
                url.scheme not in ("http", "https")
                or not url.netloc
                or url.geturl() != f"{url.scheme}://{url.netloc}"
            ):
                raise SettingsInvalid(
                    f"ALLOWED_ORIGINS must be origins like https://app.example.com, got `{origin}`"
                )
        return frozenset(filter(None, origins))

    def limiter(self, data: Path) -> Path | RedisAddress:
        value = self.text("LIMITER_URL", "")
        if not value:
            return data / "limiter.sqlite3"
        path = value.removeprefix("sqlite:///")
        if path and path != value:
            return Path(path).absolute()
        try:
            return RedisAddress.parse(value)
        except ValueError:
            # The value is not repeated: it may hold a password.
            raise SettingsInvalid(
                "LIMITER_URL must be redis://[user:password@]host[:port][/database], rediss:// likewise,"
                " sqlite:/// and a path, or empty for a file under DATA_DIR"
            ) from None

    def listeners_of(self, limiter: Path | RedisAddress) -> frozenset[Listener]:
        """Where the limiter itself listens: no call may go there, whatever networks are opened."""
        if isinstance(limiter, Path):
            return frozenset()
        try:
            found = socket.getaddrinfo(limiter.host, limiter.port, type=socket.SOCK_STREAM)
        except OSError:
            raise SettingsInvalid(f"LIMITER_URL names an unknown host: {limiter.host}") from None
        return frozenset((str(address[4][0]), limiter.port) for address in found)

    def opened_networks(self, host: str, internal: str) -> tuple[Network, ...]:
        networks = self._parsed("EGRESS_ALLOW_PRIVATE", parse_networks)
        bound = {"GATEWAY_HOST": host, "HANDOVER_ADDRESS": internal.rpartition(":")[0].strip("[]")}
        reachable = [name for name, address in bound.items() if address and not _is_loopback(address)]
        if reachable and any(_holds_loopback(network) for network in networks):
            raise SettingsInvalid(
                f"EGRESS_ALLOW_PRIVATE may hold loopback only while {reachable[0]} is loopback:"
                " otherwise strangers could reach what listens on this machine"
            )
        return networks

    def own_listeners(self, listeners: list[tuple[str, int]], internal: str) -> frozenset[Listener]:
        own = {("127.0.0.1" if host == "localhost" else host, port) for host, port in listeners}
        return self._parsed("OWN_LISTENERS", parse_listeners) | own | parse_listeners(internal)

    def authorities(self) -> ssl.SSLContext:
        try:
            return trusting(self.text("UPSTREAM_CA_FILE", ""))
        except AuthoritiesUnusable as problem:
            raise SettingsInvalid(f"UPSTREAM_CA_FILE {problem}") from None

    def log_level(self) -> str:
        value = self.text("LOG_LEVEL", "info").lower()
        if value not in _LEVELS:
            raise SettingsInvalid(f"LOG_LEVEL must be one of {', '.join(_LEVELS)}, got `{value}`")
        return value

    def _parsed(self, name: str, parse: Callable[[str], _Value]) -> _Value:
        try:
            return parse(self.text(name, ""))
        except ValueError as problem:
            raise SettingsInvalid(f"{name}: {problem}") from None


def _hosts(public: SplitResult, host: str) -> frozenset[str]:
    found = {public.netloc, public.hostname or public.netloc}
    if _is_loopback(host) or _is_loopback(public.hostname or ""):
        found |= {"127.0.0.1", "localhost", "[::1]"}
    else:
        found.add(f"[{host}]" if ":" in host else host)
    return frozenset(found)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _holds_loopback(network: Network) -> bool:
    return any(network.version == loopback.version and network.overlaps(loopback) for loopback in _LOOPBACK)
