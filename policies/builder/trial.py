"""Tries a call: what would become of it, the words an agent would read, and how that was decided."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias
from uuid import UUID

from policies.at_gateway import refused_by_gateway
from policies.builder.arguments import Argument, arguments_of
from policies.builder.look import Look
from policies.builder.rows import address_of
from policies.language.cases import Expectation, PolicyTest
from policies.language.compile import HIDDEN, CompiledPolicy, CompiledPredicate, CompiledRule, Plan, Refusal
from policies.language.decide import decide
from policies.language.decision import MISSING, Decision, Outcome, TakeQuota, ToolCall
from policies.language.loose_json import RequestInvalid
from policies.language.phrases import condition_words, limit_words
from policies.language.sentences import a_span
from policies.language.steps import read_arguments
from policies.language.work import Work
from policies.outlook import facts_of
from policies.replay import Replay, Standing
from policies.services import judge
from servers.models import Tool

LONGEST_ARGUMENTS: Final = 100_000
_MOST_STEPS: Final = 30
_LINE = re.compile(r"\s*([A-Za-z0-9_$-]{1,200}):(?:[ \t]+(.*))?\Z")
_PLAIN = re.compile(r"args\.[A-Za-z0-9_$-]+\Z")
_JSON_WORD = re.compile(r"(?:-?[0-9].*|true|false|null|\[.*\]|\{.*\}|\".*\")\Z", re.DOTALL)

StepState: TypeAlias = Literal["passed", "stopped", "asks", "skipped"]


@dataclass(frozen=True, slots=True)
class Step:
    state: StepState
    words: str


@dataclass(frozen=True, slots=True)
class Trial:
    """`problem`: why nothing was decided. `decision` is the policy's own; limits are not counted.

    `refused`: what the agent reads where a gateway refuses the call by itself.
    """

    tool: str
    arguments: str
    decision: Decision | None = None
    steps: tuple[Step, ...] = ()
    quotas: tuple[str, ...] = ()
    problem: str = ""
    refused: str = ""
    grant: str = ""
    grant_label: str = ""
    standing: tuple[Standing, ...] = ()
    uncounted: int = 0
    counted_all: bool = True

    @property
    def expect(self) -> str:
        return str(self.decision.outcome) if self.decision else ""

    @property
    def limited(self) -> bool:
        return bool(self.quotas)

    @property
    def full(self) -> Standing | None:
        """The first limit that has no room for the call."""
        return next((each for each in self.standing if each.is_full), None)

    @property
    def test_name(self) -> str:
        words = {"allow": "is allowed", "deny": "is denied", "approval": "waits for a person"}
        return f"{self.tool} {words.get(self.expect, '')}"[:120]


def fresh_trial(look: Look, tools: Sequence[Tool]) -> Trial:
    """Starts with the opened tool, or else the first, and an example of its required arguments."""
    address = address_of(look.opened)
    opened = next((tool for tool in tools if address and tool.name == address.name), None)
    tool = opened or next((tool for tool in tools if tool.name.isprintable()), None)
    return Trial(tool.name, example_of(tool.input_schema)) if tool else Trial("", "")


def as_grant(trial: Trial, label: str, key: str, seen: Replay, grant: UUID, now_ms: int) -> Trial:
    """Adds what the limits would say about a call by this grant, had the draft been in force."""
    standing = seen.standing(trial.decision, grant, now_ms) if trial.decision else ()
    said = replace(trial, grant=key, grant_label=label, standing=standing)
    return replace(said, uncounted=seen.unknown, counted_all=seen.whole)


def example_of(schema: object) -> str:
    """Returns the required arguments, one per line, each with a value of the right kind."""
    top = [
        each for each in arguments_of(schema) if each.required and re.fullmatch(r"args\.[\w$-]+", each.path)
    ]
    return "\n".join(f"{each.path.removeprefix('args.')}: {_example(each)}" for each in top[:12])


def more_arguments(trial: Trial, tools: Sequence[Tool]) -> list[tuple[str, str]]:
    """Returns the tool's arguments that the call lacks: what each is, and a line to begin it with."""
    tool = next((tool for tool in tools if tool.name == trial.tool), None)
    if tool is None or trial.arguments.lstrip().startswith("{"):
        return []
    there = {line.partition(":")[0].strip() for line in trial.arguments.split("\n")}
    top = (each for each in arguments_of(tool.input_schema) if re.fullmatch(r"args\.[\w$-]+", each.path))
    named = ((each.path.removeprefix("args."), each) for each in top)
    return [(each.words, f"{name}: {_example(each)}") for name, each in named if name not in there][:12]


def _example(argument: Argument) -> str:
    plain = {"number": argument.minimum or "1", "yesno": "true", "list": "[]", "object": "{}"}
    return argument.choices[0] if argument.choices else plain.get(argument.kind, "…")


def read_trial(text: str, fields: Mapping[str, str], tools: Sequence[Tool]) -> Trial:
    tool = fields.get("tool", "").strip()[:256]
    typed = fields.get("arguments", "").replace("\r\n", "\n")
    if not tool:
        return Trial(tool, typed, problem="Name the tool that is called.")
    if len(typed) > LONGEST_ARGUMENTS:
        return Trial(tool, "", problem=f"Arguments of at most {LONGEST_ARGUMENTS:,} characters can be tried.")
    try:
        arguments = typed_arguments(typed)
    except RequestInvalid as invalid:
        return Trial(tool, typed, problem=str(invalid))
    compiled = judge(text, [facts_of(each) for each in tools]).compiled
    if compiled is None:
        return Trial(
            tool, typed, problem="The policy has problems. Once they are mended, a call can be tried."
        )
    return _decided(compiled, ToolCall(tool, arguments), typed, {each.name for each in tools})


def typed_arguments(typed: str) -> object:
    """Reads JSON as sent, or one argument per line such as `owner: harbour-demo`. Raises RequestInvalid."""
    if not typed.strip():
        return {}
    if typed.lstrip().startswith("{"):
        return read_arguments(typed)
    found: dict[str, object] = {}
    for number, line in enumerate(typed.split("\n"), 1):
        if not line.strip():
            continue
        match = _LINE.match(line)
        if match is None:
            raise RequestInvalid(
                f'Line {number} is not an argument. Write "name: value", or all of it as JSON.'
            )
        if match[1] in found:
            raise RequestInvalid(f"{match[1]} appears twice here.")
        found[match[1]] = _line_value((match[2] or "").strip())
    return found


def test_of(fields: Mapping[str, str]) -> PolicyTest:
    """Raises RequestInvalid for an expectation or arguments that cannot be read."""
    wanted, name = expectation_of(fields.get("expect", "")), fields.get("name", "").strip()
    arguments = typed_arguments(fields.get("arguments", "").replace("\r\n", "\n"))
    return PolicyTest(name, ToolCall(fields.get("tool", "").strip(), arguments), wanted)


def expectation_of(word: str) -> Expectation:
    known: tuple[Expectation, ...] = ("allow", "deny", "approval", "limited")
    wanted = next((each for each in known if each == word), None)
    if wanted is None:
        raise RequestInvalid("Say what the call must come to: allowed, denied, approval or limited.")
    return wanted


def _line_value(text: str) -> object:
    if not _JSON_WORD.match(text):
        return text
    try:
        value = read_arguments('{"value": ' + text + "}")
    except RequestInvalid:
        return text
    return value["value"] if isinstance(value, dict) and len(value) == 1 else text


def _decided(compiled: CompiledPolicy, call: ToolCall, typed: str, listed: Collection[str]) -> Trial:
    decision = decide(compiled, call)
    refused = refused_by_gateway(compiled, call, decision, listed) or ""
    applies = compiled.applies_to(call.tool)
    steps = [*_steps(applies, call, decision)][:_MOST_STEPS]
    quotas = tuple(map(_quota_words, decision.quotas))
    return Trial(call.tool, typed, decision, tuple(steps), quotas, refused=refused)


def _quota_words(quota: TakeQuota) -> str:
    return f"{quota.counter}: {quota.max:,} in {a_span(quota.window_seconds)}"


def _steps(applies: Plan | Refusal, call: ToolCall, decision: Decision) -> Iterator[Step]:
    if isinstance(applies, Refusal):
        hidden = applies is HIDDEN
        yield Step("stopped", "It is hidden" if hidden else "No rule names it, and the default denies")
        return
    yield Step("passed", f"Not hidden; {_origin(applies.allowed_by)}")
    if applies.denied is not None:
        yield Step("stopped", "Its rule denies every call")
        return
    yield from _judged(applies, call, decision)


def _origin(pointer: str) -> str:
    if not pointer.startswith("/"):
        return "the default allows it"
    _, section, token = pointer.split("/")
    name = token.replace("~1", "/").replace("~0", "~")
    return f"it follows the {name} rule" if section == "classes" else f"the rule for {name} applies"


def _judged(plan: Plan, call: ToolCall, decision: Decision) -> Iterator[Step]:
    """Yields the checks in the order of deciding, up to the one that stopped the call and is marked so."""
    arguments = {} if call.arguments is MISSING else call.arguments
    if not isinstance(arguments, dict):
        yield Step("stopped", "The arguments are not a JSON object")
        return
    work = Work(arguments, plan.sources)
    for predicates, each in ((plan.require, "every"), (plan.deny_if, "any")):
        for predicate in predicates:
            words = _words(predicate, each)
            if predicate.at == decision.rule and decision.outcome is Outcome.DENY:
                unclear = predicate.test(work) is None
                broken = f"not so: {words}" if each == "every" else words
                yield Step("stopped", f"cannot be judged: {words}" if unclear else broken)
                yield Step("skipped", "What comes after was not checked; nothing counted")
                return
            holds = each == "every"
            yield Step("passed", words if holds else f"not so: {words}")
    yield from _owed(plan.rules, decision)


def _owed(rules: Sequence[CompiledRule], decision: Decision) -> Iterator[Step]:
    if decision.outcome is Outcome.DENY:
        yield Step("stopped", "an argument that decides cannot be judged; nothing counted")
        return
    for rule in rules:
        for limit in rule.source.limits:
            yield Step("passed", f"counts toward {limit_words(limit)}")
    if decision.approval is not None:
        yield Step("asks", "a person is asked, and the agent waits")


def _words(predicate: CompiledPredicate, each: str) -> str:
    said = [condition_words(condition.source, each=each) for condition in predicate.conditions]
    return " and ".join(said) or "always"
