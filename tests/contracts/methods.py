"""Reads the methods of every protocol revision from the official schemas.

    python -m tests.contracts.methods FOLDER

FOLDER holds `<revision>/schema.json`, as in the protocol's own repository under `schema/`. Only names are
kept: of methods, and of what their params may contain. When the protocol has a new revision, run this; the
tests then say which methods have no verdict yet.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FACTS: Final = Path(__file__).parents[1] / "cases" / "methods.json"
GROUPS: Final = {
    "client_requests": "ClientRequest",
    "client_notifications": "ClientNotification",
    "server_requests": "ServerRequest",
    "server_notifications": "ServerNotification",
    "input_requests": "InputRequest",
}
Definitions = dict[str, dict[str, Any]]
Facts = dict[str, dict[str, dict[str, list[str]]]]
"""Revision -> group -> method -> the names in its params; required ones end in `!`."""


def load() -> Facts:
    facts: Facts = json.loads(FACTS.read_text())
    return facts


def read_schema(text: str) -> dict[str, dict[str, list[str]]]:
    schema = json.loads(text)
    definitions: Definitions = schema.get("$defs") or schema["definitions"]
    return {
        group: dict(sorted(_methods(definitions, definitions[union])))
        for group, union in GROUPS.items()
        if union in definitions
    }


def _methods(definitions: Definitions, shape: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    shape = _resolved(definitions, shape)
    if "anyOf" in shape:
        for one in shape["anyOf"]:
            yield from _methods(definitions, one)
        return
    properties = shape["properties"]
    yield properties["method"]["const"], sorted(set(_names(definitions, properties.get("params", {}))))


def _names(definitions: Definitions, shape: dict[str, Any]) -> Iterator[str]:
    shape = _resolved(definitions, shape)
    for part in (*shape.get("anyOf", ()), *shape.get("allOf", ()), *shape.get("oneOf", ())):
        yield from _names(definitions, part)
    required = shape.get("required", ())
    yield from (f"{name}!" if name in required else name for name in shape.get("properties", {}))


def _resolved(definitions: Definitions, shape: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in shape:
        shape = definitions[shape["$ref"].rsplit("/", 1)[-1]]
    return shape


def main() -> None:
    (folder,) = sys.argv[1:]
    found = {path.parent.name: read_schema(path.read_text()) for path in Path(folder).glob("*/schema.json")}
    dated = {revision: found[revision] for revision in sorted(found) if revision[:1].isdigit()}
    FACTS.write_text(json.dumps(dated, indent=2) + "\n")


if __name__ == "__main__":
    main()
