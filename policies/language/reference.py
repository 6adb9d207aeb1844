"""Generates the reference of the language, in Markdown, from its schema and its codes.

`python -m policies.language.reference` prints it.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from .amount import MOST_EACH_VALUES, MOST_REGEX_BYTES, MOST_REGEX_STEPS, MOST_SEARCHED, SHORT_TEXT
from .document import CLASSES, WINDOWS
from .effects import Effect
from .operand import OPERATORS
from .reference_codes import DECISIONS, EFFECTS, FINDINGS, LIKENESS, OPERANDS, PROBLEMS, TEXT_PROBLEMS
from .schema import schema
from .sentences import wire_code

_PARTS: Final = (
    ("The policy", ()),
    ("A rule", ("$defs", "rule")),
    ("The shorthand `rate_limit`", ("$defs", "rule", "properties", "rate_limit")),
    ("A predicate", ("$defs", "predicate")),
    ("A condition", ("$defs", "condition")),
    ("A limit", ("$defs", "limit")),
    ("`resources` and `prompts`", ("$defs", "access")),
)
_NAMED: Final = {
    "name": "name",
    "names": "list of names",
    "text": "text",
    "counter": "counter",
    "path": "path",
    "single_path": "path without `[*]`",
    "rule": "rule",
    "predicates": "list of predicates",
    "predicate": "predicate",
    "limit": "limit",
    "condition": "condition",
    "access": "object, below",
}
_TYPES: Final = {"string": "text", "array": "list", "object": "object", "integer": "whole number"}


def reference_text() -> str:
    return "\n".join(_lines(schema())) + "\n"


def _lines(root: dict[str, object]) -> Iterator[str]:
    yield "# Reference of the policy language"
    yield ""
    yield "Generated from the language's own schema and codes; [the guide](policy-language.md) teaches it."
    yield f"The schema is a JSON Schema (draft 2020-12) with the identifier `{root['$id']}`."
    yield "`manage.py policy schema` prints it."
    for title, steps in _PARTS:
        yield from _part(title, _at(root, steps), root)
    yield from _leaves()
    yield from _operators()
    yield from _table("Problems of the text", ("code", "when"), TEXT_PROBLEMS, _TEXT_LEAD)
    yield from _table("Problems of the policy", ("code", "when"), PROBLEMS, _PROBLEMS_LEAD)
    yield from _table("What the linter finds", ("code", "when"), FINDINGS, _FINDINGS_LEAD)
    yield from _bounds()
    yield from _decisions()
    yield from _table("Effects", ("effect", "of a tool"), {str(e): EFFECTS[e] for e in Effect}, _EFFECTS_LEAD)


_BOUNDS_LEAD: Final = (
    "These bounds keep one policy from slowing down others. What is undecidable denies the call."
)
_TEXT_LEAD: Final = "Any of these is reported alone, because the rest of the text cannot be read."
_PROBLEMS_LEAD: Final = "All of these are reported together, each with a pointer, a line and a column."
_FINDINGS_LEAD: Final = "Errors keep a revision from being published; warnings do not."
_EFFECTS_LEAD: Final = "The first that fits, with `all_tools` taken into account."


def _at(root: object, steps: Iterable[str]) -> Mapping[str, object]:
    for step in steps:
        root = root[step] if isinstance(root, dict) else {}
    return root if isinstance(root, dict) else {}


def _heading(title: str) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""


def _part(title: str, part: Mapping[str, object], root: object) -> Iterator[str]:
    required = part.get("required", [])
    yield from _heading(title)
    yield "| key | value | |"
    yield "|---|---|---|"
    for key, member in _at(part, ["properties"]).items():
        spec = member if isinstance(member, dict) else {}
        star = " (required)" if isinstance(required, list) and key in required else ""
        yield f"| `{key}`{star} | {_kind(spec, root)} | {spec.get('description', '')} |"


def _kind(spec: Mapping[str, object], root: object) -> str:
    named = str(spec.get("$ref", "")).rpartition("/")[2]
    if named in _NAMED:
        return _NAMED[named]
    if named:
        return _kind(_at(root, ["$defs", named]), root)
    if "const" in spec:
        return f'`"{spec["const"]}"`'
    if "enum" in spec:
        return _words(spec["enum"])
    if "oneOf" in spec:
        alternatives = spec["oneOf"] if isinstance(spec["oneOf"], list) else []
        return " or ".join(_kind(each, root) for each in alternatives)
    if "maximum" in spec:
        return f"{_TYPES[str(spec['type'])]}, {spec['minimum']:,} to {spec['maximum']:,}"
    if spec.get("type") == "array":
        items = str(_at(spec, ["items"]).get("$ref", "")).rpartition("/")[2]
        return f"list of {_NAMED[items]}s" if items in _NAMED else "list"
    if spec.get("type") == "object" and "rule" in str(spec.get("additionalProperties")):
        return "rules by name"
    if spec.get("type") == "object" and set(_at(spec, ["properties"])) == set(CLASSES):
        return "rules by class"
    return _TYPES.get(str(spec.get("type")), "any JSON")


def _words(words: object) -> str:
    listed = [f"`{word}`" for word in words] if isinstance(words, list) else []
    return ", ".join(listed) if len(listed) < 8 else "one of the operators below"


def _leaves() -> Iterator[str]:
    yield from _heading("The small parts")
    windows = ", ".join(f"`{word}` ({seconds:,} s)" for word, seconds in WINDOWS.items())
    yield "| part | what it is |"
    yield "|---|---|"
    yield "| name | 1 to 256 characters, none of them control characters; with a `*` in it, a pattern |"
    yield "| text | 1 to 1,000 characters; the only control characters allowed are tab and line feed |"
    yield "| counter | 1 to 64 characters of `A-Z a-z 0-9 _ - . :`, and `{tool}` at most once |"
    yield '| path | `args`, then any of `.member`, `[0]`, `[*]`, `["any key"]` |'
    yield f"| window | {windows}, or a whole number of seconds |"
    yield f"| class | {', '.join(f'`{name}`' for name in CLASSES)} |"


def _operators() -> Iterator[str]:
    yield from _heading("Operators")
    yield "A condition is true, false, or undecidable. What is undecidable denies the call."
    yield ""
    yield "| op | value | true when the argument |"
    yield "|---|---|---|"
    for operator in OPERATORS:
        yield f"| `{operator}` | {OPERANDS[operator]} | {LIKENESS[operator]} |"


def _bounds() -> Iterator[str]:
    yield from _heading("How much one call may ask")
    yield _BOUNDS_LEAD
    yield ""
    yield "| at most | of | beyond that, undecidable |"
    yield "|---|---|---|"
    patterns = "`regex`, `matches` on texts"
    yield f"| {MOST_REGEX_BYTES:,} | bytes of the texts that patterns read | {patterns} |"
    steps = "steps of patterns: the bytes each reads times its instructions"
    yield f"| {MOST_REGEX_STEPS:,} | {steps} | {patterns} |"
    searches = f"`contains`, `not_contains` on texts of over {SHORT_TEXT} characters"
    yield f"| {MOST_SEARCHED:,} | characters of long texts that are searched | {searches} |"
    yield f"| {MOST_EACH_VALUES:,} | values that paths with `[*]` name | conditions with `[*]` |"
    yield ""
    yield (
        "Each condition and each element counts separately. RE2 compiles a character of a pattern to about "
        "one instruction, and a counted part such as `a{50}` to as many as are counted: a pattern of "
        f"{MOST_REGEX_STEPS // MOST_REGEX_BYTES} instructions may read {MOST_REGEX_BYTES:,} bytes, one of "
        f"1,000 may read {MOST_REGEX_STEPS // 1000:,}."
    )


def _decisions() -> Iterator[str]:
    yield from _heading("Codes of decisions")
    yield "The log, the API and the simulator use the first code; the agent sees the second."
    yield ""
    yield "| code | for the agent | when |"
    yield "|---|---|---|"
    for code, when in DECISIONS.items():
        yield f"| `{code}` | `{wire_code(code)}` | {when} |"


def _table(title: str, heads: tuple[str, str], rows: Mapping[str, str], lead: str) -> Iterator[str]:
    yield from _heading(title)
    yield lead
    yield ""
    yield f"| {heads[0]} | {heads[1]} |"
    yield "|---|---|"
    for code, when in rows.items():
        yield f"| `{code}` | {when} |"


if __name__ == "__main__":
    sys.stdout.write(reference_text())
