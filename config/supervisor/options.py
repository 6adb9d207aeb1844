"""The options of `manage.py up`. Flags take precedence over the variables of the same name."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config import env
from config.supervisor.site import web_processes

PARTS = ("web", "worker", "gateway")


@dataclass(frozen=True, slots=True)
class Options:
    parts: frozenset[str]
    gateways: int
    host: str
    port: int
    gateway_host: str
    gateway_port: int
    internal_port: int
    metrics_host: str
    metrics_port: int | None
    data_dir: Path
    web_processes: int = 1

    @property
    def needs_database(self) -> bool:
        return bool(self.parts & {"web", "worker"})

    @property
    def workers(self) -> tuple[str, ...]:
        if "gateway" not in self.parts:
            return ()
        named = os.environ.get("WORKER_NAME", "").strip()
        if named and self.gateways == 1:
            return (named,)
        return tuple(f"{named or 'gw'}-{number}" for number in range(1, self.gateways + 1))

    def listeners(self) -> list[tuple[str, str, int]]:
        """Return the flag, address and port of everything that will listen."""
        wanted = []
        if "web" in self.parts:
            wanted.append(("--port", self.host, self.port))
        if "worker" in self.parts:
            wanted.append(("--internal-port", "127.0.0.1", self.internal_port))
        if self.workers:
            wanted.append(("--gateway-port", self.gateway_host, self.gateway_port))
        return wanted + [("METRICS_PORT", self.metrics_host, port) for port in self.metrics_ports]

    @property
    def metrics_ports(self) -> list[int]:
        """One port for each gateway: on a shared port, nobody would know which of them answers."""
        first = self.metrics_port
        return [] if first is None else [first + number for number in range(len(self.workers))]


def read_options(arguments: Sequence[str], program: str = "manage.py up") -> Options:
    parser = argparse.ArgumentParser(
        prog=program,
        description="The whole product on this machine, or parts of it, until Ctrl-C.",
    )
    parser.add_argument(
        "--only", type=_parts, default=frozenset(PARTS), help="some of web,worker,gateway (all)"
    )
    parser.add_argument(
        "--gateways", type=_number(1, 64), default=1, help="how many gateways share the port (1)"
    )
    parser.add_argument(
        "--host", type=_host, default="127.0.0.1", help="where the web part listens (127.0.0.1)"
    )
    port = _number(1, 65535)
    parser.add_argument("--port", type=port, default=env.port("PORT"), help="PORT")
    parser.add_argument("--gateway-port", type=port, default=env.port("GATEWAY_PORT"), help="GATEWAY_PORT")
    parser.add_argument(
        "--internal-port",
        type=port,
        default=env.optional_port("INTERNAL_PORT"),
        help="INTERNAL_PORT (the one after --port)",
    )
    parser.add_argument("--gateway-host", type=_host, default=env.text("GATEWAY_HOST"), help="GATEWAY_HOST")
    parser.add_argument("--data-dir", type=Path, default=Path(env.text("DATA_DIR")), help="DATA_DIR")
    return _options(vars(parser.parse_args(arguments)))


def _options(given: Mapping[str, object]) -> Options:
    values = dict(given)
    if values["internal_port"] is None:
        values["internal_port"] = _beside(values["port"])
    values["parts"] = values.pop("only")
    data_dir = values["data_dir"]
    assert isinstance(data_dir, Path)
    values["data_dir"] = data_dir.absolute()
    values["metrics_host"] = _host(env.text("METRICS_HOST"))
    values["metrics_port"] = env.optional_port("METRICS_PORT")
    values["web_processes"] = web_processes()
    return Options(**values)  # type: ignore[arg-type]  # argparse has made every one of them what it must be


def _beside(port: object) -> int:
    assert isinstance(port, int)
    return port + 1 if port < 65535 else port - 1


def _host(text: str) -> str:
    return text.removeprefix("[").removesuffix("]")  # as the gateway reads it


def _parts(text: str) -> frozenset[str]:
    found = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not found or not found <= set(PARTS):
        raise argparse.ArgumentTypeError(f"some of {','.join(PARTS)}, got `{text}`")
    return found


class _number:  # noqa: N801 - used like a function: argparse prints its name
    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def __call__(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = self.least - 1
        if not self.least <= number <= self.most:
            raise argparse.ArgumentTypeError(f"a whole number from {self.least} to {self.most}, got `{text}`")
        return number
