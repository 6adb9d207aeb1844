"""The gateways' door: a worker's token opens it, nothing else does, and it is not on the web port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from django.db import ProgrammingError, transaction
from django.test import Client
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve

from accounts.services.closing import delete_organization
from common.errors import InvalidInput
from common.tokens import API_KEY, GRANT, WORKER, new_token
from gateway.config_store import ConfigStore
from gateway_config import workers
from gateway_config.models import ConfigRevision, NumberFloor, PublishRequest, Worker, WorkerStatus
from gateway_config.services import enroll_worker, remove_worker, signed
from gateway_config.tasks import signing_key
from gateway_config.wire.bundle import Bundle
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.messages import Ack, HeadsAnswer, HelloAnswer, SignedBundle
from gateway_config.wire.signing import VerifyKeys
from tests.accounts.test_gone_meanwhile import inside_of
from tests.accounts.test_leaving_meanwhile import in_a_thread
from tests.cast import Cast, inside
from tests.roles import as_worker, become

INTERNAL = pytest.mark.urls("config.internal_urls")
COMMITTED = pytest.mark.usefixtures("transactional_db", "worker_threads")
PATHS = [
    ("get", "/internal/v1/heads"),
    ("get", "/internal/v1/bundles/01a1fd5a-2c7e-7166-b865-5f61d02098a7/"),
    ("get", "/internal/v1/bundles/01a1fd5a-2c7e-7166-b865-5f61d02098a7/grants/" + "0" * 64 + "/"),
    ("post", "/internal/v1/acks/"),
    ("post", "/internal/v1/hello/"),
    ("post", "/internal/v1/decisions/"),
    ("post", "/internal/v1/limiter/"),
    ("post", "/internal/v1/drift/"),
    ("post", "/internal/v1/approvals/"),
    ("post", "/internal/v1/approvals/claim/"),
    ("post", "/internal/v1/approvals/unused/"),
    ("get", "/internal/v1/approvals/news"),
]
Enrolled = Callable[[str], tuple[Worker, str]]


class Gateway:
    """A worker's side of the internal API."""

    def __init__(self, token: str | None) -> None:
        self.client = Client(headers={"authorization": f"Bearer {token}"} if token else {})

    def get(self, path: str) -> Any:
        with as_worker():
            return self.client.get(path)

    def post(self, path: str, message: Any) -> Any:
        body = message if isinstance(message, bytes) else msgspec.json.encode(message)
        with as_worker():
            return self.client.post(path, body, content_type="application/json")

    def ask(self, method: str, path: str) -> Any:
        return self.get(path) if method == "get" else self.post(path, b"{}")


@INTERNAL
@COMMITTED
@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "token",
    [None, "", "junk", new_token(WORKER), new_token(API_KEY), new_token(GRANT), "plw_" + "A" * 33, "Ω"],
    ids=["none", "empty", "junk", "unknown", "an API key", "a grant's", "no checksum", "not ASCII"],
)
def test_what_is_no_workers_token_opens_nothing(method: str, path: str, token: str | None) -> None:
    answer = Gateway(token).ask(method, path)
    assert answer.status_code == 401 and answer["WWW-Authenticate"] == "Bearer"


@INTERNAL
@COMMITTED
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_removed_workers_token_opens_nothing(method: str, path: str, enrolled: Enrolled) -> None:
    _, token = enrolled("gw-1")
    with as_worker():
        remove_worker("gw-1")
    assert Gateway(token).ask(method, path).status_code == 401


@INTERNAL
def test_an_api_key_and_a_session_open_nothing(
    cast: Cast, api_key: Callable[..., str], signed_in: Callable[..., Client]
) -> None:
    assert Gateway(api_key(cast.alice)).post("/internal/v1/acks/", []).status_code == 401
    browser = signed_in(cast.alice)
    assert browser.post("/internal/v1/acks/", b"[]", content_type="application/json").status_code == 401


@INTERNAL
@COMMITTED
def test_what_is_told_of_an_organization_that_is_deleted_at_that_moment_may_be_told_again(
    cast: Cast, enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = enrolled("gw-1")
    gateway, acks = Gateway(token), [Ack(str(cast.alice.organization_id), 1, "applied")]
    gateway.client.raise_request_exception = False
    among = workers._organizations_among

    def delete() -> None:
        become("policylayer_app")
        delete_organization(cast.alice, "Acme")

    def and_then_deleted(texts: Iterable[str]) -> list[UUID]:
        found = among(texts)
        in_a_thread(inside_of(cast.alice, delete), said).join()
        return found

    said: list[str] = []
    monkeypatch.setattr(workers, "_organizations_among", and_then_deleted)
    refused = gateway.post("/internal/v1/acks/", acks)
    assert said == ["done"]
    assert (refused.status_code, refused["Retry-After"]) == (503, "10")
    assert "was not done" in refused.json()["error"]
    monkeypatch.undo()
    assert gateway.post("/internal/v1/acks/", acks).status_code == 204


def test_nothing_of_it_is_reachable_on_the_web_port() -> None:
    for _, path in PATHS:
        with pytest.raises(Resolver404):
            resolve(path, "config.urls")
    assert not [route for route in _routes(get_resolver("config.urls")) if "internal" in route]


def _routes(resolver: URLResolver, before: str = "") -> list[str]:
    found = []
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        found += [route] if isinstance(pattern, URLPattern) else _routes(pattern, route)
    return found


@INTERNAL
def test_a_worker_fetches_the_newest_bundle(
    cast: Cast, enrolled: Enrolled, published: ConfigRevision
) -> None:
    gateway = Gateway(enrolled("gw-1")[1])
    answer = gateway.get(f"/internal/v1/bundles/{cast.alice.organization_id}/")
    signed = msgspec.json.decode(answer.content, type=SignedBundle)
    assert signed.envelope.revision == published.number and signed.body == published.body
    assert gateway.get(f"/internal/v1/bundles/{cast.mallory.organization_id}/").status_code == 404


@INTERNAL
def test_hello_is_a_sign_of_life(db: None, enrolled: Enrolled) -> None:
    worker, token = enrolled("gw-1")
    with as_worker():
        Worker.objects.update(last_seen_at=None)
    answer = Gateway(token).post("/internal/v1/hello/", {"version": "0.1.0\x00" + "x" * 99, "high_water": {}})
    assert msgspec.json.decode(answer.content, type=HelloAnswer).worker == "gw-1"
    with as_worker():
        worker.refresh_from_db()
    assert worker.last_seen_at is not None and worker.version.startswith("0.1.0")


@INTERNAL
def test_a_worker_ahead_of_a_restored_database_lifts_the_numbers(
    cast: Cast,
    enrolled: Enrolled,
    published: ConfigRevision,
    publish: Callable[[], ConfigRevision | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway = Gateway(enrolled("gw-1")[1])
    marks = {
        str(cast.alice.organization_id): 40,
        str(uuid4()): 7,
        "junk": 1,
        str(cast.mallory.organization_id): 0,
    }
    for _ in range(3):
        gateway.post("/internal/v1/hello/", {"version": "1", "high_water": marks})
    with as_worker():
        assert NumberFloor.objects.get().number == 40
        assert PublishRequest.objects.filter(done_at=None).count() == 1
    revision = publish()
    assert revision is not None and revision.number == 41
    assert "was the database restored" in caplog.text


@INTERNAL
def test_a_worker_that_took_another_revision_of_the_newest_number_gets_one_above(
    cast: Cast,
    enrolled: Enrolled,
    published: ConfigRevision,
    publish: Callable[[], ConfigRevision | None],
    tmp_path: Path,
) -> None:
    organization = str(cast.alice.organization_id)
    key = signing_key()
    store = ConfigStore(tmp_path, VerifyKeys.parse(key.verify_key()))
    before = encode_bundle(Bundle(organization))
    envelope = signed(before, organization, published.number, key)
    assert asyncio.run(store.apply(SignedBundle(envelope, before.decode()))).state == "applied"
    gateway = Gateway(enrolled("gw-1")[1])

    def follow() -> str:
        found = gateway.get(f"/internal/v1/bundles/{organization}/")
        ack = asyncio.run(store.apply(msgspec.json.decode(found.content, type=SignedBundle)))
        gateway.post("/internal/v1/acks/", [ack])
        for _ in range(3):
            gateway.post("/internal/v1/hello/", {"version": "1", "high_water": store.high_water()})
        return ack.state

    assert follow() == "rejected"
    with as_worker():
        assert PublishRequest.objects.filter(done_at=None).count() == 1
    again = publish()
    assert again is not None and again.number == published.number + 1
    assert follow() == "applied" and publish() is None


@INTERNAL
def test_a_mark_beyond_reason_lifts_nothing(
    cast: Cast, enrolled: Enrolled, published: ConfigRevision
) -> None:
    gateway = Gateway(enrolled("gw-1")[1])
    marks = {str(cast.alice.organization_id): 2**62}
    assert gateway.post("/internal/v1/hello/", {"version": "1", "high_water": marks}).status_code == 200
    with as_worker():
        assert NumberFloor.objects.count() == 0


@INTERNAL
def test_acks_are_kept_and_organizations_that_are_gone_are_passed_over(
    cast: Cast, enrolled: Enrolled, published: ConfigRevision
) -> None:
    gateway = Gateway(enrolled("gw-1")[1])
    here = str(cast.alice.organization_id)
    acks = [
        Ack(str(uuid4()), 3, "applied"),
        Ack("junk", 1, "applied"),
        Ack(here, 1, "rejected", "no"),
        Ack(here, 1, "applied"),
    ]
    assert gateway.post("/internal/v1/acks/", acks).status_code == 204
    assert gateway.post("/internal/v1/acks/", acks).status_code == 204
    with as_worker():
        status = WorkerStatus.objects.get()
    assert (status.organization_id, status.revision, status.state) == (
        cast.alice.organization_id,
        1,
        "applied",
    )


@INTERNAL
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b'[{"organization": 1}]', b"\xff", b"[" * 5_000, b'[{"organization": "\\ud800"}]'],
)
@pytest.mark.parametrize(
    "path", ["acks", "hello", "limiter", "decisions", "approvals", "approvals/claim", "approvals/unused"]
)
def test_a_message_that_cannot_be_read_is_refused(body: bytes, path: str, enrolled: Enrolled) -> None:
    answer = Gateway(enrolled("gw-1")[1]).post(f"/internal/v1/{path}/", body)
    assert answer.status_code == 400 and "cannot be read" in answer.json()["error"]


@INTERNAL
@COMMITTED
@pytest.mark.parametrize("query", ["cursor=-1", "cursor=x", "cursor=١", "wait=1.5", "cursor=" + "9" * 20])
def test_a_cursor_that_is_none_is_refused(query: str, enrolled: Enrolled) -> None:
    assert Gateway(enrolled("gw-1")[1]).get(f"/internal/v1/heads?{query}").status_code == 400
    news = query.replace("cursor", "after")
    assert Gateway(enrolled("gw-2")[1]).get(f"/internal/v1/approvals/news?{news}").status_code == 400


@INTERNAL
@COMMITTED
def test_heads_tell_the_newest_of_each_organization(
    cast: Cast, enrolled: Enrolled, published: ConfigRevision
) -> None:
    gateway = Gateway(enrolled("gw-1")[1])

    def heads(cursor: int) -> HeadsAnswer:
        return msgspec.json.decode(
            gateway.get(f"/internal/v1/heads?cursor={cursor}").content, type=HeadsAnswer
        )

    everything = heads(0)
    assert [(head.organization, head.revision, head.hash) for head in everything.heads] == [
        (str(cast.alice.organization_id), published.number, published.hash)
    ]
    nothing = heads(everything.cursor)
    assert (nothing.cursor, nothing.heads) == (everything.cursor, ())
    assert heads(2**63 - 1).heads == everything.heads, "a cursor from before a restore: all is told again"


def test_enrolling_twice_changes_nothing_and_brings_a_removed_worker_back(db: None) -> None:
    token = new_token(WORKER)
    with as_worker():
        first = enroll_worker("gw-1", token)
        remove_worker("gw-1")
        again = enroll_worker("gw-1", token)
        assert first.pk == again.pk and Worker.objects.get().removed_at is None


def test_a_token_is_one_workers(db: None) -> None:
    token = new_token(WORKER)
    with as_worker():
        enroll_worker("gw-1", token)
        with pytest.raises(InvalidInput):
            enroll_worker("gw-2", token)
        with pytest.raises(InvalidInput):
            enroll_worker("gw-3", "junk")
        with pytest.raises(InvalidInput):
            enroll_worker("gw-1/gw-4", new_token(WORKER))


def test_people_cannot_read_a_workers_token_hash(cast: Cast, enrolled: Enrolled) -> None:
    enrolled("gw-1")
    with inside(cast.alice), pytest.raises(ProgrammingError), transaction.atomic():
        list(Worker.objects.values_list("token_hash"))
