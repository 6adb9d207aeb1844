"""The board: a row for each tool, pattern, class and default, with a verb for what its rule does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from .blocks import LimitBlock, PolicyBlocks, PredicateBlock, RuleBlock, read_blocks
from .compile import CompiledPolicy, Plan, ToolFacts, compile_policy
from .document import CLASSES, WINDOWS, Action, Condition, Document, Limit, Predicate, Rule
from .effects import Effect, effects
from .exact import whole_text
from .json_reader import Number
from .matching import NameList, is_pattern
from .once import are_kept, piece
from .paths import Path
from .problems import escape_token
from .sentences import whole_span
from .text_edit import Source


class Verb(StrEnum):
    ALLOW = "allow"
    LIMIT = "limit"
    RULES = "rules"
    APPROVAL = "approval"
    DENY = "deny"
    HIDE = "hide"


Section: TypeAlias = Literal["all_tools", "tools", "classes", "default"]


@dataclass(frozen=True, slots=True)
class Address:
    """Identifies a row. `name`: of the tool, pattern or class."""

    section: Section
    name: str = ""

    @property
    def pointer(self) -> str:
        return f"/{self.section}/{escape_token(self.name)}" if self.name else f"/{self.section}"

    @property
    def steps(self) -> tuple[str, ...]:
        return (self.section, self.name) if self.section in ("tools", "classes") else (self.section,)


@dataclass(frozen=True, slots=True)
class Row:
    """`verb` is what the row itself does, without the rule for all tools. `rule`: its own, if it has one.

    `follows`, for a tool: the rule that applies, as a pointer, `(default allow)`, `(default deny)` or, if it
    is hidden, the place in `hide`. `pill`: the verb's value in few characters, like 30/min.
    """

    address: Address
    verb: Verb
    pill: str
    own: bool
    follows: str
    rule: RuleBlock | Source | None
    tool_class: str | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """Patterns are in the document's order. Tools: those with a rule, the server's others, hidden names."""

    all_tools: Row
    classes: tuple[Row, ...]
    patterns: tuple[Row, ...]
    tools: tuple[Row, ...]
    default: Row
    blocks: PolicyBlocks


_VERBS: Final = {
    Effect.ALLOWED: Verb.ALLOW,
    Effect.LIMITED: Verb.LIMIT,
    Effect.CONDITIONAL: Verb.RULES,
    Effect.NEEDS_APPROVAL: Verb.APPROVAL,
    Effect.DENIED: Verb.DENY,
    Effect.HIDDEN: Verb.HIDE,
}
_ACTIONS: Final[Mapping[str, Action]] = {
    "allow": "allow",
    "deny": "deny",
    "require_approval": "require_approval",
}
_SHORT: Final = {"second": "s", "minute": "min", "hour": "hour", "day": "day", "week": "week"}
_COUNTED: Final = ("hour", "day", "week")
# A rule that is judged on its own is judged as the rule of this tool.
_ALONE: Final = "rule"
_ANY: Final = Limit("any", 1, 1, "grant")
_ANY_CONDITION: Final = Condition(Path("args", ()), "exists", True)
_ANY_CONDITIONS: Final = Predicate((_ANY_CONDITION,))
_WEIGHT_OF_AN_OUTLINE: Final = 100
_UNCONDITIONAL: Final = Predicate(())


def read_board(text: str, tools: Iterable[ToolFacts]) -> Board:
    """Read the board. Raises PolicyInvalid if the text is not a JSON object; other problems do no harm."""
    blocks, known = read_blocks(text), tuple(tools)
    outline = _outline(blocks)
    compiled = compile_policy(outline, known)
    return Board(
        all_tools=_own_row(Address("all_tools"), blocks.all_tools, compiled.hide),
        classes=tuple(
            _own_row(Address("classes", name), (blocks.classes or {}).get(name)) for name in CLASSES
        ),
        patterns=tuple(
            _own_row(Address("tools", name), (blocks.tools or {}).get(name), compiled.hide)
            for name in dict.fromkeys((*(blocks.tools or {}), *blocks.hide))
            if is_pattern(name)
        ),
        tools=tuple(_tool_rows(blocks, compiled, known)),
        default=_default_row(outline),
        blocks=blocks,
    )


def followed_without(board: Board, name: str, tools: Iterable[ToolFacts]) -> str:
    """Return what the tool would follow without its own rule, and with its name taken out of `hide`."""
    blocks = board.blocks
    others = {other: rule for other, rule in (blocks.tools or {}).items() if other != name}
    hide = tuple(other for other in blocks.hide if other != name)
    blocks = replace(blocks, tools=others, hide=hide)
    return _governing(blocks, compile_policy(_outline(blocks), tools), name)[0]


def verb_of(rule: RuleBlock | Source) -> Verb:
    document = Document(default="allow", tools={_ALONE: _outline_of(rule)})
    return _VERBS[effects(compile_policy(document, ()), [_ALONE])[_ALONE]]


def _tool_rows(blocks: PolicyBlocks, compiled: CompiledPolicy, known: tuple[ToolFacts, ...]) -> Iterable[Row]:
    own = {name: rule for name, rule in (blocks.tools or {}).items() if not is_pattern(name)}
    classes = {tool.name: tool.tool_class for tool in known}
    hidden = (name for name in blocks.hide if not is_pattern(name))
    names = list(dict.fromkeys((*own, *classes, *hidden)))
    found = effects(compiled, names)
    for name in names:
        follows, governing = _governing(blocks, compiled, name)
        verb = _VERBS[found[name]]
        yield Row(
            address=Address("tools", name),
            verb=verb,
            pill=pill_of(governing, verb) if isinstance(governing, RuleBlock) else "",
            own=name in own or name in blocks.hide,
            follows=follows,
            rule=own.get(name),
            tool_class=classes.get(name),
        )


def _governing(
    blocks: PolicyBlocks, compiled: CompiledPolicy, name: str
) -> tuple[str, RuleBlock | Source | None]:
    hidden = compiled.hide.first_match(name)
    if hidden is not None:
        return f"/hide/{hidden}", None
    applies = compiled.applies_to(name)
    if not isinstance(applies, Plan):
        return "(default deny)", None
    _, section, token = (*applies.allowed_by.split("/"), "", "")[:3]
    entries = (blocks.tools if section == "tools" else blocks.classes if section == "classes" else None) or {}
    return applies.allowed_by, entries.get(token.replace("~1", "/").replace("~0", "~"))


def _own_row(address: Address, rule: RuleBlock | Source | None, hide: NameList | None = None) -> Row:
    verb = verb_of(rule) if rule is not None else Verb.ALLOW
    if hide is not None and hide.first_match(address.name) is not None:
        verb = Verb.HIDE
    pill = pill_of(rule, verb) if isinstance(rule, RuleBlock) else ""
    return Row(address, verb, pill, rule is not None, "", rule)


def _default_row(outline: Document) -> Row:
    verb = Verb.ALLOW if outline.default == "allow" else Verb.DENY
    return Row(Address("default"), verb, "", True, "", None)


# The outline: a document without what decides only single calls; it tells which rule applies, and its verb


def _outline(blocks: PolicyBlocks) -> Document:
    classes = {name: rule for name, rule in (blocks.classes or {}).items() if name in CLASSES}
    return Document(
        default="allow" if blocks.default == "allow" else "deny",
        hide=blocks.hide,
        tools={name: _kept_outline_of(rule) for name, rule in (blocks.tools or {}).items()},
        classes={name: _outline_of(rule) for name, rule in classes.items()},
    )


def _kept_outline_of(block: RuleBlock | Source) -> Rule:
    """Keep the outline together with its block, so that the block's id can never mean another one."""
    if not are_kept():
        return _outline_of(block)
    key, weight = ("outline", id(block)), _WEIGHT_OF_AN_OUTLINE
    outline, _ = piece(key, weight, lambda: ((_outline_of(block), block), True))
    return outline


def _outline_of(rule: RuleBlock | Source) -> Rule:
    if isinstance(rule, Source):
        return Rule()

    def predicates(blocks: tuple[PredicateBlock | Source, ...]) -> tuple[Predicate, ...]:
        return tuple(_UNCONDITIONAL if is_unconditional(block) else _ANY_CONDITIONS for block in blocks)

    return Rule(
        action=_ACTIONS.get(rule.action or ""),
        require=predicates(rule.require),
        deny_if=predicates(rule.deny_if),
        approve_if=predicates(rule.approve_if),
        limits=(_ANY,) * (len(rule.limits) + (rule.rate_limit is not None)),
    )


def is_unconditional(block: PredicateBlock | Source) -> bool:
    return isinstance(block, PredicateBlock) and not block.conditions


# Pills


def pill_of(rule: RuleBlock, verb: Verb) -> str:
    match verb:
        case Verb.LIMIT:
            rates = [_rate(limit) for limit in rule.limits if isinstance(limit, LimitBlock)]
            rates += [_pill_rate(rule.rate_limit.max, rule.rate_limit.window)] if rule.rate_limit else []
            return "" if not rates else rates[0] + (f" +{len(rates) - 1}" if len(rates) > 1 else "")
        case Verb.RULES:
            count = len(rule.require) + len(rule.deny_if) + len(rule.approve_if)
            return f"{count} rule{'' if count == 1 else 's'}"
        case Verb.ALLOW | Verb.APPROVAL | Verb.DENY | Verb.HIDE:
            return ""


def _rate(limit: LimitBlock) -> str:
    return _pill_rate(limit.max, limit.window)


def _pill_rate(most: Number, window: str | Number) -> str:
    seconds = WINDOWS.get(window) if isinstance(window, str) else whole_text(window.text)
    whole = whole_text(most.text)
    return rate_pill(most.text if whole is None else f"{whole:,}", seconds)


def rate_pill(most: str, seconds: int | None) -> str:
    if not seconds:
        return f"{most}/? s"
    count, word = whole_span(seconds)
    plural = "s" if word in _COUNTED else ""
    return f"{most}/{_SHORT[word]}" if count == 1 else f"{most}/{count} {_SHORT[word]}{plural}"
