"""Measures every page and every read-only endpoint, for each role, with a million decisions in the database.

    python -m tests.load.pages [--scale 1.0] [--rounds 20] [--only servers/] [--role owner] [--explain]

The paths come from the URL resolver and are requested in this process, in the application's database role.
Shown are milliseconds on the clock, of CPU here and in the database, and the number of queries. It exits with
1 if a page's p95 is over 100 ms or an endpoint's is over 50 ms. `--explain` shows the plans of queries over
5 ms.
"""

# ruff: noqa: E402 - the database is there before Django is
from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.load import database

database.prepare()

from django.db import connection, transaction
from django.test import Client, override_settings

from accounts.models import Membership
from common.memory import collect_less
from tests.load.rows import Filled
from tests.load.volumes import filled
from tests.roles import become
from tests.routes import Route, routes

MOST_MS: Final = {"page": 100.0, "api": 50.0}
SLOW_SECONDS: Final = 0.005
# Streams have no end, and exports are as long as the log.
ENDLESS: Final = ("log/live/", "approvals/live/", "log/export.csv", "log/export.ndjson")
# Queries that are tried besides the bare path: searched, filtered, further down.
ALSO: Final = {
    "servers/everything/": ("?class=Destructive", "?q=delete"),
    "log/": (
        "?outcome=deny",
        "?outcome=hidden",
        "?tool=delete_user_5",
        "?tool=wipe_disk",
        "?rule=default",
        "?q=nowhere",
        "?last=1h",
    ),
    "overview/": ("?span=30d", "?span=7d", "?span=1h"),
    "grants/": ("?q=agent",),
    "policies/": ("?q=policy",),
    "approvals/": ("?q=agent", "?q=nowhere", "?page=3"),
    "approvals/history/": ("?state=declined", "?q=agent", "?q=nowhere", "?page=1500"),
    "jump/": ("?q=delete",),
    "api/v1/decisions/": (
        "?outcome=deny",
        "?tool=delete_user_5",
        "?tool=none",
        "?limit=200",
        "?code=x",
        "?revision=rev_0000000000000000000000000x",
    ),
    "api/v1/decisions/stats/": ("?period=month", "?period=hour"),
    "api/v1/tools/": ("?class=Destructive", "?name=delete", "?limit=1000"),
    "api/v1/grants/": ("?label=9", "?limit=200", "?state=active"),
    "api/v1/policies/": ("?order=name", "?limit=200"),
    "api/v1/approvals/": ("?state=pending", "?state=expired"),
}


@dataclass(slots=True)
class Timed:
    what: str
    kind: str
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    queries: int = 0

    def p95(self) -> float:
        return sorted(self.wall)[int(len(self.wall) * 0.95)]

    def line(self) -> str:
        middle = len(self.wall) // 2
        figures = (
            sorted(self.wall)[middle],
            self.p95(),
            sorted(self.cpu)[middle],
            sorted(self.asked)[middle],
        )
        return " ".join(f"{one:8.1f}" for one in figures) + f" {self.queries:5d}  {self.what}"


class Watch:
    """Times every query; keeps the slow ones."""

    def __init__(self) -> None:
        self.seconds, self.count = 0.0, 0
        self.slow: dict[str, tuple[float, Any]] = {}

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            took = time.perf_counter() - started
            self.seconds += took
            self.count += 1
            if took > SLOW_SECONDS and took > self.slow.get(sql, (0.0, None))[0]:
                self.slow[sql] = (took, params)


def clients(acme: Filled, only: str | None) -> Iterator[tuple[str, Client, Client]]:
    """(role, a signed-in browser, a client with a key)"""
    for role, pk in acme.members.items():
        if only is not None and role != only:
            continue
        become(None)
        user = Membership.objects.select_related("user").get(pk=pk).user
        become("policylayer_app")
        browser = Client()
        browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        yield role, browser, Client(headers={"Authorization": f"Bearer {acme.keys[role]}"})


def targets(ids: dict[str, str], only: str) -> Iterator[tuple[Route, str]]:
    for route in routes():
        wanted = not route.is_public and route.template not in ENDLESS and only in route.template
        if wanted and set(route.names) <= set(ids):
            for query in ("", *ALSO.get(route.template, ())):
                yield route, route.path(ids) + query


def measure(client: Client, path: str, kind: str, what: str, rounds: int) -> tuple[Timed, Watch] | None:
    timed, watch = Timed(what, kind), Watch()
    answer = client.get(path)
    if answer.status_code != 200 or answer.streaming:
        return None
    for _ in range(rounds):
        watch.seconds = watch.count = 0
        wall, cpu = time.perf_counter(), time.process_time()
        with connection.execute_wrapper(watch):
            client.get(path)
        timed.wall.append((time.perf_counter() - wall) * 1000)
        timed.cpu.append((time.process_time() - cpu) * 1000)
        timed.asked.append(watch.seconds * 1000)
        timed.queries = watch.count
    return timed, watch


def explain(watch: Watch, acme: Filled) -> None:
    for sql, (took, params) in watch.slow.items():
        print(f"\n{took * 1000:.1f} ms: {sql[:1500]}\n   {str(params)[:400]}")
        if not sql.lstrip().upper().startswith(("SELECT", "WITH")):
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.organization', %s, true)", [str(acme.organization)])
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", params)
            print("\n".join(f"   {line}" for (line,) in cursor.fetchall()[:40]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="routes with this in them")
    parser.add_argument("--role", help="this one alone")
    parser.add_argument("--explain", action="store_true")
    given = parser.parse_args()
    acme = Filled(**filled(given.scale, given.seed)["Acme"])
    found: list[Timed] = []
    collect_less()  # as the processes of the site do
    with override_settings(API_REQUESTS_A_MINUTE=10**9):
        for role, browser, keyed in clients(acme, given.role):
            for route, path in targets(acme.ids, given.only):
                kind = "api" if route.is_api else "page"
                client = keyed if route.is_api else browser
                if timed := measure(client, path, kind, f"{role} {path}", given.rounds):
                    found.append(timed[0])
                    if given.explain:
                        explain(timed[1], acme)
    found.sort(key=Timed.p95, reverse=True)
    print("     p50      p95      CPU database queries")
    for one in found:
        print(one.line() + ("  OVER" if one.p95() > MOST_MS[one.kind] else ""))
    return int(any(one.p95() > MOST_MS[one.kind] for one in found))


if __name__ == "__main__":
    sys.exit(main())
