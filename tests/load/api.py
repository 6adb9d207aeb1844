"""Measures every API endpoint that can be read, 50 times a second, on a product with a million decisions.

    python -m tests.load.api [--scale 1.0] [--rate 50] [--seconds 10] [--seed 1]

Open loop: a request is sent when it is due, even if earlier ones are unanswered, and its time counts from
then. For comparison it also measures /healthz, which queries no database, and how long a publish request
takes. It exits with 1 if a p95 is over 50 ms or publishing's median is over 150 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx

from tests.journeys.api import Api
from tests.journeys.product import ROOT, RunningProduct, running_product

MOST_MS: Final = 50.0
MOST_PUBLISHING_MS: Final = 150.0
UNBOUNDED: Final = {"API_REQUESTS_A_MINUTE": "1000000000"}
BASELINE: Final = "/healthz"
ALSO: Final = (
    "/api/v1/decisions/?outcome=deny",
    "/api/v1/decisions/?tool=delete_user_5",
    "/api/v1/decisions/stats/?period=month",
    "/api/v1/tools/?class=Destructive",
    "/api/v1/grants/?state=active&order=label",
    "/api/v1/approvals/?state=pending",
)


def paths(web: str, ids: dict[str, str]) -> list[str]:
    """Every path that the schema says can be read, with ids that exist."""
    schema = httpx.get(f"{web}/api/v1/schema/").json()
    read = [path for path, methods in schema["paths"].items() if "get" in methods]
    known = {**ids, "server_slug": "awslabs-iam-mcp-server"}
    return [BASELINE, *(path.format(**known) for path in read), *ALSO]


async def asked(client: httpx.AsyncClient, path: str, rate: float, seconds: float) -> list[float]:
    """How long each request took, in milliseconds from when it was due."""
    begun, took = time.monotonic(), []

    async def one(due: float) -> None:
        await asyncio.sleep(max(due - time.monotonic(), 0))
        answer = await client.get(path)
        took.append((time.monotonic() - due) * 1000)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])

    await asyncio.gather(*(one(begun + number / rate) for number in range(int(rate * seconds))))
    return took


async def measure(web: str, key: str, ids: dict[str, str], rate: float, seconds: float) -> int:
    wanted, over = paths(web, ids), 0
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=web, headers=headers, limits=limits, timeout=60) as client:
        print(f"load {os.getloadavg()[0]:.1f}\n     p50      p95")
        for path in wanted:
            await asked(client, path, rate, min(1.0, seconds))  # connections and caches
            took = sorted(await asked(client, path, rate, seconds))
            p95 = took[int(len(took) * 0.95)]
            over += p95 > MOST_MS
            mark = "  OVER" if p95 > MOST_MS else ""
            print(f"{statistics.median(took):8.1f} {p95:8.1f}  {path}{mark}", flush=True)
    return over


def publishing(api: Api, policy: str, times: int = 20) -> float:
    document = {"version": "1", "default": "deny", "tools": {"list_*": {}}}
    took = []
    for number in range(times):
        document["description"] = f"Edit {number}."
        api.ask("PATCH", f"/policies/{policy}/", {"document": document})
        started = time.monotonic()
        api.ask("POST", f"/policies/{policy}/publish/", {"note": "measured"})
        took.append((time.monotonic() - started) * 1000)
    return statistics.median(took)


def fill(product: RunningProduct, scale: float, seed: int) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.load.volumes", "--data-dir", str(product.data_dir)),
            *("--scale", str(scale), "--seed", str(seed)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)["Acme"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with running_product(Path(folder), surroundings=UNBOUNDED, from_scratch=True) as product:
            acme = fill(product, given.scale, given.seed)
            key = acme["keys"]["owner"]
            over = asyncio.run(measure(product.web, key, acme["ids"], given.rate, given.seconds))
            took = publishing(Api(product.web, key), acme["ids"]["policy_id"])
    print(f"publishing, median: {took:.1f} ms")
    return int(over > 0 or took > MOST_PUBLISHING_MS)


if __name__ == "__main__":
    sys.exit(main())
