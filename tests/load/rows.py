"""Makes an organization of any size with COPY, on which pages and lists are measured and counted.

It works on the open connection, as the owner of the tables. What it makes is drawn from a seed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, models
from django.utils import timezone
from psycopg import sql

from accounts.models import ApiKey, AuditEvent, Invitation, Membership, Organization, Role, User
from accounts.permissions import SCOPES
from approvals.models import Notice, Webhook
from audit.models import DecisionRecord
from common.ids import new_uuid, public_id
from common.tokens import new_token, token_hash
from policies.language.canonical import canonical_text
from policies.language.parse import parse_policy
from policies.models import Grant, Policy, PolicyRevision
from servers.models import Server, Tool, ToolClass, ToolScan
from tests.load.asked import Around, calls_asked_about

VERBS: Final = ("list", "get", "search", "create", "update", "delete", "run", "pay", "export", "rotate")
NOUNS: Final = ("user", "role", "invoice", "ticket", "bucket", "secret", "branch", "page", "order", "key")
CODES: Final = ((0.8, "allow", None), (0.9, "deny", "default_deny"), (0.96, "deny", "limit_exceeded"))
HANDFUL: Final = 6
# A tool that is called once, half way through the days.
ONCE: Final = "wipe_disk_1"
DOCUMENT: Final = """{
  "version": "1",
  "default": "deny",
  "classes": { "Read": {}, "Destructive": { "action": "deny", "reason": "Deleting is done by people." } },
  "tools": {
    "create_*": { "rate_limit": { "max": 30, "window": "minute" } },
    "pay_*": { "approve_if": [{ "conditions": [{ "path": "args.amount", "op": "gt", "value": 500 }] }] },
    "rotate_key_%d": { "action": "require_approval" }
  }
}"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. `tools` is the total of all servers, `decisions` of all days; `answered` and
    `waiting` are calls that a person was, or is, asked about. `others`: of each other kind of thing.
    """

    servers: int = 200
    tools: int = 5_000
    policies: int = 500
    grants: int = 1_000
    members: int = 50
    decisions: int = 1_000_000
    days: int = 30
    answered: int = 100_000
    waiting: int = 500
    others: int = 1_000

    def scaled(self, by: float) -> Sizes:
        small = {name: max(3, int(getattr(self, name) * by)) for name in self.__slots__ if name != "days"}
        return Sizes(**small, days=self.days)


@dataclass(slots=True)
class Filled:
    """The id of one of each thing, as in URLs, and for each role a member and a key with all scopes."""

    organization: UUID
    ids: dict[str, str] = field(default_factory=dict)
    members: dict[str, UUID] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


def fill(name: str, sizes: Sizes, seed: int) -> Filled:
    return _Filling(name, sizes, random.Random(seed)).run()


def copy(rows: Sequence[models.Model]) -> None:
    """Write every column of every row as the ORM would, except columns with a default in the database."""
    if not rows:
        return
    fields = [one for one in rows[0]._meta.concrete_fields if _is_plain(one)]
    prepared = (
        [one.get_db_prep_save(getattr(row, one.attname), connection) for one in fields] for row in rows
    )
    copy_values(rows[0]._meta.db_table, [str(one.column) for one in fields], prepared)


def copy_values(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    connection.ensure_connection()
    into_columns = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.connection.cursor() as cursor, cursor.copy(into_columns) as into:
        for row in rows:
            into.write_row(row)


def _is_plain(one: models.Field[Any, Any]) -> bool:
    return not one.has_db_default()


class _Filling:
    def __init__(self, name: str, sizes: Sizes, chance: random.Random) -> None:
        self.name, self.sizes, self.chance, self.now = name, sizes, chance, timezone.now()
        self.organization = Organization(id=new_uuid(), name=name)
        self.out = Filled(self.organization.pk)
        self.servers: list[Server] = []
        self.tools: list[Tool] = []
        self.policies: list[Policy] = []
        self.revisions: list[PolicyRevision] = []
        self.grants: list[Grant] = []
        self.members: list[Membership] = []

    def run(self) -> Filled:
        copy([self.organization])
        self._people()
        self._servers()
        self._policies()
        self._grants()
        self._others()
        self._decisions()
        return self.out

    def _ago(self, number: int, of: int) -> datetime:
        return self.now - timedelta(days=self.sizes.days * (of - number) / (of + 1))

    def _people(self) -> None:
        users, roles = [], [Role.OWNER, Role.ADMIN, Role.POLICY_MANAGER, Role.VIEWER]
        for number in range(max(self.sizes.members, len(roles))):
            users.append(User(id=new_uuid(), email=f"p{number}@{self.name.lower()}.example"))
            role = roles[number] if number < len(roles) else Role.VIEWER
            made = self._ago(number, self.sizes.members)
            self.members.append(self._of(Membership, user_id=users[-1].pk, role=role, joined_at=made))
        copy(users)
        copy(self.members)
        for role, member in zip(roles, self.members, strict=False):
            token = new_token("plk_")
            key = self._of(ApiKey, member_id=member.pk, name=role, key_hash=token_hash(token), hint=token[:8])
            key.scopes = list(SCOPES)
            copy([key])
            self.out.members[role], self.out.keys[role] = member.pk, token
        self.out.ids |= {"member_id": self.members[-1].public_id, "key_id": key.public_id}

    def _servers(self) -> None:
        each = max(self.sizes.tools // self.sizes.servers, 1)
        scans = []
        for number in range(self.sizes.servers):
            server = self._of(
                Server, name=f"Server {number:04}", upstream_url=f"https://s{number}.example/mcp"
            )
            server.status, server.created_at = Server.Status.READY, self._ago(number, self.sizes.servers)
            self.servers.append(server)
            self.tools += [self._tool(server, position) for position in range(each)]
            done = {"state": "done", "tools_found": each, "changes": {}, "steps": []}
            scans += [self._of(ToolScan, server_id=server.pk, finished_at=self.now, **done) for _ in range(2)]
        for rows in (self.servers, self.tools, scans):
            copy(rows)
        self.out.ids |= {"server_id": self.servers[0].public_id, "tool_id": str(self.tools[0].pk)}

    def _tool(self, server: Server, position: int) -> Tool:
        verb, noun = VERBS[position % 10], NOUNS[position // 10 % 10]
        name = f"{verb}_{noun}_{position}"
        classes = list(ToolClass)
        tool: Tool = self._of(Tool, server_id=server.pk, name=name, title=name, position=position)
        rank = position % len(classes)
        tool.tool_class, tool.class_rank, tool.severity = classes[rank].value, rank, 4 - position % 4
        tool.description = f"Does {verb} to one {noun}. " * 6
        tool.digest = hashlib.sha256(name.encode()).hexdigest()
        properties = {word: {"type": "string", "description": f"Which {word}."} for word in NOUNS[:5]}
        tool.input_schema = {"type": "object", "properties": properties, "required": ["user"]}
        tool.evidence = [["name.verb", "name", [verb], f"The name says {verb}."]]
        return tool

    def _policies(self) -> None:
        text = DOCUMENT % 1
        document = canonical_text(parse_policy(text))
        for number in range(self.sizes.policies):
            server = self.servers[number % len(self.servers)]
            policy = self._of(Policy, server_id=server.pk, name=f"policy {number:04}", draft=text)
            policy.created_at = self._ago(number, self.sizes.policies)
            self.policies.append(policy)
            self.revisions += [self._revision(policy, text, document, which) for which in (1, 2, 3)]
        copy(self.policies)
        copy(self.revisions)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE policies_policy p SET published_revision_id = r.id FROM policies_policyrevision r"
                " WHERE r.policy_id = p.id AND r.number = 3 AND p.organization_id = %s",
                [self.organization.pk],
            )
        self.out.ids |= {"policy_id": self.policies[0].public_id, "revision_id": self.revisions[2].public_id}
        self.out.ids["number"] = "3"

    def _in_force(self) -> dict[UUID, UUID]:
        """The revision of each policy."""
        return {policy.pk: self.revisions[3 * at + 2].pk for at, policy in enumerate(self.policies)}

    def _revision(self, policy: Policy, text: str, document: str, number: int) -> PolicyRevision:
        named = {"text": text, "document": document, "classes": [], "note": f"Change {number}"}
        revision: PolicyRevision = self._of(PolicyRevision, policy_id=policy.pk, number=number, **named)
        revision.published_by_id, revision.published_by_email = self.members[0].pk, "p0@example"
        revision.published_at = policy.created_at + timedelta(minutes=number)
        return revision

    def _grants(self) -> None:
        for number in range(self.sizes.grants):
            policy = self.policies[number % len(self.policies)]
            grant = self._of(
                Grant, server_id=policy.server_id, policy_id=policy.pk, label=f"agent {number:04}"
            )
            grant.token_hash, grant.hint = token_hash(f"{self.organization.pk}{number}"), "plg_0000"
            grant.holder_id = grant.issued_by_id = self.members[number % len(self.members)].pk
            grant.issued_at = self._ago(number, self.sizes.grants)
            self.grants.append(grant)
        copy(self.grants)
        self.out.ids["grant_id"] = self.grants[0].public_id

    def _others(self) -> None:
        count = self.sizes.others
        around = Around(self.grants, self._in_force(), self.members[0], self._ago)
        approvals = calls_asked_about(self.sizes.answered, self.sizes.waiting, around)
        webhook = self._of(Webhook, url="https://hooks.example/a", sealed_secret="", created_by_email="p0@a")
        sent: dict[str, Any] = {"webhook_id": webhook.pk, "state": "sent", "status": 200, "attempts": 1}
        notices = [self._of(Notice, kind="policy.published", data={}, **sent) for _ in range(count)]
        invitations = [self._invitation(number) for number in range(min(count, 200))]
        for rows in (approvals, [webhook], notices, invitations, [self._event(n) for n in range(count)]):
            copy(rows)
        self.out.ids |= {
            "approval_id": approvals[-1].public_id,
            "webhook_id": webhook.public_id,
            "delivery_id": notices[0].public_id,
            "invitation_id": invitations[0].public_id,
        }

    def _invitation(self, number: int) -> Invitation:
        email, until = f"i{number}@{self.name.lower()}.example", self.now + timedelta(days=7)
        row: Invitation = self._of(
            Invitation, email=email, role=Role.VIEWER, expires_at=until, invited_by_email="p0@a"
        )
        row.token_hash = token_hash(str(row.pk))
        return row

    def _event(self, number: int) -> AuditEvent:
        policy = self.policies[number % len(self.policies)]
        row: AuditEvent = self._of(AuditEvent, verb="policy.published", subject=policy.public_id)
        row.actor_email, row.subject_name, row.details = "p0@example", policy.name, {"revision": 3}
        row.at = self._ago(number, self.sizes.others)
        return row

    def _decisions(self) -> None:
        first, last = self.now.date() - timedelta(days=self.sizes.days + 1), self.now.date()
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_make_partitions(%s, %s)", [first, last])
        columns = [
            str(one.column) for one in DecisionRecord._meta.concrete_fields if one.column != "position"
        ]
        copy_values("audit_decisionrecord", columns, self._records(columns))
        with connection.cursor() as cursor:
            for statement in _COUNTED:
                cursor.execute(statement, [self.organization.pk])

    def _records(self, columns: list[str]) -> Iterator[list[Any]]:
        of_server: dict[UUID, list[str]] = {}
        for tool in self.tools:
            of_server.setdefault(tool.server_id, []).append(tool.name)
        revision = self._in_force()
        otherwise = {str(one.column): one.get_default() for one in DecisionRecord._meta.concrete_fields}
        count, chance = self.sizes.decisions, self.chance
        for number in range(count):
            at, grant, place = self._ago(number, count), chance.choice(self.grants), chance.random()
            outcome, code = next((o, c) for most, o, c in (*CODES, (1.0, "approval", None)) if place < most)
            # An agent calls only a handful of the tools of its server.
            tools = of_server[grant.server_id]
            called = tools[(hash(grant.pk) + chance.randrange(HANDFUL)) % len(tools)]
            if number == count // 2:
                called = ONCE
            pk = UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | chance.getrandbits(60))
            if number == 0:
                self.out.ids["decision_id"] = public_id("dec", pk)
            row = {
                "id": pk,
                "worker": "gw-1",
                "spool": self.name,
                "sequence": number,
                "at": at,
                "arrived_at": at,
                "organization_id": self.organization.pk,
                "server_id": grant.server_id,
                "grant_id": grant.pk,
                "method": "tools/call",
                "tool": called,
                "outcome": outcome,
                "code": code,
                "rule": f"/tools/{called}" if outcome == "allow" else "(default deny)",
                "reason": "" if outcome == "allow" else f"{called} is not allowed here.",
                "policy_revision_id": revision[grant.policy_id] if grant.policy_id else None,
                "config_revision": 1,
                "argument_names": ["user"],
                "argument_digest": "",
                "added_us": chance.randrange(60, 400),
                "upstream_status": 200 if outcome == "allow" else None,
                "total_us": chance.randrange(1_000, 90_000) if outcome == "allow" else None,
            }
            yield [row.get(column, otherwise[column]) for column in columns]

    def _of(self, model: type[Any], **values: Any) -> Any:
        return model(organization_id=self.organization.pk, **values)


_SHOWN: Final = (
    "CASE WHEN outcome <> 'deny' THEN outcome WHEN code = 'limit_exceeded' THEN 'limit' ELSE 'deny' END"
)
# Counts for each unit, as `audit.counts` keeps them; rows are in the order in which calls arrive.
_COUNTED: Final = [
    statement.replace("UNIT", unit).replace("START", start).replace("SHOWN", _SHOWN).replace("KEPT", kept)
    for unit, start, calls, uses in (
        ("m", "date_trunc('minute', at, 'UTC')", "3 days", "3 hours"),
        ("t", "date_bin('30 minutes', at, '2000-01-01Z')", "3 days", ""),
        ("h", "date_trunc('hour', at, 'UTC')", "40 days", "9 days"),
        ("d", "date_trunc('day', at, 'UTC')", "800 days", "800 days"),
    )
    for statement, kept in (
        (
            "INSERT INTO audit_callcount (organization_id, unit, start, outcome, added, calls)"
            " SELECT organization_id, 'UNIT', START, SHOWN,"
            " floor(4 * log(2, added_us + 1)), count(*) FROM audit_decisionrecord"
            " WHERE organization_id = %s AND at > now() - interval 'KEPT' GROUP BY 1, 3, 4, 5 ORDER BY 3",
            calls,
        ),
        (
            "INSERT INTO audit_usecount"
            " (organization_id, unit, start, server_id, grant_id, tool, outcome, calls)"
            " SELECT organization_id, 'UNIT', START, server_id, grant_id, tool, SHOWN, count(*)"
            " FROM audit_decisionrecord WHERE organization_id = %s AND at > now() - interval 'KEPT'"
            " GROUP BY 1, 3, 4, 5, 6, 7 ORDER BY 3",
            uses,
        ),
        (
            "INSERT INTO audit_toolcount (organization_id, unit, start, tool, outcome, calls)"
            " SELECT organization_id, 'UNIT', START, tool, SHOWN, count(*)"
            " FROM audit_decisionrecord"
            " WHERE organization_id = %s AND at > now() - interval 'KEPT' GROUP BY 1, 3, 4, 5 ORDER BY 3",
            uses,
        ),
    )
    if kept
]
_COUNTED.append(
    "INSERT INTO audit_tooluser (organization_id, tool, grant_id, called, held)"
    " SELECT organization_id, tool, grant_id, date_trunc('minute', max(at), 'UTC'),"
    " date_trunc('minute', max(at) FILTER (WHERE outcome <> 'allow'), 'UTC')"
    " FROM audit_decisionrecord WHERE organization_id = %s GROUP BY 1, 2, 3"
)
_COUNTED.extend(
    "INSERT INTO audit_loggedname (organization_id, kind, digest, name, calls, seen) SELECT organization_id,"
    " 'KIND', substr(encode(sha256(convert_to(COLUMN, 'UTF8')), 'hex'), 1, 32)::uuid, COLUMN, count(*),"
    " date_trunc('day', max(at), 'UTC')"
    " FROM audit_decisionrecord WHERE organization_id = %s AND COLUMN <> '' GROUP BY 1, 4".replace(
        "KIND", kind
    ).replace("COLUMN", column)
    for kind, column in (("t", "tool"), ("r", "rule"))
)
