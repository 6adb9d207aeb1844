"""A scan, and what it changes; against real servers in processes of their own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.limits import DEFAULTS, Limit
from common.errors import InvalidInput
from gateway_config.models import PublishRequest
from servers import scanning, tasks
from servers.models import Server, Tool, ToolScan
from servers.scanning import run_scan
from servers.services import change_server, register_server, retire_server, start_scan, stop_scan
from tests.cast import Cast, confirm, inside
from tests.fixtures.servers.start import RunningToy, running_toy
from tests.roles import as_worker


@pytest.fixture(scope="module")
def toy() -> Iterator[RunningToy]:
    with running_toy() as running:
        yield running


def registered(cast: Cast, url: str, **options: Any) -> Server:
    with inside(cast.alice):
        return register_server(cast.alice, "Toy", url, **options)


def scanned(cast: Cast, server: Server) -> ToolScan:
    """As the API does it: in a person's transaction, in the application's role."""
    with inside(cast.alice):
        run_scan(start_scan(cast.alice, server).pk)
        return ToolScan.objects.select_related("server").filter(server=server).latest("started_at")


def requests(cast: Cast) -> int:
    with inside(cast.alice):
        return PublishRequest.objects.count()


def test_a_scan_finds_and_classes_the_tools_and_tells_the_gateways(cast: Cast, toy: RunningToy) -> None:
    server = registered(cast, toy.url)
    before = requests(cast)
    scan = scanned(cast, server)
    assert (scan.state, scan.server.status) == ("done", "ready"), scan.message
    assert [step["title"] for step in scan.steps][-1] == "Reading tools"
    with inside(cast.bob):
        tools = list(Tool.objects.visible_to(cast.bob).order_by("position"))
    assert len(tools) == scan.tools_found > 0
    assert all(tool.tool_class and len(tool.digest) == 64 and tool.evidence for tool in tools)
    assert sorted(scan.changes["added"]) == sorted(tool.name for tool in tools)
    assert requests(cast) == before + 1


@pytest.mark.parametrize(
    ("steps", "done", "under_way"),
    [
        ([], 0, "Looking the host up"),
        ([("Found the host", 1)], 1, "Connecting"),
        ([("Found the host", 1), ("Secure connection", 2)], 2, "Asking whether it speaks MCP"),
        ([("Found the host", 1), ("Connected", 2), ("Speaks MCP", 3)], 3, "Reading tools"),
        ([("Speaks MCP", 3), ("Reading tools", None)], 1, "Reading tools: 2 pages"),
    ],
)
def test_a_running_scan_says_what_it_is_at(
    steps: list[tuple[str, int | None]], done: int, under_way: str
) -> None:
    written = [{"title": title, "detail": "2 pages", "milliseconds": took} for title, took in steps]
    scan = ToolScan(steps=written, state=ToolScan.State.RUNNING)
    assert (len(scan.steps_done), scan.under_way) == (done, under_way)


def test_a_scan_that_finds_nothing_new_tells_nobody(cast: Cast, toy: RunningToy) -> None:
    server = registered(cast, toy.url)
    scanned(cast, server)
    before = requests(cast)
    again = scanned(cast, server)
    assert again.changes == {"added": [], "removed": [], "changed": [], "sentences": {}}
    assert requests(cast) == before


def test_a_server_that_speaks_another_revision_is_told_to_the_gateways(cast: Cast, toy: RunningToy) -> None:
    server = registered(cast, toy.url)
    scanned(cast, server)
    with inside(cast.alice):
        ToolScan.objects.update(protocol_version="2025-06-18")
    before = requests(cast)
    scanned(cast, server)
    assert requests(cast) == before + 1


def test_what_changed_since_the_last_scan_is_said(cast: Cast, toy: RunningToy) -> None:
    server = registered(cast, toy.url)
    scanned(cast, server)
    with inside(cast.alice):
        first, second = Tool.objects.order_by("position")[:2]
        Tool.objects.filter(pk=first.pk).update(digest="0" * 64, description="something else", tool_class="")
        Tool.objects.filter(pk=second.pk).update(removed_at=timezone.now())
        Tool.objects.create(
            organization_id=server.organization_id, server=server, name="long_gone", digest="1" * 64
        )
    before = requests(cast)
    scan = scanned(cast, server)
    assert (scan.changes["changed"], scan.changes["added"], scan.changes["removed"]) == (
        [first.name],
        [second.name],
        ["long_gone"],
    )
    assert scan.changes["sentences"][first.name]
    with inside(cast.alice):
        present = set(Tool.objects.present().values_list("name", flat=True))
        assert "long_gone" not in present and second.name in present
        assert Tool.objects.get(pk=first.pk).tool_class != "", "classed again by what it is now"
    assert requests(cast) == before + 1


@pytest.mark.parametrize(
    "url",
    ["https://gw.example/in/mcp/0190/", "https://GW.example:443/in/mcp/", "https://gw.example/in/mcp/?a=b"],
)
def test_an_address_of_the_gateway_itself_is_no_server(cast: Cast, settings: Any, url: str) -> None:
    settings.GATEWAY_PUBLIC_URL = "https://gw.example/in"
    with inside(cast.alice):
        with pytest.raises(InvalidInput) as invalid:
            register_server(cast.alice, "Round", url)
        assert invalid.value.field_errors == {
            "upstream_url": ("This is an address of the gateway itself. Give the server's own.",)
        }
        register_server(cast.alice, "Beside it", "https://gw.example/other/mcp/")


def test_a_scan_runs_as_the_worker_too(cast: Cast, toy: RunningToy) -> None:
    server = registered(cast, toy.url)
    with inside(cast.alice):
        scan = start_scan(cast.alice, server)
    with as_worker():
        tasks.run_scan(str(scan.pk))
        scan.refresh_from_db()
        assert (scan.state, Tool.objects.filter(server=server).count()) == ("done", scan.tools_found)


def test_the_stored_headers_are_sent(cast: Cast, tmp_path: Path) -> None:
    with running_toy("--token", "open sesame") as locked:
        server = registered(cast, locked.url)
        refused = scanned(cast, server)
        with inside(cast.alice):
            change_server(cast.alice, server, headers={"Authorization": "Bearer open sesame"})
        let_in = scanned(cast, server)
    assert (refused.state, refused.code, refused.server.status) == ("failed", "unauthorized", "failing")
    assert (let_in.state, let_in.server.status) == ("done", "ready")
    assert "sesame" not in str(let_in.steps) + refused.message + refused.hint


def test_a_server_that_is_not_there_is_said_to_be_so(cast: Cast) -> None:
    scan = scanned(cast, registered(cast, "http://127.0.0.1:1/mcp"))
    assert (scan.state, scan.code) == ("failed", "refused")
    assert scan.message and scan.hint and scan.finished_at is not None


def test_an_address_inside_is_not_connected_to(cast: Cast) -> None:
    scan = scanned(cast, registered(cast, "http://10.0.0.1/mcp"))
    assert (scan.state, scan.code) == ("failed", "address_not_allowed")


def test_our_own_listeners_are_not_connected_to(cast: Cast, toy: RunningToy, settings: Any) -> None:
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    settings.OWN_LISTENERS = frozenset({(ip_address("127.0.0.1"), urlsplit(toy.url).port)})
    assert scanned(cast, registered(cast, toy.url)).code == "address_not_allowed"


def test_a_failed_scan_keeps_what_the_last_good_one_found(cast: Cast, toy: RunningToy) -> None:
    server = registered(cast, toy.url)
    scanned(cast, server)
    with inside(cast.alice):
        Server.objects.filter(pk=server.pk).update(upstream_url="http://127.0.0.1:1/mcp")
    before = requests(cast)
    assert scanned(cast, server).state == "failed"
    with inside(cast.alice):
        assert Tool.objects.present().count() > 0
    assert requests(cast) == before


def test_a_scan_told_twice_visits_once(cast: Cast, toy: RunningToy) -> None:
    scan = scanned(cast, registered(cast, toy.url))
    with inside(cast.alice):
        assert run_scan(scan.pk).finished_at == scan.finished_at


def test_a_server_retired_meanwhile_stays_retired(cast: Cast, toy: RunningToy) -> None:
    server = registered(cast, toy.url)
    with inside(cast.alice):
        scan = start_scan(cast.alice, server)
        retire_server(cast.alice, server)
        found = run_scan(scan.pk)
        server.refresh_from_db()
    assert (found.state, found.code, server.status) == ("failed", "retired", "retired")


def test_what_a_stopped_visit_finds_is_not_kept(cast: Cast, toy: RunningToy) -> None:
    """Of a server that answers at once, and of one that never would."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for url in (toy.url, f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"):
            server = registered(cast, url)
            with inside(cast.alice):
                scan = start_scan(cast.alice, server)
                ToolScan.objects.filter(pk=scan.pk).update(state=ToolScan.State.RUNNING)
                stop_scan(cast.alice, server)
                scanning._run(scan)
                scan.refresh_from_db()
                server.refresh_from_db()
                assert (scan.state, scan.code, server.status) == ("failed", "stopped", "failing")
                assert not Tool.objects.filter(server=server).exists()
                retire_server(cast.alice, server)


@pytest.mark.parametrize(("last", "status"), [("done", "ready"), ("failed", "failing")])
def test_a_stopped_scan_leaves_the_server_as_the_last_one_found_it(
    cast: Cast, toy: RunningToy, last: str, status: str
) -> None:
    server = registered(cast, toy.url)
    with inside(cast.alice):
        for state in ("done", last):
            scan = start_scan(cast.alice, server)
            ToolScan.objects.filter(pk=scan.pk).update(state=state, finished_at=timezone.now())
        start_scan(cast.alice, server)
        Server.objects.filter(pk=server.pk).update(status=Server.Status.SCANNING)
        stop_scan(cast.alice, server)
        server.refresh_from_db()
    assert server.status == status


def test_headers_that_do_not_open_are_asked_for_again(cast: Cast, toy: RunningToy) -> None:
    server = registered(cast, toy.url, headers={"Authorization": "Bearer secret"})
    with inside(cast.alice):
        server.credential.sealed = "v1.gone.AAAA.AAAA"
        server.credential.save()
    scan = scanned(cast, server)
    assert (scan.code, scan.hint) == ("credential", "Enter them again.")


def test_lost_and_interrupted_scans_are_seen_to(
    cast: Cast, toy: RunningToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr("config.celery.app.send_task", lambda _, given: started.extend(given))
    server = registered(cast, toy.url)
    with inside(cast.alice):
        _, lost, hung = (start_scan(cast.alice, server) for _ in range(3))
        long_ago = timezone.now() - timedelta(minutes=5)
        ToolScan.objects.filter(pk__in=[lost.pk, hung.pk]).update(started_at=long_ago)
        ToolScan.objects.filter(pk=hung.pk).update(state=ToolScan.State.RUNNING)
    with as_worker():
        tasks.sweep_scans()
        hung.refresh_from_db()
    assert started == [str(lost.pk)]
    assert (hung.state, hung.code) == ("failed", "interrupted")


def test_what_the_clock_scans_takes_no_room_from_people_and_waits_for_them(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DEFAULTS, Limit.SCANS_PER_HOUR, 1)
    monkeypatch.setattr("servers.services.MOST_SCANS_AT_ONCE", 1)
    confirm(cast.alice)
    started: list[str] = []
    with inside(cast.alice):
        for number in range(3):
            register_server(cast.alice, f"Toy {number}", "http://127.0.0.1:1/mcp")
        Server.objects.update(status=Server.Status.READY)
        for server in Server.objects.all():
            past = timezone.now() - timedelta(minutes=16)
            ToolScan.objects.create(
                organization_id=server.organization_id,
                server=server,
                state="done",
                started_at=past,
                routine=True,
            )
    with as_worker():
        tasks.rescan_due()
        assert ToolScan.objects.filter(state="waiting").count() == 3
    with inside(cast.alice):
        asked = start_scan(cast.alice, server)
        ToolScan.objects.filter(state="waiting").update(started_at=F("started_at") - timedelta(minutes=1))
    monkeypatch.setattr("config.celery.app.send_task", lambda _, given: started.extend(given))
    with as_worker():
        tasks.sweep_scans()
        assert started == [str(asked.pk)]
        tasks.run_scan(started.pop())
        assert ToolScan.objects.get(pk__in=started).routine


def test_every_server_is_looked_at_again_after_a_while(
    cast: Cast, toy: RunningToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = registered(cast, toy.url)
    scanned(cast, server)
    with as_worker():
        tasks.rescan_due()
        assert ToolScan.objects.count() == 1
        ToolScan.objects.update(started_at=timezone.now() - timedelta(minutes=16))
        tasks.rescan_due()
        assert ToolScan.objects.filter(state="waiting").count() == 1
        tasks.rescan_due()
        assert ToolScan.objects.count() == 2
        ToolScan.objects.update(started_at=timezone.now() - timedelta(minutes=16))
        tasks.rescan_due()
        assert ToolScan.objects.count() == 2, "one waits already"


def test_old_scans_are_forgotten_but_for_what_is_still_asked_for(cast: Cast) -> None:
    server = registered(cast, "http://127.0.0.1:1/mcp")
    found: dict[str, Any] = {"added": [], "removed": [], "changed": []}
    days: list[tuple[int, str, dict[str, Any]]] = [
        (9, "done", found | {"changed": ["a"]}),
        (8, "done", found | {"added": ["b"]}),
        (7, "failed", {}),
        (6, "done", found),
        (5, "failed", {}),
        (4, "failed", {}),
    ]
    with inside(cast.alice):
        for ago, state, changes in days:
            began = timezone.now() - timedelta(days=ago)
            ToolScan.objects.create(
                organization_id=server.organization_id,
                server=server,
                state=state,
                changes=changes,
                started_at=began,
            )
    with as_worker():
        for _ in range(2):
            tasks.forget_scans()
            kept = ToolScan.objects.order_by("started_at")
            assert [(timezone.now() - scan.started_at).days for scan in kept] == [9, 6, 4]
