"""The JSON Schema of a policy, for editors. The parser alone says what a policy is."""

import json
from importlib.resources import files


def schema_text() -> str:
    return files(__package__).joinpath("schema.json").read_text(encoding="utf-8")


def schema() -> dict[str, object]:
    read: dict[str, object] = json.loads(schema_text())
    return read
