"""Converts a document to blocks and back without loss: blocks are what the builder shows and changes.

Blocks are read from any JSON object, even from one with problems.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from .block_types import (
    SECTIONS,
    AccessBlock,
    ConditionBlock,
    Extra,
    JsonData,
    LimitBlock,
    PolicyBlocks,
    PredicateBlock,
    PredicateSection,
    RateBlock,
    RuleBlock,
)
from .json_reader import Members, Node, Number, TextError
from .once import are_kept, once, piece
from .parse import LARGEST_TEXT, decode, find_problems
from .problems import PolicyInvalid, Problem
from .text_edit import Source, Wanted, put
from .text_tree import TextTree, members, tree_of

__all__ = [
    "SECTIONS",
    "AccessBlock",
    "ConditionBlock",
    "JsonData",
    "LimitBlock",
    "Number",
    "PolicyBlocks",
    "PredicateBlock",
    "PredicateSection",
    "RateBlock",
    "RuleBlock",
    "Source",
    "is_readable",
    "open_policy",
    "read_blocks",
    "read_rule",
    "write_blocks",
]

B = TypeVar("B")

POLICY_KEYS: Final = (
    "$schema",
    "version",
    "description",
    "default",
    "hide",
    "all_tools",
    "tools",
    "classes",
    "resources",
    "prompts",
)


def read_blocks(text: str) -> PolicyBlocks:
    """Read a text's blocks. Raises PolicyInvalid if it is not a JSON object: there is nothing to build on."""
    return once("blocks", text, lambda: _blocks(open_policy(text)))


def _blocks(tree: TextTree) -> PolicyBlocks:
    take = _Take(tree, tree.root)
    return PolicyBlocks(
        schema=take.text("$schema"),
        version=take.text("version"),
        description=take.text("description"),
        default=take.text("default"),
        hide=take.names("hide"),
        all_tools=_maybe(take.node("all_tools"), lambda node: _rule(tree, node)),
        tools=take.rules("tools"),
        classes=take.rules("classes"),
        resources=_maybe(take.node("resources"), lambda node: _access(tree, node)),
        prompts=_maybe(take.node("prompts"), lambda node: _access(tree, node)),
        extra=take.rest(),
    )


def open_policy(text: str) -> TextTree:
    decoded = decode(text, LARGEST_TEXT)
    if isinstance(decoded, Problem):
        raise PolicyInvalid((decoded,))
    try:
        tree = tree_of(text)
    except TextError:
        raise PolicyInvalid(find_problems(text)) from None
    if not isinstance(tree.root.value, Members):
        raise PolicyInvalid(find_problems(text))
    return tree


def is_readable(text: str) -> bool:
    """Return whether the builder can show and change the text."""
    try:
        open_policy(text)
    except PolicyInvalid:
        return False
    return True


def read_rule(text: str) -> RuleBlock:
    """Read a single rule, for instance a recommended one. Raises PolicyInvalid if it is not a JSON object."""
    tree = open_policy(text)
    rule = _rule(tree, tree.root)
    assert isinstance(rule, RuleBlock)
    return rule


def write_blocks(text: str, blocks: PolicyBlocks) -> str:
    """Return the text, changed as little as possible to say what the blocks say; from `{}`, all new."""
    return put(text, (), _policy_value(blocks, open_policy(text).root))


# Reading


class _Take:
    """Takes members out of an object by name and kind; what is left over is the rest."""

    def __init__(self, tree: TextTree, node: Node) -> None:
        self._tree = tree
        self._left = {member.key: member.node for member in members(node)}

    def node(self, key: str) -> Node | None:
        return self._left.pop(key, None)

    def text(self, key: str) -> str | None:
        node = self._left.get(key)
        if node is None or not isinstance(node.value, str):
            return None
        del self._left[key]
        return node.value

    def number(self, key: str) -> Number | None:
        node = self._left.get(key)
        if node is None or not isinstance(node.value, Number):
            return None
        del self._left[key]
        return node.value

    def word_or_number(self, key: str) -> str | Number | None:
        return self.number(key) or self.text(key)

    def names(self, key: str) -> tuple[str, ...]:
        node = self._left.get(key)
        elements = node.value if node is not None and isinstance(node.value, list) else []
        names = tuple(element.value for element in elements if isinstance(element.value, str))
        if len(names) != len(elements) or node is None or not isinstance(node.value, list):
            return ()
        del self._left[key]
        return names

    def several(self, key: str, read: Callable[[TextTree, Node], B]) -> tuple[B, ...]:
        node = self._left.get(key)
        if node is None or not isinstance(node.value, list):
            return ()
        del self._left[key]
        return tuple(read(self._tree, element) for element in node.value)

    def rules(self, key: str) -> dict[str, RuleBlock | Source] | None:
        node = self._left.get(key)
        if node is None or not isinstance(node.value, Members):
            return None
        del self._left[key]
        return dict(self._kept_rules(node.value))

    def _kept_rules(self, found: Members) -> Iterator[tuple[str, RuleBlock | Source]]:
        """Yield the first rule of each name, in order. One written like an earlier one shares its block."""
        seen: set[str] = set()
        for (key, _, node), source in found.sources(self._tree.text):
            if key not in seen:
                seen.add(key)
                yield key, self._kept_rule(node, source)

    def _kept_rule(self, node: Node, source: str) -> RuleBlock | Source:
        if not source or not are_kept():
            return _rule(self._tree, node)
        return piece(("block", source), len(source), lambda: (_rule(self._tree, node), True))

    def rest(self) -> Extra:
        return tuple((key, Source(self._tree.source(node))) for key, node in self._left.items())


def _maybe(node: Node | None, read: Callable[[Node], B]) -> B | None:
    return None if node is None else read(node)


def _rule(tree: TextTree, node: Node) -> RuleBlock | Source:
    if not isinstance(node.value, Members):
        return Source(tree.source(node))
    take = _Take(tree, node)
    rate = take.node("rate_limit")
    block = None if rate is None else _rate(tree, rate)
    kept = () if rate is None or block else (("rate_limit", Source(tree.source(rate))),)
    return RuleBlock(
        action=take.text("action"),
        reason=take.text("reason"),
        require=take.several("require", _predicate),
        deny_if=take.several("deny_if", _predicate),
        approve_if=take.several("approve_if", _predicate),
        limits=take.several("limits", _limit),
        rate_limit=block,
        extra=(*take.rest(), *kept),
    )


def _predicate(tree: TextTree, node: Node) -> PredicateBlock | Source:
    take = _Take(tree, node)
    has_conditions = any(m.key == "conditions" and isinstance(m.node.value, list) for m in members(node))
    block = PredicateBlock(take.several("conditions", _condition), take.text("on_deny"))
    return block if has_conditions and _is_whole(node, take) else Source(tree.source(node))


def _condition(tree: TextTree, node: Node) -> ConditionBlock | Source:
    take = _Take(tree, node)
    path, op, value = take.text("path"), take.text("op"), take.node("value")
    if path is None or op is None or value is None or not _is_whole(node, take) or _repeats(value):
        return Source(tree.source(node))
    return ConditionBlock(path, op, _data(value))


def _limit(tree: TextTree, node: Node) -> LimitBlock | Source:
    take = _Take(tree, node)
    counter, window, most = take.text("counter"), take.word_or_number("window"), take.number("max")
    scope = take.text("scope")
    texts = take.text("key"), take.text("increment_from"), take.text("on_deny")
    if counter is None or window is None or most is None or scope is None or not _is_whole(node, take):
        return Source(tree.source(node))
    return LimitBlock(counter, window, most, scope, *texts)


def _rate(tree: TextTree, node: Node) -> RateBlock | None:
    take = _Take(tree, node)
    most, window = take.number("max"), take.word_or_number("window")
    return RateBlock(most, window) if most and window is not None and _is_whole(node, take) else None


def _access(tree: TextTree, node: Node) -> AccessBlock | Source:
    take = _Take(tree, node)
    default, allow, deny = take.text("default"), take.names("allow"), take.names("deny")
    if default is None or not isinstance(node.value, Members):
        return Source(tree.source(node))
    return AccessBlock(default, allow, deny, take.rest())


def _is_whole(node: Node, take: _Take) -> bool:
    """Return whether this is an object of which every member was taken and none appears twice."""
    once = isinstance(node.value, Members) and len(list(members(node))) == len(node.value.all)
    return once and not take.rest()


def _repeats(node: Node) -> bool:
    if isinstance(node.value, Members):
        inner = [member.node for member in node.value.all]
        return len({member.key for member in node.value.all}) != len(inner) or any(map(_repeats, inner))
    return isinstance(node.value, list) and any(map(_repeats, node.value))


def _data(node: Node) -> JsonData:
    if isinstance(node.value, Members):
        return {member.key: _data(member.node) for member in node.value.all}
    if isinstance(node.value, list):
        return [_data(element) for element in node.value]
    return node.value


# Writing


def _policy_value(blocks: PolicyBlocks, old: Node) -> Wanted:
    value: dict[str, Wanted] = {
        "$schema": blocks.schema,
        "version": blocks.version,
        "description": blocks.description,
        "default": blocks.default,
        "hide": list(blocks.hide),
        "all_tools": rule_value(blocks.all_tools, _below(old, "all_tools")),
        "tools": _rules_value(blocks.tools, _below(old, "tools")),
        "classes": _rules_value(blocks.classes, _below(old, "classes")),
        "resources": access_value(blocks.resources, _below(old, "resources")),
        "prompts": access_value(blocks.prompts, _below(old, "prompts")),
    }
    return _said({**value, **dict(blocks.extra)}, old)


def _rules_value(rules: Mapping[str, RuleBlock | Source] | None, old: Node | None) -> Wanted:
    if rules is None:
        return None
    return {name: rule_value(rule, _below(old, name)) for name, rule in rules.items()}


def rule_value(rule: RuleBlock | Source | None, old: Node | None) -> Wanted:
    if not isinstance(rule, RuleBlock):
        return rule
    rate = rule.rate_limit
    value: dict[str, Wanted] = {
        "action": rule.action,
        "reason": rule.reason,
        **{section: [_predicate_value(each) for each in rule.predicates(section)] for section in SECTIONS},
        "limits": [_limit_value(limit) for limit in rule.limits],
        "rate_limit": {"max": rate.max, "window": rate.window} if rate else None,
    }
    return _said({**value, **dict(rule.extra)}, old)


def _predicate_value(predicate: PredicateBlock | Source) -> Wanted:
    if isinstance(predicate, Source):
        return predicate
    conditions: list[Wanted] = [
        each if isinstance(each, Source) else {"path": each.path, "op": each.op, "value": each.value}
        for each in predicate.conditions
    ]
    if predicate.on_deny is None:
        return {"conditions": conditions}
    return {"conditions": conditions, "on_deny": predicate.on_deny}


def _limit_value(limit: LimitBlock | Source) -> Wanted:
    if isinstance(limit, Source):
        return limit
    value: dict[str, Wanted] = {
        "counter": limit.counter,
        "window": limit.window,
        "max": limit.max,
        "scope": limit.scope,
        "key": limit.key,
        "increment_from": limit.increment_from,
        "on_deny": limit.on_deny,
    }
    return _said(value, None)


def access_value(access: AccessBlock | Source | None, old: Node | None) -> Wanted:
    if not isinstance(access, AccessBlock):
        return access
    value: dict[str, Wanted] = {
        "default": access.default,
        "allow": list(access.allow),
        "deny": list(access.deny),
    }
    return _said({**value, **dict(access.extra)}, old)


def _said(value: dict[str, Wanted], old: Node | None) -> dict[str, Wanted]:
    """Leave out what says nothing, except an empty list that someone wrote."""
    written = {member.key for member in members(old) if member.node.value == []} if old else set()
    return {
        key: inner for key, inner in value.items() if inner is not None and (inner != [] or key in written)
    }


def _below(node: Node | None, key: str) -> Node | None:
    return None if node is None else next((m.node for m in members(node) if m.key == key), None)
