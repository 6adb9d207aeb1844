"""Writes `common/api_examples.json` from the API's real answers: `python -m tests.contracts.examples`.

The schema and the reference page show these examples; test_api_examples.py beside this file runs them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).resolve().parents[2] / "common" / "api_examples.json"
WRITE: Final = "POLICYLAYER_WRITE_EXAMPLES"

_ID: Final = re.compile(r"\b([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}\b")
_UUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_PLAIN: Final = (
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "2026-11-21T12:00:00.000000Z"),
    (re.compile(r"\b(pl[gk]_)[0-9A-Za-z]{30,}"), r"\1made-up"),
    (re.compile(r"\b(pl[gk]_)[0-9A-Za-z]{4}\b"), r"\g<1>1a2b"),
    (re.compile(r"\bwhsec_[0-9A-Za-z+/=]+"), "whsec_made-up"),
    (re.compile(r"cursor=[^&\"]+"), "cursor=made-up"),
    (re.compile(r"https?://(testserver|(127\.0\.0\.1|localhost):8000)"), "https://policylayer.example.com"),
    (re.compile(r"http://127\.0\.0\.1:8100"), "https://gateway.example.com"),
)


def normal(value: Any) -> Any:
    """Make the answers of a run repeatable: ids by order of appearance, one fixed time, made-up secrets."""
    seen: dict[str, list[str]] = defaultdict(list)

    def named(prefix: str, text: str) -> int:
        if text not in seen[prefix]:
            seen[prefix].append(text)
        return seen[prefix].index(text) + 1

    def of(one: Any) -> Any:
        if isinstance(one, dict):
            return {of(name): of(inner) for name, inner in one.items()}
        if isinstance(one, list):
            return [of(inner) for inner in one]
        return text(one) if isinstance(one, str) else one

    def text(one: str) -> str:
        one = _ID.sub(lambda found: f"{found[1]}_01kakv5r2m{named(found[1], found[0]):016}", one)
        one = _UUID.sub(lambda found: f"019aa1b0-0000-7000-8000-{named('uuid', found[0]):012}", one)
        for pattern, instead in _PLAIN:
            one = pattern.sub(instead, one)
        return one

    return of(value)


def shape(value: Any) -> Any:
    """The part of an answer that an example must share: names and types, not values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def main() -> int:
    test = [sys.executable, "-m", "pytest", "-q", "tests/contracts/test_api_examples.py", "-k", "does_as"]
    return subprocess.run(test, env={**os.environ, WRITE: "1"}, check=False).returncode


def written(found: dict[str, Any]) -> None:
    FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
