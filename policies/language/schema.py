"""The JSON Schema of a policy, for editors. Only the parser decides what is a policy."""

import json
from importlib.resources import files


def schema_text() -> str:
    return files(__package__).joinpath("schema.json").read_text(encoding="utf-8")


def schema() -> dict[str, object]:
    read: dict[str, object] = json.loads(schema_text())
    return read
