"""What one act in the builder costs on a policy of thousands of rules, beside each text read anew each time.

`python -m tests.load.editor [RULES]`: CPU seconds of this process, so a busy machine does not matter much.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

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
ROW = "/tools/tool_0100"
TIMES = 3


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


def one_act(text: str, live: PolicyRevision, tools: list[Tool]) -> None:
    fields = Fields({"do": ["verb"], "row": [ROW], "verb": ["approval"]})
    new = act(text, fields, tools)
    seen = outlook(Server(), new, live, tools)
    assert page_of(new, seen, live, tools, Look(opened=ROW)) is not None


def seconds(block: Callable[[], AbstractContextManager[None]], *given: object) -> float:
    found = []
    for _ in range(TIMES):
        began = time.process_time()
        with block():
            one_act(*given)  # type: ignore[arg-type]
        found.append(time.process_time() - began)
    return sorted(found)[TIMES // 2]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    text, tools = policy_of(count), tools_of(count)
    live = PolicyRevision(
        text=text,
        document=canonical_text(parse_policy(text)),
        classes=[[tool.name, tool.tool_class, ""] for tool in tools],
    )
    anew, once = seconds(nullcontext, text, live, tools), seconds(each_text_once, text, live, tools)
    print(f"{count:,} rules, {len(text):,} characters, CPU seconds of one act, median of {TIMES}")
    print(f"each reading anew {anew:.2f}, each text once {once:.2f}, ratio {once / anew:.2f}")


if __name__ == "__main__":
    main()
