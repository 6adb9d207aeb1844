"""Measures how long one decision may take: the worst accepted policy on the worst accepted body.

    python -m tests.load.policy_worst [--seconds 60] [--seed N]

Each family tries what one kind of condition finds hardest, at sizes and contents drawn at random within all
bounds (a text and a body of 1 MiB, 10,000 values, depth 64, 1,000 conditions). Sizes close to a family's
worst so far are drawn more often. Times are CPU time. Beside them is a yardstick, a Python loop that took
about 4 ms on the machine where the figures were taken: a machine that shares its cores with other work takes
longer for both.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Any, Final, TypeAlias

from jiter import from_json

from policies.language.amount import MOST_REGEX_BYTES, MOST_REGEX_STEPS, MOST_SEARCHED
from policies.language.compile import ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.decision import ToolCall
from policies.language.document import Condition
from policies.language.lint import lint
from policies.language.lint_survey import Severity
from policies.language.offloading import needs_offloading
from policies.language.parse import parse_policy
from policies.language.paths import Path
from policies.language.patterns import PatternJudge, Patterns
from policies.language.problems import PolicyInvalid

from .policy_language import commit

MOST_BYTES: Final = 1_048_576
_X: Final = Path("args.x", ("x",))
PROMISED_MS: Final = 60.0
Conditions: TypeAlias = list[tuple[str, str, Any]]
Family: TypeAlias = Callable[[Random, float], tuple[Conditions, Any]]


def words(random: Random, count: int, letters: str, length: int) -> list[str]:
    return ["".join(random.choices(letters, k=length)) for _ in range(count)]


def _text(random: Random, size: int) -> str:
    letters = random.choice(["a", "ab", "abcdefgh", "aaaaaaab"])
    return "".join(random.choices(letters, k=size)) if letters != "a" else "a" * size


def contains(random: Random, size: float) -> tuple[Conditions, Any]:
    """Texts as long as the bound allows, or a little longer."""
    count, length = int(1 + 999 * size), random.choice([4, 12, 100, 900])
    most = min(1_000_000, int(MOST_SEARCHED / count * random.choice([0.99, 1.0, 1.0, 1.01])))
    letters = "abcdefghijklmnop"
    spot = random.randrange(1, length)
    needles = ["a" * spot + letters[n % 16] + letters[n // 16 % 16] + letters[n // 256] for n in range(count)]
    whole = [needle + "a" * (length - spot) for needle in needles]
    return [("args.x", "not_contains", needle) for needle in whole], {"x": _text(random, most)}


def regexes(random: Random, size: float) -> tuple[Conditions, Any]:
    """One large pattern or several, on as much text as they may read together."""
    several = random.choice([1, 1, 2, 8, 60])
    length = int(1 + (999 if random.random() < 0.3 else 60) * size)
    pattern = random.choice(
        [
            "(?s)(a|b)*a(a|b){%d}c",
            "(?s)(.?){%d}c",
            "(?s)(a*b*){%d}c",
            "(?s).{0,%d}x",
            "(?i)(k|s){%d}q",
            r"\pL{%d}1",
        ]
    )
    judge = PatternJudge()
    drawn = [pattern % max(1, length - n) for n in range(several)]
    patterns = [one for one in drawn if judge.problem(one) is None] or ["a"]
    sizes = [Patterns().size_of(Condition(_X, "regex", one)) for one in patterns]
    most = min(MOST_REGEX_BYTES // several, int(MOST_REGEX_STEPS / sum(sizes)))
    return [("args.x", "regex", one) for one in patterns], {"x": _text(random, most)}


def equality(random: Random, size: float) -> tuple[Conditions, Any]:
    inner: Any = random.choice([[1] * 9000, ["x" * 100] * 8000, "x" * 900_000, [{"a": 1}] * 4500])
    depth = random.randint(1, 60)
    for _ in range(depth):
        inner = {"a": inner}
    asks = [("args" + ".a" * (number % depth), "neq", {"q": number}) for number in range(int(1000 * size))]
    return asks, inner


def elements(random: Random, size: float) -> tuple[Conditions, Any]:
    count = int(1 + 9800 * size)
    element: Any = random.choice([{"z": 1}, "a", [], 1, {"q": "a" * 80}])
    steps = random.choice(["[*]", "[*].z", "[*][*]", "[*].b{}", "[*].q"])
    asks = max(1, min(1000, 20_000 // count))
    op, expected = random.choice([("neq", {"q": 1}), ("exists", True), ("not_in", [1, 2, "b"]), ("gt", -1)])
    return [("args.l" + steps.format(n), op, expected) for n in range(asks)], {"l": [element] * (count // 2)}


def mixes(random: Random, size: float) -> tuple[Conditions, Any]:
    ways, depth = random.choice([(1, 9), (2, 6)])
    steps = [f"[{index}]" for index in range(ways)] + ["[*]"]
    paths = ["".join(path) for path in itertools.islice(itertools.product(steps, repeat=depth), 999)]

    def tree(left: int) -> Any:
        return [tree(left - 1) for _ in range(ways)] if left else [[]] * int(9000 * size / ways**depth)

    end = random.choice(["[*]", "[*][*]", "[*].x"])
    return [(f"args.l{path}{end}", "eq", 1) for path in paths if "[*]" in path + end], {"l": tree(depth)}


def hosts(random: Random, size: float) -> tuple[Conditions, Any]:
    labels = int(1 + 120 * size)
    below = ".".join(["a"] * labels)
    count = min(3900, 900_000 // (len(below) + 16))
    urls = [f"http://b{number}.{below}" for number in range(count)]
    asks = max(1, 19_000 // count)
    return [("args.l[*]", "host_in", [f"*.q{n}.{below}"]) for n in range(asks)], {"l": urls}


def files(random: Random, size: float) -> tuple[Conditions, Any]:
    step = random.choice(["/a", "/..", "/a/..", "//", "/."])
    if random.random() < 0.5:
        whole = "/a" + step * (900_000 // len(step))
        return [("args.x", "under_path", "/a" * 400 + f"/{n}") for n in range(int(1000 * size))], {"x": whole}
    many = [step * (90 // len(step)) + f"/{n}" for n in range(9500)]
    return [("args.x[*]", "under_path", "/a" * 45 + f"/{n}") for n in range(2)], {"x": many}


def numbers(random: Random, size: float) -> tuple[Conditions, Any]:
    """Numbers, returned as JSON text because what matters is how they are written."""
    digits = random.choice(["0", "3"]) * int(1 + 900_000 * size)
    text = (
        f'{{"x": 1.{digits}1}}'
        if random.random() < 0.5
        else f'{{"x": [{", ".join(["1." + digits[:90]] * 9500)}]}}'
    )
    path = "args.x" if "[" not in text else "args.x[*]"
    asks = 1000 if path == "args.x" else 2
    return [(path, "lt", number) for number in range(asks)], text


def failing(random: Random, size: float) -> tuple[Conditions, Any]:
    value = random.choice(["v" * 900, [["x"] * 200], {"a": list(range(150))}])
    return [("args" + ".a" * random.randint(0, 60), "eq", value) for _ in range(int(900 * size))], {"b": 1}


FAMILIES: Final[dict[str, Family]] = {
    "contains": contains,
    "regex": regexes,
    "equality of containers": equality,
    "elements": elements,
    "many paths to one list": mixes,
    "hosts": hosts,
    "paths of files": files,
    "numbers": numbers,
    "sentences": failing,
}


@dataclass(slots=True)
class Found:
    """The results of one family: the worst decision, its size, and the time of every decision."""

    policy: str = ""
    arguments: str = ""
    worst_ms: float = 0.0
    yardstick_ms: float = 0.0
    size: float = 1.0
    offloaded: bool = False
    all_ms: list[float] = field(default_factory=list)
    light_ms: list[float] = field(default_factory=list)


def draw(family: Family, random: Random, size: float, found: Found) -> None:
    asks, arguments = family(random, size)
    section = random.choice(["require", "deny_if"])
    listed = [{"path": path, "op": op, "value": value} for path, op, value in asks]
    text = json.dumps(
        {
            "version": "1",
            "default": "deny",
            "tools": {"t": {section: [{"conditions": [one]} for one in listed]}},
        }
    )
    body = arguments if isinstance(arguments, str) else json.dumps(arguments)
    if len(text) > MOST_BYTES or len(body) > MOST_BYTES or _refused(text):
        return
    compiled = compile_policy(parse_policy(text), [ToolFacts("t", None)])
    call = ToolCall("t", from_json(body.encode(), float_mode="lossless-float"))
    # The decision must not pay for the garbage that this search left behind.
    gc.collect()
    gc.freeze()
    beside = yardstick()
    began = time.process_time()
    decide(compiled, call)
    took = (time.process_time() - began) * 1000
    gc.unfreeze()
    offloaded = needs_offloading(compiled, call)
    found.all_ms.append(took)
    if not offloaded:
        found.light_ms.append(took)
    if took > found.worst_ms:
        found.worst_ms, found.size, found.offloaded, found.yardstick_ms = took, size, offloaded, beside
        found.policy, found.arguments = text, body


def yardstick() -> float:
    began, total = time.process_time(), 0
    for number in range(100_000):
        total += number * number
    return (time.process_time() - began) * 1000


def _refused(text: str) -> bool:
    """Return whether the parser refuses the text, or the linter would not let it be published."""
    try:
        document = parse_policy(text)
    except PolicyInvalid:
        return True
    return any(finding.severity is Severity.ERROR for finding in lint(document, []))


def search(seconds: float, random: Random) -> dict[str, Found]:
    found = {name: Found() for name in FAMILIES}
    until = time.monotonic() + seconds
    for name in itertools.cycle(FAMILIES):
        if time.monotonic() > until:
            return found
        near = found[name].size + random.uniform(-0.1, 0.1)
        size = random.random() if random.random() < 0.4 else min(1.0, max(0.01, near))
        draw(FAMILIES[name], random, size, found[name])
    return found


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    seed = asked.seed or SystemRandom().randrange(1, 2**32)
    found = search(asked.seconds, Random(seed))
    print(f"The worst accepted policies, commit {commit()}, seed {seed}\n")
    print("| what is asked | drawn | p99 ms | worst ms | yardstick | off the loop | worst on the loop, ms |")
    print("|---|---|---|---|---|---|---|")
    for name, one in sorted(found.items(), key=lambda item: -item[1].worst_ms):
        p99, light = percentile(one.all_ms, 0.99), max(one.light_ms, default=0.0)
        off = "yes" if one.offloaded else "no"
        taken = f"{len(one.all_ms)} | {p99:.1f} | {one.worst_ms:.1f} | {one.yardstick_ms:.1f}"
        print(f"| {name} | {taken} | {off} | {light:.2f} |")
    slow = [name for name, one in found.items() if percentile(one.all_ms, 0.99) > PROMISED_MS]
    if slow:
        print(f"\nOver {PROMISED_MS:.0f} ms: {', '.join(slow)}.", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
