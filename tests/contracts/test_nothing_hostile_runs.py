"""Strangers' text on every page (tool names, labels, reasons, scan errors) is shown, never run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Membership, Organization
from accounts.services import create_api_key
from accounts.streams import Viewer, look_as
from approvals.models import Approval
from audit.ingest import ingest
from audit.live import news_of
from audit.search import Filters
from catalog.models import CatalogServer
from common.ids import public_id
from common.tokens import WORKER, new_token
from gateway_config.models import Worker, WorkerStatus
from gateway_config.services import enroll_worker
from policies.models import Grant, Policy
from policies.services import create_policy, publish_policy
from servers.models import Server, Tool, ToolScan
from tests.approvals.calls import waiting
from tests.audit.records import called, denied, ended
from tests.cast import Acme, Cast, inside, make_acme, make_cast
from tests.catalog.index import fill
from tests.contracts.test_every_route import ALL
from tests.roles import as_worker
from tests.routes import Route

pytestmark = pytest.mark.django_db

HOSTILE = "\"'><img src=x onerror=alert(1)>{{7*7}}</script><script>alert(2)</script>"
MARK = "onerror=alert(1)"

# Types of data blocks: a browser runs nothing in them.
DATA = ("application/json", "application/ld+json")
READ = [
    route for route in ALL if not route.is_api and not route.template.startswith(("accounts/", "static/"))
]


@dataclass
class Page(HTMLParser):
    """The parts of a page that a browser would run."""

    running: list[str] = field(default_factory=list)
    seen: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.seen += "".join(value or "" for value in given.values())
        if tag == "script" and "src" not in given and given.get("type") not in DATA:
            self.running.append(f"{tag} {given}")
        for name, value in given.items():
            lands = name in {"href", "src", "action", "formaction", "hx-get", "hx-post"}
            if name.startswith("on") or (lands and (value or "").strip().lower().startswith("javascript:")):
                self.running.append(f"{tag} {name}={value}")
        if tag == "img" and given.get("src") == "x":
            self.running.append("img")

    def handle_data(self, data: str) -> None:
        self.seen += data


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    return page


@pytest.fixture(scope="module")
def cast(rows_of_the_module: None) -> Cast:
    return make_cast()


@pytest.fixture(scope="module")
def acme(cast: Cast) -> Acme:
    return make_acme(cast)


@pytest.fixture(scope="module")
def hostile(cast: Cast, acme: Acme) -> dict[str, str]:
    """Acme, with hostile text wherever a stranger or a member may put text."""
    short = HOSTILE[:80]
    rules = {HOSTILE: {"action": "deny", "reason": HOSTILE}, "list_users": {}}
    text = json.dumps({"version": "1", "default": "deny", "description": HOSTILE, "tools": rules}, indent=2)
    with inside(cast.alice):
        Organization.objects.update(name=short)
        Server.objects.update(name=short, status="ready", upstream_url=f"https://x.example/{HOSTILE}")
        Tool.objects.filter(name="delete_user").update(
            name=HOSTILE,
            title=HOSTILE,
            description=HOSTILE,
            input_schema={"type": "object", "properties": {HOSTILE: {"type": HOSTILE, "enum": [HOSTILE]}}},
            evidence=[
                {"text": HOSTILE, "kind": HOSTILE, "signal": HOSTILE, "quote": HOSTILE, "where": HOSTILE}
            ],
            signals=[HOSTILE],
        )
        ToolScan.objects.create(
            organization_id=acme.server.organization_id,
            server=acme.server,
            state="failed",
            code="not_mcp",
            message=HOSTILE,
            hint=HOSTILE,
            steps=[{"title": HOSTILE, "detail": HOSTILE, "milliseconds": 3}],
            changes={
                "added": [HOSTILE],
                "removed": [HOSTILE],
                "changed": [HOSTILE],
                "sentences": {HOSTILE: [HOSTILE]},
            },
        )
        policy = create_policy(cast.alice, acme.server, "p", text)
        Policy.objects.filter(pk=policy.pk).update(name=short)
        policy.refresh_from_db()
        revision = publish_policy(cast.alice, policy, note=HOSTILE)
        publish_policy(cast.alice, policy, note=HOSTILE)
        Grant.objects.update(label=short, policy=policy)
        key, _ = create_api_key(cast.alice, HOSTILE, ["logs:read"])
        broken = create_policy(
            cast.alice, acme.server, "broken", json.dumps({HOSTILE: HOSTILE, "version": HOSTILE})
        )
        Policy.objects.filter(pk=broken.pk).update(name=f"b{short[:79]}")
        tool = Tool.objects.get(name=HOSTILE)
    entry = denied(
        acme,
        HOSTILE,
        rule=f"/tools/{HOSTILE}",
        reason=HOSTILE,
        policy=str(revision.pk),
        argument_names=(HOSTILE,),
        method=HOSTILE,
    )
    other = called(acme, HOSTILE, argument_names=(HOSTILE,))
    with as_worker():
        ingest("gw-1", [entry, other, ended(other, upstream_code=HOSTILE)])
        _worker(acme)
    return {
        "server_id": acme.server.public_id,
        "policy_id": policy.public_id,
        "broken": broken.public_id,
        "revision_id": revision.public_id,
        "grant_id": acme.grant.public_id,
        "decision_id": public_id("dec", UUID(entry.id)),
        "key_id": public_id("key", key.pk),
        "tool_id": str(tool.pk),
        "number": str(revision.number),
        "approval_id": _approval(acme, policy_revision=str(revision.pk)).public_id,
        "webhook_id": public_id("whk", uuid4()),
        "delivery_id": public_id("msg", uuid4()),
        "kind": "csv",
        "member_id": cast.bob.public_id,
        "invitation_id": public_id("inv", uuid4()),
        "token": "pli_" + HOSTILE.replace("/", ""),
    }


@pytest.fixture(scope="module")
def catalogue(rows_of_the_module: None) -> dict[str, str]:
    """A catalogue with a hostile server among others, and the parameters of its pages."""
    fill()
    tool = CatalogServer.objects.get(slug="hostile-server").tools.order_by("pk")[0]
    return {
        "server_slug": "hostile-server",
        "tool_slug": tool.slug,
        "rest": tool.slug.upper() + "/",
        "level": "critical",
        "key": "prompt-injection",
        "name": "tools-0",
        "report_id": "1",
        "message_id": "1",
        "object_id": "1",
    }


def _approval(acme: Acme, policy_revision: str) -> Approval:
    return waiting(
        acme,
        {HOSTILE: HOSTILE, "inner": {HOSTILE: [HOSTILE]}},
        tool=HOSTILE,
        tool_digest="",
        reason=HOSTILE,
        policy=policy_revision,
    )


def _worker(acme: Acme) -> None:
    worker = enroll_worker("gw-1", new_token(WORKER))
    Worker.objects.filter(pk=worker.pk).update(
        name=HOSTILE[:60], version=HOSTILE[:40], last_seen_at=timezone.now()
    )
    WorkerStatus.objects.create(
        organization_id=acme.server.organization_id,
        worker=worker,
        revision=1,
        state="rejected",
        rejected_revision=2,
        reason=HOSTILE,
    )


@pytest.mark.parametrize("route", READ, ids=lambda route: route.template)
def test_no_page_runs_what_somebody_wrote_into_a_name(
    route: Route,
    hostile: dict[str, str],
    catalogue: dict[str, str],
    cast: Cast,
    signed_in: Callable[[Membership], Client],
) -> None:
    browser = signed_in(cast.alice)
    ids = hostile | catalogue
    queries = ("", f"?q={HOSTILE}&outcome={HOSTILE}&old=1&new=2&open={hostile['decision_id']}")
    for query in queries:
        answer = browser.get(route.path(ids) + query)
        assert answer.status_code < 500
        if answer.headers.get("Content-Type", "").startswith("text/html") and not answer.streaming:
            page = read(answer.content.decode())
            assert page.running == []
            policy = answer.headers["Content-Security-Policy"]
            assert "script-src 'self';" in policy and "unsafe" not in policy


def test_the_pages_with_text_of_strangers_do_show_it(
    hostile: dict[str, str], cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    """Otherwise the test above would test nothing."""
    browser = signed_in(cast.alice)
    for path in (
        "/servers/",
        f"/servers/{hostile['server_id']}/",
        f"/servers/{hostile['server_id']}/tools/{hostile['tool_id']}/",
        f"/policies/{hostile['policy_id']}/",
        f"/policies/{hostile['broken']}/",
        f"/policies/{hostile['policy_id']}/review/",
        f"/grants/{hostile['grant_id']}/",
        "/log/",
        f"/log/{hostile['decision_id']}/",
        "/workers/",
        "/settings/",
        "/approvals/",
        f"/approvals/{hostile['approval_id']}/",
    ):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        page = read(answer.content.decode())
        assert page.running == [], path
        assert MARK in page.seen, path


def test_what_is_typed_into_forms_comes_back_as_text(
    hostile: dict[str, str], cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    browser = signed_in(cast.alice)
    forms: list[tuple[str, dict[str, str]]] = [
        (
            "/servers/register/",
            {
                "name": HOSTILE * 2,
                "upstream_url": HOSTILE,
                "auth_kind": "headers",
                "header_name_0": HOSTILE,
                "header_value_0": HOSTILE,
            },
        ),
        (
            "/policies/new/",
            {"server": hostile["server_id"], "name": HOSTILE * 2, "start": "paste", "document": HOSTILE},
        ),
        (
            "/grants/issue/",
            {"server": hostile["server_id"], "label": HOSTILE * 2, "once": HOSTILE, "policy": HOSTILE},
        ),
        (f"/policies/{hostile['policy_id']}/check/", {"document": HOSTILE}),
        (f"/policies/{hostile['policy_id']}/save/", {"document": HOSTILE, "version": "1"}),
        (f"/policies/{hostile['policy_id']}/publish/", {"note": HOSTILE * 9, "version": "1"}),
        ("/settings/api-keys/", {"name": HOSTILE * 2, "scopes": HOSTILE}),
        (f"/approvals/{hostile['approval_id']}/decline/", {"note": HOSTILE * 9}),
        ("/approvals/settings/rules/", {"seconds": HOSTILE, "own_calls": HOSTILE}),
        ("/approvals/settings/webhooks/", {"url": HOSTILE}),
        ("/organizations/new/", {"name": HOSTILE * 2}),
        ("/accounts/login/", {"login": HOSTILE, "password": HOSTILE, "next": HOSTILE}),
    ]
    answered = 0
    for path, data in forms:
        answer = browser.post(path, data)
        assert answer.status_code < 500, path
        answered += answer.status_code not in {302, 404, 405}
        assert read(answer.content.decode()).running == [], path
    assert answered >= 6


def test_the_live_tail_sends_text_as_text(hostile: dict[str, str], cast: Cast) -> None:
    with inside(cast.alice):
        session = _session(cast)
    viewer = Viewer(cast.alice.pk, cast.alice.organization_id, cast.alice.user_id, session)
    news = look_as(viewer, partial(news_of, Filters()), 0)
    assert news is not None and len(news.events) == 2
    for event in news.events:
        assert MARK in read(event).seen and read(event).running == []


def _session(cast: Cast) -> str | None:
    client = Client()
    client.force_login(cast.alice.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client.session.session_key


def test_an_export_holds_no_formula_and_one_line_for_each_call(
    hostile: dict[str, str], acme: Acme, cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    with as_worker():
        ingest("gw-1", [called(acme, "=cmd|' /C calc'!A0\r\n=1+1", argument_names=("=1", "@x"))])
    browser = signed_in(cast.alice)
    rows = list(csv.reader(io.StringIO(browser.get("/log/export.csv").getvalue().decode())))
    assert len(rows) == 4
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
