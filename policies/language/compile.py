"""A document bound to the tools of one server, ready to decide calls."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, TypeAlias, final

from .conditions import CompiledCondition, Compiler, Join, Judge, Verdict
from .decision import CounterKey, Decision, Outcome, TakeQuota
from .document import CLASSES, Access, Default, Document, Limit, Predicate, Rule
from .matching import NameList, Ranked, applying, by_strength, is_pattern, is_too_much
from .once import are_kept, piece
from .pause import collector_paused
from .problems import escape_token
from .quota import MICROS
from .respelt import reading
from .words import LONGEST_NAME
from .work import NO_SOURCES, Sources, Work


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What is known about a tool when a policy is compiled. No class: never classified, or changed since."""

    name: str
    tool_class: str | None
    input_schema: Mapping[str, object] | None = None


def known_class(tool: ToolFacts) -> str | None:
    return tool.tool_class if tool.tool_class in CLASSES else None


@dataclass(frozen=True, slots=True)
class CompiledPredicate:
    at: str
    conditions: tuple[CompiledCondition, ...]
    reason: str | None  # the explicit text, if there is one

    def test(self, work: Work) -> Verdict:
        verdict: Verdict = True
        for condition in self.conditions:
            found = condition.test(work)
            if found is False:
                return False
            if found is None:
                verdict = None
        return verdict


# One thing that must hold: the argument it looks at (None: all of them), the function that judges it, the
# verdict if the argument is missing, the verdict that is wanted, and the predicate to name for any other.
# A requirement holds when each of its conditions does, so each is a check; a `deny_if` is a single check.
Check: TypeAlias = tuple[str | None, Judge, bool, bool, CompiledPredicate]


@dataclass(frozen=True, slots=True)
class CompiledLimit:
    at: str
    source: Limit
    reason: str | None
    fixed: (
        TakeQuota | None
    )  # what every call takes, when neither the tool's name nor an argument plays a part


@dataclass(frozen=True, slots=True)
class CompiledRule:
    at: str
    source: Rule
    require: tuple[CompiledPredicate, ...]
    deny_if: tuple[CompiledPredicate, ...]
    approve_if: tuple[CompiledPredicate, ...]
    limits: tuple[CompiledLimit, ...]

    def predicates(self) -> tuple[CompiledPredicate, ...]:
        return (*self.require, *self.deny_if, *self.approve_if)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that applies to a call of one tool, in the order in which it is judged."""

    allowed_by: str
    denied: CompiledRule | None
    asked: CompiledRule | None
    require: tuple[CompiledPredicate, ...]
    deny_if: tuple[CompiledPredicate, ...]
    approve_if: tuple[CompiledPredicate, ...]
    limits: tuple[CompiledLimit, ...]
    rules: tuple[CompiledRule, ...]
    checks: tuple[Check, ...]  # `require` and `deny_if` as checks
    sources: Sources
    allow: Decision | None  # the allow decision, if it is the same for every call
    always: Decision | None  # the same, if nothing in a call could lead to another decision


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """Every call of the tool is denied before its rules are looked at."""

    sources: ClassVar[Sources] = NO_SOURCES
    code: str
    rule: str


# A tenth of the most that is light enough for an event loop.
_SLOW_LOOK_UP_NANOSECONDS: Final = 100_000
_WEIGHT_OF_A_PLAN: Final = 100
HIDDEN: Final = Refusal("hidden", "(hidden)")
DEFAULT_DENY: Final = Refusal("default_deny", "(default deny)")
Applies: TypeAlias = Plan | Refusal


@dataclass(frozen=True, slots=True)
class CompiledAccess:
    """`deny_respelt`: the readings of the names in `deny`, for resources only; see `respelt`."""

    at: str
    default: Default
    allow: NameList
    deny: NameList
    deny_respelt: NameList | None

    def is_too_much(self, name: str) -> bool:
        return is_too_much(name, self.allow.index, self.deny.index)

    def nanoseconds(self, length: int) -> int:
        return self.allow.index.nanoseconds(length) + self.deny.index.nanoseconds(length)


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    document: Document
    hide: NameList
    exact: Mapping[str, Plan]
    patterns: Ranked[Plan]
    classes: Mapping[str, Plan]
    class_of: Mapping[str, str | None]
    otherwise: Applies
    resources: CompiledAccess | None
    prompts: CompiledAccess | None
    # Tools that were asked for before, so that they need not be looked up again.
    known: dict[str, Applies] = field(default_factory=dict, repr=False, compare=False)

    def applies_to(self, tool: str) -> Applies:
        return self.known.get(tool) or self._look_up(tool)

    def look_up_nanoseconds(self, length: int) -> int:
        """Estimate the time to look up the worst name of this length that was never asked for before."""
        return self.hide.index.nanoseconds(length) + self.patterns.index.nanoseconds(length)

    def _look_up(self, tool: str) -> Applies:
        found = self._resolve(tool)
        # Only names that are registered or written in the policy: a caller must not be able to fill this.
        if tool in self.class_of or tool in self.exact:
            self.known[tool] = found
        return found

    def _resolve(self, tool: str) -> Applies:
        if is_too_much(tool, self.hide.index, self.patterns.index) or self.hide.first_match(tool) is not None:
            return HIDDEN
        of_class = self.classes.get(self.class_of.get(tool) or "")
        return applying(tool, self.exact, self.patterns, of_class) or self.otherwise


def without_class(compiled: CompiledPolicy, tools: Iterable[str]) -> CompiledPolicy:
    """Return the policy with these tools unclassified: they are no longer what was classified."""
    return replace(compiled, class_of={**compiled.class_of, **dict.fromkeys(tools)}, known={})


def compile_policy(document: Document, tools: Iterable[ToolFacts]) -> CompiledPolicy:
    with collector_paused():
        compiled = _compiled(document, tools)
    if compiled.look_up_nanoseconds(LONGEST_NAME) > _SLOW_LOOK_UP_NANOSECONDS:
        # Nobody waits for these look-ups now; later everyone on the event loop would.
        for tool in compiled.class_of:
            compiled.applies_to(tool)
    return compiled


def _compiled(document: Document, tools: Iterable[ToolFacts]) -> CompiledPolicy:
    rules = _Rules(document)
    plans = {name: rules.kept_plan(rule, "tools", name) for name, rule in document.tools.items()}
    return CompiledPolicy(
        document=document,
        hide=NameList.of(document.hide),
        exact={name: plan for name, plan in plans.items() if not is_pattern(name)},
        patterns=by_strength(document.tools, plans),
        classes={name: rules.plan(rule, "classes", name) for name, rule in document.classes.items()},
        class_of={tool.name: known_class(tool) for tool in tools},
        otherwise=rules.default_plan() if document.default == "allow" else DEFAULT_DENY,
        resources=_access(document.resources, "/resources"),
        prompts=_access(document.prompts, "/prompts"),
    )


def _access(access: Access | None, at: str) -> CompiledAccess | None:
    if access is None:
        return None
    respelt = NameList.of(map(reading, access.deny)) if access.deny and at == "/resources" else None
    return CompiledAccess(at, access.default, NameList.of(access.allow), NameList.of(access.deny), respelt)


class _Rules:
    """Compiles the rules of one document; `all_tools` is part of every plan."""

    def __init__(self, document: Document) -> None:
        self._compiler = Compiler()
        self._all_tools = self._rule(document.all_tools, "/all_tools") if document.all_tools else None

    def plan(self, rule: Rule, section: str, name: str) -> Plan:
        at = f"/{section}/{escape_token(name)}"
        return self._plan(at, self._rule(rule, at))

    def kept_plan(self, rule: Rule, section: str, name: str) -> Plan:
        """Like `plan`, but kept. A plan keeps its rules alive, so their ids can never mean other rules."""
        if not are_kept():
            return self.plan(rule, section, name)
        everywhere = self._all_tools and id(self._all_tools.source)
        key = ("plan", section, name, id(rule), everywhere)
        return piece(key, _WEIGHT_OF_A_PLAN, lambda: (self.plan(rule, section, name), True))

    def default_plan(self) -> Plan:
        return self._plan("(default allow)", None)

    def _plan(self, allowed_by: str, rule: CompiledRule | None) -> Plan:
        rules = tuple(each for each in (rule, self._all_tools) if each is not None)
        denied = next((each for each in rules if each.source.action == "deny"), None)
        allow, sources = _fixed_allow(allowed_by, rules), _sources(rules)
        require = tuple(predicate for each in rules for predicate in each.require)
        deny_if = tuple(predicate for each in rules for predicate in each.deny_if)
        judged = denied is not None or require or deny_if
        return Plan(
            allowed_by=allowed_by,
            denied=denied,
            asked=next((each for each in rules if each.source.action == "require_approval"), None),
            require=require,
            deny_if=deny_if,
            approve_if=tuple(predicate for each in rules for predicate in each.approve_if),
            limits=tuple(limit for each in rules for limit in each.limits),
            rules=rules,
            checks=(*_required(require), *map(_ruled_out, deny_if)),
            sources=sources,
            allow=allow,
            always=None if judged else allow,
        )

    def _rule(self, rule: Rule, at: str) -> CompiledRule:
        def predicates(
            section: str, sources: tuple[Predicate, ...], join: Join
        ) -> tuple[CompiledPredicate, ...]:
            return tuple(
                self._predicate(predicate, f"{at}/{section}/{index}", rule.reason, join)
                for index, predicate in enumerate(sources)
            )

        limits = (
            _limit(limit, f"{at}/limits/{index}", limit.on_deny or rule.reason)
            for index, limit in enumerate(rule.limits)
        )
        return CompiledRule(
            at=at,
            source=rule,
            require=predicates("require", rule.require, "and"),
            deny_if=predicates("deny_if", rule.deny_if, "or"),
            approve_if=predicates("approve_if", rule.approve_if, "or"),
            limits=tuple(limits),
        )

    def _predicate(self, source: Predicate, at: str, reason: str | None, join: Join) -> CompiledPredicate:
        conditions = tuple(self._compiler.condition(condition, join) for condition in source.conditions)
        return CompiledPredicate(at, conditions, source.on_deny or reason)


def _limit(source: Limit, at: str, reason: str | None) -> CompiledLimit:
    fixed = None
    if source.key is None and source.increment_from is None and "{tool}" not in source.counter:
        fixed = take_quota(source, source.counter, None, MICROS, at, reason)
    return CompiledLimit(at, source, reason, fixed)


def take_quota(
    source: Limit, counter: str, key: CounterKey, cost_micros: int, at: str, reason: str | None
) -> TakeQuota:
    window, most = source.window_seconds, source.max
    adds_up = source.increment_from.text if source.increment_from else ""
    return TakeQuota(counter, key, source.scope, window, most, cost_micros, at, reason, adds_up)


def _fixed_allow(allowed_by: str, rules: tuple[CompiledRule, ...]) -> Decision | None:
    quotas = [limit.fixed for rule in rules for limit in rule.limits]
    asks = any(rule.source.action == "require_approval" or rule.approve_if for rule in rules)
    if asks or None in quotas:
        return None
    return Decision(Outcome.ALLOW, None, allowed_by, None, tuple(quota for quota in quotas if quota))


def _required(predicates: Iterable[CompiledPredicate]) -> Iterator[Check]:
    for predicate in predicates:
        for condition in predicate.conditions:
            yield condition.member, condition.judge, condition.missing, True, predicate


def _ruled_out(predicate: CompiledPredicate) -> Check:
    if len(predicate.conditions) == 1:
        condition = predicate.conditions[0]
        return condition.member, condition.judge, condition.missing, False, predicate
    return None, lambda _, work: predicate.test(work), False, False, predicate


def _sources(rules: tuple[CompiledRule, ...]) -> Sources:
    conditions = [
        (condition.source, condition.program)
        for rule in rules
        for predicate in rule.predicates()
        for condition in predicate.conditions
    ]
    limits = [limit for rule in rules for limit in rule.source.limits]
    counted = [path for limit in limits for path in (limit.key, limit.increment_from) if path is not None]
    return Sources(conditions, counted) if conditions or counted else NO_SOURCES
