"""Fills a database for load tests: an organization of the promised size, and another a twentieth of it.

    python -m tests.load.volumes [--scale 1.0] [--seed 1] [--data-dir .data]

200 servers with 5,000 tools, 500 policies of three revisions, 1,000 grants, 50 members, a million decisions
over 30 days with their counts. With --data-dir the running product there is filled, else a database of its
own, which is removed at the end. Prints one JSON object: for each organization its keys by role and its ids.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from config.supervisor.running import find_running


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-dir", type=Path)
    given = parser.parse_args()
    if given.data_dir:
        os.environ["POLICYLAYER_TEST_DATABASE_URL"] = find_running(given.data_dir).database_url
    from tests.load import database

    database.prepare(migrated=given.data_dir is not None)
    print(json.dumps(filled(given.scale, given.seed), default=str))
    return 0


def filled(scale: float, seed: int) -> dict[str, dict[str, Any]]:
    from django.db import connection, transaction

    from tests.load.rows import Sizes, fill

    found, started = {}, time.monotonic()
    for name, share in (("Acme", 1.0), ("Umbra", 0.05)):
        with transaction.atomic():
            found[name] = asdict(fill(f"{name}{seed}", Sizes().scaled(scale * share), seed))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(f"filled in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return found


if __name__ == "__main__":
    sys.exit(main())
