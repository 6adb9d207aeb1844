"""Fills a product with something on every page: good and bad servers, policies, grants, all kinds of calls.

Some names are a stranger's: HTML, right-to-left text, endless words.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from common.ids import new_uuid, parse_public_id
from gateway_config.wire.approvals import ApprovalAsk
from policies.language.identity import call_digest
from tests.driving import drive
from tests.fixtures.servers.listing import listing
from tests.fixtures.servers.start import running_toy
from tests.journeys.api import Api
from tests.journeys.product import RunningProduct

MARKUP = "<img src=x onerror=\"document.title='broken'\"><b>bold</b>"
BACKWARDS = "safe\u202egnp.exe\u200b\u0627\u0644\u0639\u0631\u0628\u064a\u0629"
LONG = "a_name_that_does_not_end_" * 9
HOSTILE = (MARKUP, BACKWARDS, LONG)

# Every page to look at; a tool's pages are found on its server's page.
PAGES = [
    "overview",
    "overview-1h",
    "servers",
    "server",
    "server-large",
    "server-failing",
    "server-strange",
    "server-change",
    "register",
    "inventory",
    "inventory-end",
    "inventory-none",
    "log",
    "log-filtered",
    "log-none",
    "log-opened",
    "decision",
    "decision-allowed",
    "workers",
    "approvals",
    "approvals-history",
    "approvals-settings",
    "approval",
    "approval-declined",
    "settings",
    "members",
    "api-keys",
    "security",
    "events",
    "events-none",
    "account",
    "account-delete",
    "second-step",
    "sessions",
    "usage",
    "organization-delete",
    "found",
    "jump",
    "onboarding",
    "api",
    "home",
    "missing",
    "policies",
    "policy-start",
    "policy",
    "policy-rule",
    "policy-json",
    "policy-words",
    "policy-strange",
    "policy-paste",
    "policy-review",
    "policy-traffic",
    "policy-history",
    "policy-compare",
    "policy-revision",
    "policy-live",
    "grants",
    "grant",
    "grant-issue",
    "password",
    "email",
    "tool",
    "tool-strange",
]
AGENTS = {
    "version": "1",
    "description": "Agents look after keys; people look after users.",
    "default": "deny",
    "hide": ["delete_user"],
    "tools": {
        "list_*": {},
        "create_access_key": {"rate_limit": {"max": 5, "window": "minute"}},
        "put_user_policy": {
            "deny_if": [
                {
                    "conditions": [
                        {"path": "args.document", "op": "contains", "value": "AdministratorAccess"}
                    ],
                    "on_deny": "Administrator access is given by people. Ask for a narrower policy.",
                }
            ]
        },
        "create_refund": {
            "require": [{"conditions": [{"path": "args.amount", "op": "lte", "value": 100}]}],
            "reason": "Refunds above 100 are made by people.",
        },
        "delete_access_key": {"action": "require_approval"},
        "start_security_scan": {"action": "deny", "reason": "Scans run at night. Wait for the report."},
        "failing_tool": {},
        "broken_tool": {},
    },
}
BY_CLASS = {
    "version": "1",
    "default": "deny",
    "classes": {
        "Read": {},
        "Write": {"rate_limit": {"max": 3, "window": "minute"}},
        "Destructive": {"action": "deny", "reason": "Agents archive. Deleting is done by people."},
    },
}
OPEN = {"version": "1", "default": "allow", "hide": ["x*"]}


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled product; `pages` maps the name of every page to look at to its path."""

    product: RunningProduct
    api: Api
    email: str
    password: str
    pages: dict[str, str]


@contextmanager
def filled(product: RunningProduct, organization: str = "Acme", *, hostile: bool = True) -> Iterator[Filled]:
    """Fill the product; its upstream servers run until the block ends."""
    name = f"{organization} {MARKUP[:24]} {BACKWARDS}" if hostile else organization
    made = product.bootstrap("alice@example.com", name)
    api = Api(product.web, made["api_key"])
    with ExitStack() as running:
        small = api.register("AWS IAM", running.enter_context(running_toy()).url)
        large = api.register("Internal platform", running.enter_context(running_toy("--many")).url)
        away = _register_failing(api)
        strange = api.register(MARKUP[:60], running.enter_context(_hostile_server())) if hostile else small
        agents = api.publish(small, AGENTS)
        changed = {**AGENTS, "hide": ["delete_user", "delete_access_key"]}
        api.ask("PATCH", f"/policies/{agents}/", {"document": changed})
        api.publish_draft(agents)
        api.ask("PATCH", f"/policies/{agents}/", {"document": AGENTS})
        api.publish_draft(agents)
        classed = api.publish(large, BY_CLASS, "platform by class")
        open_policy = api.publish(strange, OPEN, f"open {MARKUP}"[:80]) if hostile else agents
        laptop = _call(api, small, large, agents, classed)
        revoked = api.grant(small, agents, "contractor (left)")
        api.ask("POST", f"/grants/{revoked['id']}/revoke/", {})
        grant = api.grant(strange, open_policy, (MARKUP + LONG)[:80] if hostile else "release-bot")
        if hostile:
            agent_calls(grant, [[each, {each: 1}] for each in HOSTILE])
        _tell_a_webhook(api)
        approvals = _wait_for_people(product, api, made, [laptop, grant])
        pages = approvals | _pages(api, small, large, away, strange, agents, grant)
        yield Filled(product, api, made["email"], made["password"], pages)


def _call(
    api: Api, small: dict[str, Any], large: dict[str, Any], agents: str, classed: str
) -> dict[str, Any]:
    laptop, runner = api.grant(small, agents, "laptop-cursor"), api.grant(large, classed, "ci-runner")
    bare = api.ask("POST", "/grants/", {"server": small["id"], "policy": None, "label": "no policy yet"})
    agent_calls(laptop, CALLS * 2)
    agent_calls(runner, PLATFORM_CALLS * 3)
    agent_calls(bare, [["list_users", {}]])
    api.decisions(at_least=len(CALLS) * 2 + len(PLATFORM_CALLS) * 3)
    return laptop


def _tell_a_webhook(api: Api) -> None:
    """Add a webhook where nobody listens, so that some messages were given up, and one that is off."""
    hook = api.ask("POST", "/webhooks/", {"url": "http://127.0.0.1:9/hooks/acme?room=approvals"})
    api.ask("POST", f"/webhooks/{hook['id']}/test/", {})
    api.ask("POST", f"/webhooks/{hook['id']}/rotate-secret/", {})
    off = api.ask("POST", "/webhooks/", {"url": f"http://127.0.0.1:9/{'x' * 300}"})
    api.ask("PATCH", f"/webhooks/{off['id']}/", {"enabled": False})


def _wait_for_people(
    product: RunningProduct,
    api: Api,
    made: dict[str, Any],
    grants: list[dict[str, Any]],
) -> dict[str, str]:
    """Make calls that wait, were declined and were approved, as a gateway would report them."""
    laptop, other = grants
    asked = [ask_a_person(product, made, laptop, tool, given) for tool, given in WAITING]
    ask_a_person(product, made, other, MARKUP, {MARKUP: LONG * 4, BACKWARDS: [MARKUP, {LONG: 1}]})
    ids = [urlsplit(answer["url"]).path.rstrip("/").rpartition("/")[2] for answer in asked]
    api.ask("POST", f"/approvals/{ids[0]}/decline/", {"note": f"Not today. {MARKUP}"})
    api.ask("POST", f"/approvals/{ids[1]}/approve/", {"note": ""})
    return {
        "approvals": "/approvals/",
        "approvals-history": "/approvals/history/",
        "approvals-settings": "/approvals/settings/",
        "approval": f"/approvals/{ids[2]}/",
        "approval-declined": f"/approvals/{ids[0]}/",
    }


def ask_a_person(
    product: RunningProduct,
    made: dict[str, Any],
    grant: dict[str, Any],
    tool: str,
    given: dict[str, Any],
) -> Any:
    organization = str(parse_public_id("org", made["organization"]["id"]))
    owner: dict[str, Any] = {
        "organization": organization,
        "server": str(parse_public_id("srv", grant["server"])),
        "grant": str(parse_public_id("grt", grant["id"])),
        "tool": tool,
    }
    decision = str(new_uuid())
    return product.as_gateway(
        "approvals/",
        ApprovalAsk(
            **owner,
            decision_id=decision,
            reserved_by=decision,
            call_digest=call_digest(**owner, arguments=given),
            rules_digest="a" * 64,
            rule=f"/tools/{tool}/action"[:700],
            reason=f"{tool} needs a person's approval.",
            arguments_json=json.dumps(given),
            at_ms=time.time_ns() // 1_000_000,
        ),
    )


WAITING: list[tuple[str, dict[str, Any]]] = [
    ("delete_access_key", {"user_name": "agent-deploy", "access_key_id": "AKIA7Q2X", "confirmed": True}),
    ("create_access_key", {"user_name": "release"}),
    ("create_refund", {"charge": "ch_3Qx81", "amount": 48000, "currency": "eur", "reason": "asked for"}),
    ("put_user_policy", {"user_name": "alice", "document": json.dumps({"Statement": ["x"] * 80})}),
    ("list_users", {}),
]


CALLS: list[list[Any]] = [
    *[["list_users", {"path_prefix": "/", "max_items": 10}]] * 6,
    *[["list_access_keys", {"user_name": "alice"}]] * 5,
    *[["create_access_key", {"user_name": "alice"}]] * 4,
    ["put_user_policy", {"user_name": "alice", "document": "AdministratorAccess"}],
    ["put_user_policy", {"user_name": "alice", "document": "ReadOnlyAccess"}],
    ["create_refund", {"charge": "ch_1", "amount": 40}],
    ["create_refund", {"charge": "ch_2", "amount": 900}],
    ["create_refund", {"charge": "ch_3", "amount": "many"}],
    ["delete_access_key", {"access_key_id": "TOYKEY0001"}],
    ["delete_user", {"user_name": "bob"}],
    ["start_security_scan", {"target": "prod"}],
    ["echo", {"text": "nobody allowed this"}],
    ["failing_tool", {}],
    ["broken_tool", {}],
    ["no_such_tool", {}],
]
PLATFORM_CALLS: list[list[Any]] = [
    *[[f"list_{noun}", {"limit": 20}] for noun in ("branch", "bucket", "customer", "invoice", "issue")],
    ["get_customer", {"id": "c_1"}],
    *[[f"create_{noun}", {"id": "x"}] for noun in ("issue", "message")],
    ["delete_cluster", {"id": "prod"}],
]


def agent_calls(grant: dict[str, Any], calls: list[list[Any]]) -> None:
    steps = [["initialize"], ["list_tools"], *(["call_tool", tool, given] for tool, given in calls)]
    drive("mcp-2x", grant["gateway_url"], grant["token"], steps)


def _register_failing(api: Api) -> dict[str, Any]:
    server: dict[str, Any] = api.ask(
        "POST", "/servers/", {"name": "Old reporting", "upstream_url": "http://127.0.0.1:1/mcp"}
    )
    api.ask("POST", f"/servers/{server['id']}/scan/", {})
    return server


def _pages(
    api: Api, small: Any, large: Any, away: Any, strange: Any, agents: str, grant: Any
) -> dict[str, str]:
    denied = api.decisions(1, "&tool=put_user_policy&outcome=deny")[0]["id"]
    allowed = api.decisions(1, "&tool=list_users&outcome=allow")[0]["id"]
    return {
        "overview": "/overview/",
        "overview-1h": "/overview/?span=1h",
        "servers": "/servers/",
        "server": f"/servers/{small['id']}/",
        "server-large": f"/servers/{large['id']}/",
        "server-failing": f"/servers/{away['id']}/",
        "server-strange": f"/servers/{strange['id']}/",
        "server-change": f"/servers/{small['id']}/connection/",
        "register": "/servers/register/",
        "inventory": "/servers/everything/",
        "inventory-end": "/servers/everything/?page=2",
        "inventory-none": "/servers/everything/?q=nothing-is-called-so",
        "log": "/log/",
        "log-filtered": "/log/?outcome=deny",
        "log-none": "/log/?tool=nothing-is-called-so",
        "log-opened": f"/log/?open={denied}",
        "decision": f"/log/{denied}/",
        "decision-allowed": f"/log/{allowed}/",
        "workers": "/workers/",
        "settings": "/settings/",
        "members": "/settings/members/",
        "api-keys": "/settings/api-keys/",
        "security": "/settings/security/",
        "events": "/settings/events/",
        "events-none": "/settings/events/?q=nothing-is-called-so",
        "account": "/account/",
        "account-delete": "/account/delete/",
        "second-step": "/accounts/2fa/",
        "sessions": "/accounts/sessions/",
        "jump": "/jump/?q=user",
        "usage": "/settings/usage/",
        "organization-delete": "/settings/delete/",
        "found": "/organizations/new/",
        "onboarding": "/get-started/",
        "api": "/api/docs/",
        "home": "/",
        "missing": "/servers/srv_00000000000000000000000000/",
        "policies": "/policies/",
        "policy-start": f"/policies/new/?server={strange['id']}",
        "policy": f"/policies/{agents}/",
        "policy-rule": f"/policies/{agents}/?open=/tools/put_user_policy",
        "policy-json": f"/policies/{agents}/?view=json",
        "policy-words": f"/policies/{agents}/?view=words",
        "policy-strange": f"/policies/{grant['policy']}/?show=all",
        "policy-paste": f"/policies/{agents}/paste/",
        "policy-review": f"/policies/{agents}/review/",
        "policy-traffic": f"/policies/{agents}/review/traffic/",
        "policy-history": f"/policies/{agents}/revisions/",
        "policy-compare": f"/policies/{agents}/revisions/compare/?old=1&new=2",
        "policy-revision": f"/policies/{agents}/revisions/1/",
        "policy-live": f"/policies/{agents}/revisions/1/live/",
        "grants": "/grants/",
        "grant": f"/grants/{grant['id']}/",
        "grant-issue": f"/grants/issue/?server={strange['id']}",
        "password": "/accounts/password/change/",
        "email": "/accounts/email/",
    }


def _hostile_server() -> AbstractContextManager[str]:
    """A server that lists tools named by an attacker; every call succeeds."""
    return listing([_tool(name) for name in HOSTILE], MARKUP, BACKWARDS)


def _tool(name: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {each: {"type": "string"} for each in HOSTILE}}
    return {"name": name, "title": name, "description": f"{name}\n{MARKUP}", "inputSchema": schema}
