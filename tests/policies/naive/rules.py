"""Which rule applies to a call, and what steps 1 to 7 make of it."""

import hashlib
import re
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal, localcontext
from functools import cache
from typing import Any

import re2

from .operators import Verdict, judge
from .paths import End, ends, has_star
from .values import Json, Num, by_value, exact

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
CLASSES = ("Read", "Write", "Execute", "Destructive", "Financial")
Rule = dict[str, Any]


@dataclass
class Charge:
    """One limit as one call meets it: the counter's name, its own window and most, what the call costs."""

    rule: str
    scope: str
    counter: str
    key: tuple[str, Any] | None
    window_ms: int
    most: int  # in millionths
    cost: int  # in millionths
    full: str | None


@dataclass
class Answer:
    outcome: str
    code: str | None
    rule: str
    reason: str | None = None  # explicit texts only
    charges: list[Charge] = field(default_factory=list)
    allowed_by: str = ""


def deny(code: str, rule: str, reason: str | None = None) -> Answer:
    return Answer("deny", code, rule, reason)


# Names


def name_matches(pattern: str, name: str) -> bool:
    if "*" not in pattern:
        return pattern == name
    # Linear: a pattern of a hundred stars would keep a backtracking engine busy for ages.
    return re2.fullmatch("(?s)" + ".*".join(map(re2.escape, pattern.split("*"))), name) is not None


def pointer(*tokens: str) -> str:
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


def rule_for(policy: Json, tool: str, tool_class: str | None) -> tuple[str, Rule, str] | str:
    """Place, rule and name of the shorthand's counter; or the code of a denial."""
    if any(name_matches(name, tool) for name in policy.get("hide", [])):
        return "hidden"
    tools = policy.get("tools", {})
    matching = [name for name in tools if "*" in name and name_matches(name, tool)]
    if tool in tools and "*" not in tool:
        matching = [tool]
    denying = [name for name in matching if tools[name].get("action") == "deny"]
    if matching:
        name = sorted(denying or matching, key=lambda n: (-(len(n) - n.count("*")), -len(n), n))[0]
        return pointer("tools", name), tools[name], _shorthand_counter(name)
    if tool_class in CLASSES and tool_class in policy.get("classes", {}):
        rule = policy["classes"][tool_class]
        return pointer("classes", tool_class), rule, f"class:{tool_class}_rate"
    return "default_deny" if policy["default"] == "deny" else ("(default allow)", {}, "")


def _shorthand_counter(entry: str) -> str:
    plain = entry + "_rate"
    if len(plain) <= 64 and re.fullmatch("[A-Za-z0-9_.:-]+", plain):
        return plain
    return "t-" + hashlib.sha256(entry.encode()).hexdigest()[:16] + "_rate"


# Conditions


class Judge:
    """The conditions of the rules that apply to one call, and the two bounds they share."""

    def __init__(self, rules: list[Rule], arguments: Json) -> None:
        self.arguments = arguments
        conditions = [
            condition
            for rule in rules
            for section in ("require", "deny_if", "approve_if")
            for predicate in rule.get(section, [])
            for condition in predicate["conditions"]
        ]
        read = [
            (len(end.encode("utf-8", "surrogatepass")), c["value"])
            for c in conditions
            if c["op"] in ("regex", "matches")
            for end in ends(arguments, c["path"])
            if isinstance(end, str)
        ]
        self.too_much_text = (
            sum(size for size, _ in read) > 65536
            or sum(size * instructions(pattern) for size, pattern in read) > 80 * 65536
        )
        searched = [
            len(end)
            for c in conditions
            if c["op"] in ("contains", "not_contains") and isinstance(c["value"], str)
            for end in ends(arguments, c["path"])
            if isinstance(end, str) and len(end) > 256
        ]
        self.too_much_search = sum(searched) > 2**24
        starred = [c for c in conditions if has_star(c["path"])]
        self.too_many_values = sum(len(ends(arguments, c["path"])) for c in starred) > 20000

    def predicate(self, predicate: Json, every: bool) -> Verdict:
        """Its conditions joined by *and*; each joins its values by *and* when `every`, else by *or*."""
        return conjunction([self.condition(condition, every) for condition in predicate["conditions"]])

    def condition(self, condition: Json, every: bool) -> Verdict:
        if has_star(condition["path"]) and self.too_many_values:
            return None
        found = [self.value(condition, end) for end in ends(self.arguments, condition["path"])]
        return conjunction(found) if every else disjunction(found)

    def value(self, condition: Json, end: Json | End) -> Verdict:
        op, expected = condition["op"], condition["value"]
        if end is End.WRONG:
            return None
        if end is End.MISSING:
            return op in ("neq", "not_in", "not_contains") or (op == "exists" and expected is False)
        if op in ("regex", "matches") and isinstance(end, str) and self.too_much_text:
            return None
        searches = op in ("contains", "not_contains") and isinstance(expected, str) and isinstance(end, str)
        if searches and len(end) > 256 and self.too_much_search:
            return None
        return judge(op, expected, end)


@cache
def instructions(pattern: str) -> int:
    options = re2.Options()
    options.never_capture = True
    return int(re2.compile(pattern, options).programsize)


def conjunction(verdicts: list[Verdict]) -> Verdict:
    return False if False in verdicts else None if None in verdicts else True


def disjunction(verdicts: list[Verdict]) -> Verdict:
    return True if True in verdicts else None if None in verdicts else False


# Steps 1 to 7


def ruling(policy: Json, tool: str, tool_class: str | None, arguments: Json) -> Answer:
    if policy is None:
        return deny("no_policy", "(no policy)")
    found = rule_for(policy, tool, tool_class)
    if isinstance(found, str):
        return deny(found, {"hidden": "(hidden)", "default_deny": "(default deny)"}[found])
    if not isinstance(arguments, dict):
        return deny("malformed", "(malformed)")
    parts = [found]
    if "all_tools" in policy:
        parts.append(("/all_tools", policy["all_tools"], "all_tools_rate"))
    judging = Judge([rule for _, rule, _ in parts], arguments)
    denied = _denied(parts, judging)
    if denied:
        return denied
    charges: list[Charge] = []
    for at, rule, shorthand in parts:
        for index, limit in enumerate(_limits(rule, shorthand)):
            charge = _charge(
                limit, f"{at}/limits/{index}", limit.get("on_deny") or rule.get("reason"), tool, arguments
            )
            if charge is None:
                return deny("undecidable", f"{at}/limits/{index}", limit.get("on_deny") or rule.get("reason"))
            charges.append(charge)
    asks = _asks(parts, judging)
    if asks is None:
        return Answer("allow", None, found[0], None, charges, found[0])
    return Answer("approval", "approval_required", asks[0], asks[1], charges, found[0])


def _denied(parts: list[tuple[str, Rule, str]], judging: Judge) -> Answer | None:
    for at, rule, _ in parts:
        if rule.get("action") == "deny":
            return deny("denied", f"{at}/action", rule.get("reason"))
    for section, wanted, code in (
        ("require", True, "requirement_failed"),
        ("deny_if", False, "denied"),
        ("approve_if", None, ""),
    ):
        for at, rule, _ in parts:
            for index, predicate in enumerate(rule.get(section, [])):
                verdict = judging.predicate(predicate, every=section == "require")
                reason = predicate.get("on_deny") or rule.get("reason")
                if verdict is None:
                    return deny("undecidable", f"{at}/{section}/{index}", reason)
                if wanted is not None and verdict is not wanted:
                    return deny(code, f"{at}/{section}/{index}", reason)
    return None


def _asks(parts: list[tuple[str, Rule, str]], judging: Judge) -> tuple[str, str | None] | None:
    for at, rule, _ in parts:
        if rule.get("action") == "require_approval":
            return f"{at}/action", rule.get("reason")
        for index, predicate in enumerate(rule.get("approve_if", [])):
            if judging.predicate(predicate, every=False):
                return f"{at}/approve_if/{index}", predicate.get("on_deny") or rule.get("reason")
    return None


# Limits, as one call meets them


def _limits(rule: Rule, shorthand: str) -> list[Json]:
    limits = list(rule.get("limits", []))
    if "rate_limit" in rule:
        limits.append({**rule["rate_limit"], "scope": "grant", "counter": shorthand})
    return limits


def _charge(limit: Json, at: str, full: str | None, tool: str, arguments: Json) -> Charge | None:
    key = None
    if "key" in limit:
        key = _key(ends(arguments, limit["key"])[0])
        if key is None:
            return None
    cost = _cost(ends(arguments, limit["increment_from"])[0]) if "increment_from" in limit else 1_000_000
    if cost is None:
        return None
    window = limit["window"]
    seconds = SECONDS[window] if isinstance(window, str) else int(Decimal(window.text))
    most = int(Decimal(limit["max"].text)) * 1_000_000
    counter = limit["counter"].replace("{tool}", tool)
    return Charge(at, limit["scope"], counter, key, seconds * 1000, most, cost, full)


def _key(value: Json | End) -> tuple[str, Any] | None:
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, str):
        return ("string", value) if len(value) <= 256 else None
    if isinstance(value, Num) and exact(value) is not None:
        return "number", by_value(value)
    return None


def _cost(value: Json | End) -> int | None:
    number = exact(value) if isinstance(value, Num) else None
    if number is None or number < 0:
        return None
    with localcontext() as context:
        context.prec = 400
        return int((number * 1_000_000).to_integral_value(ROUND_CEILING))


# Resources and prompts


def access(policy: Json, section: str, name: str) -> Answer:
    if policy is None:
        return deny("no_policy", "(no policy)")
    if section not in policy:
        if policy["default"] == "allow":
            return Answer("allow", None, "(default allow)")
        return deny("default_deny", "(default deny)")
    if section == "resources" and _has_dots(name):
        return deny("undecidable", "/resources")
    listed = policy[section]
    for index, pattern in enumerate(listed.get("deny", [])):
        if name_matches(pattern, name):
            return deny("denied", f"/{section}/deny/{index}")
    for index, pattern in enumerate(listed.get("allow", [])):
        if name_matches(pattern, name):
            return Answer("allow", None, f"/{section}/allow/{index}")
    if listed["default"] == "allow":
        return Answer("allow", None, f"/{section}/default")
    return deny("default_deny", f"/{section}/default")


def _has_dots(uri: str) -> bool:
    """A backslash anywhere, or a segment that is one or two dots, however they are written."""
    if "\\" in uri:
        return True
    plain = re.sub("%2f|%5c", "/", uri, flags=re.IGNORECASE)
    pieces = re.split("/", re.sub("%2e", ".", plain, flags=re.IGNORECASE))
    return any(re.split("[?#]", piece, maxsplit=1)[0] in (".", "..") for piece in pieces)
