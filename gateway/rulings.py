"""Rulings made from decisions, and those of the same shape that never come from the policy."""

from typing import Final

from gateway.counters.base import Full
from gateway.effects import Approval, Ruling
from gateway_config.wire.approvals import ClaimAnswer
from policies.language import sentences
from policies.language.decision import AwaitApproval, Decision, Outcome, TakeQuota

_CONFIGURATION_EXPIRED: Final = (
    "The gateway has been out of touch with its control plane for too long; try later."
)
_RECORD_UNAVAILABLE: Final = "The gateway cannot write its log now, so it sends no calls; try again later."
_INTERNAL_ERROR: Final = "The gateway failed on this call and did not send it on."
FAILED_WHILE_SENDING: Final = "The gateway failed on this call and may have sent it on already."
_APPROVAL_UNAVAILABLE: Final = "This call needs a person's approval, and nobody can be asked now."


def allowed(rule: str) -> Ruling:
    return Ruling(True, None, rule)


def of_decision(decision: Decision) -> Ruling:
    allowed = decision.outcome is Outcome.ALLOW
    return Ruling(allowed, decision.code, decision.rule, decision.reason, decision.explained)


def not_listed(tool: str) -> Ruling:
    return Ruling(False, "not_listed", "(not listed)", sentences.not_available_sentence(tool))


def named_twice(decision: Decision) -> Ruling:
    owed = decision.approval
    rule = decision.rule if owed is None else owed.rule_when_approved
    return Ruling(False, "undecidable", rule, sentences.named_twice_sentence())


def limit_exceeded(tool: str, quota: TakeQuota, full: Full) -> Ruling:
    explicit, retry_after = quota.reason_when_full, full.retry_after_seconds
    return Ruling(
        False,
        "limit_exceeded",
        quota.rule,
        explicit or sentences.limit_exceeded_sentence(tool, retry_after),
        explicit
        or sentences.limit_explained_sentence(
            tool, quota.max, quota.window_seconds, retry_after, quota.adds_up
        ),
        retry_after,
        quota.max,
        full.left_micros,
    )


def limiter_unavailable(tool: str, quota: TakeQuota) -> Ruling:
    return Ruling(False, "limiter_unavailable", quota.rule, sentences.limiter_unavailable_sentence(tool))


def approval_unavailable(owed: AwaitApproval) -> Ruling:
    return Ruling(False, "approval_unavailable", owed.rule, _APPROVAL_UNAVAILABLE)


def approved(owed: AwaitApproval, claimed: ClaimAnswer) -> Ruling:
    return Ruling(True, None, owed.rule_when_approved, approval=_named(claimed))


def approval_required(owed: AwaitApproval, claimed: ClaimAnswer) -> Ruling:
    return Ruling(False, "approval_required", owed.rule, owed.reason, owed.reason, approval=_named(claimed))


def approval_declined(owed: AwaitApproval, claimed: ClaimAnswer) -> Ruling:
    told = sentences.approval_declined_sentence()
    return Ruling(False, "approval_declined", owed.rule, told, approval=_named(claimed))


def approval_expired(owed: AwaitApproval, claimed: ClaimAnswer) -> Ruling:
    told = sentences.approval_expired_sentence()
    return Ruling(False, "approval_expired", owed.rule, told, approval=_named(claimed))


def _named(claimed: ClaimAnswer) -> Approval:
    return Approval(claimed.id, claimed.url)


def record_unavailable(rule: str) -> Ruling:
    return Ruling(False, "record_unavailable", rule, _RECORD_UNAVAILABLE)


RESPELT: Final = Ruling(
    False,
    "undecidable",
    "/resources",
    "The URI cannot be judged: some servers read it as a different one. Write it as the server lists it, "
    "with a plain host in lower case and without a default port.",
)
CONFIGURATION_EXPIRED: Final = Ruling(
    False, "configuration_expired", "(configuration expired)", _CONFIGURATION_EXPIRED
)
INTERNAL_ERROR: Final = Ruling(False, "internal_error", "(internal error)", _INTERNAL_ERROR)
