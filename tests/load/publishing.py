"""Measures the time from publishing an edit to the last worker's ack, while agents call.

    python -m tests.load.publishing [--edits 50] [--gateways 1] [--redis] [--grants 0]

Beside each edit a plain read over the same API is timed: what the machine needs for one answer. Every answer
to an agent is checked against what was in force: none may be judged by an edit older than the newest that the
control plane had reported in force on every worker when the call began.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from common.ids import parse_public_id
from config.supervisor.running import find_running
from tests.fixtures.servers.start import running_toy
from tests.journeys.api import Api, called, wait_until
from tests.journeys.product import RunningProduct, running_product
from tests.redis_server import running as running_redis

MORE_GRANTS = """
    INSERT INTO policies_grant (id, organization_id, server_id, policy_id, label, token_hash, hint, issued_at,
                                earlier_hash)
    SELECT gen_random_uuid(), organization_id, server_id, policy_id, 'agent ' || n,
           md5(n::text) || md5((-n)::text), 'plg_0000', now(), ''
    FROM policies_grant, generate_series(1, %s) n WHERE label = 'first'
"""
_TAKEN = """
    SELECT extract(epoch FROM c.in_force_at - r.published_at) FROM policies_policyrevision r
    JOIN gateway_config_configrevision c ON r.id = ANY(c.policy_revisions) AND c.in_force_at IS NOT NULL
    ORDER BY r.number DESC, c.number LIMIT 1
"""


@dataclass
class History:
    """Which edit judged each call, and when each edit was seen in force everywhere."""

    calls: list[tuple[float, int]] = field(default_factory=list)
    in_force: list[tuple[float, int]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def judged_by_what_was_over(self) -> int:
        return sum(
            edit < max((newest for at, newest in self.in_force if at <= began), default=0)
            for began, edit in self.calls
        )


def measure(product: RunningProduct, toy: str, edits: int, grants: int) -> dict[str, float]:
    """Return milliseconds, except for the counts, the load and the ratio; `read` is the baseline."""
    made = product.bootstrap()
    api = Api(product.web, made["api_key"])
    server = api.register("Toy", toy)
    policy = api.publish(server, _document(0))
    grant = api.grant(server, policy, "first")
    organization = parse_public_id("org", made["organization"]["id"])
    if grants:
        execute(product, organization, MORE_GRANTS, grants)
        api.ask("PATCH", f"/policies/{policy}/", {"document": _document(0)})
        api.publish_draft(policy)
    acked, seen, reads, history = [], [], [], History()
    with _calling(grant, history):
        for number in range(1, edits + 1):
            api.ask("PATCH", f"/policies/{policy}/", {"document": _document(number)})
            seen.append(api.publish_draft(policy) * 1000)
            history.in_force.append((time.monotonic(), number))
            acked.append(1000 * float(execute(product, organization, _TAKEN)[0][0]))
            reads.append(_read(api) * 1000)
    return {
        "load": os.getloadavg()[0],
        "edits": float(len(acked)),
        "acked_p50": statistics.median(acked),
        "acked_p99": statistics.quantiles(acked, n=100, method="inclusive")[98],
        "acked_max": max(acked),
        "seen_p50": statistics.median(seen),
        "read_p50": statistics.median(reads),
        "ratio_p50": statistics.median(acked) / statistics.median(reads),
        "calls": float(len(history.calls)),
        "calls_judged_by_what_was_over": float(history.judged_by_what_was_over()),
    }


@contextmanager
def _calling(grant: dict[str, Any], history: History) -> Iterator[None]:
    def call() -> None:
        while not history.over.wait(0.05):
            began = time.monotonic()
            text = called(grant, "create_access_key")["content"][0]["text"]
            history.calls.append((began, int(text.partition("edit ")[2].partition(".")[0])))

    caller = threading.Thread(target=call)
    wait_until(lambda: "edit 0." in json.dumps(called(grant, "create_access_key")), "no verdict")
    caller.start()
    try:
        yield
    finally:
        history.over.set()
        caller.join(30)


def execute(product: RunningProduct, organization: UUID, sql: str, *parameters: object) -> list[Any]:
    """Execute SQL as the application, inside the organization."""
    url = find_running(product.data_dir).database_url
    with psycopg.connect(url) as connection:
        connection.execute("SET ROLE policylayer_app")
        connection.execute("SELECT set_config('app.organization', %s, false)", [str(organization)])
        cursor = connection.execute(sql.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def _read(api: Api) -> float:
    started = time.monotonic()
    api.ask("GET", "/me/")
    return time.monotonic() - started


def _document(number: int) -> dict[str, Any]:
    rule = {"action": "deny", "reason": f"This is edit {number}."}
    return {"version": "1", "default": "deny", "tools": {"create_access_key": rule}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--gateways", type=int, default=1)
    parser.add_argument("--redis", action="store_true", help="a Redis carries Celery's messages")
    parser.add_argument("--grants", type=int, default=0, help="grants of the organization beside the first")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        surroundings = {}
        if given.redis:
            (folder / "redis").mkdir()
            broker = stack.enter_context(running_redis(folder / "redis", appendonly="no"))
            surroundings["CELERY_BROKER_URL"] = broker.url
        toy = stack.enter_context(running_toy())
        product = stack.enter_context(
            running_product(folder, gateways=given.gateways, surroundings=surroundings, from_scratch=True)
        )
        found = measure(product, toy.url, given.edits, given.grants)
    for name, value in found.items():
        print(f"{name:30} {value:10.1f}")
    sys.exit(1 if found["calls_judged_by_what_was_over"] else 0)


if __name__ == "__main__":
    main()
