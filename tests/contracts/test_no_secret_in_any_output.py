"""Canaries for every kind of secret go through screens, API, errors and publishing: none comes out again."""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.test import Client, override_settings

from accounts.models import Membership, User
from accounts.services import memberships_of
from accounts.tenancy import organization_context
from approvals import sending
from approvals.models import Approval, Webhook
from approvals.tasks import send_notice
from common.tokens import WORKER, new_token
from gateway_config.services import deliver, enroll_worker
from gateway_config.tasks import signing_key
from policies.models import Grant
from servers.models import Server, ToolScan
from servers.tasks import run_scan
from tests.approvals.calls import asked, claimed
from tests.cast import POLICY, Cast, inside
from tests.roles import as_owner, as_worker

PASSWORD = "canary-password-of-erin-0451"
HEADER = "canary-upstream-header-0452"
SECOND_HEADER = "canary-upstream-header-0453"
ARGUMENT = "canary-argument-0454"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@dataclass
class Heard:
    """All answers so far, and those that may show a token because that is their purpose."""

    texts: list[str] = field(default_factory=list)

    def keep(self, answer: Any, *, shows: str = "") -> Any:
        body = b"".join(answer) if answer.streaming else answer.content
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        cookies = answer.cookies.output()
        said = f"{headers}\n{cookies}\n{body.decode(errors='replace')}"
        if shows:
            assert shows in said
            said = said.replace(shows, "")
        self.texts.append(said)
        return answer


@pytest.fixture
def worker_token(db: None) -> str:
    token = new_token(WORKER)
    with as_worker():
        enroll_worker("gw-1", token)
    return token


def test_no_canary_comes_out_of_screens_api_logs_mails_or_tables(
    db: None,
    cast: Cast,
    worker_token: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    heard = Heard()
    erin = _signs_up(heard)
    key = _through_the_screens(heard, erin)
    token = _over_the_api(heard, key)
    hook = _with_a_webhook(heard, erin)
    _a_call_waits(heard, erin, worker_token)
    _things_go_wrong(heard, erin, key, monkeypatch)
    _in_the_worker(heard, erin, worker_token)
    secrets = {
        *(PASSWORD, HEADER, SECOND_HEADER, ARGUMENT, key, token, hook, worker_token),
        os.environ["SECRET_KEY"],
        *(
            os.environ[name].partition(":")[2]
            for name in ("SEALING_KEYS", "ARGUMENT_KEYS", "BUNDLE_KEYS", "SIGNING_KEY")
        ),
    }
    assert len(heard.texts) > 30 and len(mail.outbox) > 0
    outputs = {
        "answers": heard.texts,
        "logs": [f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records],
        "log as written": [caplog.text],
        "streams": list(capfd.readouterr()),
        "mails": [f"{one.subject} {one.body}" for one in mail.outbox],
        "tables": list(_every_row()),
    }
    leaked = [
        (where, text[max(text.find(secret) - 60, 0) : text.find(secret) + 20])
        for where, texts in outputs.items()
        for text in texts
        for secret in secrets
        if secret in text
    ]
    assert leaked == []


def _signs_up(heard: Heard) -> Membership:
    browser = Client()
    wrong = {"email": "erin@example", "password1": PASSWORD, "organization": "Erin"}
    heard.keep(browser.post("/accounts/signup/", wrong))
    heard.keep(browser.post("/accounts/signup/", {**wrong, "email": "erin@example.com"}))
    heard.keep(Client().post("/accounts/login/", {"login": "erin@example.com", "password": PASSWORD + "x"}))
    heard.keep(Client().post("/accounts/login/", {"login": "erin@example", "password": PASSWORD}))
    heard.keep(Client().post("/accounts/password/reset/", {"email": "erin@example.com"}))
    erin = User.objects.get(email="erin@example.com")
    (mine,) = memberships_of(erin)
    with organization_context(mine.organization_id):
        return Membership.objects.select_related("user", "organization").get(pk=mine.id)


def _through_the_screens(heard: Heard, erin: Membership) -> str:
    browser = Client()
    browser.force_login(erin.user, backend=BACKEND)
    form = {
        "name": "",
        "upstream_url": "http://127.0.0.1:1/mcp",
        "auth_kind": "headers",
        "header_name_0": "Authorization",
        "header_value_0": f"Bearer {HEADER}",
    }
    assert heard.keep(browser.post("/servers/register/", form)).status_code == 422
    assert (
        heard.keep(
            browser.post(
                "/servers/register/",
                {**form, "header_name_1": "Host", "header_value_1": SECOND_HEADER, "name": "x"},
            )
        ).status_code
        == 422
    )
    heard.keep(browser.post("/servers/register/", {**form, "name": "Toy"}))
    with inside(erin):
        server = Server.objects.get()
    for path in ("", "change/"):
        heard.keep(browser.get(f"/servers/{server.public_id}/{path}"))
    made = browser.post(
        "/settings/api-keys/",
        {
            "name": "ci",
            "scopes": ["servers:write", "policies:write", "grants:write", "logs:read", "organization:read"],
        },
    )
    key = next(
        word
        for word in made.content.decode().replace('"', " ").replace("<", " ").replace(">", " ").split()
        if word.startswith("plk_") and len(word) == 37
    )
    heard.keep(made, shows=key)
    for path in (
        "/settings/",
        "/overview/?stay=1",
        "/get-started/",
        "/workers/",
        "/log/",
        "/grants/",
        "/servers/everything/",
    ):
        assert heard.keep(browser.get(path)).status_code == 200
    return key


def _over_the_api(heard: Heard, key: str) -> str:
    client = Client(headers={"Authorization": f"Bearer {key}", "If-Match": "*"})

    def ask(method: str, path: str, body: object = None) -> Any:
        sent = {} if method == "get" else {"data": json.dumps(body or {}), "content_type": "application/json"}
        return getattr(client, method)(f"/api/v1{path}", **sent)

    auth = {"kind": "headers", "headers": {"X-Key": SECOND_HEADER}}
    bad = {"kind": "headers", "headers": {"X-Key": SECOND_HEADER + "\n", "Host": SECOND_HEADER}}
    server = heard.keep(
        ask("post", "/servers/", {"name": "Two", "upstream_url": "http://127.0.0.1:1/", "auth": auth})
    ).json()
    assert heard.keep(ask("patch", f"/servers/{server['id']}/", {"auth": bad})).status_code == 400
    heard.keep(
        ask("patch", f"/servers/{server['id']}/", {"auth": {"kind": "none", "headers": {"a": SECOND_HEADER}}})
    )
    heard.keep(ask("post", "/servers/", {"name": "Two", "upstream_url": f"http://u:{SECOND_HEADER}@h/"}))
    policy = heard.keep(
        ask("post", "/policies/", {"server": server["id"], "name": "p", "document": POLICY})
    ).json()
    heard.keep(ask("post", f"/policies/{policy['id']}/publish/"))
    issued = ask("post", "/grants/", {"server": server["id"], "policy": policy["id"], "label": "ci"})
    token = str(issued.json()["token"])
    heard.keep(issued, shows=token)
    for path in (
        "/me/",
        "/servers/",
        f"/servers/{server['id']}/",
        "/grants/",
        "/policies/",
        "/audit-events/",
        "/workers/",
        "/organization/",
        "/nothing/",
    ):
        heard.keep(ask("get", path))
    return token


def _with_a_webhook(heard: Heard, erin: Membership) -> str:
    EmailAddress.objects.filter(user=erin.user).update(verified=True)
    browser = Client()
    browser.force_login(erin.user, backend=BACKEND)
    heard.keep(browser.post("/approvals/settings/webhooks/", {"url": "no URL"}))
    made = browser.post("/approvals/settings/webhooks/", {"url": "http://127.0.0.1:1/hook"})
    (secret,) = set(re.findall(r"whsec_[A-Za-z0-9+/_=-]+", made.content.decode()))
    heard.keep(made, shows=secret)
    with inside(erin):
        webhook = Webhook.objects.get()
    heard.keep(browser.post(f"/approvals/settings/webhooks/{webhook.public_id}/test/"))
    heard.keep(browser.get("/approvals/settings/"))
    return str(secret)


def _a_call_waits(heard: Heard, erin: Membership, worker_token: str) -> None:
    """Make a call that waits. Its arguments are shown where someone is to answer it, and nowhere else."""
    with inside(erin):
        grant = Grant.objects.get()
    arguments = {"password": ARGUMENT, "deep": [{ARGUMENT: 1}]}
    claim = claimed(grant, arguments)
    internal = Client(headers={"Authorization": f"Bearer {worker_token}"}, raise_request_exception=False)
    sent = msgspec.json.encode(asked(claim, arguments))
    with override_settings(ROOT_URLCONF="config.internal_urls"), as_worker():
        for path, body in (
            ("claim/", msgspec.json.encode(claim)),
            ("", sent),
            ("", sent[:-1]),
            ("", sent.replace(b'"tool":', b'"tools":')),
            ("", sent.replace(str(grant.pk).encode(), b"0")),
            ("claim/", msgspec.json.encode(claim)),
        ):
            kind = "application/json"
            heard.keep(internal.post(f"/internal/v1/approvals/{path}", body, content_type=kind))
        for pk in sending.due():
            send_notice(str(pk))
    browser = Client()
    browser.force_login(erin.user, backend=BACKEND)
    with inside(erin):
        waiting = Approval.objects.get()
    for path in ("", f"{waiting.public_id}/"):
        heard.keep(browser.get(f"/approvals/{path}"), shows=ARGUMENT)
    for path in ("history/", "settings/"):
        assert heard.keep(browser.get(f"/approvals/{path}")).status_code == 200
    heard.keep(browser.post(f"/approvals/{waiting.public_id}/remind/"))
    heard.keep(browser.post(f"/approvals/{waiting.public_id}/decline/"))
    heard.keep(browser.get("/log/"))


def _things_go_wrong(heard: Heard, erin: Membership, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("something")

    browser = Client(raise_request_exception=False)
    browser.force_login(erin.user, backend=BACKEND)
    form = {
        "name": "Three",
        "upstream_url": "http://127.0.0.1:1/",
        "auth_kind": "headers",
        "header_name_0": "A",
        "header_value_0": HEADER,
    }
    with monkeypatch.context() as broken:
        broken.setattr("servers.services.record_event", fail)
        assert heard.keep(browser.post("/servers/register/", form)).status_code == 500
        client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {key}"})
        body = {
            "name": "Three",
            "upstream_url": "http://127.0.0.1:1/",
            "auth": {"kind": "headers", "headers": {"A": HEADER}},
        }
        assert (
            heard.keep(client.post("/api/v1/servers/", body, content_type="application/json")).status_code
            == 500
        )
    with monkeypatch.context() as broken:
        broken.setattr("common.sealing.Keyring.seal", fail)
        assert heard.keep(browser.post("/servers/register/", form)).status_code == 500
    with monkeypatch.context() as broken:
        broken.setattr("accounts.middleware.member_of_key", fail)
        heard.keep(client.get("/api/v1/me/"))
    for junk in (key[:-1], f"{key} x", f"\n{key}".strip() + "!"):
        heard.keep(Client(headers={"Authorization": f"Bearer {junk}"}).get("/api/v1/me/"))


def _in_the_worker(heard: Heard, erin: Membership, worker_token: str) -> None:
    with inside(erin):
        scans = [
            ToolScan.objects.create(organization_id=erin.organization_id, server=server)
            for server in Server.objects.all()
        ]
    with as_worker():
        for scan in scans:
            run_scan(str(scan.pk))
        assert deliver(erin.organization_id, signing_key()) is not None
    internal = Client(headers={"Authorization": f"Bearer {worker_token}"})
    kind = "application/json"
    with override_settings(ROOT_URLCONF="config.internal_urls"), as_worker():
        heard.keep(internal.get(f"/internal/v1/bundles/{erin.organization_id}/"))
        for path, body in (
            ("hello", b'{"version": "1"}'),
            ("acks", b"[{}]"),
            ("decisions", b'{"worker": 1}'),
        ):
            heard.keep(internal.post(f"/internal/v1/{path}/", body, content_type=kind))
        for token in (worker_token[:-1], worker_token + "x"):
            heard.keep(
                Client(headers={"Authorization": f"Bearer {token}"}).post(
                    "/internal/v1/hello/", b"", content_type=kind
                )
            )


def _every_row() -> list[str]:
    """Every row in the database, as its owner sees it, past row-level security."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        tables = [name for (name,) in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608
            rows += [f"{table} {row}" for (row,) in cursor.fetchall()]
    assert any(row.startswith("servers_servercredential") for row in rows)
    assert any(row.startswith("gateway_config_configrevision") for row in rows)
    assert any(row.startswith("approvals_approval") for row in rows)
    assert any(row.startswith("approvals_webhook") for row in rows)
    assert any(row.startswith("approvals_notice") for row in rows)
    return rows
