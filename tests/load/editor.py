"""Measures one act in the builder on a policy of thousands of rules, with and without keeping parsed texts.

`python -m tests.load.editor [RULES]`: CPU seconds of this process, so a busy machine matters little.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from statistics import median

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")

import django

django.setup()

from policies.builder.acts import act  # noqa: E402
from policies.builder.fields import Fields  # noqa: E402
from policies.builder.look import Look  # noqa: E402
from policies.builder.page import page_of  # noqa: E402
from policies.language.canonical import canonical_text  # noqa: E402
from policies.language.once import each_text_once  # noqa: E402
from policies.language.parse import parse_policy  # noqa: E402
from policies.models import PolicyRevision  # noqa: E402
from policies.outlook import outlook  # noqa: E402
from servers.models import Server, Tool  # noqa: E402

CLASSES = ("Read", "Write", "Destructive")
SCHEMA = {"type": "object", "properties": {"owner": {"type": "string"}}, "required": ["owner"]}
TIMES = 5


def tools_of(count: int) -> list[Tool]:
    return [
        Tool(
            name=f"tool_{n:04d}",
            tool_class=CLASSES[n % 3],
            severity=n % 4 + 1,
            digest="",
            input_schema=SCHEMA,
        )
        for n in range(count)
    ]


def policy_of(count: int) -> str:
    condition = {"path": "args.owner", "op": "eq", "value": "x"}
    rules = {
        f"tool_{n:04d}": {
            "require": [{"conditions": [condition]}],
            "limits": [{"counter": f"c{n}", "window": "minute", "max": 30, "scope": "grant"}],
        }
        for n in range(count)
    }
    return json.dumps({"version": "1", "default": "deny", "tools": rules})


def one_act(text: str, row: str, live: PolicyRevision, tools: list[Tool]) -> str:
    fields = Fields({"do": ["verb"], "row": [row], "verb": ["approval"]})
    new = act(text, fields, tools)
    seen = outlook(Server(), new, live, tools)
    assert page_of(new, seen, live, tools, Look(opened=row)) is not None
    return new


def acts(
    block: Callable[[], AbstractContextManager[None]], text: str, live: PolicyRevision, tools: list[Tool]
) -> list[float]:
    """Time acts in sequence, each on the result of the previous one: for the first, nothing is parsed yet."""
    found = []
    for number in range(TIMES):
        began = time.process_time()
        with block():
            text = one_act(text, f"/tools/tool_{100 + number:04d}", live, tools)
        found.append(time.process_time() - began)
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    text, tools = policy_of(count), tools_of(count)
    live = PolicyRevision(
        text=text,
        document=canonical_text(parse_policy(text)),
        classes=[[tool.name, tool.tool_class, ""] for tool in tools],
    )
    anew, kept = acts(nullcontext, text, live, tools), acts(each_text_once, text, live, tools)
    usual, first, next_one = median(anew), kept[0], median(kept[1:])
    print(f"{count:,} rules, {len(text):,} characters, CPU seconds of one act, {TIMES} acts in a row")
    print(f"each reading anew {usual:.2f}, the first act {first:.2f}, the next {next_one:.2f}")
    print(f"ratio of the next to reading anew {next_one / usual:.2f}")


if __name__ == "__main__":
    main()
