"""The grammar: a tree of JSON becomes a document, and everything that is wrong with it is found.

Each check is independent of the others: a part that is wrong yields `None` and reading goes on beside it.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from .document import (
    CLASSES,
    LARGEST_MAX,
    LONGEST_WINDOW,
    WINDOWS,
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
from .exact import whole_text
from .findings import Finding, Pointer
from .json_reader import Members, Node, Number, Value
from .operand import OPERATORS, read_operand
from .paths import Path, parse_path
from .patterns import PatternJudge
from .problems import near_miss, one_of, shown
from .words import is_counter, is_name, is_text, shorthand_counter

T = TypeVar("T")
W = TypeVar("W", bound=str)

MOST_RULES: Final = 5000
_MOST_SUGGESTIONS = 200
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
_ACTIONS: tuple[Action, ...] = ("allow", "deny", "require_approval")
_DEFAULTS: tuple[Default, ...] = ("allow", "deny")
_SCOPES: tuple[Scope, ...] = ("grant", "server", "organization")
_OPERATORS: Final[dict[str, Operator]] = {operator: operator for operator in OPERATORS}
_HINTS: Final = {
    "not_exists": ' Write "op": "exists" with "value": false.',
    "equals": ' Write "eq".',
    "==": ' Write "eq".',
    "!=": ' Write "neq".',
    "<": ' Write "lt".',
    "<=": ' Write "lte".',
    ">": ' Write "gt".',
    ">=": ' Write "gte".',
}
_KINDS: Final = {
    Members: "an object",
    list: "a list",
    str: "a text",
    Number: "a number",
    bool: "true or false",
    type(None): "null",
}


def kind_of(value: Value, should: str) -> str:
    if isinstance(value, Number) and "number" in should:
        return "a fraction"
    return _KINDS[type(value)]


class Reader:
    """Reads one tree. `findings` tells whether what it returned may be used."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.patterns = PatternJudge()
        self._suggestions = 0

    def found(self, at: int, code: str, pointer: Pointer, message: str) -> None:
        self.findings.append(Finding(at, code, pointer, message))

    def suggestion(self, word: str, candidates: tuple[str, ...]) -> str:
        # Comparing words costs more than anything else here; a text of nothing but slips gets some answers.
        if self._suggestions == _MOST_SUGGESTIONS:
            return ""
        self._suggestions += 1
        near = near_miss(word, candidates)
        return f" Did you mean {shown(near)}?" if near else ""

    # Shapes

    def fields(
        self, node: Node, at: Pointer, known: tuple[str, ...], required: tuple[str, ...], what: str
    ) -> dict[str, Node]:
        fields: dict[str, Node] = {}
        if not isinstance(node.value, Members):
            self.wrong_type(node, at, f"{what} is an object")
            return fields
        seen: set[str] = set()
        for key, key_at, value in node.value.all:
            if key in seen:
                self.repeated(key, key_at, at)
            elif key in known:
                fields[key] = value
            else:
                self.unknown_key(key, key_at, at, known)
            seen.add(key)
        for key in required:
            if key not in fields:
                self.found(
                    node.at, "missing_key", at, f"{what[0].upper()}{what[1:]} needs the key {shown(key)}."
                )
        return fields

    def repeated(self, key: str, key_at: int, at: Pointer) -> None:
        message = f"{shown(key)} stands here twice. Keep one of them."
        self.found(key_at, "duplicate_key", (at, key), message)

    def unknown_key(self, key: str, key_at: int, at: Pointer, known: tuple[str, ...]) -> None:
        folded = key.casefold()
        for right in known:
            if right.casefold() == folded:
                message = f"Keys are written exactly: {shown(right)}, not {shown(key)}."
                self.found(key_at, "key_case", (at, key), message)
                return
        near = self.suggestion(key, known)
        listing = "" if near or len(known) > 8 else f" What can stand here: {', '.join(known)}."
        self.found(key_at, "unknown_key", (at, key), f"{shown(key)} isn't a key here.{near}{listing}")

    def wrong_type(self, node: Node, at: Pointer, should: str) -> None:
        message = f"{should[0].upper()}{should[1:]}; this is {kind_of(node.value, should)}."
        self.found(node.at, "wrong_type", at, message)

    def each(
        self, fields: dict[str, Node], key: str, at: Pointer, read: Callable[[Node, Pointer], T | None]
    ) -> tuple[T, ...]:
        node = fields.get(key)
        if node is None:
            return ()
        if not isinstance(node.value, list):
            self.wrong_type(node, (at, key), f"{shown(key)} is a list")
            return ()
        below: Pointer = (at, key)
        read_all = [read(element, (below, index)) for index, element in enumerate(node.value)]
        return tuple(element for element in read_all if element is not None)

    def string(self, node: Node, at: Pointer, should: str | Callable[[], str]) -> str | None:
        """A sentence that must be put together is put together only where something else stands."""
        if isinstance(node.value, str):
            return node.value
        self.wrong_type(node, at, should if isinstance(should, str) else should())
        return None

    # Leaves

    def word(self, fields: dict[str, Node], key: str, at: Pointer, words: tuple[W, ...]) -> W | None:
        node = fields.get(key)
        if node is None:
            return None
        for word in words:
            if word == node.value:
                return word
        text = self.string(node, (at, key), lambda: f"{shown(key)} is {one_of(words)}")
        if text is None:
            return None
        near = self.suggestion(text, words)
        hint = near or " Write grant: one agent session holds one grant." * (text == "session")
        message = f"{shown(key)} is {one_of(words)}, not {shown(text)}.{hint}"
        self.found(node.at, "bad_value", (at, key), message)
        return None

    def text(self, fields: dict[str, Node], key: str, at: Pointer) -> str | None:
        node = fields.get(key)
        text = self.string(node, (at, key), lambda: f"{shown(key)} is a text") if node else None
        if node is None or text is None or is_text(text):
            return text
        length = "is empty" if not text else f"has {len(text):,} characters" if len(text) > 1000 else ""
        why = length or "holds a control character"
        message = f"A text is 1 to 1,000 characters, line feed and tab among them; this one {why}."
        self.found(node.at, "bad_text", (at, key), message)
        return None

    def name(self, node: Node, at: Pointer) -> str | None:
        name = self.string(node, at, "a name is a text")
        if name is None or is_name(name):
            return name
        self.bad_name(name, node.at, at)
        return None

    def bad_name(self, name: str, place: int, at: Pointer) -> None:
        why = (
            "is empty"
            if not name
            else f"has {len(name):,}"
            if len(name) > 256
            else "holds a control character"
        )
        message = f"A name is 1 to 256 characters without control characters; {shown(name)} {why}."
        self.found(place, "bad_name", at, message)

    def path(self, fields: dict[str, Node], key: str, at: Pointer, quantified: bool) -> Path | None:
        node = fields.get(key)
        if node is None:
            return None
        text = self.string(node, (at, key), lambda: f"{shown(key)} is a path, a text like args.amount")
        if text is None:
            return None
        path = parse_path(text)
        if path is not None and (quantified or not path.quantified):
            return path
        self.found(node.at, "bad_path", (at, key), _path_message(text, path))
        return None

    def whole(self, fields: dict[str, Node], key: str, at: Pointer, most: int) -> int | None:
        node = fields.get(key)
        if node is None:
            return None
        value = whole_text(node.value.text) if isinstance(node.value, Number) else None
        if value is not None and 1 <= value <= most:
            return value
        should = f"{shown(key)} is a whole number from 1 to {most:,}"
        if value is None:
            self.wrong_type(node, (at, key), should)
        else:
            self.found(node.at, "out_of_range", (at, key), f"{should}.")
        return None

    def window(self, fields: dict[str, Node], at: Pointer) -> int | None:
        node = fields.get("window")
        if node is None or isinstance(node.value, Number):
            return self.whole(fields, "window", at, LONGEST_WINDOW)
        should = '"window" is "second", "minute", "hour", "day", "week" or a number of seconds'
        text = self.string(node, (at, "window"), should)
        if text is None or text in WINDOWS:
            return WINDOWS.get(text or "")
        near = self.suggestion(text, tuple(WINDOWS))
        self.found(node.at, "bad_value", (at, "window"), f"{should}, not {shown(text)}.{near}")
        return None

    # Parts

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
            all_tools=self.rule(fields["all_tools"], (None, "all_tools"), "all_tools_rate")
            if "all_tools" in fields
            else None,
            tools=tools,
            classes=classes,
            resources=self.access(fields, "resources"),
            prompts=self.access(fields, "prompts"),
        )

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
        for name, name_at, value in node.value.all:
            if name in rules:
                self.repeated(name, name_at, at)
                continue
            if not is_name(name):
                self.bad_name(name, name_at, (at, name))
            rules[name] = self.rule(value, (at, name), shorthand_counter(name))
        return rules, len(rules)

    def classes(self, fields: dict[str, Node]) -> tuple[dict[str, Rule], int]:
        if "classes" not in fields:
            return {}, 0
        at: Pointer = (None, "classes")
        entries = self.fields(fields["classes"], at, CLASSES, (), '"classes"')
        rules = {name: self.rule(node, (at, name), f"class:{name}_rate") for name, node in entries.items()}
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
        keys = ("path", "op", "value")
        fields = self.fields(node, at, keys, keys, "a condition")
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


def _path_message(text: str, path: Path | None) -> str:
    if path is not None:
        return f"This path must name one value, so {shown('[*]')} cannot stand in {shown(text)}."
    if not text.startswith("args"):
        return f"A path begins with args, the call's arguments, like args.amount; this is {shown(text)}."
    return f'A path is like args.amount, args.items[0], args.to[*] or args["a key"]; {shown(text)} is not.'
