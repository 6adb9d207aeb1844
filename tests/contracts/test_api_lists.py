"""The pages, orders and filters of every list in the API, as the schema names them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit import record_event
from accounts.models import AuditEvent
from accounts.permissions import SCOPES
from approvals.models import Webhook
from approvals.webhooks import add_webhook
from policies.services import create_policy, issue_grant, publish_policy
from servers.models import Tool
from tests.cast import POLICY, Acme, Cast, inside

Get = Callable[[str], Any]


@pytest.fixture
def get(cast: Cast, api_key: Callable[..., str]) -> Get:
    client = Client(headers={"Authorization": f"Bearer {api_key(cast.alice, *SCOPES)}"})
    return lambda path: client.get(f"/api/v1{path}")


@pytest.fixture
def lists(client: Client, db: None) -> dict[str, dict[str, Any]]:
    """Path -> query parameters, for every list that has pages."""
    paths = client.get("/api/v1/schema/").json()["paths"]
    found = {}
    for path, methods in paths.items():
        asked = {one["name"]: one for one in methods.get("get", {}).get("parameters", ())}
        if "cursor" in asked:
            found[path.removeprefix("/api/v1")] = {n: o for n, o in asked.items() if o["in"] == "query"}
    return found


def _filled(path: str, acme: Acme, webhook: Webhook) -> str:
    ids = {"server_id": acme.server.public_id, "policy_id": acme.policy.public_id}
    return path.format(**ids, webhook_id=webhook.public_id)


@pytest.fixture
def webhook(cast: Cast) -> Webhook:
    with inside(cast.alice):
        return add_webhook(cast.alice, "https://hooks.example/a", verified=True)[0]


def _value(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"].get("items", parameter["schema"])
    if "enum" in schema:
        return str(schema["enum"][0])
    if {"format": "ipv4"} in schema.get("anyOf", []):
        return "192.0.2.1"
    if str(schema.get("pattern", "")).startswith("^"):
        return str(schema["pattern"])[1:5] + "0" * 26
    return {"date-time": "2026-01-01T00:00:00Z"}.get(
        schema.get("format", ""), {"boolean": "true", "integer": "1"}.get(schema["type"], "x")
    )


def test_every_filter_and_order_of_every_list_works(
    get: Get, lists: dict[str, dict[str, Any]], acme: Acme, webhook: Webhook
) -> None:
    assert len(lists) >= 14
    for template, parameters in lists.items():
        path = _filled(template, acme, webhook)
        for name, parameter in parameters.items():
            if name == "cursor":
                continue
            wanted = parameter["schema"].get("enum", [_value(parameter)])
            for value in wanted:
                answer = get(f"{path}?{name}={quote(value)}")
                assert answer.status_code == 200, (path, name, value, answer.content)
        everything = "&".join(f"{n}={quote(_value(p))}" for n, p in parameters.items() if n != "cursor")
        assert get(f"{path}?{everything}").status_code == 200


def test_every_list_refuses_what_it_does_not_know_by_name(
    get: Get, lists: dict[str, dict[str, Any]], acme: Acme, webhook: Webhook
) -> None:
    for template, parameters in lists.items():
        path = _filled(template, acme, webhook)
        bad = {"colour": "red", "format": "xml", "limit": "0", "order": "sideways", "cursor": "cD0x"}
        bad |= {n: "\x00" for n in parameters if n not in bad}
        for name, value in bad.items():
            answer = get(f"{path}?{name}={quote(value)}")
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input"), (path, name)
            assert [error["parameter"] for error in answer.json()["errors"]] == [name]
        twice = get(f"{path}?limit=1&limit=2").json()
        assert twice["errors"][0]["message"] == "Give it only once."


def _pages(get: Get, path: str) -> list[list[Any]]:
    pages, url = [], path
    while url:
        answer = get(url).json()
        pages.append(answer["results"])
        following = answer["next"]
        url = following and following.split("/api/v1", 1)[1]
    return pages


@pytest.mark.parametrize("order", ["-severity", "severity", "name", "-name"])
def test_pages_hold_every_row_once_also_where_many_are_equal(
    order: str, get: Get, acme: Acme, cast: Cast
) -> None:
    with inside(cast.alice):
        Tool.objects.bulk_create(
            Tool(organization_id=acme.server.organization_id, server=acme.server, name=f"t{n:02}", severity=2)
            for n in range(20)
        )
    whole = [row["name"] for row in get(f"/tools/?order={order}").json()["results"]]
    pages = _pages(get, f"/tools/?order={order}&limit=3")
    assert [len(page) for page in pages] == [3] * 7 + [2]
    assert [row["name"] for page in pages for row in page] == whole


def test_a_page_before_leads_back(get: Get, acme: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        for number in range(6):
            record_event(cast.alice, "tried", "srv_x", f"n{number}")
    first = get("/audit-events/?verb=tried&limit=2").json()
    assert (len(first["results"]), first["previous"]) == (2, None)
    second = get(first["next"].split("/api/v1", 1)[1]).json()
    back = get(second["previous"].split("/api/v1", 1)[1]).json()
    assert (back["results"], back["previous"]) == (first["results"], None)
    assert get(back["next"].split("/api/v1", 1)[1]).json()["results"] == second["results"]


def test_rows_that_come_meanwhile_do_not_move_the_pages(get: Get, acme: Acme, cast: Cast) -> None:
    first = get("/audit-events/?limit=1").json()
    following = first["next"].split("/api/v1", 1)[1]
    before = get(following).json()["results"]
    with inside(cast.alice):
        record_event(cast.alice, "tried", "srv_x", "later")
        assert AuditEvent.objects.filter(verb="tried").exists()
    assert get(following).json()["results"] == before


def test_a_cursor_of_another_list_order_or_hand_is_refused(get: Get, acme: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    cursor = urlsplit(get("/audit-events/?limit=1").json()["next"]).query.split("cursor=")[1]
    for path in (
        f"/servers/?cursor={cursor}",
        f"/audit-events/?order=at&cursor={cursor}",
        f"/audit-events/?cursor={cursor[:-2]}xx",
        f"/audit-events/?cursor=x{cursor}",
    ):
        assert [error["parameter"] for error in get(path).json()["errors"]] == ["cursor"], path
    assert get(f"/audit-events/?limit=1&cursor={cursor}").status_code == 200


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("0269-11-23T08:44:07.74-18:08", 200),
        ("2393-02-23T11:11:09+20:48", 200),
        ("0001-01-01T00:00:00+23:59", 400),
        ("9999-12-31T23:59:59-23:59", 400),
    ],
)
def test_no_zone_is_too_far_off(moment: str, status: int, get: Get) -> None:
    assert get(f"/audit-events/?since={quote(moment)}").status_code == status


def test_filters_find_what_they_say(get: Get, acme: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        create_policy(cast.alice, acme.server, "other", POLICY)
        publish_policy(cast.alice, acme.policy)
        soon = timezone.now() + timedelta(days=1)
        issue_grant(cast.alice, acme.server, None, "a phone", soon)

    def names(path: str, field: str) -> list[Any]:
        return [row[field] for row in get(path).json()["results"]]

    assert names("/tools/?class=Write&class=Read", "name") == ["create_access_key", "list_users"]
    assert names("/tools/?severity=Critical", "name") == ["delete_user"]
    assert names(f"/tools/?server={acme.server.public_id}&name=USER&order=name", "name") == [
        *("delete_user", "list_users")
    ]
    assert names("/policies/?published=true", "name") == ["agents"]
    assert names("/policies/?published=false", "name") == ["other"]
    assert names("/policies/?order=name", "name") == ["agents", "other"]
    assert names(f"/grants/?policy={acme.policy.public_id}", "label") == ["laptop"]
    later = quote((soon + timedelta(hours=1)).isoformat())
    assert names(f"/grants/?expires_before={later}", "label") == ["a phone"]
    assert names("/members/?role=viewer", "email") == ["bob@example.com"]
    assert names("/members/?email=car&order=email", "email") == ["carol@example.com"]
    assert names("/servers/?status=ready", "name") == []
    assert names("/revisions/?published_by=ALICE@example.com", "number") == [1]
    assert names(f"/revisions/?since={later}", "number") == []
    assert names("/audit-events/?verb=policy.published", "subject") == [acme.policy.public_id]
    assert names(f"/policies/?server=srv_{'0' * 26}", "name") == []
