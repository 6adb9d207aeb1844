"""Tools drawn by chance from public lists, one of each server, of servers in no set before; to be labelled.

`POLICYLAYER_TEST_DATA=... python -m tests.catalog.drawing SEED [COUNT]` prints them with `?` where the reader
puts classes before anybody asks the classifier: see `tests.catalog.labelled`, which reads the answer. Facts
only: a name, its arguments and its hints; no description.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import re
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.catalog.labelled import CASES

_NO_LETTER: Final = re.compile(r"[^a-z0-9]+")
_WORTH_A_LINE: Final = re.compile(r"[^\s(),:]+")
# A hand-written set names a server in one word, which lists spell in many ways.
_LONG_ENOUGH: Final = 5


def _key(name: str | None) -> str:
    return _NO_LETTER.sub("", (name or "").lower())


def drawn(catalog: Path, seed: int, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    of_server: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(catalog / "tools.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            if _WORTH_A_LINE.fullmatch(row["tool"]):
                of_server[row["server"]].append(row)
    known = _known(catalog)
    unseen = sorted(
        name
        for name, rows in of_server.items()
        if _is_kept_back(name) and not _is_known(name, rows[0], known)
    )
    chance = random.Random(seed)
    for server in chance.sample(unseen, count):
        yield server, chance.choice(of_server[server])


def _is_kept_back(server: str) -> bool:
    """Words were learnt from the names of the other half. `drawn-1` and `-2` are older, and from both."""
    return zlib.crc32(server.encode()) % 2 == 1


def _known(catalog: Path) -> set[str]:
    with (catalog / "dev.csv").open(newline="") as file:
        names = {_key(row["server"]) for row in csv.DictReader(file)}
    for labels in CASES.glob("*.txt"):
        names |= {_key(line[2:]) for line in labels.read_text().splitlines() if line.startswith("# ")}
    return names - {""}


def _is_known(name: str, row: dict[str, Any], known: set[str]) -> bool:
    repository = (row["repo"] or "").split("/")
    called = {_key(name), _key(row["server_title"]), _key(row["repo"]), _key(repository[-1])}
    if called & known:
        return True
    return any(one in each for one in known if len(one) >= _LONG_ENOUGH for each in called)


def line_of(row: dict[str, Any]) -> str:
    params = ",".join(
        f"{name}:{kind}" if kind not in ("string", "", None) else name
        for name, kind, _ in row["params"] or []
        if _WORTH_A_LINE.fullmatch(name)
    )
    hints = ",".join(
        name if said else f"-{name}" for name, said in (row["annotations"] or {}).items() if said is not None
    )
    return f"? {row['tool']}({params})" + (f" @{hints}" if hints else "")


if __name__ == "__main__":
    folder = Path(os.environ["POLICYLAYER_TEST_DATA"]) / "catalog"
    for of, tool in drawn(folder, int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 150):
        print(f"# {of}\n{line_of(tool)}")
