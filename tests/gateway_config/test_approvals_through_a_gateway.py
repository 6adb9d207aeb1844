"""A gateway and the control plane, both real: a call waits, a person approves it, it is sent once."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from django.core.asgi import get_asgi_application
from django.db import connection

from approvals.models import Approval
from approvals.services import approve, decline
from common.egress import EgressPolicy, parse_networks
from gateway.app import Gateway
from gateway.approvals_client import ApprovalsClient
from gateway.control_plane import ControlPlane
from gateway.counters.sqlite import SqliteLimiter
from gateway.used_approvals import UsedApprovals
from gateway_config.models import ConfigRevision, Worker
from gateway_config.wire.loader import load_organization
from gateway_config.wire.messages import SignedBundle
from policies.services import publish_policy, save_draft
from servers.models import Server
from tests.cast import Acme, Cast, inside
from tests.gateway.limiters import trusted_file
from tests.gateway.raw_http import Answer, Client, Upstream
from tests.gateway.world import KEYS, Config, Log
from tests.roles import as_owner

pytestmark = [
    pytest.mark.urls("config.internal_urls"),
    pytest.mark.usefixtures("transactional_db", "worker_threads"),
]
META = "policylayer/decision"
DOCUMENT = json.dumps(
    {
        "version": "1",
        "default": "deny",
        "tools": {
            "delete_user": {
                "action": "require_approval",
                "limits": [{"counter": "deletions", "window": "second", "max": 1, "scope": "grant"}],
            }
        },
    }
)
_Value = TypeVar("_Value")


@dataclass
class Running:
    loop: asyncio.AbstractEventLoop
    upstream: Upstream
    port: int
    token: str
    server: str
    log: Log
    start_anew: Callable[[], int]

    def do(self, work: Coroutine[Any, Any, _Value]) -> _Value:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def call(self, arguments: Any) -> dict[str, Any]:
        async def once() -> Answer:
            async with Client(self.port, self.token, f"/mcp/{self.server}/") as alice:
                return await alice.call("delete_user", arguments)

        result: dict[str, Any] = self.do(once()).json["result"]
        return result

    def until(self, arguments: Any, code: str | None) -> dict[str, Any]:
        """What was heard of an approval a moment ago may still be news to the gateway."""
        deadline = time.monotonic() + 60
        while True:
            result = self.call(arguments)
            if code_of(result) == code:
                return result
            assert time.monotonic() < deadline, result
            time.sleep(0.05)


def code_of(result: dict[str, Any]) -> str | None:
    found: str | None = result.get("_meta", {}).get(META, {}).get("code")
    return found


@pytest.fixture
def running(
    acme: Acme,
    cast: Cast,
    publish: Callable[[], ConfigRevision | None],
    enrolled: Callable[[str], tuple[Worker, str]],
    tmp_path: Path,
    settings: Any,
) -> Iterator[Running]:
    settings.MIDDLEWARE = []
    settings.ROOT_URLCONF = "config.internal_urls"
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()
    try:
        upstream = asyncio.run_coroutine_threadsafe(stack.enter_async_context(Upstream()), loop).result(60)
        with inside(cast.alice):
            Server.objects.filter(pk=acme.server.pk).update(upstream_url=upstream.url)
            save_draft(cast.alice, acme.policy, DOCUMENT)
            publish_policy(cast.alice, acme.policy)
        revision = publish()
        assert revision is not None
        worker, log = enrolled("gw-1")[1], Log()

        def start() -> int:
            started = _serve(stack, revision, worker, tmp_path, log)
            return asyncio.run_coroutine_threadsafe(started, loop).result(60)

        yield Running(loop, upstream, start(), acme.token, str(acme.server.pk), log, start)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        _end_other_sessions()


def _end_other_sessions() -> None:
    """Of threads that answered a poll which its gateway left: the database could not be dropped."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def _serve(stack: AsyncExitStack, revision: ConfigRevision, worker: str, folder: Path, log: Log) -> int:
    transport = httpx.ASGITransport(app=get_asgi_application())  # type: ignore[arg-type]
    control = await stack.enter_async_context(ControlPlane("http://control", worker, transport=transport))
    signed = await control.bundle(str(revision.organization_id))
    limits = folder / "limits.sqlite"
    limiter = SqliteLimiter(limits if limits.exists() else trusted_file(limits), worker="gw-1")
    stack.push_async_callback(limiter.close)
    used = UsedApprovals(folder / "used-approvals")
    approvals = ApprovalsClient(control, limiter, used, answer_seconds=10)
    hearing = asyncio.create_task(approvals.run())
    stack.callback(hearing.cancel)
    gateway = Gateway(
        config=_config(signed),
        limiter=limiter,
        decisions=log,
        egress=EgressPolicy(parse_networks("127.0.0.0/8")),
        keyring=KEYS,
        hosts=frozenset({"127.0.0.1"}),
        approvals=approvals,
    )
    stack.callback(gateway.close)
    http = await gateway.serve("127.0.0.1", 0)
    stack.push_async_callback(http.close)
    return http.port


def _config(signed: SignedBundle) -> Config:
    organization = load_organization(signed.body.encode(), revision=signed.envelope.revision)
    organization.lease.until = time.time() + 3600
    return Config([organization])


def test_a_call_waits_is_approved_and_is_sent_exactly_once(running: Running, cast: Cast) -> None:
    waits = running.call({"user_name": "bob"})
    assert code_of(waits) == "approval_required"
    assert running.upstream.received == []
    with inside(cast.dave):
        approval = Approval.objects.get()
        told = waits["_meta"][META]
        assert told["approval_id"] in (approval.public_id, str(approval.pk))
        assert approval.public_id in told["approval_url"]
        approve(cast.dave, approval)
    sent = running.until({"user_name": "bob"}, None)
    assert sent["content"][0]["text"] == "done"
    assert len(running.upstream.received) == 1
    # The third identical call is a new one, for which a person is asked anew.
    running.until({"user_name": "bob"}, "approval_required")
    assert len(running.upstream.received) == 1
    with inside(cast.dave):
        assert sorted(Approval.objects.values_list("state", flat=True)) == ["pending", "used"]


def test_a_declined_call_is_never_sent_and_gives_its_unit_back(running: Running, cast: Cast) -> None:
    running.until({"user_name": "bob"}, "approval_required")
    assert code_of(running.call({"user_name": "carol"})) == "limit_exceeded"
    with inside(cast.dave):
        decline(cast.dave, Approval.objects.get())
    running.until({"user_name": "bob"}, "approval_declined")
    running.until({"user_name": "carol"}, "approval_required")
    assert running.upstream.received == []


def test_an_approval_whose_call_could_not_be_sent_may_be_used_again(running: Running, cast: Cast) -> None:
    running.until({"user_name": "bob"}, "approval_required")
    with inside(cast.dave):
        approve(cast.dave, Approval.objects.get())
    running.log.full = True
    running.until({"user_name": "bob"}, "record_unavailable")
    running.log.full = False
    sent = running.until({"user_name": "bob"}, None)
    assert sent["content"][0]["text"] == "done"
    assert len(running.upstream.received) == 1


@pytest.mark.parametrize("meanwhile", ["it goes on", "it is started anew"])
def test_an_approval_that_a_restored_database_knows_as_unused_is_not_used_again(
    running: Running, cast: Cast, meanwhile: str
) -> None:
    running.until({"user_name": "bob"}, "approval_required")
    with inside(cast.dave):
        approve(cast.dave, Approval.objects.get())
        backup: dict[str, Any] = {**Approval.objects.values().get()}
    running.until({"user_name": "bob"}, None)
    if meanwhile == "it is started anew":
        running.port = running.start_anew()
    # So much was numbered since the restore that no gateway's cursor is beyond it.
    with as_owner():
        Approval.objects.filter(pk=backup.pop("id")).update(**backup)
    # Known as used, or void already, and then what it had reserved may not be given back yet.
    assert code_of(running.call({"user_name": "bob"})) in {"approval_unavailable", "limit_exceeded"}
    running.until({"user_name": "bob"}, "approval_required")
    assert len(running.upstream.received) == 1
