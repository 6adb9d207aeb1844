"""What the compose file says, carried out without Docker.

The images' files, the services' commands, settings and health checks, each as a process here, with a
PostgreSQL and a Redis of the test's own. What differs is named in `_Here`: addresses, ports and folders.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from common.tokens import WORKER, new_token
from config.supervisor import fresh_secrets
from tests import postgres, redis_server
from tests.deploy.files import example, lay_out, services
from tests.fixtures.servers.start import running_toy
from tests.journeys.api import Api, wait_until
from tests.journeys.test_enforcement_goes_on import verdict
from tests.ports import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.journey, redis_server.needs_redis, pytest.mark.timeout(900)]

IMAGE = {
    "prepare": "control",
    "web": "control",
    "internal": "control",
    "worker": "control",
    "gateway": "gateway",
}
ONCE = {"counter": "keys", "window": "day", "max": 1, "scope": "grant"}
NOTHING: Mapping[str, str] = {}
POLICY = {"version": "1", "default": "deny", "tools": {"create_access_key": {"limits": [ONCE]}}}


@dataclass(frozen=True, slots=True)
class _Here:
    """A word of the compose file as it must read on this machine."""

    folder: Path
    places: dict[str, str]

    def word(self, service: str, text: str) -> str:
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text.replace("/data", str(self.data(service)))

    def data(self, service: str) -> Path:
        return self.folder / "data" / service


class Deployed:
    def __init__(self, folder: Path, here: _Here, said: dict[str, dict[str, Any]]) -> None:
        self._folder, self._here, self._said = folder, here, said
        for image in ("control", "gateway"):
            lay_out(image, folder / image)

    def environment(self, service: str) -> dict[str, str]:
        stage = {"DATA_DIR": "/data"}
        if IMAGE[service] == "gateway":
            stage |= {"GATEWAY_PORT": "8100"}
        given = stage | {name: str(value) for name, value in self._said[service]["environment"].items()}
        filled = {name: self._here.word(service, value) for name, value in given.items()}
        return filled | {"PATH": os.environ["PATH"]}

    def start(self, service: str) -> subprocess.Popen[bytes]:
        words: list[str] = self._said[service].get("command") or ["python", "-m", "gateway"]
        return self.run(service, words, subprocess.STDOUT)

    def run(
        self, service: str, words: list[str], to: int = subprocess.PIPE, lent: Mapping[str, str] = NOTHING
    ) -> subprocess.Popen[bytes]:
        self._here.data(service).mkdir(parents=True, exist_ok=True)
        command = [self._here.word(service, word) for word in words]
        if command[0] == "python":
            command[0] = sys.executable
        with (self._folder / f"{service}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder / IMAGE[service],
                env=self.environment(service) | dict(lent),
                stdout=log if to == subprocess.STDOUT else to,
                stderr=log,
            )

    def as_operator(self, *words: str) -> str:
        """As the runbook says: what `prepare` is given, and the keys it is lent."""
        lent = {name: self.environment("web")[name] for name in ("SEALING_KEYS", "ARGUMENT_KEYS")}
        asked = self.run("prepare", ["python", "manage.py", *words], lent=lent if words[0] == "keys" else {})
        said, _ = asked.communicate(timeout=300)
        assert asked.returncode == 0, self.words_of("prepare")
        return said.decode()

    def is_healthy(self, service: str) -> bool:
        kind, *words = self._said[service]["healthcheck"]["test"]
        asked = self.run(service, ["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else words)
        asked.communicate(timeout=60)
        return asked.returncode == 0

    def words_of(self, service: str) -> str:
        return (self._folder / f"{service}.log").read_text()[-3000:]


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    web, internal, gateway = free_ports(3)
    secrets = fresh_secrets.fresh({"gw-1": new_token(WORKER)})
    secrets["POSTGRES_PASSWORD"] = "tests-only"
    given = example() | {name: secrets[name] for name in example() if name in secrets}
    given |= {"PUBLIC_URL": f"http://127.0.0.1:{web}", "GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{gateway}"}
    given["EGRESS_ALLOW_PRIVATE"] = "127.0.0.0/8"
    database = urlsplit(postgres.start_private())
    (tmp_path / "redis").mkdir()
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server.running(tmp_path / "redis"))
        places = {
            "@postgres:5432/policylayer": f"@/policylayer?{database.query}",
            "redis://limiter:6379/0": redis.url,
            "redis://broker:6379/0": redis.url.removesuffix("0") + "1",
            "http://internal:8001": f"http://127.0.0.1:{internal}",
            "0.0.0.0": "127.0.0.1",
            **{port: str(here) for port, here in (("8000", web), ("8001", internal), ("8100", gateway))},
        }
        made = Deployed(tmp_path, _Here(tmp_path, places), services(given))
        assert made.start("prepare").wait(300) == 0, made.words_of("prepare")
        for service in ("internal", "worker", "web", "gateway"):
            process = made.start(service)
            stack.callback(process.wait, 120)
            stack.callback(process.terminate)
        yield made


def test_what_the_compose_file_starts_enforces_a_policy(deployed: Deployed) -> None:
    for service in ("internal", "web", "gateway", "worker"):
        wait_until(lambda one=service: deployed.is_healthy(one), f"{service} is not healthy", 60)
    made = deployed.run("web", ["python", "manage.py", "bootstrap", "--json", "--email", "alice@example.com",
                                "--organization", "Acme"])  # fmt: skip
    said, _ = made.communicate(timeout=60)
    assert made.returncode == 0, deployed.words_of("web")
    api = Api(deployed.environment("web")["PUBLIC_URL"], json.loads(said)["api_key"])
    with running_toy() as toy:
        server = api.register("Toy", toy.url)
        grant = api.grant(server, api.publish(server, POLICY), "compose")
        asked = ("create_access_key", "create_access_key", "delete_user")
        assert [verdict(grant, tool) for tool in asked] == [None, "limit_exceeded", "not_available"]
    assert len(api.decisions(3)) == 3
    assert "(gw-1)" in deployed.as_operator("limiter", "list")
    assert "Acme" in deployed.as_operator("limits", "list")
    assert "gateways behind: none" in deployed.as_operator("keys", "status")
