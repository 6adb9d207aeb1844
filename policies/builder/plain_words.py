"""The whole policy in plain sentences, written from the document by the code that decides calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policies.builder.rows import row_pointer
from policies.language.compile import CompiledPolicy, compile_policy
from policies.language.document import CLASSES, Access, Document, Rule
from policies.language.effects import Effect, effects
from policies.language.explain import explain_rule
from policies.language.problems import Problem, escape_token
from policies.outlook import Outlook
from policies.services import Finding
from servers.models import Tool

# Nobody reads a policy of thousands of rules at once.
MOST_SENTENCES: Final = 500
MOST_PROBLEMS: Final = 3
_MOST_LISTED: Final = 20
_MOST_HIDDEN: Final = 50
_ALONE: Final = "rule"


@dataclass(frozen=True, slots=True)
class Sentence:
    """`names` are tools, patterns or a class; `said`: what happens to their calls; `effect`: for the glyph.

    `rows`: the parts of the document it describes; `problems`: what was found there. `goes_on`: `said`
    continues the sentence after the names, without a colon.
    """

    effect: str
    names: tuple[str, ...]
    said: tuple[str, ...]
    lead: str = ""
    rows: tuple[str, ...] = ()
    goes_on: bool = False
    problems: tuple[Problem | Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    description: str
    sentences: tuple[Sentence, ...]
    more: int


def words_of(outlook: Outlook, tools: Sequence[Tool]) -> Words | None:
    """Returns None while the text has problems: nothing can be said about it for sure."""
    compiled = outlook.compiled
    if compiled is None:
        return None
    said = [*sentences_of(compiled, tools)]
    found: dict[str, list[Problem | Finding]] = defaultdict(list)
    for each in outlook.told:
        found[_row(each.pointer)].append(each)
    return Words(
        compiled.document.description or "",
        tuple(_with_problems(sentence, found) for sentence in said[:MOST_SENTENCES]),
        max(0, len(said) - MOST_SENTENCES),
    )


def _row(pointer: str) -> str:
    return "/hide" if pointer.startswith("/hide/") else row_pointer(pointer)


def _with_problems(sentence: Sentence, found: Mapping[str, Sequence[Problem | Finding]]) -> Sentence:
    problems = tuple(each for row in sentence.rows for each in found.get(row, ()))
    return replace(sentence, problems=problems[:MOST_PROBLEMS]) if problems else sentence


def sentences_of(compiled: CompiledPolicy, tools: Sequence[Tool]) -> Iterator[Sentence]:
    document = compiled.document
    if document.hide:
        told = "hidden: agents are not told that they exist, and calling them fails."
        told = (
            told
            if len(document.hide) > 1
            else "hidden: agents are not told that it exists, and calling it fails."
        )
        more = f"and {len(document.hide) - _MOST_HIDDEN} more " if len(document.hide) > _MOST_HIDDEN else ""
        yield Sentence(
            "hidden",
            document.hide[:_MOST_HIDDEN],
            (f"{more}{'are' if len(document.hide) > 1 else 'is'} {told}",),
            rows=("/hide",),
            goes_on=True,
        )
    if document.all_tools is not None:
        yield Sentence(
            _effect(document.all_tools),
            (),
            _rule(document.all_tools, "/all_tools"),
            "Every call",
            ("/all_tools",),
        )
    yield from _named(document)
    yield from _by_class(compiled, tools)
    yield _otherwise(document)
    yield _access("Resources", document.resources, document)
    yield _access("Prompts", document.prompts, document)


def _named(document: Document) -> Iterator[Sentence]:
    """Puts entries that say the same into one sentence."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for name, rule in document.tools.items():
        together[_effect(rule), _rule(rule, f"/tools/{name}")].append(name)
    for (effect, said), names in together.items():
        rows = tuple(f"/tools/{escape_token(name)}" for name in names)
        yield Sentence(effect, tuple(names), said, rows=rows)


def _by_class(compiled: CompiledPolicy, tools: Sequence[Tool]) -> Iterator[Sentence]:
    counts = _followers(compiled, tools)
    for name in CLASSES:
        rule = compiled.document.classes.get(name)
        if rule is None:
            continue
        count = counts.get(name, 0)
        lead = (
            f"The {count} other {name} tool{'' if count == 1 else 's'}"
            if count
            else f"{name} tools added later"
        )
        yield Sentence(_effect(rule), (), _rule(rule, f"/classes/{name}"), lead, (f"/classes/{name}",))


def _followers(compiled: CompiledPolicy, tools: Iterable[Tool]) -> Mapping[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for tool in tools:
        followed = getattr(compiled.applies_to(tool.name), "allowed_by", "")
        if followed.startswith("/classes/"):
            counts[followed.removeprefix("/classes/")] += 1
    return counts


def _otherwise(document: Document) -> Sentence:
    allowed = document.default == "allow"
    said = f"such as a tool the server adds later, is {'allowed' if allowed else 'denied'}."
    return Sentence(
        "allowed" if allowed else "denied", (), (said,), "Anything not named here,", ("/default",), True
    )


def _access(title: str, access: Access | None, document: Document) -> Sentence:
    default = access.default if access else document.default
    word = "allowed" if default == "allow" else "denied"
    said = f"are {word}" + ("." if access else ", as anything else.")
    if access and default == "allow" and access.deny:
        said = f"are allowed, except {_listed(access.deny)}."
    if access and default == "deny" and access.allow:
        said = f"are denied, except {_listed(access.allow)}."
        if access.deny:
            said += f" Still denied: {_listed(access.deny)}."
    return Sentence(
        "allowed" if default == "allow" else "denied", (), (said,), title, (f"/{title.lower()}",), True
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"{', '.join(names[:_MOST_LISTED])}{more}"


def _rule(rule: Rule, at: str) -> tuple[str, ...]:
    return tuple(explain_rule(rule, at))


def _effect(rule: Rule) -> str:
    compiled = compile_policy(Document(default="allow", tools={_ALONE: rule}), ())
    found: Effect = effects(compiled, [_ALONE])[_ALONE]
    return str(found)
