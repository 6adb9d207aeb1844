"""Measures a catalogue as large as the public index: importing, searching and browsing it in PostgreSQL.

`python -m tests.load.catalogue [--servers 43000] [--seed 1]`. Servers have as many tools as in the public
index (median 7, 90 % at most 31, 99 % at most 117, 14 on average). Names, arguments and hints are drawn from
the public lists if POLICYLAYER_TEST_DATA names their folder, else from the shipped facts. If
POLICYLAYER_TEST_DATABASE_URL names a database with a full index, that is kept and only queried.
"""

# ruff: noqa: E402 - Django is set up after the database is there
from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")

from tests import postgres

URL: Final = postgres.start()

import django

django.setup()

from django.core.management import call_command
from django.db import connection, connections
from django.test import Client

from catalog.classify import ToolInput, classify
from catalog.facts import Provenance, ServerFact, ToolFact
from catalog.importing import listed_in, shipped
from catalog.ingest import Listed, Report, ingest
from catalog.listing import lines_of
from catalog.models import CatalogServer, CatalogTool
from catalog.summary import count_anew
from config import env
from config.supervisor.roles import ensure_roles

# Bands of sizes: the share of the servers up to and including this band, the fewest tools and the most.
SIZES: Final = ((0.5, 1, 7), (0.9, 8, 31), (0.99, 32, 117), (1.0, 118, 400))
# Within a band smaller sizes are more frequent.
SMALL_RATHER: Final = 2.5
ROUNDS: Final = 200
A_SECOND: Final = 20


def lists(servers: int, seed: int) -> Iterator[Listed]:
    chance = random.Random(seed)
    shapes = list(_shapes())
    words = sorted({part for tool in shapes for part in tool.name.split("_") if part.isalpha()})
    for number in range(servers):
        name = f"{chance.choice(words)}-{chance.choice(words)}-{number}"
        vendor = f"{chance.choice(words)} {chance.randrange(servers // 10 + 1)}"
        server = ServerFact(
            slug=name.lower(),
            title=name.replace("-", " ").title(),
            vendor=vendor.title(),
            repository=f"{vendor.replace(' ', '')}/{name}",
            package=f"npm:{name}",
            transports=(chance.choice(("stdio", "stdio", "streamable-http", "sse")),),
            checked="2026-11-01",
        )
        yield server, [_tool(chance, shapes, words, index) for index in range(_size(chance))]


def _shapes() -> Iterator[ToolFact]:
    folder = os.environ.get("POLICYLAYER_TEST_DATA")
    path = Path(folder or "") / "catalog" / "tools.jsonl.gz"
    for _, tools in listed_in(lines_of(path), Report()) if folder else shipped():
        yield from tools


def _size(chance: random.Random) -> int:
    place = chance.random()
    least, most = next((least, most) for share, least, most in SIZES if place <= share)
    return least + int((most - least + 1) * chance.random() ** SMALL_RATHER)


def _tool(chance: random.Random, shapes: list[ToolFact], words: list[str], index: int) -> ToolFact:
    shape = chance.choice(shapes)
    name = f"{shape.name}_{chance.choice(words)}{index if chance.random() < 0.2 else ''}"[:120]
    return replace(shape, name=name, provenance=Provenance.PUBLISHED, source="a list")


def prepare() -> None:
    ensure_roles(URL, app_password="load", worker_password="load")
    admin = env.parse_database_url(URL)
    for settings in (connections.settings["default"], connection.settings_dict):
        settings.update(
            HOST=admin.host, PORT=admin.port, USER=admin.user, PASSWORD=admin.password, NAME=admin.name
        )
    call_command("migrate", verbosity=0)


def take_in(servers: int, seed: int) -> None:
    report = Report()
    started, cpu = time.monotonic(), time.process_time()
    ingest(_told(lists(servers, seed)), report)
    summary = count_anew()
    took = time.monotonic() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    say("servers, tools", f"{summary.figures['servers']:,}, {summary.figures['tools']:,}")
    say("import, s", f"{took:.0f} (of which {time.process_time() - cpu:.0f} CPU here)")
    say("memory of the importing process, MB", str(most))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
        say("disk", str(cursor.fetchone()))


def _told(listed: Iterator[Listed]) -> Iterator[Listed]:
    for number, one in enumerate(listed, 1):
        if number % 2000 == 0:
            print(f"… {number} servers", file=sys.stderr, flush=True)
        yield one


def classify_alone(seed: int) -> None:
    tools = [tool for _, tools in lists(3_000, seed) for tool in tools]
    inputs = [ToolInput(tool.name, "", tool.params, tool.annotations, choices=tool.choices) for tool in tools]
    started = time.process_time()
    for one in inputs:
        classify(one)
    say("classified a second of CPU, one core", f"{len(inputs) / (time.process_time() - started):,.0f}")


def ask(seed: int) -> None:
    chance, client = random.Random(seed), Client()
    last = CatalogTool.objects.order_by("-pk").values_list("pk", flat=True)[0]
    some = CatalogTool.objects.filter(pk__in=chance.sample(range(1, last), ROUNDS * 2), removed_at=None)
    pairs = list(some.order_by("pk").values_list("server__slug", "slug", "name")[:ROUNDS])
    vendors = list(some.order_by("pk").values_list("server__vendor", flat=True)[:ROUNDS])
    words = [chance.choice(name.split("_")) or "get" for _, _, name in pairs]
    kinds: dict[str, list[str]] = {
        "a page without a database (baseline)": ["/healthz"] * ROUNDS,
        "search, one word": [f"/api/v1/catalog/search/?q={word}" for word in words],
        "search, two words": [f"/api/v1/catalog/search/?q={a}+{b}" for a, b in pairwise(words)],
        "search, the commonest words": [
            f"/api/v1/catalog/search/?q={word}"
            for word in ("get", "list", "create", "delete", "g", "li") * 34
        ],
        "facets without words": [f"/api/v1/catalog/search/?{_facets(chance)}" for _ in range(ROUNDS)],
        "one vendor": [f"/api/v1/catalog/search/?vendor={vendor}" for vendor in vendors],
        "the index page, searched": [f"/catalogue/?q={word}" for word in words],
        "the front page": ["/"] * ROUNDS,
        "the pages of risk and attacks": ["/catalogue/risk/critical/", "/attacks/credential-leaks/"]
        * (ROUNDS // 2),
        "the index page, nothing asked": ["/catalogue/", "/catalogue/?page=9"] * (ROUNDS // 2),
        "a tool page, uncached": [f"/tools/{server}/{tool}/" for server, tool, _ in pairs],
        "a server page, uncached": [f"/servers/{server}/" for server, _, _ in pairs],
    }
    for name, paths in kinds.items():
        say(f"{name}, ms p50 / p95, and of CPU", _timed(client, paths))


def _facets(chance: random.Random) -> str:
    tool_class, transport = chance.choice(("Read", "Financial")), chance.choice(("stdio", "sse"))
    return f"class={tool_class}&severity={chance.randint(1, 4)}&transport={transport}"


def _timed(client: Client, paths: list[str]) -> str:
    """Get each path at a fixed rate. Each is timed from when it was due, so waiting for another counts."""
    client.get(paths[0])
    took, spent = [], []
    started = time.monotonic()
    for number, path in enumerate(paths):
        due = started + number / A_SECOND
        time.sleep(max(due - time.monotonic(), 0))
        cpu = _cpu()
        answer: Any = client.get(path)
        took.append((time.monotonic() - due) * 1000)
        spent.append(_cpu() - cpu)
        assert answer.status_code == 200, (path, answer.status_code)
    return f"{_at(took, 0.5):.1f} / {_at(took, 0.95):.1f} | {_at(spent, 0.5):.1f} / {_at(spent, 0.95):.1f}"


def _at(figures: list[float], share: float) -> float:
    return sorted(figures)[int(len(figures) * share)]


def _cpu() -> float:
    """CPU milliseconds of this process and its PostgreSQL backend, whatever else the machine does."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    behind = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6
    return time.process_time() * 1000 + behind


def say(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--servers", type=int, default=43_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    from django.conf import settings

    settings.API_REQUESTS_A_MINUTE_UNKNOWN = 10**9
    prepare()
    classify_alone(given.seed)
    if CatalogServer.objects.count() < given.servers:
        take_in(given.servers, given.seed)
    say("load of the machine", " ".join(f"{one:.1f}" for one in os.getloadavg()))
    ask(given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
