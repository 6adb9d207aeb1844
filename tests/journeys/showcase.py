"""Fills a product like a team's after a month: four servers with a policy each, a month of calls, approvals.

The tools are those of known servers. The calls are reported to the control plane as a gateway reports them,
with times in the last thirty days; their content is drawn from a fixed seed.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from common.ids import parse_public_id
from gateway_config.wire.approvals import ApprovalAsk
from gateway_config.wire.messages import CompletionEntry, DecisionEntry, Record, RecordBatch
from policies.language.identity import call_digest
from tests.fixtures.servers.listing import listing
from tests.journeys.api import Api
from tests.journeys.product import ROOT, RunningProduct

HOUR_MS = 3_600_000
BATCH = 400
SERVERS = {
    "GitHub": "modelcontextprotocol-server-github",
    "AWS IAM": "awslabs-iam-mcp-server",
    "Reporting DB": "mcp-clickhouse",
}
PAYMENTS: dict[str, tuple[str, dict[str, str]]] = {
    "create_refund": (
        "Refund a charge to the card it was paid with.",
        {"charge": "string", "amount": "integer", "currency": "string", "reason": "string"},
    ),
    "create_payout": ("Pay out to a bank account.", {"account": "string", "amount": "integer"}),
    "update_customer": ("Change the address of a customer.", {"customer": "string", "address": "string"}),
    "list_customers": ("List customers, newest first.", {"limit": "integer"}),
    "get_invoice": ("Read one invoice.", {"invoice": "string"}),
    "list_charges": ("List the charges of a customer.", {"customer": "string", "limit": "integer"}),
}
ON_BRANCHES = "Agents work on branches. Open a pull request instead."
BRANCHES = {
    "conditions": [{"path": "args.branch", "op": "in", "value": ["main", "release"]}],
    "on_deny": ON_BRANCHES,
}
POLICIES: dict[str, dict[str, Any]] = {
    "GitHub": {
        "version": "1",
        "description": "Agents read everything, work on branches, and never merge by themselves.",
        "default": "deny",
        "hide": ["create_repository", "fork_repository"],
        "classes": {"Read": {}, "Write": {"rate_limit": {"max": 30, "window": "minute"}}},
        "tools": {
            "create_or_update_file": {
                "require": [{"conditions": [{"path": "args.owner", "op": "eq", "value": "harbour"}]}],
                "deny_if": [BRANCHES],
            },
            "push_files": {"deny_if": [BRANCHES]},
            "merge_pull_request": {"action": "require_approval"},
        },
    },
    "AWS IAM": {
        "version": "1",
        "default": "deny",
        "hide": ["delete_*"],
        "tools": {
            "list_*": {},
            "get_*": {},
            "create_access_key": {"rate_limit": {"max": 5, "window": "hour"}},
            "attach_user_policy": {
                "deny_if": [
                    {
                        "conditions": [{"path": "args.policy_arn", "op": "contains", "value": "Admin"}],
                        "on_deny": "Administrator access is given by people. Ask for a narrower policy.",
                    }
                ]
            },
        },
    },
    "Payments": {
        "version": "1",
        "default": "deny",
        "tools": {
            "list_*": {},
            "get_*": {},
            "create_refund": {
                "approve_if": [{"conditions": [{"path": "args.amount", "op": "gt", "value": 10000}]}],
                "rate_limit": {"max": 20, "window": "hour"},
            },
        },
    },
    "Reporting DB": {"version": "1", "default": "allow"},
}
GRANTS = {
    "laptop-cursor": "GitHub",
    "ci-runner": "GitHub",
    "release-bot": "GitHub",
    "ops-bot": "AWS IAM",
    "support-agent": "Payments",
    "analyst": "Reporting DB",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of call: its relative frequency, and what is decided about it."""

    weight: float
    grant: str
    tool: str
    rule: str
    arguments: tuple[str, ...] = ()
    code: str = ""
    reason: str = ""

    @property
    def outcome(self) -> str:
        return "allow" if not self.code else "approval" if self.code == "approval_required" else "deny"


KINDS = (
    Kind(14, "ci-runner", "get_file_contents", "/classes/Read", ("owner", "repo", "path")),
    Kind(9, "laptop-cursor", "search_code", "/classes/Read", ("q",)),
    Kind(9, "laptop-cursor", "list_pull_requests", "/classes/Read", ("owner", "repo")),
    Kind(7, "release-bot", "list_commits", "/classes/Read", ("owner", "repo", "sha")),
    Kind(6, "ci-runner", "create_issue", "/classes/Write", ("owner", "repo", "title", "body")),
    Kind(
        4,
        "laptop-cursor",
        "create_or_update_file",
        "/tools/create_or_update_file",
        ("owner", "repo", "path", "branch"),
    ),
    Kind(5, "support-agent", "list_customers", "/tools/list_*", ("limit",)),
    Kind(4, "support-agent", "get_invoice", "/tools/get_*", ("invoice",)),
    Kind(2, "support-agent", "create_refund", "/tools/create_refund", ("charge", "amount")),
    Kind(3, "ops-bot", "list_users", "/tools/list_*", ("max_items",)),
    Kind(4, "analyst", "list_tables", "(default allow)", ("database",)),
    Kind(5, "analyst", "run_query", "(default allow)", ("query",)),
    Kind(
        3.2,
        "ci-runner",
        "create_or_update_file",
        "/tools/create_or_update_file/deny_if/0",
        ("owner", "repo", "path", "branch"),
        "denied",
        ON_BRANCHES,
    ),
    Kind(
        1.6,
        "release-bot",
        "push_files",
        "/tools/push_files/deny_if/0",
        ("owner", "repo", "branch", "files"),
        "denied",
        ON_BRANCHES,
    ),
    Kind(
        1.2,
        "ops-bot",
        "attach_user_policy",
        "/tools/attach_user_policy/deny_if/0",
        ("user_name", "policy_arn"),
        "denied",
        "Administrator access is given by people. Ask for a narrower policy.",
    ),
    Kind(
        2.2,
        "ops-bot",
        "create_access_key",
        "/tools/create_access_key/limits/0",
        ("user_name",),
        "limit_exceeded",
        "create_access_key has reached a limit; try again in 12 s.",
    ),
    Kind(
        1.4,
        "ci-runner",
        "create_issue",
        "/classes/Write/limits/0",
        ("owner", "repo", "title"),
        "limit_exceeded",
        "create_issue has reached a limit; try again in 12 s.",
    ),
    Kind(
        1.1,
        "release-bot",
        "merge_pull_request",
        "/tools/merge_pull_request/action",
        ("owner", "repo", "pull_number"),
        "approval_required",
        "merge_pull_request needs a person's approval.",
    ),
    Kind(0.5, "ops-bot", "delete_user", "/hide/0", ("user_name",), "hidden", ""),
    Kind(
        0.7,
        "support-agent",
        "update_customer",
        "(default deny)",
        ("customer", "address"),
        "default_deny",
        "This call of update_customer is not allowed.",
    ),
)
WAITING: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "release-bot",
        "merge_pull_request",
        {"owner": "harbour", "repo": "web", "pull_number": 481, "merge_method": "squash"},
    ),
    (
        "support-agent",
        "create_refund",
        {"charge": "ch_3Qx81", "amount": 48000, "currency": "eur", "reason": "asked for"},
    ),
    ("release-bot", "merge_pull_request", {"owner": "harbour", "repo": "docs", "pull_number": 97}),
)
ASKED_BY = {"create_refund": "approve_if/0"}


@dataclass(frozen=True, slots=True)
class Showcase:
    product: RunningProduct
    api: Api
    email: str
    password: str
    organization: UUID
    servers: dict[str, dict[str, Any]]
    policies: dict[str, str]
    grants: dict[str, dict[str, Any]]


@contextmanager
def showcase(product: RunningProduct, email: str = "alice@example.com") -> Iterator[Showcase]:
    """Fill the product; its upstream servers run until the block ends."""
    made = product.bootstrap(email, "Harbour")
    api = Api(product.web, made["api_key"])
    with ExitStack() as running:
        urls = {name: running.enter_context(listing(tools_of(name), name)) for name in POLICIES}
        servers = {name: api.register(name, url) for name, url in urls.items()}
        names = dict(zip(POLICIES, ("branches only", "keys and users", "support", "reporting"), strict=True))
        policies = {name: api.publish(servers[name], POLICIES[name], names[name]) for name in POLICIES}
        grants = {label: api.grant(servers[of], policies[of], label) for label, of in GRANTS.items()}
        organization = parse_public_id("org", made["organization"]["id"])
        case = Showcase(product, api, email, made["password"], organization, servers, policies, grants)
        a_month_of_calls(case)
        for label, tool, given in WAITING:
            ask(case, label, tool, given)
        yield case


def tools_of(server: str) -> list[dict[str, Any]]:
    if server == "Payments":
        return [
            {
                "name": name,
                "description": words,
                "inputSchema": _schema([[a, kind, True] for a, kind in has.items()]),
            }
            for name, (words, has) in PAYMENTS.items()
        ]
    known = json.loads((ROOT / f"catalog/facts/servers/{SERVERS[server]}.json").read_text())
    return [{"name": each["name"], "inputSchema": _schema(each["params"])} for each in known["tools"]]


def _schema(params: list[list[Any]]) -> dict[str, Any]:
    properties = {name: {"type": kind.split("|")} for name, kind, _ in params}
    return {"type": "object", "properties": properties, "required": [p[0] for p in params if p[2]]}


def a_month_of_calls(case: Showcase) -> None:
    """Report calls: busy by day, quiet by night, and one hour in which agents kept making denied calls."""
    chance = random.Random(7)
    now = time.time_ns() // 1_000_000
    revisions = _revisions(case)
    records: list[Record] = []
    for hours_ago in range(30 * 24, -1, -1):
        records += _an_hour(case, chance, now, hours_ago, revisions, len(records))
    for first in range(0, len(records), BATCH):
        batch = RecordBatch(worker="gw-1.showcase", records=tuple(records[first : first + BATCH]))
        case.product.as_gateway("decisions/", batch)


def _an_hour(
    case: Showcase, chance: random.Random, now: int, hours_ago: int, revisions: dict[str, str], so_far: int
) -> list[Record]:
    hour = (now // HOUR_MS - hours_ago) % 24
    busy = 60 + 45 * math.sin((hour - 8) / 24 * 2 * math.pi)
    stubborn = hours_ago == 6
    kinds = chance.choices(KINDS, [kind.weight for kind in KINDS], k=round(busy * chance.uniform(0.85, 1.15)))
    kinds += [kind for kind in KINDS if stubborn and kind.code == "denied"] * 14
    moments = sorted(now - hours_ago * HOUR_MS - chance.randrange(HOUR_MS) for _ in kinds)
    found: list[Record] = []
    for kind, at in zip(kinds, moments, strict=True):
        found += _call(case, chance, kind, at, revisions, so_far + len(found) + 1)
    return found


def _call(
    case: Showcase, chance: random.Random, kind: Kind, at: int, revisions: dict[str, str], sequence: int
) -> list[Record]:
    grant, organization = case.grants[kind.grant], str(case.organization)
    # The log has a partition for each day, chosen by the time in the id.
    decision = str(
        UUID(int=at << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62))
    )
    entry = DecisionEntry(
        sequence=sequence,
        id=decision,
        at_ms=at,
        organization=organization,
        server=str(parse_public_id("srv", grant["server"])),
        grant=str(parse_public_id("grt", grant["id"])),
        method="tools/call",
        tool=kind.tool,
        outcome=kind.outcome,
        code=kind.code or None,
        rule=kind.rule,
        reason=kind.reason or None,
        policy=revisions[GRANTS[kind.grant]],
        revision=1,
        argument_names=kind.arguments,
        argument_digest="ab" * 32,
        added_us=round(chance.lognormvariate(5.6, 0.35)),
        retry_after_seconds=12 if kind.code == "limit_exceeded" else None,
    )
    if kind.outcome != "allow":
        return [entry]
    took = round(chance.lognormvariate(11.9, 0.5))
    return [
        entry,
        CompletionEntry(
            sequence=sequence + 1, id=decision, organization=organization, upstream_status=200, total_us=took
        ),
    ]


def _revisions(case: Showcase) -> dict[str, str]:
    found = {}
    for server, policy in case.policies.items():
        published = case.api.ask("GET", f"/policies/{policy}/")["published_revision"]
        found[server] = str(parse_public_id("rev", published))
    return found


def ask(case: Showcase, label: str, tool: str, given: dict[str, Any]) -> None:
    grant = case.grants[label]
    owner: dict[str, Any] = {
        "organization": str(case.organization),
        "server": str(parse_public_id("srv", grant["server"])),
        "grant": str(parse_public_id("grt", grant["id"])),
        "tool": tool,
    }
    decision = str(UUID(int=random.Random(json.dumps(given)).getrandbits(128)))
    case.product.as_gateway(
        "approvals/",
        ApprovalAsk(
            **owner,
            decision_id=decision,
            reserved_by=decision,
            call_digest=call_digest(**owner, arguments=given),
            rules_digest="a" * 64,
            rule=f"/tools/{tool}/{ASKED_BY.get(tool, 'action')}",
            reason=f"{tool} needs a person's approval.",
            arguments_json=json.dumps(given),
            at_ms=time.time_ns() // 1_000_000,
            policy=_revisions(case)[GRANTS[label]],
        ),
    )
