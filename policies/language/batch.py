"""Answers many questions to the language: each is one line of JSON, and so is each answer."""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Final

from .canonical import canonical_text
from .compile import CompiledPolicy, compile_policy
from .convert import Conversion, convert
from .dialects.notes import Note
from .effects import effects
from .json_reader import Number
from .loose_json import Loose, RequestInvalid, read_loose, write_loose
from .parse import LARGEST_TEXT, find_problems, parse_policy
from .problems import PolicyInvalid, Problem
from .steps import World, as_json, read_tools

Request = dict[str, Loose]
Answer = dict[str, object]

# A generated text need not be longer: one far over the limit tests no more than one slightly over it.
_LONGEST_TEXT: Final = 4 * LARGEST_TEXT


def answer_line(line: str) -> tuple[str, bool]:
    """Return the answer, and whether the question was understood. Never raises."""
    try:
        return as_json(_answer(read_loose(line))), True
    except RequestInvalid as invalid:
        return as_json({"error": str(invalid)}), False


def _answer(request: Loose) -> Answer:
    do = request.get("do") if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(do, str) or do not in _VERBS:
        raise RequestInvalid(f'A line is an object with "do": {", ".join(_VERBS)}.')
    try:
        return _VERBS[do](request)
    except PolicyInvalid as invalid:
        return {"problems": problem_values(invalid.problems)}


def _decide(request: Request) -> Answer:
    world, steps = World(_compiled(request)), request.get("calls")
    if not isinstance(steps, list):
        raise RequestInvalid('"calls" is a list of calls and events.')
    answers = [world.step(step) for step in steps]
    return {"decisions": [answer for answer in answers if answer is not None]}


def _problems(request: Request) -> Answer:
    return {"problems": problem_values(find_problems(_source(request)))}


def _canonical(request: Request) -> Answer:
    return {"canonical": canonical_text(parse_policy(_source(request)))}


def _convert(request: Request) -> Answer:
    made = conversion_value(convert(_source(request), read_tools(request.get("tools", []))))
    return {"canonical" if key == "policy" else key: value for key, value in made.items()}


def _effects(request: Request) -> Answer:
    compiled = _compiled(request)
    names = [tool.name for tool in read_tools(request.get("tools", []))]
    return {"effects": {name: str(effect) for name, effect in effects(compiled, names).items()}}


_VERBS: Final[dict[str, Callable[[Request], Answer]]] = {
    "decide": _decide,
    "problems": _problems,
    "canonical": _canonical,
    "convert": _convert,
    "effects": _effects,
}


def _compiled(request: Request) -> CompiledPolicy | None:
    """Compile the policy: a text, JSON, or null for a grant without one."""
    if "policy" not in request:
        raise RequestInvalid('"policy" is a policy: its text, or the JSON itself, or null.')
    policy, tools = request["policy"], read_tools(request.get("tools", []))
    if policy is None:
        return None
    return compile_policy(parse_policy(policy if isinstance(policy, str) else write_loose(policy)), tools)


def _source(request: Request) -> str | bytes:
    given = [key for key in ("text", "text_base64", "text_gen") if key in request]
    text = request[given[0]] if len(given) == 1 else None
    if isinstance(text, str):
        return text if given[0] == "text" else _decoded(text)
    if isinstance(text, dict) and given[0] == "text_gen":
        return _generated(text)
    raise RequestInvalid('A line has one of "text", "text_base64" and "text_gen".')


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RequestInvalid('"text_base64" is not base64.') from None


def _generated(made: Request) -> str:
    parts = [made.get(key, "") for key in ("prefix", "repeat", "sep", "suffix")]
    texts = [part for part in parts if isinstance(part, str)]
    times = made.get("times")
    if len(texts) != len(parts) or not isinstance(times, Number) or not times.text.isdecimal():
        raise RequestInvalid('"text_gen" is {"prefix", "repeat", "times", "sep"?, "suffix"}.')
    prefix, repeat, sep, suffix = texts
    if len(times.text) > 7 or int(times.text) * (len(repeat) + len(sep)) > _LONGEST_TEXT:
        raise RequestInvalid(f'"text_gen" makes at most {_LONGEST_TEXT:,} characters.')
    return prefix + sep.join(repeat.replace("{i}", str(index)) for index in range(int(times.text))) + suffix


# Our values as JSON data


def problem_values(problems: Iterable[Problem]) -> list[dict[str, object]]:
    return [
        {
            "pointer": problem.pointer,
            "code": problem.code,
            "message": problem.message,
            "line": problem.line,
            "column": problem.column,
        }
        for problem in problems
    ]


def conversion_value(made: Conversion) -> Answer:
    return {
        "dialect": made.dialect,
        "policy": made.policy_text,
        "changed": _notes(made.changed),
        "not_kept": _notes(made.not_kept),
        "problems": problem_values(made.problems),
    }


def _notes(notes: Iterable[Note]) -> list[dict[str, object]]:
    return [{"pointer": note.pointer, "code": note.code, "message": note.message} for note in notes]
