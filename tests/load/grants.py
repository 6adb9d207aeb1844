"""Measures what a million grants of ten organizations cost a worker: loading from disk, memory, finding one.

    python -m tests.load.grants [--grants 1000000]

Measured in a process of its own. For comparison, the same tokens are looked up in a plain dict.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from common.memory import give_back_memory
from gateway.config_files import ConfigFiles
from gateway.config_store import ConfigStore
from gateway_config.wire.bundle import Bundle
from gateway_config.wire.signing import VerifyKeys
from tests.gateway_config.wire.bundles import KEY, acme, in_parts, signed
from tests.load.promised import note

_ORGANIZATIONS: Final = 10
# As many as the control plane makes for 100,000 grants.
_PARTS: Final = 32
_ASKED: Final = 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grants", type=int, default=1_000_000)
    parser.add_argument("--kept", nargs=2, metavar=("FOLDER", "KEY"), help="measure what is there already")
    given = parser.parse_args()
    if given.kept is not None:
        measure(Path(given.kept[0]), VerifyKeys.parse(given.kept[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        files = ConfigFiles(Path(name) / "config")
        for number in range(_ORGANIZATIONS):
            bundle, parts = in_parts(_bundle(number, given.grants // _ORGANIZATIONS), _PARTS)
            one = signed(bundle, 1, not_before=int(time.time()))
            files.keep(one.envelope, one.body.encode(), parts)
        kept = [str(Path(name) / "config"), KEY.verify_key()]
        subprocess.run([sys.executable, "-m", "tests.load.grants", "--kept", *kept], check=True)


def _bundle(number: int, grants: int) -> Bundle:
    return acme(
        organization=str(UUID(int=0x01A1FD5A_2C7E_7166_0000_000000000000 + number)),
        token=f"token of {number}",
        grants=grants,
        lease_seconds=86_400,
    )


def measure(folder: Path, keys: VerifyKeys) -> None:
    before = _resident_mb()
    began, used = time.perf_counter(), time.process_time()
    store = ConfigStore(folder, keys)
    asyncio.run(store.warm_all())
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    give_back_memory()
    grown = _resident_mb() - before
    tokens = [token for held in store._state.held.values() for part in held.parts for token in part.rows]
    asked = random.Random(1).choices(tokens, k=_ASKED)
    plain = dict.fromkeys(tokens)
    print(f"{len(tokens):,} grants: loaded in {seconds:.2f} s ({cpu:.2f} s CPU), {grown:.0f} MB more")
    found_in = _each_us(store.grant, asked)
    print(f"finding one by its token {found_in:.2f} us")
    print(f"the same in a plain dict {_each_us(plain.get, asked):.2f} us")
    if len(tokens) == 1_000_000:
        note("grants load", seconds)
        note("grants memory", grown)
        note("grants lookup", found_in)


def _each_us(find: Callable[[bytes], object], asked: Sequence[bytes]) -> float:
    began = time.process_time()
    for token in asked:
        find(token)
    return 1e6 * (time.process_time() - began) / len(asked)


def _resident_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


if __name__ == "__main__":
    main()
