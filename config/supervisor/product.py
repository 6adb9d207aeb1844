"""The processes of the product: what each is started with, and not a single variable more."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from config import env
from config.supervisor.access import (
    APP,
    APP_ROLE_PASSWORD,
    PREPARE_WORKERS,
    WORKER,
    WORKER_ROLE_PASSWORD,
    url_as,
)
from config.supervisor.keys import MADE, Keys
from config.supervisor.listeners import listeners_at, written
from config.supervisor.options import PARTS, Options
from config.supervisor.site import granian
from config.supervisor.supervise import Child

ROOT = Path(__file__).resolve().parents[2]
_ONE_MACHINE = "config.settings.dev"
LOOPBACK = "127.0.0.0/8,::1/128"
# Longer than a stopping gateway gives its calls to finish.
GATEWAY_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, repr=False)
class Product:
    options: Options
    keys: Keys
    admin_url: str = ""
    operator: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def web_url(self) -> str:
        """The site's URL for browsers: by name where possible, because passkeys are bound to a name."""
        return _named(self.options.host, self.options.port)

    @property
    def internal_url(self) -> str:
        return _local("127.0.0.1", self.options.internal_port)

    @property
    def gateway_url(self) -> str:
        return _local(self.options.gateway_host, self.options.gateway_port)

    @property
    def mail_folder(self) -> Path | None:
        """The folder where mail is written unless it is sent, as `config.settings.dev` says."""
        in_files = self._settings == _ONE_MACHINE and not self.operator.get("EMAIL_URL")
        return self.options.data_dir / "mail" if in_files else None

    @property
    def _settings(self) -> str:
        return self.operator.get("DJANGO_SETTINGS_MODULE") or _ONE_MACHINE

    def preparation(self) -> Child:
        tokens = {name: self._worker_token(name) for name in self.options.workers}
        own = {
            **self._django("internal", self.admin_url),
            **_INTERNAL,
            APP_ROLE_PASSWORD: self.keys[APP_ROLE_PASSWORD],
            WORKER_ROLE_PASSWORD: self.keys[WORKER_ROLE_PASSWORD],
            PREPARE_WORKERS: json.dumps(tokens),
            "WORKER_TOKENS": self.operator.get("WORKER_TOKENS", ""),
        }
        return module("prepare", own, "config.supervisor.prepare")

    def children(self) -> list[Child]:
        made = []
        if "worker" in self.options.parts:
            made += [self._internal(), self._celery()]
        if "web" in self.options.parts:
            made.append(self._web())
        return made + [self._gateway(number, name) for number, name in enumerate(self.options.workers)]

    def health_checks(self) -> dict[str, str]:
        checks = {}
        if "web" in self.options.parts:
            checks["web"] = f"{_local(self.options.host, self.options.port)}/healthz"
        if "worker" in self.options.parts:
            checks["internal"] = f"{self.internal_url}/healthz"
        # Not at the port they share: each is asked at its own socket.
        return checks | {name: f"unix:{self._doors / name}.sock" for name in self.options.workers}

    def management_environment(self) -> dict[str, str]:
        """Return the environment of commands run beside the product by the operator, who owns this folder."""
        return self._django("internal", self.admin_url, "SEALING_KEYS", "ARGUMENT_KEYS")

    def _web(self) -> Child:
        own = self._django("web", self._database(APP, APP_ROLE_PASSWORD), "SEALING_KEYS", "ARGUMENT_KEYS")
        return _granian("web", own, self.options.host, self.options.port, self.options.web_processes)

    def _internal(self) -> Child:
        own = self._django("internal", self._database(WORKER, WORKER_ROLE_PASSWORD), "ARGUMENT_KEYS")
        own |= _INTERNAL
        return _granian("internal", own, "127.0.0.1", self.options.internal_port)

    def _celery(self) -> Child:
        keys = ("SEALING_KEYS", "SIGNING_KEY", "BUNDLE_KEYS")
        own = self._django("worker", self._database(WORKER, WORKER_ROLE_PASSWORD), *keys)
        own["CELERY_SKIP_CHECKS"] = "1"  # they load every page of the site, which takes a second
        # Celery warns root about pickle, which is off here.
        own["PYTHONWARNINGS"] = "ignore::UserWarning:celery.platforms"
        quiet = "--without-gossip --without-mingle --without-heartbeat --loglevel warning"
        # A scan waits up to a minute for someone's server; a few of them must not hold up publishing.
        sized = ("--concurrency", "8", "--prefetch-multiplier", "1")
        celery = ("-A", "config.celery", "--no-color", "--quiet", "worker")
        return module("worker", own, "celery", *celery, *sized, *quiet.split())

    def _gateway(self, number: int, name: str) -> Child:
        own = {
            "DATA_DIR": str(self.options.data_dir / "gateway" / name),
            "LIMITER_URL": f"sqlite:///{self.options.data_dir / 'limiter.sqlite3'}",
            "GATEWAY_HOST": self.options.gateway_host,
            "GATEWAY_PORT": str(self.options.gateway_port),
            "GATEWAY_SHARED_PORT": "yes" if len(self.options.workers) > 1 else "no",
            "CONTROL_URL": self.internal_url,
            **self._shared_by_all(),
            **_given("gateway", self.operator, without=_DECIDED_HERE),
            "HANDOVER_DIR": str(self._doors),
            **self._ports_of(number),
            "WORKER_NAME": name,
            "WORKER_TOKEN": self._worker_token(name),
            "BUNDLE_KEYS": self.keys["BUNDLE_KEYS"],
            "VERIFY_KEYS": self.keys["VERIFY_KEYS"],
        }
        return replace(module(name, own, "gateway"), grace_seconds=GATEWAY_GRACE_SECONDS)

    @property
    def _doors(self) -> Path:
        return self.options.data_dir / "gateway" / "doors"

    def _ports_of(self, number: int) -> dict[str, str]:
        found = {}
        if self.options.metrics_ports:
            found["METRICS_PORT"] = str(self.options.metrics_ports[number])
        if self.operator.get("HANDOVER_ADDRESS"):
            host, _, first = self.operator["HANDOVER_ADDRESS"].rpartition(":")
            found["HANDOVER_ADDRESS"] = f"{host}:{int(first) + number}"
        return found

    def _worker_token(self, name: str) -> str:
        given = self.operator.get("WORKER_TOKEN")
        if given and len(self.options.workers) == 1:
            return given
        return self.keys.worker_token(name, make=self.options.needs_database)

    def _database(self, role: str, password: str) -> str:
        return url_as(self.admin_url, role, self.keys[password])

    def _django(self, process: str, database_url: str, *keys: str) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": self._settings,
            **self._shared_by_all(),
            **_given(process, self.operator, without=_OF_GATEWAYS),
            "DATABASE_URL": database_url,
            "DATA_DIR": str(self.options.data_dir),
            "PORT": str(self.options.port),
            "INTERNAL_PORT": str(self.options.internal_port),
            **{name: self.keys[name] for name in ("SECRET_KEY", *keys)},
        }

    def _shared_by_all(self) -> dict[str, str]:
        public = self.operator.get("PUBLIC_URL") or self.web_url
        listeners = ",".join(sorted(self._own_listeners()))
        shared = {
            "PUBLIC_URL": public,
            "GATEWAY_PUBLIC_URL": self.gateway_url,
            "OWN_LISTENERS": listeners,
        }
        # On someone's own machine, the servers that they try out are on that machine too.
        if _is_loopback(urlsplit(public).hostname or ""):
            shared["EGRESS_ALLOW_PRIVATE"] = LOOPBACK
        return shared

    def _own_listeners(self) -> set[str]:
        given = (self.admin_url, *(self.operator.get(name, "") for name in _STAND_ON))
        found = set().union(*map(listeners_at, given))
        found |= {one.strip() for one in self.operator.get("OWN_LISTENERS", "").split(",") if one.strip()}
        if self.operator.get("HANDOVER_ADDRESS"):
            found |= {
                self._ports_of(number)["HANDOVER_ADDRESS"] for number in range(len(self.options.workers))
            }
        for _, host, port in replace(self.options, parts=frozenset(PARTS)).listeners():
            for address in {"127.0.0.1", host if _is_address(host) else "127.0.0.1"}:
                found.add(written(address, port))
        return found


def _given(process: str, operator: Mapping[str, str], without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the settings that the operator has set and this process may read."""
    return {
        setting.name: operator[setting.name]
        for setting in env.SETTINGS
        if setting.name not in (*without, "OWN_LISTENERS")  # it is joined with ours: _own_listeners()
        and operator.get(setting.name)
        and setting.name not in _SECRETS
        and (setting.read_by == "all" or process in setting.read_by.split(", "))
    }


_DECIDED_HERE = ("GATEWAY_HOST", "GATEWAY_PORT", "GATEWAY_SHARED_PORT", "DATA_DIR", "METRICS_PORT",
                 "HANDOVER_DIR", "HANDOVER_ADDRESS")  # fmt: skip
# The rest of the product has its numbers on the internal listener.
_OF_GATEWAYS = ("METRICS_PORT", "METRICS_HOST")
_STAND_ON = ("CELERY_BROKER_URL", "CACHE_URL", "LIMITER_URL")
_INTERNAL = {"DJANGO_URLCONF": "config.internal_urls"}
_SECRETS = frozenset(
    {"DATABASE_URL", "SECRET_KEY", "SEALING_KEYS", "ARGUMENT_KEYS", "BUNDLE_KEYS", "SIGNING_KEY"}
)


def _surroundings() -> dict[str, str]:
    """Return the operator's environment without our variables and without libpq's."""
    ours = {setting.name for setting in env.SETTINGS} | {*MADE, PREPARE_WORKERS}
    kept = {
        name: value for name, value in os.environ.items() if name not in ours and not name.startswith("PG")
    }
    return kept | {"PYTHONUNBUFFERED": "1"}


def module(name: str, own: Mapping[str, str], module: str, *arguments: str) -> Child:
    command = (sys.executable, "-m", module, *arguments)
    return Child(name, command, {**_surroundings(), **own}, ROOT)


def _granian(name: str, own: Mapping[str, str], host: str, port: int, processes: int = 1) -> Child:
    return module(name, own, *granian(host, port, processes))


def _local(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def _named(host: str, port: int) -> str:
    """Return the URL with `localhost` if that is served: by listening on all addresses or on loopback."""
    here = _is_address(host) and (ip_address(host).is_unspecified or host in ("127.0.0.1", "::1"))
    return f"http://localhost:{port}" if here else _local(host, port)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)
