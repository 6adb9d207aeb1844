"""Everything except the gateways dies, then one gateway: every verdict stays right and no record is lost."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_supervise import lives
from tests.config.test_whole_product import children_of, words_of
from tests.fixtures.servers.start import RunningToy, running_toy
from tests.journeys.api import Api, called, gateway_status, wait_until
from tests.journeys.product import RunningProduct, running_product

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

GATEWAYS = 2
MAX = 30
LIMIT = {"counter": "keys", "window": "day", "max": MAX, "scope": "grant"}
POLICY: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "hide": ["delete_user"],
    "tools": {
        "create_access_key": {"limits": [LIMIT]},
        "list_access_keys": {},
        "put_user_policy": {"action": "deny", "reason": "Policies are attached by people."},
    },
}
# A tool, and the code that a call of it must get; None: it reaches the server.
ASKED = {
    "list_access_keys": None,
    "put_user_policy": "denied",
    "delete_user": "not_available",
    "list_users": "not_available",
}
ROUNDS = 15


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningToy]:
    with running_toy("--many", record=tmp_path_factory.mktemp("toy") / "arrived.jsonl") as running:
        yield running


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProduct]:
    with running_product(tmp_path_factory.mktemp("product"), gateways=GATEWAYS) as running:
        yield running


def test_verdicts_outlive_everything_else(product: RunningProduct, toy: RunningToy) -> None:
    api = Api(product.web, product.bootstrap()["api_key"])
    server = api.register("Toy", toy.url)
    policy = api.publish(server, POLICY)
    grant = api.grant(server, policy, "outlives")
    # A connection may reach any gateway: all know the grant when so many in a row are admitted.
    wait_until(lambda: all(gateway_status(grant) != 401 for _ in range(20)), "a gateway knows no such grant")

    with nobody_but_the_gateways(product) as gateways:
        verdicts = [verdict(grant, tool) for _ in range(ROUNDS) for tool in ASKED]
        limited = [verdict(grant, "create_access_key") for _ in range(MAX // 2)]
        os.kill(gateways[0], signal.SIGKILL)
        wait_until(lambda: _is_over(gateways[0]), "the gateway lives on")
        limited += [verdict(grant, "create_access_key") for _ in range(MAX)]
        verdicts += [verdict(grant, tool) for _ in range(ROUNDS) for tool in ASKED]
    assert verdicts == list(ASKED.values()) * ROUNDS * 2
    assert limited == [None] * MAX + ["limit_exceeded"] * (MAX // 2)
    arrived = [call["tool"] for call in toy.calls()]
    assert (arrived.count("create_access_key"), arrived.count("list_access_keys")) == (MAX, ROUNDS * 2)
    assert len(arrived) == MAX + ROUNDS * 2

    wait_until(lambda: _answers(f"{product.web}/readyz"), "the site did not come back", 90)
    wait_until(lambda: len(_logged(api, grant)) >= len(verdicts) + len(limited), "not all were recorded")
    assert len(_logged(api, grant)) == len(verdicts) + len(limited)
    # The gateway that was killed is back as well: a change comes into force on both.
    api.ask("PATCH", f"/policies/{policy}/", {"document": POLICY | {"hide": []}})
    api.publish_draft(policy)
    wait_until(lambda: _alive(api) == GATEWAYS, "a gateway did not come back")


def _logged(api: Api, grant: dict[str, Any]) -> list[dict[str, Any]]:
    """The logged decisions, without those whose call was repeated."""
    logged = api.decisions(0, f"&grant={grant['id']}")
    return [one for one in logged if one["code"] != "limiter_unavailable"]


def _alive(api: Api) -> int:
    workers = api.ask("GET", "/workers/")["results"]
    return sum(worker["applied"] and not worker["gone"] for worker in workers)


@contextmanager
def nobody_but_the_gateways(product: RunningProduct) -> Iterator[list[int]]:
    """Kill PostgreSQL, the site, the internal listener and the Celery worker; nothing restarts them."""
    os.kill(product.pid, signal.SIGSTOP)
    try:
        children = {pid: words_of(pid) for pid in children_of(product.pid)}
        gateways = [pid for pid, words in children.items() if "-m gateway" in words]
        assert len(gateways) == GATEWAYS
        others = [pid for pid, words in children.items() if pid not in gateways and "watchdog" not in words]
        assert len(others) == 4, children
        for pid in others:
            os.killpg(pid, signal.SIGKILL)  # with everything it started
        wait_until(lambda: not _answers(f"{product.web}/healthz"), "the site still answers")
        yield gateways
    finally:
        os.kill(product.pid, signal.SIGCONT)


def verdict(grant: dict[str, Any], tool: str) -> str | None:
    """Call on a new connection; return the denial's code, or None if the server answered.

    On a busy machine the limits may not be known in time: such a call is denied, and repeated here.
    """
    code: str | None = "limiter_unavailable"
    while code == "limiter_unavailable":
        code = called(grant, tool).get("_meta", {}).get("policylayer/decision", {}).get("code")
    return code


def _is_over(pid: int) -> bool:
    """True once its last thread has ended, and with it the port: until then it may still get connections."""
    return not lives(pid) and len(list(Path(f"/proc/{pid}/task").glob("*"))) <= 1


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
