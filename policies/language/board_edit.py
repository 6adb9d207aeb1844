"""Applies what a person does on the board to the stored text. Each act touches its own place only.

The functions for acts take the text and return the text to keep. They raise PolicyInvalid if the text is not
a JSON object, and CannotEdit if the act cannot be expressed in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, TypeVar

from .block_types import AccessBlock, LimitBlock, PredicateBlock, PredicateSection, RuleBlock
from .blocks import POLICY_KEYS, access_value, open_policy, read_blocks, rule_value
from .board import Address, Board, Row, Verb, is_unconditional, verb_of
from .document import Default
from .json_reader import Member, Members, Node, Number
from .matching import NameList
from .problems import shown
from .text_edit import CannotEdit, Source, drop, put
from .text_tree import members
from .words import shorthand_counter

__all__ = [
    "CannotEdit",
    "add_limit",
    "add_predicate",
    "adjusted",
    "change_limit",
    "change_predicate",
    "follow",
    "followed_rule",
    "is_closed",
    "put_rule",
    "put_rules",
    "rate_counter",
    "remove_limit",
    "remove_predicate",
    "rule_at",
    "set_access",
    "set_default",
    "set_description",
    "set_hidden",
    "set_reason",
    "set_verb",
    "usual_window",
    "verbs_of",
]

B = TypeVar("B")

_RECOMMENDED_MAX: Final = Number("30")
_CLEARED: Final[dict[Verb, frozenset[str]]] = {
    Verb.ALLOW: frozenset({"action", "reason", "require", "deny_if", "approve_if", "limits", "rate_limit"}),
    Verb.LIMIT: frozenset({"action", "require", "deny_if", "approve_if", "limits", "rate_limit"}),
    Verb.RULES: frozenset({"action", "require", "deny_if", "approve_if"}),
    Verb.APPROVAL: frozenset({"action", "deny_if"}),
    Verb.DENY: frozenset({"action"}),
    Verb.HIDE: frozenset(),
}


# Verbs


def verbs_of(address: Address) -> tuple[Verb, ...]:
    """Return the verbs that a row can be set to."""
    return (Verb.ALLOW, Verb.DENY) if address.section == "default" else tuple(Verb)


def set_verb(
    text: str,
    address: Address,
    verb: Verb,
    *,
    recommended: RuleBlock | None = None,
    reason: str | None = None,
    tools_of_class: Iterable[str] = (),
) -> str:
    """`recommended`: what Limit and Rules start with if the rule has none. `reason`: what agents read.

    Limit, Rules and Approval keep what fits them, Deny and Hide keep everything, Allow keeps nothing.
    `tools_of_class`: what hiding a class hides, because the language hides only names.
    """
    if address.section == "default":
        return set_default(text, _default_of(verb))
    if verb is Verb.HIDE:
        return _hide(text, address, tuple(tools_of_class))
    text = _unhide(text, address)
    return put_rule(text, address, adjusted(rule_at(text, address), address, verb, recommended, reason))


def _default_of(verb: Verb) -> Default:
    if verb is Verb.ALLOW:
        return "allow"
    if verb in (Verb.DENY, Verb.HIDE):
        return "deny"
    raise CannotEdit(
        "What no rule names can only be allowed or denied. Set the class, or add a pattern like get_*."
    )


def adjusted(
    rule: RuleBlock, address: Address, verb: Verb, recommended: RuleBlock | None, reason: str | None
) -> RuleBlock:
    """Return the row's own rule, changed to do what the verb says."""
    start = recommended or RuleBlock()
    extra = tuple(each for each in rule.extra if each[0] not in _CLEARED[verb])
    # The reason of a deny says why calls are denied; it would be wrong for anything else.
    kept = replace(rule, extra=extra, reason=reason or (None if rule.action == "deny" else rule.reason))
    match verb:
        case Verb.ALLOW:
            return RuleBlock(extra=extra)
        case Verb.LIMIT:
            limited = replace(kept, action=None, require=(), deny_if=(), approve_if=())
            has_limits = limited.limits or limited.rate_limit
            return limited if has_limits else replace(limited, limits=start.limits or (_limit_for(address),))
        case Verb.RULES:
            return _with_conditions(replace(kept, action=None), start)
        case Verb.APPROVAL:
            return replace(kept, action="require_approval", deny_if=_conditional(kept.deny_if))
        case Verb.DENY:
            return replace(rule, extra=extra, action="deny", reason=reason or rule.reason)
        case Verb.HIDE:
            return rule


def _with_conditions(rule: RuleBlock, start: RuleBlock) -> RuleBlock:
    deny_if, approve_if = _conditional(rule.deny_if), _conditional(rule.approve_if)
    ruled = replace(rule, deny_if=deny_if, approve_if=approve_if)
    if verb_of(ruled) is Verb.RULES:
        return ruled
    ruled = replace(
        ruled,
        require=(*ruled.require, *start.require),
        deny_if=(*deny_if, *start.deny_if),
        approve_if=(*approve_if, *start.approve_if),
    )
    if verb_of(ruled) is not Verb.RULES:
        raise CannotEdit("A rule needs a condition: say which argument decides.")
    return ruled


def _conditional(predicates: tuple[PredicateBlock | Source, ...]) -> tuple[PredicateBlock | Source, ...]:
    return tuple(predicate for predicate in predicates if not is_unconditional(predicate))


def rate_counter(address: Address) -> str:
    """Return the counter of the row's own `rate_limit`."""
    match address.section:
        case "classes":
            return f"class:{address.name}_rate"
        case "tools":
            return shorthand_counter(address.name)
        case _:
            return "all_tools_rate"


def _limit_for(address: Address) -> LimitBlock:
    return LimitBlock(rate_counter(address), "minute", _RECOMMENDED_MAX, "grant")


# Hiding


def set_hidden(text: str, name: str, hidden: bool) -> str:
    """Put a name or pattern into `hide`, or take exactly that one out."""
    names = _hidden_names(text)
    if hidden:
        return text if name in names else put(text, ("hide",), [*names, name], POLICY_KEYS)
    kept = [known for known in names if known != name]
    if len(kept) == len(names):
        return text
    return put(text, ("hide",), kept) if kept else drop(text, ("hide",))


def _hidden_names(text: str) -> tuple[str, ...]:
    """Return the names in `hide`. Anything but a list of names is refused: its names must not be lost."""
    root = open_policy(text).root
    written = [member.node.value for member in _every(root) if member.key == "hide"]
    names = read_blocks(text).hide
    if len(written) > 1 or any(not isinstance(each, list) or len(each) != len(names) for each in written):
        raise CannotEdit("hide is not a list of names, or appears twice. Mend it first.")
    return names


def _hide(text: str, address: Address, tools_of_class: tuple[str, ...]) -> str:
    if address.section != "classes":
        return set_hidden(text, address.name or "*", True)
    if not tools_of_class:
        raise CannotEdit("No known tool is of this class, so there is no name to hide.")
    names = _hidden_names(text)
    hidden = NameList.of(names)
    more = [name for name in tools_of_class if hidden.first_match(name) is None]
    return put(text, ("hide",), [*names, *more], POLICY_KEYS) if more else text


def _unhide(text: str, address: Address) -> str:
    if address.section == "classes":
        return text
    text = set_hidden(text, address.name or "*", False)
    hide = read_blocks(text).hide
    place = NameList.of(hide).first_match(address.name)
    if place is not None:
        raise CannotEdit(f"The pattern {shown(hide[place])} in hide covers this row too. Take it out first.")
    return text


# Rules


def put_rule(text: str, address: Address, rule: RuleBlock) -> str:
    """Make the row's own rule say this; parts that already do stay as they are written."""
    if address.section == "default":
        raise CannotEdit("The default has no rule.")
    old = open_policy(text).find(*address.steps)
    _see_nothing_stands_twice(old, "this rule")
    return put(text, address.steps, rule_value(rule, old), POLICY_KEYS)


def _every(node: Node | None) -> list[Member]:
    return node.value.all if node is not None and isinstance(node.value, Members) else []


def _see_nothing_stands_twice(node: Node | None, where: str) -> None:
    """Refuse a repeated key: an act on something else cannot decide which one is meant."""
    every = _every(node)
    if len({member.key for member in every}) != len(every):
        raise CannotEdit(f"A key appears twice in {where}. Keep one of them first.")


def put_rules(text: str, rules: Mapping[str, RuleBlock | Source], hide: Sequence[str]) -> str:
    """Set all of `tools` and `hide` at once; parts that already say this stay as they are written."""
    old = open_policy(text).find("tools")
    _see_nothing_stands_twice(old, "tools")
    for member in _every(old):
        _see_nothing_stands_twice(member.node, f"the rule for {shown(member.key)}")
    if rules or old is not None:
        known = {member.key: member.node for member in members(old)} if old is not None else {}
        wanted = {name: rule_value(rule, known.get(name)) for name, rule in rules.items()}
        text = put(text, ("tools",), wanted, POLICY_KEYS)
    if tuple(hide) == read_blocks(text).hide:
        return text
    _hidden_names(text)
    return put(text, ("hide",), [*hide], POLICY_KEYS) if hide else drop(text, ("hide",))


def follow(text: str, address: Address) -> str:
    """Take out the row's own rule, and its name out of `hide`: what is wider applies again."""
    open_policy(text)
    if address.section == "default":
        raise CannotEdit("The default follows nothing.")
    text = set_hidden(text, address.name, False) if address.section == "tools" else text
    return drop(text, address.steps)


def set_reason(text: str, address: Address, reason: str | None) -> str:
    return put_rule(text, address, replace(_rule_to_change(text, address), reason=reason))


def add_predicate(text: str, address: Address, section: PredicateSection, predicate: PredicateBlock) -> str:
    rule = _rule_to_change(text, address)
    return _put_predicates(text, address, rule, section, (*rule.predicates(section), predicate))


def change_predicate(
    text: str, address: Address, section: PredicateSection, index: int, predicate: PredicateBlock
) -> str:
    rule = rule_at(text, address)
    before = _existing(rule.predicates(section), index)
    changed = (*before[:index], predicate, *before[index + 1 :])
    return _put_predicates(text, address, rule, section, changed)


def remove_predicate(text: str, address: Address, section: PredicateSection, index: int) -> str:
    rule = rule_at(text, address)
    before = _existing(rule.predicates(section), index)
    return _put_predicates(text, address, rule, section, (*before[:index], *before[index + 1 :]))


def _put_predicates(
    text: str,
    address: Address,
    rule: RuleBlock,
    section: PredicateSection,
    predicates: tuple[PredicateBlock | Source, ...],
) -> str:
    match section:
        case "require":
            return put_rule(text, address, replace(rule, require=predicates))
        case "deny_if":
            return put_rule(text, address, replace(rule, deny_if=predicates))
        case "approve_if":
            return put_rule(text, address, replace(rule, approve_if=predicates))


def add_limit(text: str, address: Address, limit: LimitBlock) -> str:
    rule = _rule_to_change(text, address)
    return put_rule(text, address, replace(rule, limits=(*rule.limits, limit)))


def usual_window(rule: RuleBlock) -> str:
    """Return what a new limit counts in: a call that waits for a person holds a place for minutes."""
    return "hour" if rule.action == "require_approval" or rule.approve_if else "minute"


def change_limit(text: str, address: Address, index: int, limit: LimitBlock) -> str:
    rule = rule_at(text, address)
    before = _existing(rule.limits, index)
    return put_rule(text, address, replace(rule, limits=(*before[:index], limit, *before[index + 1 :])))


def remove_limit(text: str, address: Address, index: int) -> str:
    """Remove a limit. The index after the last of `limits` is that of the shorthand `rate_limit`."""
    rule = rule_at(text, address)
    if index == len(rule.limits) and rule.rate_limit is not None:
        return put_rule(text, address, replace(rule, rate_limit=None))
    before = _existing(rule.limits, index)
    return put_rule(text, address, replace(rule, limits=(*before[:index], *before[index + 1 :])))


def _existing(blocks: tuple[B, ...], index: int) -> tuple[B, ...]:
    if not 0 <= index < len(blocks):
        raise CannotEdit("That row is not there any more. Look at the rule again.")
    return blocks


def rule_at(text: str, address: Address) -> RuleBlock:
    """Return the row's own rule; an empty one if there is none, or if what is there is not a rule."""
    rule = _written_at(text, address)
    return rule if isinstance(rule, RuleBlock) else RuleBlock()


def _rule_to_change(text: str, address: Address) -> RuleBlock:
    """Refuse to begin a rule that does not say what it does: it would open what was closed."""
    rule = _written_at(text, address)
    if isinstance(rule, Source):
        raise CannotEdit(
            "The text of this row is not a rule. Set what it does first, or mend it in the JSON."
        )
    if rule is None and address.section != "all_tools":
        raise CannotEdit("That row is not there any more. Look at the policy again.")
    return rule or RuleBlock()


def _written_at(text: str, address: Address) -> RuleBlock | Source | None:
    blocks = read_blocks(text)
    match address.section:
        case "all_tools":
            return blocks.all_tools
        case "tools":
            return (blocks.tools or {}).get(address.name)
        case "classes":
            return (blocks.classes or {}).get(address.name)
        case "default":
            raise CannotEdit("The default has no rule.")


def followed_rule(board: Board, row: Row) -> RuleBlock:
    """Return the rule that a row without one of its own follows, written so that it counts where it did.

    Raises CannotEdit where calls are denied or hidden: a rule of the row's own would open it.
    """
    if is_closed(row, board):
        raise CannotEdit("Every call of this is denied, and that would open it. Set what it does first.")
    _, section, token = (*row.follows.split("/"), "", "")[:3]
    rules = (board.blocks.tools if section == "tools" else board.blocks.classes) or {}
    followed = Address(
        "classes" if section == "classes" else "tools", token.replace("~1", "/").replace("~0", "~")
    )
    rule = rules.get(followed.name) if section in ("tools", "classes") else RuleBlock()
    if not isinstance(rule, RuleBlock):
        raise CannotEdit("The rule that this row follows cannot be read. Mend it first.")
    if rule.rate_limit is None:
        return rule
    rate = LimitBlock(rate_counter(followed), rule.rate_limit.window, rule.rate_limit.max, "grant")
    return replace(rule, limits=(*rule.limits, rate), rate_limit=None)


def is_closed(row: Row, board: Board) -> bool:
    """Return whether a row without a rule of its own lets no call through."""
    if row.rule is not None or row.address.section == "all_tools":
        return False
    denies = row.address.section == "classes" and board.default.verb is Verb.DENY
    return denies or row.verb in (Verb.DENY, Verb.HIDE)


# The rest of the document


def set_default(text: str, default: Default) -> str:
    open_policy(text)
    return put(text, ("default",), default, POLICY_KEYS)


def set_access(text: str, section: Literal["resources", "prompts"], access: AccessBlock | None) -> str:
    """Set the access to resources or prompts. None: the policy's default decides, as for tools."""
    old = open_policy(text).find(section)
    _see_nothing_stands_twice(old, section)
    if access is None:
        return drop(text, (section,))
    return put(text, (section,), access_value(access, old), POLICY_KEYS)


def set_description(text: str, description: str | None) -> str:
    open_policy(text)
    if description is None:
        return drop(text, ("description",))
    return put(text, ("description",), description, POLICY_KEYS)
