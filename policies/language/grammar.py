"""The grammar: turns a tree of JSON into a document, and finds everything that is wrong with it.

Each check is independent of the others: a wrong part yields `None`, and reading goes on with the rest.
"""

from typing import Final

from .document import (
    CLASSES,
    LARGEST_MAX,
    Access,
    Action,
    Condition,
    Default,
    Document,
    Limit,
    Operator,
    Predicate,
    Rule,
    Scope,
)
from .findings import Pointer
from .json_reader import Members, Node
from .once import are_kept, piece
from .operand import OPERATORS, read_operand
from .problems import shown
from .shapes import ShapeReader
from .words import is_counter, is_name, shorthand_counter

MOST_RULES: Final = 5000
_POLICY_KEYS = (
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
_RULE_KEYS = ("action", "reason", "require", "deny_if", "approve_if", "limits", "rate_limit")
_LIMIT_KEYS = ("counter", "window", "max", "scope", "key", "increment_from", "on_deny")
_CONDITION_KEYS = ("path", "op", "value")
KEYS: Final = frozenset(
    (*_POLICY_KEYS, *_RULE_KEYS, *_LIMIT_KEYS, *_CONDITION_KEYS, "conditions", "allow", "deny")
)
_ACTIONS: tuple[Action, ...] = ("allow", "deny", "require_approval")
_DEFAULTS: tuple[Default, ...] = ("allow", "deny")
_SCOPES: tuple[Scope, ...] = ("grant", "server", "organization")
_OPERATORS: Final[dict[str, Operator]] = {operator: operator for operator in OPERATORS}
# Operators as people write them in other languages.
MEANT_OPERATORS: Final = {
    "equals": "eq",
    "==": "eq",
    "!=": "neq",
    "<": "lt",
    "<=": "lte",
    ">": "gt",
    ">=": "gte",
}
_HINTS: Final = {
    "not_exists": ' Write "op": "exists" with "value": false.',
    **{word: f' Write "{meant}".' for word, meant in MEANT_OPERATORS.items()},
}


class Reader(ShapeReader):
    """Reads the tree of a text. What it returns may be used only if there are no `findings`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def policy(self, node: Node) -> Document | None:
        if not isinstance(node.value, Members):
            self.wrong_type(node, None, "a policy is an object, written in { }")
            return None
        fields = self.fields(node, None, _POLICY_KEYS, ("version", "default"), "a policy")
        self.version(fields)
        schema = fields.get("$schema")
        tools, tool_count = self.tools(fields)
        classes, class_count = self.classes(fields)
        rules = tool_count + class_count + ("all_tools" in fields)
        if rules > MOST_RULES:
            message = f"A policy holds at most {MOST_RULES:,} rules; this one has {rules:,}."
            self.found(node.at, "too_many_rules", None, message)
        return Document(
            default=self.word(fields, "default", None, _DEFAULTS) or "deny",
            schema=self.string(schema, (None, "$schema"), '"$schema" is a text') if schema else None,
            description=self.text(fields, "description", None),
            hide=self.each(fields, "hide", None, self.name),
            all_tools=self.everywhere(fields.get("all_tools"), node.value),
            tools=tools,
            classes=classes,
            resources=self.access(fields, "resources"),
            prompts=self.access(fields, "prompts"),
        )

    def everywhere(self, node: Node | None, policy: Members) -> Rule | None:
        if node is None:
            return None
        source = next(source for member, source in policy.sources(self._text) if member.node is node)
        return self.kept_rule(node, (None, "all_tools"), "all_tools_rate", source)

    def version(self, fields: dict[str, Node]) -> None:
        node = fields.get("version")
        text = (
            self.string(node, (None, "version"), 'the version is the text "1", in quotes') if node else None
        )
        if node is not None and text is not None and text != "1":
            message = f'The version of this language is "1", not {shown(text)}.'
            self.found(node.at, "bad_version", (None, "version"), message)

    def tools(self, fields: dict[str, Node]) -> tuple[dict[str, Rule], int]:
        node = fields.get("tools")
        rules: dict[str, Rule] = {}
        if node is None:
            return rules, 0
        at: Pointer = (None, "tools")
        if not isinstance(node.value, Members):
            self.wrong_type(node, at, '"tools" is an object of names and rules')
            return rules, 0
        for (name, name_at, value), source in node.value.sources(self._text):
            if name in rules:
                self.repeated(name, name_at, at)
                continue
            if not is_name(name):
                self.bad_name(name, name_at, (at, name))
            rules[name] = self.kept_rule(value, (at, name), shorthand_counter(name), source)
        return rules, len(rules)

    def kept_rule(self, node: Node, at: Pointer, counter: str, source: str) -> Rule:
        """Like `rule`, but kept for reuse by its text, `source`, which is empty where it is not known."""
        if not source or not are_kept():
            return self.rule(node, at, counter)

        def read() -> tuple[Rule, bool]:
            before = len(self.findings), self.patterns.asked
            rule = self.rule(node, at, counter)
            # Findings have places in this text, and patterns share a ration: such a rule is not kept.
            return rule, before == (len(self.findings), self.patterns.asked)

        return piece(("rule", counter, source), len(source), read)

    def classes(self, fields: dict[str, Node]) -> tuple[dict[str, Rule], int]:
        if "classes" not in fields:
            return {}, 0
        at: Pointer = (None, "classes")
        entries = self.fields(fields["classes"], at, CLASSES, (), '"classes"')
        # In canonical order: patterns share a ration, and whether it suffices may depend on the order.
        rules: dict[str, Rule] = {
            name: self.rule(entries[name], (at, name), f"class:{name}_rate")
            for name in CLASSES
            if name in entries
        }
        return rules, len(rules)

    def rule(self, node: Node, at: Pointer, counter: str) -> Rule:
        fields = self.fields(node, at, _RULE_KEYS, (), "a rule")
        limits = self.each(fields, "limits", at, self.limit)
        shorthand = self.rate_limit(fields, at, counter)
        return Rule(
            action=self.word(fields, "action", at, _ACTIONS),
            reason=self.text(fields, "reason", at),
            require=self.each(fields, "require", at, self.predicate),
            deny_if=self.each(fields, "deny_if", at, self.predicate),
            approve_if=self.each(fields, "approve_if", at, self.predicate),
            limits=(*limits, shorthand) if shorthand else limits,
        )

    def predicate(self, node: Node, at: Pointer) -> Predicate:
        fields = self.fields(node, at, ("conditions", "on_deny"), ("conditions",), "a predicate")
        conditions = self.each(fields, "conditions", at, self.condition)
        return Predicate(conditions, self.text(fields, "on_deny", at))

    def condition(self, node: Node, at: Pointer) -> Condition | None:
        fields = self.fields(node, at, _CONDITION_KEYS, _CONDITION_KEYS, "a condition")
        path = self.path(fields, "path", at, quantified=True)
        op = self.operator(fields, at)
        if "value" not in fields:
            return None
        operand = read_operand(self, fields["value"], (at, "value"), op)
        return Condition(path, op, operand) if path and op else None

    def operator(self, fields: dict[str, Node], at: Pointer) -> Operator | None:
        node = fields.get("op")
        text = self.string(node, (at, "op"), '"op" is the name of an operator, like eq') if node else None
        if node is None or text is None:
            return None
        known = _OPERATORS.get(text)
        if known is not None:
            return known
        near = _HINTS.get(text) or self.suggestion(text, OPERATORS) or f" There are: {', '.join(OPERATORS)}."
        self.found(node.at, "unknown_operator", (at, "op"), f"{shown(text)} isn't an operator.{near}")
        return None

    def limit(self, node: Node, at: Pointer) -> Limit | None:
        fields = self.fields(node, at, _LIMIT_KEYS, _LIMIT_KEYS[:4], "a limit")
        counter, window = self.counter(fields, at), self.window(fields, at)
        most = self.whole(fields, "max", at, LARGEST_MAX)
        scope = self.word(fields, "scope", at, _SCOPES)
        key = self.path(fields, "key", at, quantified=False)
        increment_from = self.path(fields, "increment_from", at, quantified=False)
        on_deny = self.text(fields, "on_deny", at)
        if counter is None or window is None or most is None or scope is None:
            return None
        return Limit(counter, window, most, scope, key, increment_from, on_deny)

    def counter(self, fields: dict[str, Node], at: Pointer) -> str | None:
        node = fields.get("counter")
        text = self.string(node, (at, "counter"), "a counter is a text") if node else None
        if node is None or text is None or is_counter(text):
            return text
        rule = "A counter is 1 to 64 of letters, digits and _ - . : with {tool} at most once"
        message = f"{rule}; {shown(text)} is not."
        self.found(node.at, "bad_id", (at, "counter"), message)
        return None

    def rate_limit(self, fields: dict[str, Node], at: Pointer, counter: str) -> Limit | None:
        if "rate_limit" not in fields:
            return None
        below: Pointer = (at, "rate_limit")
        keys = ("max", "window")
        inner = self.fields(fields["rate_limit"], below, keys, keys, '"rate_limit"')
        most, window = self.whole(inner, "max", below, LARGEST_MAX), self.window(inner, below)
        return Limit(counter, window, most, "grant") if most and window else None

    def access(self, fields: dict[str, Node], key: str) -> Access | None:
        if key not in fields:
            return None
        at: Pointer = (None, key)
        inner = self.fields(fields[key], at, ("default", "allow", "deny"), ("default",), shown(key))
        return Access(
            default=self.word(inner, "default", at, _DEFAULTS) or "deny",
            allow=self.each(inner, "allow", at, self.name),
            deny=self.each(inner, "deny", at, self.name),
        )
