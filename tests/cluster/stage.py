"""A cluster with an organization, a server, a policy and a grant, and everyone who records its history."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import UUID

import psycopg

from common.ids import parse_public_id
from tests.cluster.clients import Agent, Clients
from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.history import History, Limit, Published, Shown, Verdict
from tests.cluster.laws import Bounds, Broken, broken
from tests.journeys.api import Api, wait_until

OPEN, DENIED, HIDDEN, ASKED, EDITED = "read", "drop", "secret", "pay", "edited"
# A tool whose limit is never reached: calling it shows whether limits can be checked.
PROBE: Final = "probe"
DAY: Final = 86_400.0
LOOK_EVERY: Final = 0.2
ALL_THERE_WITHIN: Final = 300.0

_RECORDS = """
    SELECT id::text, worker, spool, sequence, extract(epoch FROM at)::float8, added_us, tool, argument_digest,
           outcome, code, config_revision, approval_id::text
    FROM audit_decisionrecord WHERE method = 'tools/call'
"""
_FIRST_HOLDING = """
    SELECT min(number) FROM gateway_config_configrevision WHERE policy_revisions @> ARRAY[%s]::uuid[]
"""


def limited(number: int) -> str:
    return f"limited-{number}"


class Stage:
    """The cluster and its history. `limits` tools each have a limit of `most` a day and their own counter."""

    def __init__(self, cluster: Cluster, *, limits: int, most: int) -> None:
        self.cluster = cluster
        self.history = History()
        self.clients = Clients(cluster.ports, self.history.calls)
        self.history.receipts = cluster.upstream.receipts
        self._limits, self.most = limits, most
        self.api: Api = cluster.api()
        server = self.api.register("Recorder", cluster.upstream_url)
        self._edits = 0
        self._policy = self.api.publish(server, self._document())
        self.agent = self._grant(server)
        self.history.limits = [
            Limit(self.agent.grant, limited(number), most, DAY) for number in range(self._limits)
        ]
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._watching.start()

    def close(self) -> None:
        self._over.set()
        self._watching.join(60)
        self.clients.close()

    # ---- what people do
    def _document(self) -> dict[str, Any]:
        tools: dict[str, Any] = {
            OPEN: {},
            DENIED: {"action": "deny", "reason": "Nobody drops anything."},
            ASKED: {"action": "require_approval"},
            PROBE: {"limits": [{"counter": "probe", "window": "day", "max": 1_000_000, "scope": "grant"}]},
            EDITED: {} if self._edits % 2 else {"action": "deny", "reason": f"Edit {self._edits}."},
        }
        for number in range(self._limits):
            counted = {"counter": f"c{number}", "window": "day", "max": self.most, "scope": "grant"}
            tools[limited(number)] = {"limits": [counted]}
        return {"version": "1", "default": "deny", "tools": tools}

    def _grant(self, server: dict[str, Any]) -> Agent:
        made = self.api.ask(
            "POST", "/grants/", {"server": server["id"], "policy": self._policy, "label": "agent"}
        )
        path = "/mcp/" + made["gateway_url"].partition("/mcp/")[2]
        agent = Agent(made["id"], made["token"], path)
        for name in self.cluster.names:
            wait_until(
                lambda one=name: self.clients.once(agent, HIDDEN, one).call.said is not None,
                f"{name} does not know the grant",
                60,
            )
        return agent

    def edit(self) -> Published:
        """Publish the next edit."""
        self._edits += 1
        self.api.ask("PATCH", f"/policies/{self._policy}/", {"document": self._document()})
        said = self.api.ask("POST", f"/policies/{self._policy}/publish/", {"note": "edit"})
        at = time.time()
        published = Published(at, self.number_of(parse_public_id("rev", said["revision"]["id"])))
        self.history.published.append(published)
        return published

    def try_to_edit(self) -> None:
        """Edit while things die. An edit that was not confirmed as published promises nothing."""
        with suppress(AssertionError, OSError, psycopg.OperationalError):
            self.edit()

    def number_of(self, revision: UUID) -> int:
        """The first config revision that contains it, once there is one."""
        found: list[int | None] = [None]

        def is_there() -> bool:
            ((found[0],),) = self.cluster.database.rows(_FIRST_HOLDING, str(revision))
            return found[0] is not None

        wait_until(is_there, "it was never built", 60)
        return int(found[0] or 0)

    # ---- what is seen
    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            self.history.shown += self.look()

    def look(self) -> list[Shown]:
        """What the list of workers shows. If it does not answer, no worker counts as in step."""
        try:
            rows = self._workers()
        except (OSError, ValueError):
            return [Shown(time.time(), name, 0, gone=True) for name in self.cluster.names]
        at = time.time()
        return [Shown(at, row["name"], row["revision"] or 0, row["gone"]) for row in rows]

    def _workers(self) -> list[dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.api.web}/api/v1/workers/", headers={"Authorization": f"Bearer {self.api.key}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=3) as answer:
                found: list[dict[str, Any]] = json.loads(answer.read())["results"]
                return found
        except urllib.error.HTTPError as error:
            error.close()
            raise OSError(f"the page answers {error.code}") from None

    def in_step(self, revision: int) -> bool:
        views = self.look()
        return len(views) == len(self.cluster.names) and all(
            view.revision >= revision and not view.gone for view in views
        )

    # ---- what is kept
    def verdicts(self) -> list[Verdict]:
        found = []
        for row in self.cluster.database.rows(_RECORDS):
            id_, worker, spool, sequence, at, added_us, tool, digest, outcome, code, revision, approval = row
            began = at - added_us / 1e6
            found.append(
                Verdict(
                    id_, worker, spool, sequence, began, at, tool, digest, outcome, code, revision, approval
                )
            )
        return found

    def settle(self) -> None:
        """Wait until every record that must exist has arrived, or give up after ALL_THERE_WITHIN seconds."""
        due = Counter(call.digest for call in self.history.calls if call.said is not None)
        due |= Counter(receipt.digest for receipt in self.history.receipts)
        until = time.monotonic() + ALL_THERE_WITHIN
        before = -1
        while time.monotonic() < until:
            self.history.verdicts = self.verdicts()
            there = Counter(verdict.digest for verdict in self.history.verdicts)
            if due <= there and len(self.history.verdicts) == before:
                return
            before = len(self.history.verdicts)
            time.sleep(0.7)

    def broken_laws(self, bounds: Bounds | None = None) -> list[Broken]:
        self.settle()
        return broken(self.history, bounds)

    def received(self, tool: str) -> int:
        return sum(receipt.tool == tool for receipt in self.history.receipts)


@contextmanager
def stage(
    *, gateways: int = 2, limits: int = 8, most: int = 20, limiter: str = "redis", clock: bool = False
) -> Iterator[Stage]:
    tools: Sequence[str] = (OPEN, DENIED, HIDDEN, ASKED, EDITED, PROBE, *(limited(n) for n in range(limits)))
    with running_cluster(gateways=gateways, tools=tuple(tools), limiter=limiter, clock=clock) as cluster:
        made = Stage(cluster, limits=limits, most=most)
        try:
            yield made
        finally:
            made.close()
