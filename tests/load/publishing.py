"""From the request that publishes an edit to the moment it is seen in force on every worker.

    python -m tests.load.publishing [--edits 50] [--gateways 1]

Beside each edit stands the time of a plain read over the same API: what the machine needs for one answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from tests.fixtures.servers.start import running_toy
from tests.journeys.api import Api
from tests.journeys.product import running_product


def measure(edits: int, gateways: int) -> dict[str, float]:
    """Milliseconds; `read` is the baseline."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_toy() as toy,
        running_product(Path(folder), gateways=gateways) as product,
    ):
        api = Api(product.web, product.bootstrap()["api_key"])
        server = api.register("Toy", toy.url)
        policy = api.publish(server, _document(0))
        published, reads = [], []
        for number in range(1, edits + 1):
            api.ask("PATCH", f"/policies/{policy}/", {"document": _document(number)})
            published.append(api.publish_draft(policy) * 1000)
            reads.append(_read(api) * 1000)
    return {
        "publish_p50": statistics.median(published),
        "publish_p99": statistics.quantiles(published, n=100, method="inclusive")[98],
        "publish_max": max(published),
        "read_p50": statistics.median(reads),
        "ratio_p50": statistics.median(published) / statistics.median(reads),
    }


def _read(api: Api) -> float:
    started = time.monotonic()
    api.ask("GET", "/me/")
    return time.monotonic() - started


def _document(number: int) -> str:
    rule = {"rate_limit": {"max": number + 1, "window": "minute"}}
    return json.dumps({"version": "1", "default": "deny", "tools": {"create_access_key": rule}})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--gateways", type=int, default=1)
    given = parser.parse_args()
    for name, value in measure(given.edits, given.gateways).items():
        print(f"{name:12} {value:8.1f}")


if __name__ == "__main__":
    main()
