"""The verbs of policies and grants, called by both faces: the screens and the REST API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from accounts.audit import record_event
from accounts.limits import Limit, leave_room
from accounts.models import AuditEvent, Membership
from accounts.permissions import May, require, require_still
from common.alone import BEGINNING, wait_for_ones_turn
from common.errors import Conflict, InvalidInput, Stale
from common.events import config_changed, happened
from common.held import held
from common.ids import new_uuid
from common.notifications import POLICIES, notify
from common.tokens import new_token, token_hash
from policies.beside import NOTHING_BESIDE, Beside, beside
from policies.language.blocks import is_readable
from policies.language.canonical import canonical_text
from policies.language.cases import TestResult, name_of, run_tests
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.document import Document
from policies.language.effects import Effect, effects
from policies.language.lint import LintFinding, lint, shared_counters
from policies.language.parse import parse_policy
from policies.language.place import Places
from policies.language.problems import PolicyInvalid, Problem
from policies.models import Grant, Policy, PolicyRevision
from servers.models import Server, Tool

MAX_DRAFT_BYTES = 1_048_576
# A text of a megabyte can have tens of thousands, and nobody reads more than this. Errors come first.
MOST_FINDINGS = 500
OVERLAP_SECONDS = 3600
A_SITTING = timedelta(minutes=5)
LONGEST_OVERLAP_SECONDS = 7 * 86_400

STARTING_DOCUMENT = """{
  "version": "1",
  "default": "deny",
  "tools": {}
}"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of the linter in a policy that parses, with its place. Errors block publishing."""

    pointer: str
    code: str
    severity: str
    message: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong with a text (`problems`), or else what it would do and what is doubtful about it."""

    problems: tuple[Problem, ...]
    effects: dict[str, Effect]
    compiled: CompiledPolicy | None
    findings: tuple[Finding, ...] = ()
    tests: tuple[TestResult, ...] = ()
    failed: tuple[Problem, ...] = ()  # the tests that fail, each at the rule that decided

    @property
    def blocking(self) -> tuple[Problem, ...]:
        """Why it cannot be published; empty when it can."""
        errors = (finding for finding in self.findings if finding.severity == "error")
        return self.problems or (
            *(
                Problem(found.pointer, found.code, found.message, found.line, found.column)
                for found in errors
            ),
            *self.failed,
        )


def tool_facts(server: Server) -> list[ToolFacts]:
    rows = Tool.objects.filter(server=server).present().values_list("name", "tool_class", "input_schema")
    return [ToolFacts(name, tool_class or None, schema) for name, tool_class, schema in rows]


def judge(text: str, tools: Sequence[ToolFacts], beside: Beside = NOTHING_BESIDE) -> Judgement:
    """Judges any text without raising."""
    try:
        document = parse_policy(text)
    except PolicyInvalid as invalid:
        return Judgement(invalid.problems[:MOST_FINDINGS], {}, None)
    compiled = compile_policy(document, tools)
    shared = beside.counters
    found = lint(document, tools, approval_seconds=beside.approval_seconds, other_counters=shared)
    places = Places(text)
    findings = tuple(_placed(places, finding) for finding in found[:MOST_FINDINGS])
    results = run_tests(compiled, beside.tests)
    failed = tuple(_failure(places, result) for result in results if not result.passed)
    known = effects(compiled, [tool.name for tool in tools])
    return Judgement((), known, compiled, findings, results, failed)


@transaction.atomic
def create_policy(by: Membership, server: Server, name: str, text: str = STARTING_DOCUMENT) -> Policy:
    """Creates a draft, which may have problems. Nothing is enforced until it is published."""
    require(by, May.EDIT_POLICIES)
    name = name.strip()
    problems = {}
    if not name or len(name) > 80 or not name.isprintable():
        problems["name"] = "Give the policy a name of 1 to 80 ordinary characters."
    if server.retired_at is not None:
        problems["server"] = f"{server.name} is retired."
    problems |= _problem_of_size(text)
    if problems:
        raise InvalidInput(problems)
    leave_room(by, Limit.POLICIES, May.EDIT_POLICIES)
    try:
        with transaction.atomic():
            policy = Policy.objects.create(
                organization_id=by.organization_id, server=server, name=name, draft=text, created_by=by
            )
    except IntegrityError:
        raise InvalidInput({"name": f"{server.name} already has a policy named {name}."}) from None
    record_event(by, "policy.created", policy.public_id, name)
    return policy


@transaction.atomic
def save_draft(by: Membership, policy: Policy, text: str, *, if_version: int | None = None) -> Policy:
    """Keeps the text exactly as typed. Raises Stale if someone has saved since `if_version`."""
    policy, changed = _kept(by, policy, text, if_version)
    if changed and not _noted_lately(by, policy):
        record_event(by, "policy.draft_saved", policy.public_id, policy.name, version=policy.version)
    return policy


def _noted_lately(by: Membership, policy: Policy) -> bool:
    """True if a save by this person was recorded in the last minutes: the editor saves with every change, so
    one sitting is one event. For an API key every save is recorded.
    """
    mine = AuditEvent.objects.visible_to(by).filter(actor_member_id=by.pk, subject=policy.public_id)
    lately = mine.filter(verb="policy.draft_saved", at__gt=timezone.now() - A_SITTING)
    return by.acting_key is None and lately.exists()


def _kept(by: Membership, policy: Policy, text: str, if_version: int | None) -> tuple[Policy, bool]:
    """Keeps the text as the draft; returns the policy as it is now and whether the text has changed."""
    require(by, May.EDIT_POLICIES)
    if problems := _problem_of_size(text):
        raise InvalidInput(problems)
    policy = held(Policy.objects.select_for_update(no_key=True).filter(pk=policy.pk))
    require_still(by, May.EDIT_POLICIES)
    if if_version is not None and policy.version != if_version:
        raise Stale("Someone saved this policy while you were editing. Compare, or put yours on top.")
    if text == policy.draft:
        return policy, False
    policy.last_readable = _last_readable(policy, text)
    policy.draft = text
    policy.draft_saved_at = timezone.now()
    policy.version += 1
    policy.save(update_fields=["draft", "last_readable", "draft_saved_at", "version"])
    notify(POLICIES, str(policy.organization_id))
    return policy, True


@transaction.atomic
def publish_policy(
    by: Membership, policy: Policy, text: str | None = None, *, note: str = "", if_version: int | None = None
) -> PolicyRevision:
    """Makes the text (default: the draft) the revision in force. Raises PolicyInvalid with every problem."""
    require(by, May.PUBLISH)
    if text is not None:
        policy, _ = _kept(by, policy, text, if_version)
    # The policy alone: calls that refer to its server begin to wait for a person meanwhile.
    locked = Policy.objects.select_for_update(of=("self",), no_key=True).select_related("server")
    policy = held(locked.filter(pk=policy.pk))
    require_still(by, May.PUBLISH)
    if if_version is not None and text is None and policy.version != if_version:
        raise Stale("Someone saved this policy while you were editing. Compare, or put yours on top.")
    if policy.server.retired_at is not None:
        raise Conflict(f"{policy.server.name} is retired; nothing can be published for it.")
    facts = tool_facts(policy.server)
    if blocking := judge(policy.draft, facts, beside(policy)).blocking:
        raise PolicyInvalid(blocking)
    revision = _add_revision(by, policy, parse_policy(policy.draft), facts, note)
    record_event(by, "policy.published", policy.public_id, policy.name, revision=revision.number)
    config_changed.send(sender=Policy, organization_id=policy.organization_id)
    notify(POLICIES, str(policy.organization_id))
    _tell(by, policy, revision)
    return revision


@transaction.atomic
def restore_revision(
    by: Membership, revision: PolicyRevision, *, if_version: int | None = None
) -> PolicyRevision:
    """Publishes an earlier revision's text as a new one and makes it the draft; history never changes."""
    require(by, May.PUBLISH)
    note = f"Restores revision {revision.number}."
    return publish_policy(by, revision.policy, revision.text, note=note, if_version=if_version)


@transaction.atomic
def issue_grant(
    by: Membership,
    server: Server,
    policy: Policy | None,
    label: str,
    expires_at: datetime | None = None,
    *,
    holder: Membership | None = None,
    pk: UUID | None = None,
) -> tuple[Grant, str]:
    """Issues a grant; returns it with its token, which is shown once and stored only as a hash.

    Without a policy every call is denied. `holder`: the member whose agent calls with it, by default `by`.

    A caller that may be asked twice for the same grant chooses its `pk`; the second time raises Conflict.
    """
    require(by, May.ISSUE_GRANTS)
    label = label.strip()
    if problems := _problems_of_grant(server, policy, label, expires_at):
        raise InvalidInput(problems)
    leave_room(by, Limit.GRANTS, May.ISSUE_GRANTS)
    holder = holder or by
    # With the organization locked, whoever is a member now stays one until the grant is there.
    if not Membership.objects.visible_to(by).filter(pk=holder.pk).exists():
        raise InvalidInput({"holder": "Choose a member of this organization."})
    token = new_token("plg_")
    try:
        with transaction.atomic():
            grant = Grant.objects.create(
                id=pk or new_uuid(),
                organization_id=by.organization_id,
                server=server,
                policy=policy,
                label=label,
                token_hash=token_hash(token),
                hint=token[:8],
                holder=holder,
                issued_by=by,
                expires_at=expires_at,
            )
    except IntegrityError:
        raise Conflict("This grant was already issued.") from None
    record_event(
        by,
        "grant.issued",
        grant.public_id,
        label,
        server=server.public_id,
        server_name=server.name,
        **_under(policy),
        holder=holder.public_id,
        holder_email=holder.user.email,
        expires_at=expires_at.isoformat() if expires_at else None,
    )
    config_changed.send(sender=Grant, organization_id=grant.organization_id)
    return grant, token


def _problems_of_grant(
    server: Server, policy: Policy | None, label: str, expires_at: datetime | None
) -> dict[str, str]:
    problems = {}
    if not label or len(label) > 80 or not label.isprintable():
        problems["label"] = "Say which agent it is for, in 1 to 80 ordinary characters."
    if policy is not None and policy.server_id != server.pk:
        problems["policy"] = f"{policy.name} is a policy of another server."
    if expires_at is not None and expires_at <= timezone.now():
        problems["expires_at"] = "Choose a time in the future."
    if server.retired_at is not None:
        problems["server"] = f"{server.name} is retired."
    return problems


@transaction.atomic
def move_grant(by: Membership, grant: Grant, policy: Policy | None) -> Grant:
    """Puts a grant under another policy of its server."""
    require(by, May.MOVE_GRANTS)
    grant = _locked_grant(by, grant, May.MOVE_GRANTS)
    if grant.revoked_at is not None:
        raise Conflict("This grant is revoked; issue a new one.")
    if policy is not None and policy.server_id != grant.server_id:
        raise InvalidInput({"policy": f"{policy.name} is a policy of another server."})
    before, grant.policy = _under(grant.policy), policy
    grant.save(update_fields=["policy"])
    record_event(by, "grant.moved", grant.public_id, grant.label, **_under(policy), before=before)
    config_changed.send(sender=Grant, organization_id=grant.organization_id)
    return grant


@transaction.atomic
def revoke_grant(by: Membership, grant: Grant) -> Grant:
    require(by, May.ISSUE_GRANTS)
    grant = _locked_grant(by, grant, May.ISSUE_GRANTS)
    if grant.revoked_at is None:
        grant.revoked_at = timezone.now()
        grant.save(update_fields=["revoked_at"])
        record_event(by, "grant.revoked", grant.public_id, grant.label)
        config_changed.send(sender=Grant, organization_id=grant.organization_id)
    return grant


@transaction.atomic
def rotate_grant(
    by: Membership, grant: Grant, overlap_seconds: int = OVERLAP_SECONDS, *, hint: str | None = None
) -> tuple[Grant, str]:
    """Gives the same grant a new token, shown once. The previous token works until the overlap ends; those
    before it no longer work. Counters continue: they belong to the grant, not to the token.

    `hint`: that of the token to be replaced. Raises Conflict if the grant has another token by now.
    """
    require(by, May.ISSUE_GRANTS)
    if not 0 <= overlap_seconds <= LONGEST_OVERLAP_SECONDS:
        raise InvalidInput({"overlap_seconds": "Choose a time from 0 seconds to 7 days."})
    grant = _locked_grant(by, grant, May.ISSUE_GRANTS)
    if hint not in (None, grant.hint):
        raise Conflict("This token was already rotated. The new one was shown then, once; rotate it again.")
    if grant.state != "active":
        raise Conflict(f"This grant is {grant.state}. Issue another one instead.")
    token, now = new_token("plg_"), timezone.now()
    grant.earlier_hash = grant.token_hash if overlap_seconds else ""
    grant.earlier_until = now + timedelta(seconds=overlap_seconds) if overlap_seconds else None
    grant.earlier_by = grant.rotated_by
    grant.token_hash, grant.hint = token_hash(token), token[:8]
    grant.rotated_at, grant.rotated_by = now, by
    grant.save(
        update_fields=[
            *("earlier_hash", "earlier_until", "earlier_by"),
            *("token_hash", "hint", "rotated_at", "rotated_by"),
        ]
    )
    record_event(by, "grant.rotated", grant.public_id, grant.label, overlap_seconds=overlap_seconds)
    config_changed.send(sender=Grant, organization_id=grant.organization_id)
    return grant, token


def _under(policy: Policy | None) -> dict[str, str | None]:
    """The policy of a grant, for the audit log; its name as it is now."""
    return {
        "policy": policy.public_id if policy else None,
        "policy_name": policy.name if policy else None,
    }


def _locked_grant(by: Membership, grant: Grant, act: May) -> Grant:
    # A call of it that begins to wait does so before, and is then made void, or after, and is then refused.
    wait_for_ones_turn(BEGINNING, str(by.organization_id))
    grant = held(Grant.objects.select_for_update(no_key=True).filter(pk=grant.pk))
    require_still(by, act)
    return grant


def _tell(by: Membership, policy: Policy, revision: PolicyRevision) -> None:
    data = {
        "policy": {"id": policy.public_id, "name": policy.name},
        "server": {"id": policy.server.public_id, "name": policy.server.name},
        "revision": {"id": revision.public_id, "number": revision.number},
        "published_by": by.user.email,
        "note": revision.note,
    }
    happened.send(Policy, organization_id=policy.organization_id, kind="policy.published", data=data)


def _placed(places: Places, found: LintFinding) -> Finding:
    line, column = places.nearest(found.pointer)
    return Finding(found.pointer, found.code, str(found.severity), found.message, line, column)


def _failure(places: Places, result: TestResult) -> Problem:
    rule = result.decision.rule
    pointer = rule if rule.startswith("/") else ""
    message = f"The test {name_of(result.test)} fails: {result.sentence}"
    return Problem(pointer, "test_failed", message, *places.nearest(pointer))


def _add_revision(
    by: Membership, policy: Policy, document: Document, tools: Sequence[ToolFacts], note: str
) -> PolicyRevision:
    last = PolicyRevision.objects.filter(policy=policy).aggregate(last=Max("number"))["last"] or 0
    classed = Tool.objects.filter(server=policy.server).present().exclude(tool_class="")
    revision = PolicyRevision.objects.create(
        organization_id=policy.organization_id,
        policy=policy,
        number=last + 1,
        text=policy.draft,
        document=canonical_text(document),
        shared_counters=shared_counters(document, tools),
        classes=[list(row) for row in classed.order_by("name").values_list("name", "tool_class", "digest")],
        note=note.strip()[:300],
        published_by=by,
        published_by_email=by.user.email,
    )
    policy.published_revision = revision
    policy.save(update_fields=["published_revision"])
    return revision


def _last_readable(policy: Policy, text: str) -> str:
    """Returns the draft that the builder shows while the text is not a JSON object."""
    if is_readable(text):
        return ""
    return policy.draft if is_readable(policy.draft) else policy.last_readable


def _problem_of_size(text: str) -> dict[str, str]:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_DRAFT_BYTES:
        return {"document": "A policy has at most 1,048,576 bytes."}
    if "\x00" in text:
        return {"document": "The text holds a NUL character; remove it."}
    return {}
