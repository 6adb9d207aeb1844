"""Turns a logged call into the start of a policy test, with its arguments as far as they are known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from audit.models import DecisionRecord
from gateway_config.wire.messages import KeptArgument

# Names that can be written as `name: value` lines; a call with any other argument name is written as JSON.
_NAME: Final = re.compile(r"[A-Za-z0-9_$-]{1,200}")


@dataclass(frozen=True, slots=True)
class CallToTest:
    """`arguments`: text to be edited. `unknown`: the arguments whose values the log does not keep."""

    policy: str
    tool: str
    arguments: str
    unknown: tuple[str, ...]


def call_to_test(policy: str, record: DecisionRecord, kept: Iterable[KeptArgument]) -> CallToTest:
    values = {each.path: each.json for each in kept if each.state == "value"}
    written = {name: values.get(f"args.{name}") for name in record.argument_names}
    unknown = tuple(name for name, value in written.items() if value is None)
    return CallToTest(policy, record.tool, _typed(written), unknown)


def _typed(written: dict[str, str | None]) -> str:
    if all(map(_NAME.fullmatch, written)):
        return "\n".join(f"{name}: {value or ''}".rstrip() for name, value in written.items())
    members = (f"  {json.dumps(name)}: {value or json.dumps('')}" for name, value in written.items())
    return "{\n" + ",\n".join(members) + "\n}"
