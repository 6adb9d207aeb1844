"""The one place that decides what happens to a call.

No clock, no I/O, no randomness: the same question always has the same answer.
"""

import re
from typing import assert_never

from . import sentences, undecided
from .compile import (
    CompiledAccess,
    CompiledLimit,
    CompiledPolicy,
    CompiledPredicate,
    Plan,
    Refusal,
    take_quota,
)
from .conditions import Verdict
from .decision import (
    MISSING,
    AwaitApproval,
    Call,
    Decision,
    Outcome,
    PromptGet,
    ResourceRead,
    TakeQuota,
    ToolCall,
)
from .phrases import condition_words, in_code
from .quota import Unusable, cost_of, key_of
from .sentences import Thing
from .work import Work

# A segment of a path that is `.` or `..`, however it is spelt.
_DOT_SEGMENT = re.compile(r"(?:\A|/|%2f|%5c)(?:\.|%2e){1,2}(?=[/?#]|%2f|%5c|\Z)", re.IGNORECASE)


def decide(compiled: CompiledPolicy | None, call: Call) -> Decision:
    if type(call) is ToolCall:
        return decide_tool(compiled, call)
    match call:
        case ResourceRead(uri):
            return _decide_access(compiled, "resource", uri)
        case PromptGet(name):
            return _decide_access(compiled, "prompt", name)
        case _:
            assert_never(call)


def is_listed(compiled: CompiledPolicy | None, tool: str) -> bool:
    """Return False exactly for tools whose calls are all answered as if the tool did not exist."""
    return compiled is not None and isinstance(compiled.applies_to(tool), Plan)


def names_exactly(compiled: CompiledPolicy | None, tool: str) -> bool:
    return compiled is not None and tool in compiled.exact


def _deny(code: str, rule: str, reason: str, explained: str | None = None) -> Decision:
    return Decision(Outcome.DENY, code, rule, reason, explained=explained or reason)


def _no_policy() -> Decision:
    return _deny("no_policy", "(no policy)", sentences.no_policy_sentence())


# Tools


def decide_tool(compiled: CompiledPolicy | None, call: ToolCall) -> Decision:
    if compiled is None:
        return _no_policy()
    applies = compiled.known.get(call.tool) or compiled.applies_to(call.tool)
    if type(applies) is Refusal:
        return _deny(applies.code, applies.rule, sentences.not_available_sentence(call.tool))
    arguments = call.arguments
    if arguments is MISSING:
        arguments = {}
    if not isinstance(arguments, dict):
        return _deny("malformed", "(malformed)", sentences.malformed_sentence())
    if applies.always is not None:
        return applies.always
    work = Work(arguments, applies.sources)
    return _refused(applies, call.tool, work) or applies.allow or _admitted(applies, call.tool, work)


def _refused(plan: Plan, tool: str, work: Work) -> Decision | None:
    """Take steps 3 to 6, which spend nothing."""
    if plan.denied is not None:
        rule = plan.denied
        return _deny("denied", f"{rule.at}/action", rule.source.reason or sentences.denied_sentence(tool))
    arguments = work.arguments
    for member, judge, missing, wanted, predicate in plan.checks:
        value = arguments if member is None else arguments.get(member, MISSING)
        verdict = missing if value is MISSING else judge(value, work)
        if verdict is not wanted:
            refused = _unmet if wanted else _met
            return refused(predicate, verdict, tool, work)
    for predicate in plan.approve_if:
        if predicate.test(work) is None:
            return _undecidable(predicate, work)
    return None


def _unmet(predicate: CompiledPredicate, verdict: Verdict, tool: str, work: Work) -> Decision:
    """One of the predicate's conditions is not true. If it is undecidable, a false one still decides."""
    if verdict is None and predicate.test(work) is None:
        return _undecidable(predicate, work)
    return _requirement_failed(predicate, tool, work)


def _met(predicate: CompiledPredicate, verdict: Verdict, tool: str, work: Work) -> Decision:
    return _undecidable(predicate, work) if verdict is None else _denied_if(predicate, tool)


def _admitted(plan: Plan, tool: str, work: Work) -> Decision:
    """Take steps 7 to 10: find what is owed before the call may go on."""
    quotas: list[TakeQuota] = []
    for limit in plan.limits:
        if limit.fixed is not None:
            quotas.append(limit.fixed)
            continue
        source = limit.source
        key = key_of(work.arguments, source.key)
        cost = cost_of(work.arguments, source.increment_from)
        if isinstance(key, Unusable):
            return _uncounted(limit, key)
        if isinstance(cost, Unusable):
            return _uncounted(limit, cost)
        counter = source.counter.replace("{tool}", tool)
        quotas.append(take_quota(source, counter, key, cost, limit.at, limit.reason))
    asked = _asks(plan, work)
    if asked is None:
        return Decision(Outcome.ALLOW, None, plan.allowed_by, None, tuple(quotas))
    at, explicit = asked
    reason = explicit or sentences.approval_required_sentence(tool)
    owed = AwaitApproval(at, reason, plan.allowed_by)
    return Decision(Outcome.APPROVAL, "approval_required", at, reason, tuple(quotas), owed, reason)


def _uncounted(limit: CompiledLimit, unusable: Unusable) -> Decision:
    standard = sentences.undecidable_sentence(unusable.path, unusable.must_be)
    return _deny("undecidable", limit.at, limit.reason or standard)


def _asks(plan: Plan, work: Work) -> tuple[str, str | None] | None:
    """Return the first reason to ask a person: its place and its explicit text."""
    for rule in plan.rules:
        if rule.source.action == "require_approval":
            return f"{rule.at}/action", rule.source.reason
        for predicate in rule.approve_if:
            if predicate.test(work):
                return predicate.at, predicate.reason
    return None


def _requirement_failed(predicate: CompiledPredicate, tool: str, work: Work) -> Decision:
    failed = [condition.source for condition in predicate.conditions if condition.test(work) is False]
    paths = [condition.path.text for condition in failed]
    standard = sentences.requirement_failed_sentence(tool, paths)
    wanted = sentences.listed(condition_words(condition, "must be", quoted=in_code) for condition in failed)
    explained = sentences.requirement_failed_sentence(tool, [wanted])
    return _said("requirement_failed", predicate, standard, explained)


def _denied_if(predicate: CompiledPredicate, tool: str) -> Decision:
    paths = [condition.source.path.text for condition in predicate.conditions]
    return _said("denied", predicate, sentences.denied_sentence(tool), sentences.denied_sentence(tool, paths))


def _undecidable(predicate: CompiledPredicate, work: Work) -> Decision:
    return _said("undecidable", predicate, undecided.sentence(predicate.conditions, work))


def _said(code: str, predicate: CompiledPredicate, standard: str, explained: str | None = None) -> Decision:
    """Deny by a predicate. An explicit text goes to the agent as written, whether explained or not."""
    reason = predicate.reason or standard
    return _deny(code, predicate.at, reason, predicate.reason or explained)


# Resources and prompts


def _decide_access(compiled: CompiledPolicy | None, thing: Thing, name: str) -> Decision:
    if compiled is None:
        return _no_policy()
    access = compiled.resources if thing == "resource" else compiled.prompts
    if access is None:
        return _by_default(compiled.document.default, "(default deny)", "(default allow)", thing, name)
    if access.is_too_much(name):
        asked = "The URI" if thing == "resource" else "The name"
        standard = sentences.undecidable_sentence(asked, "it is too long for so many patterns")
        return _deny("undecidable", access.at, standard)
    if thing == "resource" and ("\\" in name or _DOT_SEGMENT.search(name)):
        must_be = "it must hold no backslash and no . or .. segment"
        return _deny("undecidable", access.at, sentences.undecidable_sentence("The URI", must_be))
    return _listed_access(access, thing, name)


def _listed_access(access: CompiledAccess, thing: Thing, name: str) -> Decision:
    denied = access.deny.first_match(name)
    if denied is not None:
        reason = f"This {thing} is not allowed."
        return _deny("denied", f"{access.at}/deny/{denied}", reason)
    allowed = access.allow.first_match(name)
    if allowed is not None:
        return Decision(Outcome.ALLOW, None, f"{access.at}/allow/{allowed}", None)
    at = f"{access.at}/default"
    return _by_default(access.default, at, at, thing, name)


def _by_default(default: str, denied_by: str, allowed_by: str, thing: Thing, name: str) -> Decision:
    if default == "allow":
        return Decision(Outcome.ALLOW, None, allowed_by, None)
    return _deny("default_deny", denied_by, sentences.not_available_sentence(name, thing))
