"""What gateways saw makes us look for ourselves, at most once a minute a server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import OrganizationLimits
from common.tokens import WORKER, new_token
from gateway_config.models import Worker
from gateway_config.services import enroll_worker
from gateway_config.wire.messages import DriftReport
from servers.models import Server, ToolScan
from servers.services import register_server, retire_server
from tests.cast import Cast, inside
from tests.roles import as_worker

pytestmark = pytest.mark.urls("config.internal_urls")
Tell = Callable[..., int]


@pytest.fixture
def tell(db: None) -> Tell:
    token = new_token(WORKER)
    with as_worker():
        enroll_worker("gw-1", token)

    def post(*reports: DriftReport | dict[str, Any]) -> int:
        client = Client(headers={"Authorization": f"Bearer {token}"})
        with as_worker():
            body = msgspec.json.encode(reports)
            return client.post("/internal/v1/drift/", body, content_type="application/json").status_code

    return post


def registered(cast: Cast, name: str = "Toy") -> Server:
    with inside(cast.alice):
        return register_server(cast.alice, name, "http://127.0.0.1:1/mcp")


def report(server: Server) -> DriftReport:
    return DriftReport(str(server.organization_id), str(server.pk))


def scans(cast: Cast) -> int:
    with inside(cast.alice):
        return ToolScan.objects.count()


def rest(cast: Cast) -> None:
    """A minute passes, and what went on has ended."""
    with inside(cast.alice):
        ToolScan.objects.update(started_at=timezone.now() - timedelta(seconds=61), state="done")


def test_a_report_starts_one_scan_a_minute(cast: Cast, tell: Tell) -> None:
    server = registered(cast)
    assert [tell(report(server)) for _ in range(3)] == [204, 204, 204]
    assert scans(cast) == 1
    rest(cast)
    tell(report(server), report(server))
    assert scans(cast) == 2


def test_a_scan_that_goes_on_is_not_joined_by_another(cast: Cast, tell: Tell) -> None:
    server = registered(cast)
    tell(report(server))
    with inside(cast.alice):
        ToolScan.objects.update(started_at=timezone.now() - timedelta(minutes=2), state="running")
    tell(report(server))
    assert scans(cast) == 1


def test_nothing_is_scanned_that_is_retired_unknown_or_not_the_organizations(cast: Cast, tell: Tell) -> None:
    server, gone = registered(cast), registered(cast, "Gone")
    with inside(cast.alice):
        retire_server(cast.alice, gone)
    other = DriftReport(str(cast.mallory.organization_id), str(server.pk))
    nobody = DriftReport(str(server.organization_id), str(uuid4()))
    assert tell(report(gone), other, nobody, DriftReport("x", "\x00")) == 204
    assert scans(cast) == 0


@pytest.mark.parametrize(("most", "ours"), [(6, 3), (1, 1)])
def test_servers_that_change_all_the_time_leave_room_for_people(
    most: int, ours: int, cast: Cast, tell: Tell
) -> None:
    """However few scans an organization may have: half of them are for people, unless there is only one."""
    with as_worker():
        OrganizationLimits.objects.create(organization_id=cast.alice.organization_id, scans_per_hour=most)
    servers = [registered(cast, f"Toy {number}") for number in range(3)]
    for _ in range(4):
        tell(*map(report, servers))
        rest(cast)
    assert scans(cast) == ours


def test_a_report_that_is_none_is_refused(tell: Tell) -> None:
    assert tell({"organization": 7}) == 400


def test_only_a_worker_reports(db: None) -> None:
    with as_worker():
        assert Worker.objects.count() == 0
        assert Client().post("/internal/v1/drift/", b"[]", content_type="application/json").status_code == 401
