"""The kinds of problem documents: the status of each, what it means and what to do. Each has a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings


@dataclass(frozen=True, slots=True)
class ProblemKind:
    status: int
    title: str
    help: str


PROBLEMS: Final[dict[str, ProblemKind]] = {
    "invalid_input": ProblemKind(
        400,
        "Some of what was sent cannot be used.",
        "`errors` names each field by its place in the body (`pointer`) or each parameter of the URL "
        "(`parameter`), with a sentence that says what would be accepted. Nothing was changed.",
    ),
    "invalid_policy": ProblemKind(
        422,
        "The policy has problems.",
        "`errors` has every problem, each with its place in the document, line and column, and a code that "
        "the policy reference explains. A draft can be saved with problems; it cannot be published with "
        "them.",
    ),
    "malformed_json": ProblemKind(
        400,
        "The body is not well-formed JSON.",
        "The body has to be one JSON value in UTF-8: no name twice in one object, no NaN, nothing after "
        "its end. The detail says at which line and column reading stopped.",
    ),
    "unauthenticated": ProblemKind(
        401,
        "Send a valid API key, or sign in.",
        "Send `Authorization: Bearer plk_…`. A key stops working when it expires, is revoked, or its "
        "maker leaves the organization; make another under Settings, API keys.",
    ),
    "not_allowed": ProblemKind(
        403,
        "Your role or key does not allow this.",
        "The detail names the role or the scope that is missing. A key does what its scopes say, within "
        "what its maker may do now; no key makes keys.",
    ),
    "not_found": ProblemKind(
        404,
        "There is nothing here.",
        "The path or an id in it names nothing in your organization. An id of another kind, or of another "
        "organization, is answered the same.",
    ),
    "method_not_allowed": ProblemKind(
        405, "This path does not answer that method.", "The header `Allow` lists the methods it answers."
    ),
    "not_acceptable": ProblemKind(
        406, "This path answers JSON.", "Leave `Accept` out, or let it include application/json."
    ),
    "conflict": ProblemKind(
        409,
        "What was asked for no longer fits what is there.",
        "A name is taken, or it was retired, revoked or answered meanwhile. Read it again and decide afresh.",
    ),
    "too_large": ProblemKind(413, "The body is too large.", "A body may have 2 MiB."),
    "unsupported_media_type": ProblemKind(
        415, "Send application/json.", "The header `Content-Type` of the request says something else."
    ),
    "stale": ProblemKind(
        412,
        "It has changed since you read it.",
        "The version in `If-Match` is not the newest. Read it again, look at what someone else changed, "
        "and send the change with the new ETag.",
    ),
    "key_reused": ProblemKind(
        422,
        "This Idempotency-Key belongs to another request.",
        "The same key was sent with another path or body within 24 hours. Choose a new key for each act; "
        "send it again only with the identical request.",
    ),
    "precondition_required": ProblemKind(
        428,
        "Say which version you change.",
        "Send `If-Match` with the ETag that came with what you read. `If-Match: *` overwrites whatever is "
        "there.",
    ),
    "limit_reached": ProblemKind(
        429,
        "There are already as many of these as allowed.",
        "Waiting does not help: remove some, or ask whoever runs this installation for a higher limit. "
        "Settings, Usage shows all limits.",
    ),
    "throttled": ProblemKind(
        429,
        "Too many requests.",
        "Wait for as many seconds as `Retry-After` says. `RateLimit` on every answer says how many requests "
        "are left.",
    ),
    "failed": ProblemKind(
        500,
        "Something broke on our side.",
        "What went wrong is in the log of whoever runs this installation. Nothing was changed.",
    ),
    "unavailable": ProblemKind(
        503,
        "The control plane is briefly unavailable.",
        "Its database does not answer, or is being brought up to date. Wait for as many seconds as "
        "`Retry-After` says; a POST that is sent again with its `Idempotency-Key` is done once. Gateways do "
        "not depend on it and go on judging calls.",
    ),
}


def problem_type(kind: str) -> str:
    """The address of a kind's page. Programs compare `code`, its last word."""
    return f"{settings.PUBLIC_URL}/api/docs/problems/{kind}/"
