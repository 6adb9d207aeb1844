"""Generates the page of Plain words sentences from the policy language: `python -m tests.contracts.pages`.

Every sentence has a shape, and every shape has an example in JSON with what the code says about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policies.builder.plain_words import Sentence, sentences_of
from policies.language.compile import ToolFacts, compile_policy
from policies.language.document import WINDOW_WORDS, Condition
from policies.language.explain import explain_rule
from policies.language.operand import OPERATORS
from policies.language.parse import parse_policy
from policies.language.phrases import IS, condition_words
from servers.models import Tool

TOOL: Final = "create_refund"
TOOLS: Final = (
    Tool(name=TOOL, tool_class="Financial"),
    Tool(name="create_note", tool_class="Write"),
    Tool(name="update_note", tool_class="Write"),
)

# The pattern that each slot, a part of the policy, matches.
_WINDOW: Final = "|".join(
    [*(f"per {word}" for word in WINDOW_WORDS.values()), r"every \d+ [a-z]+(?:(?:,| and) \d+ [a-z]+)*"]
)
SLOTS: Final = {
    "value": r".*?",
    "values": r".*?",
    "path": r"(?:(?:every|any) )?args\S*",
    "number": r"[\d,.]+",
    "window": rf"(?:{_WINDOW})",
    "text": r'(?:“[^“”]*”|"(?:[^"\\]|\\.)*")',
    "names": r".+?",
    "class": r"(?:Read|Write|Execute|Destructive|Financial)",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A sentence with `*slots*` for parts of the policy; `said` is what the code says about `example`."""

    sentence: str
    example: Any
    said: str
    meaning: str = ""

    def pattern(self, more: dict[str, str] | None = None) -> str:
        slots = {**SLOTS, **(more or {})}
        parts = re.split(r"\*(\w+)\*", self.sentence)
        return "".join(slots[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))


# Conditions

_OPERANDS: Final[dict[str, tuple[Any, ...]]] = {
    **dict.fromkeys(("eq", "neq"), ("eur",)),
    **dict.fromkeys(("lt", "lte", "gt", "gte"), (500,)),
    **dict.fromkeys(("contains", "not_contains", "starts_with", "ends_with"), ("test",)),
    **dict.fromkeys(("regex", "matches"), ("ch_[0-9]+",)),
    **dict.fromkeys(("in", "not_in"), (["eur", "usd"], [], [1, 2, 3, 4, 5, 6, 7, 8])),
    "exists": (True, False),
    **dict.fromkeys(("length_lte", "length_gte"), (20,)),
    "under_path": ("/srv/reports",),
    "host_in": (["api.example.com", "*.example.org"], [], [f"h{n}.example" for n in range(8)]),
}
_LISTED: Final = {"in": "one of", "not_in": "none of", "host_in": "a URL whose host is one of"}
_LISTS: Final = ("*values*", "nothing", "*values* and *number* more")


def conditions() -> tuple[Shape, ...]:
    """The shapes of each operator, in the language's order; a new operator without an example fails here."""
    found = []
    for op in OPERATORS:
        for at, operand in enumerate(_OPERANDS[op]):
            if op == "exists":
                words = "present" if operand else "absent"
            else:
                words = f"{_LISTED[op]} {_LISTS[at]}" if op in _LISTED else IS[op].format("*value*")
            example = {"path": "args.x", "op": op, "value": operand}
            found.append(
                Shape(f"*path* is {words}", example, condition_words(_condition(example)), f"`{op}`")
            )
    return tuple(found)


def _condition(example: dict[str, Any]) -> Condition:
    document = parse_policy(json.dumps(_with({"require": [{"conditions": [example]}]})))
    return document.tools[TOOL].require[0].conditions[0]


def conditions_pattern() -> dict[str, str]:
    one = "|".join(f"(?:{shape.pattern()})" for shape in conditions())
    return {"conditions": rf"(?:{one})(?: and (?:{one}))*"}


# Rules and limits

_ON: Final = {"path": "args.amount", "op": "gt", "value": 500}
_BOTH: Final = [_ON, {"path": "args.items[*].sku", "op": "in", "value": ["a", "b"]}]
_DAILY: Final = {"counter": "refunds", "window": "day", "max": 20, "scope": "grant"}
_READS: Final = " The agent reads: *text*"
_RULES: Final[tuple[tuple[str, Any, str], ...]] = (
    ("Every call is allowed.", {}, "nothing more is asked"),
    ("Every call is denied.", {"action": "deny"}, "`action`"),
    ("Every call is denied." + _READS, {"action": "deny", "reason": "Ask Alice."}, "`action` with `reason`"),
    ("Every call waits for a person’s approval.", {"action": "require_approval"}, "`action`"),
    ("Calls are denied unless *conditions*.", {"require": [{"conditions": _BOTH}]}, "`require`"),
    (
        "Calls are denied unless *conditions*." + _READS,
        {"require": [{"conditions": [_ON], "on_deny": "Only large ones."}]},
        "`require` with `on_deny`, or the rule's `reason`",
    ),
    ("Calls are denied if *conditions*.", {"deny_if": [{"conditions": _BOTH}]}, "`deny_if`"),
    (
        "Calls are denied if *conditions*." + _READS,
        {"deny_if": [{"conditions": [_ON]}], "reason": "Too much."},
        "`deny_if` with `on_deny`, or the rule's `reason`",
    ),
    ("Every call is denied.", {"deny_if": [{"conditions": []}]}, "`deny_if` of nothing is always true"),
    (
        "Every call is denied." + _READS,
        {"deny_if": [{"conditions": [], "on_deny": "Not now."}]},
        "the same with `on_deny`",
    ),
    (
        "Calls wait for a person’s approval if *conditions*.",
        {"approve_if": [{"conditions": [_ON]}]},
        "`approve_if`",
    ),
    (
        "Calls wait for a person’s approval if *conditions*." + _READS,
        {"approve_if": [{"conditions": [_ON], "on_deny": "A person decides."}]},
        "`approve_if` with `on_deny`",
    ),
    (
        "Every call waits for a person’s approval.",
        {"approve_if": [{"conditions": []}]},
        "`approve_if` of nothing is always true",
    ),
    (
        "Every call waits for a person’s approval." + _READS,
        {"approve_if": [{"conditions": [], "on_deny": "A person decides."}]},
        "the same with `on_deny`",
    ),
)
_HEADS: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("At most *number* call *window*", {"max": 1, "window": "minute"}, "`max` and `window`"),
    ("At most *number* calls *window*", {"max": 30, "window": 90}, "`max` and `window`"),
    (
        "*path* adds up to at most *number* *window*",
        {"max": 5000, "window": "day", "increment_from": "args.amount"},
        "`increment_from`",
    ),
)
_SCOPES: Final = {
    "grant": " for each grant",
    "server": ", all grants of the server together",
    "organization": ", the whole organization together",
}
_KEYED: Final = {scope: "" if scope == "grant" else words for scope, words in _SCOPES.items()}
_TOGETHER: Final = {
    f"/tools/{TOOL}": "",
    "/all_tools": ", all tools together",
    "/classes/Write": ", all tools of the class together",
    "/tools/create_*": ", all tools that the pattern matches together",
}
_BY_ITSELF: Final = ", each tool by itself"


def rules() -> tuple[Shape, ...]:
    return tuple(
        Shape(sentence, example, _said(example, f"/tools/{TOOL}"), meaning)
        for sentence, example, meaning in _RULES
    )


def limits() -> tuple[Shape, ...]:
    """Every beginning and every ending of a limit: what is counted together, by what, over which tools."""
    return (*_begun(), *_kept_apart(), *_scoped(), *_together())


def _begun() -> Iterator[Shape]:
    for sentence, given, meaning in _HEADS:
        yield _limit(f"{sentence} …", given, meaning)


def _kept_apart() -> Iterator[Shape]:
    for scope, begins in (("grant", "… for each grant and"), ("server", "… for")):
        meaning = f'`key` with `"scope": "{scope}"`'
        yield _limit(f"{begins} each *path*{_KEYED[scope]}.", {"key": "args.user", "scope": scope}, meaning)


def _scoped() -> Iterator[Shape]:
    for scope, words in _SCOPES.items():
        yield _limit(f"…{words}.", {"scope": scope}, f'`"scope": "{scope}"`')


def _together() -> Iterator[Shape]:
    where = {"/all_tools": "in `all_tools`", "/classes/Write": "in `classes`"}
    for at, words in _TOGETHER.items():
        if words:
            yield _limit(f"…{words}.", {}, where.get(at, "in a pattern like `create_*`"), at)

    meaning = "in any of these three, with `{tool}` in the counter"
    yield _limit(f"…{_BY_ITSELF}.", {"counter": "{tool}_rate"}, meaning, "/classes/Write")


def _limit(sentence: str, given: dict[str, Any], meaning: str, at: str = f"/tools/{TOOL}") -> Shape:
    rule = {"limits": [{**_DAILY, **given}]}
    return Shape(sentence, rule, _said(rule, at), meaning)


def limit_pattern() -> str:
    """Matches any beginning, what is counted together, and the tools that are."""
    heads = "|".join(Shape(f"{sentence}", None, "").pattern() for sentence, _, _ in _HEADS)
    path = SLOTS["path"]
    granted = f" for each grant(?: and each {path})?"
    shared = "|".join(re.escape(words) for words in _KEYED.values() if words)
    together = "|".join(re.escape(words) for words in (*_TOGETHER.values(), _BY_ITSELF))
    return rf"(?:{heads})(?:{granted}|(?: for each {path})?(?:{shared}))(?:{together})\."


def _with(rule: dict[str, Any]) -> dict[str, Any]:
    return {"version": "1", "default": "deny", "tools": {TOOL: rule}}


def _said(rule: dict[str, Any], at: str) -> str:
    (said,) = explain_rule(parse_policy(json.dumps(_with(rule))).tools[TOOL], at)
    return said


# The whole policy

_ALLOW: Final = {"version": "1", "default": "allow"}
_DENY: Final = {"version": "1", "default": "deny"}
_WHOLE: Final[tuple[tuple[str, Any, int, str], ...]] = (
    (
        "*names* is hidden: agents are not told that it exists, and calling it fails.",
        {**_DENY, "hide": ["drop_table"]},
        0,
        "`hide` of one name or pattern",
    ),
    (
        "*names* are hidden: agents are not told that they exist, and calling them fails.",
        {**_DENY, "hide": ["drop_*", "purge"]},
        0,
        "`hide` of several",
    ),
    ("Every call: *rule*", {**_DENY, "all_tools": {"limits": [_DAILY]}}, 0, "`all_tools`"),
    (
        "*names*: *rule*",
        {**_DENY, "tools": {"create_note": {}, "get_*": {}}},
        0,
        "`tools`; those with the same rule are said together",
    ),
    (
        "The *number* other *class* tools: *rule*",
        {**_DENY, "classes": {"Write": {}}},
        0,
        "`classes`, with the number of tools that follow it",
    ),
    (
        "The *number* other *class* tool: *rule*",
        {**_DENY, "classes": {"Financial": {}}},
        0,
        "the same, of one tool",
    ),
    (
        "*class* tools added later: *rule*",
        {**_DENY, "classes": {"Read": {}}},
        0,
        "the same, while the server has none",
    ),
    (
        "Anything not named here, such as a tool the server adds later, is denied.",
        _DENY,
        0,
        '`"default": "deny"`',
    ),
    (
        "Anything not named here, such as a tool the server adds later, is allowed.",
        _ALLOW,
        0,
        '`"default": "allow"`',
    ),
    ("Resources are denied, as anything else.", _DENY, 1, "no `resources`"),
    ("Resources are allowed, as anything else.", _ALLOW, 1, "no `resources`"),
    ("Resources are denied.", {**_ALLOW, "resources": {"default": "deny"}}, 1, "`resources`"),
    ("Resources are allowed.", {**_DENY, "resources": {"default": "allow"}}, 1, "`resources`"),
    (
        "Resources are denied, except *names*.",
        {**_DENY, "resources": {"default": "deny", "allow": ["repo://harbour/*"]}},
        1,
        "with exceptions",
    ),
    (
        "Resources are allowed, except *names*.",
        {**_DENY, "resources": {"default": "allow", "deny": ["repo://secret/*"]}},
        1,
        "with exceptions",
    ),
)


def whole() -> tuple[Shape, ...]:
    return tuple(
        Shape(sentence, document, said_of(document)[at], meaning)
        for sentence, document, at, meaning in _WHOLE
    )


def said_of(document: dict[str, Any], tools: Sequence[Tool] = TOOLS) -> list[str]:
    """The sentences of a document as the view shows them, each with its beginning."""
    facts = [ToolFacts(tool.name, tool.tool_class or None) for tool in tools]
    compiled = compile_policy(parse_policy(json.dumps(document)), facts)
    return [shown(each) for each in sentences_of(compiled, tools)]


def shown(sentence: Sentence) -> str:
    begins = sentence.lead or ", ".join(sentence.names)
    return f"{begins}{' ' if sentence.goes_on else ': '}{' '.join(sentence.said)}"


def rule_pattern() -> str:
    one = [shape.pattern(conditions_pattern()) for shape in rules()]
    return "(?:" + "|".join([*one, limit_pattern()]) + ")"


def whole_pattern() -> str:
    rule = rule_pattern()
    slots = {"rule": f"{rule}(?: {rule})*"}
    shapes = [shape.pattern(slots) for shape in whole()]
    prompts = [shape.replace("Resources", "Prompts") for shape in shapes if shape.startswith("Resources")]
    return "|".join(f"(?:{each})" for each in (*shapes, *prompts))


# The page


def plain_words_page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from _INTRODUCTION.splitlines()
    yield from _table("The whole policy", _OF_WHOLE, whole())
    yield from _table("What is said of a rule", _OF_RULES, rules())
    yield from _table("Limits", _OF_LIMITS, limits())
    yield from _table("Conditions", _OF_CONDITIONS, conditions())


def _table(title: str, lead: str, shapes: Sequence[Shape]) -> Iterator[str]:
    yield from ("", f"## {title}", "", lead, "", "| sentence | says | for instance |", "|---|---|---|")
    for shape in shapes:
        example = json.dumps(shape.example, ensure_ascii=False).replace("|", "\\|")
        yield f"| {shape.sentence} | {shape.meaning} | `{example}`<br>{_escaped(shape.said)} |"


def _escaped(text: str) -> str:
    return re.sub(r"([*_<|])", r"\\\1", text)


_INTRODUCTION: Final = """# The sentences of Plain words

*Plain words* shows a policy in sentences. This page lists every sentence it can say, with JSON that
produces it and how that JSON then reads. Words in *italics* stand for what is in the policy. The page is
generated from the language, and a test keeps the two together: the JSON beside a sentence says exactly
that sentence, and no policy is described in any other. [The guide](policy-language.md) teaches the
language, [building a policy](building-a-policy.md) the editor.

A text with problems is not put into words: *Not in words yet* is shown instead, beside the problems."""
_OF_WHOLE: Final = (
    "In this order. *rule* stands for one or more sentences of the next section. Prompts read like "
    "resources. Beyond five hundred sentences, the rest is only counted; see the JSON."
)
_OF_RULES: Final = (
    "In this order: what must be true, what is denied, when a person is asked, how often. "
    "*conditions* stands for one or more of the last section, joined by *and*. *text* is what the agent "
    "reads, in quotation marks. An empty `require` is always met, so nothing is said about it."
)
_OF_LIMITS: Final = (
    "*window* is `per second`, `per minute`, `per hour`, `per day`, `per week`, or `every 90 "
    "seconds`, `every 15 minutes`. After "
    "a beginning come one or two of the endings, in this order. `rate_limit` reads as the limit that it "
    "stands for."
)
_OF_CONDITIONS: Final = (
    "*path* is the argument, as in `args.amount`. One with `[*]` reads *every args.items[\\*]* in "
    "`require`, and *any args.items[\\*]* elsewhere. Of a long value, the first 79 characters are shown; of "
    "a list, the first six elements."
)
