"""`manage.py secrets`: makes every secret that a deployment needs, once.

They are written into a new folder that only the operator can read: one file for each process with what that
process may read and nothing else, and `env` with all of it for the compose file.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.tokens import WORKER, new_token
from config import env
from config.supervisor.keys import MADE, verify_key
from config.supervisor.stops import CannotStart

PROCESSES = ("prepare", "web", "internal", "worker", "gateway")
TOKENS_FOLDER = "worker-tokens"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="manage.py secrets", description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="a folder that does not exist yet")
    parser.add_argument("--gateways", default="gw-1", help="the gateways' names, comma-separated (gw-1)")
    given = parser.parse_args(arguments)
    try:
        write(given.into, [name.strip() for name in given.gateways.split(",") if name.strip()])
    except CannotStart as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 1
    print(f"Written to {given.into}. Keep a copy where the database's backups are not.")  # noqa: T201
    return 0


def write(folder: Path, gateways: Sequence[str]) -> None:
    tokens = {name: new_token(WORKER) for name in gateways}
    made = fresh(tokens)
    try:
        folder.mkdir(mode=0o700, parents=True)
        (folder / TOKENS_FOLDER).mkdir(mode=0o700)
    except OSError as problem:
        raise CannotStart(f"{folder} cannot be made: {problem.strerror}. Nothing was written.") from None
    _write(folder / "env", made)
    for process in PROCESSES:
        _write(folder / f"{process}.env", {name: made[name] for name in may_read(process) if name in made})
    for name, token in tokens.items():
        _put(folder / TOKENS_FOLDER / name, token)


def fresh(tokens: Mapping[str, str]) -> dict[str, str]:
    made = {name: make() for name, make in MADE.items()}
    made["VERIFY_KEYS"] = verify_key(made["SIGNING_KEY"])
    made["WORKER_TOKENS"] = ",".join(f"{name}:{token}" for name, token in tokens.items())
    if len(tokens) == 1:
        (made["WORKER_NAME"], made["WORKER_TOKEN"]) = next(iter(tokens.items()))
    return made


def may_read(process: str) -> list[str]:
    """Return the settings a process reads. `prepare`, a Django process, creates roles and seals nothing."""
    who = {process, "internal"} if process == "prepare" else {process}
    return [
        setting.name
        for setting in env.SETTINGS
        if (setting.read_by == "all" or who & set(setting.read_by.split(", ")))
        and (process, setting.name) != ("prepare", "ARGUMENT_KEYS")
    ]


def _write(file: Path, values: Mapping[str, str]) -> None:
    _put(file, "".join(f"{name}={value}\n" for name, value in values.items()))


def _put(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
