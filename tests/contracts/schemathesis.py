"""Runs schemathesis, a foreign program that makes requests from the API's schema and checks the answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.foreign import CLIENTS, foreign_program

# The API also refuses what a schema cannot express: names that are taken, addresses that are not valid.
_CHECKS: Final = """
[checks.positive_data_acceptance]
enabled = false

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429]

[checks.missing_required_header]
expected-statuses = [400, 401, 403, 404, 406, 412, 415, 422, 428]
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    cases: int
    passed: bool
    output: str


def run(web: str, folder: Path, keys: Sequence[str], ids: Mapping[str, str], flags: Sequence[str]) -> Outcome:
    """Run the program against `web`. `ids` holds the value for each path parameter."""
    program = foreign_program("schemathesis", "schemathesis")
    schema = folder / "schema.json"
    with urllib.request.urlopen(f"{web}/api/v1/schema/", timeout=60) as answer:
        schema.write_text(json.dumps(closed(json.load(answer))))
    (folder / "schemathesis.toml").write_text(_parameters(ids) + _CHECKS)
    # The program reads its configuration from its working directory and keeps its findings there.
    done = subprocess.run(
        # The API waits for a scan, which may use all its time on an address that does not answer.
        [str(program), "run", str(schema), "--url", web, "--no-color", "--request-timeout", "120", *flags],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=3 * 3600,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "NO_PROXY": "*",
            "API_KEYS": json.dumps(list(keys)),
            "SCHEMATHESIS_HOOKS": "askers",
            "PYTHONPATH": str(CLIENTS / "schemathesis"),
        },
    )
    output = done.stdout + done.stderr
    counted = re.search(r"([\d,]+) generated", output)
    return Outcome(int(counted[1].replace(",", "")) if counted else 0, done.returncode == 0, output)


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Forbid unknown fields in the schema. Clients must tolerate them; here an answer may have none."""
    for component in schema["components"]["schemas"].values():
        if "properties" in component:
            component.setdefault("additionalProperties", False)
    return schema


def _parameters(ids: Mapping[str, str]) -> str:
    return "[parameters]\n" + "".join(f'"path.{name}" = "{value}"\n' for name, value in ids.items())
