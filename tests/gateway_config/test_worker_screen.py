"""The page of workers: every gateway by name, what it runs of this organization, and who is behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html import unescape

from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent
from gateway_config.models import PublishRequest, Worker, WorkerStatus
from gateway_config.services import deliver
from gateway_config.tasks import signing_key
from gateway_config.wire.messages import Hello
from gateway_config.workers import note_worker
from tests.cast import Acme, Cast, inside
from tests.ladder import Door, SignedIn, climb, queries_of
from tests.roles import as_owner, as_worker


def enrolled(name: str) -> Worker:
    with as_owner():
        return Worker.objects.create(
            name=name, token_hash=name.ljust(64, "0"), version="1.2", last_seen_at=timezone.now()
        )


def test_everybody_may_see_the_workers(cast: Cast, signed_in: SignedIn) -> None:
    climb(Door("/workers/", stranger=200), cast, signed_in)
    assert "No gateway worker has enrolled" in signed_in(cast.bob).get("/workers/").content.decode()


def test_a_refusal_is_named_with_its_reason(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    worker = enrolled("gw-<b>1")
    with as_worker():
        WorkerStatus.objects.create(
            organization_id=cast.alice.organization_id,
            worker=worker,
            revision=0,
            state="rejected",
            rejected_revision=3,
            reason="the signature\u202e does not fit",
        )
    shown = signed_in(cast.bob).get("/workers/").content.decode()
    assert "refused configuration 3" in shown and "the signatureU+202E does not fit" in shown
    assert "gw-&lt;b&gt;1" in shown
    assert "refused" not in unescape(signed_in(cast.mallory).get("/workers/").content.decode())


def test_a_gateway_that_denies_calls_for_want_of_a_disk_is_not_shown_as_healthy(
    acme: Acme, cast: Cast, signed_in: SignedIn, api_key: Callable[..., str]
) -> None:
    worker = enrolled("gw-1")
    with as_worker():
        deliver(acme.server.organization_id, signing_key())
        WorkerStatus.objects.create(
            organization_id=cast.alice.organization_id, worker=worker, revision=1, state="applied"
        )
    headers = {"authorization": f"Bearer {api_key(cast.alice)}"}

    def says(trouble: str) -> tuple[str, dict[str, str] | None]:
        with as_worker():
            note_worker(worker, Hello("1.2", trouble=trouble))
        (row,) = Client().get("/api/v1/workers/", headers=headers).json()["results"]
        return unescape(signed_in(cast.bob).get("/workers/").content.decode()), row["trouble"]

    page, told = says("disk")
    assert "denies calls" in page and "Its disk is full or fails" in page and "configuration 1<" not in page
    assert "1 denies calls" in page, "the frame of every page says so, too"
    assert told == {
        "code": "disk",
        "message": "Its disk is full or fails: it cannot record calls, so it denies them.",
    }
    page, told = says("of-a-newer-gateway")
    assert "denies calls" in page and told is not None and told["code"] == "of-a-newer-gateway"
    page, told = says("")
    assert "denies calls" not in page and "configuration 1<" in page and told is None
    says("disk")
    with as_worker():
        Worker.objects.update(last_seen_at=timezone.now() - timedelta(minutes=1))
    page = signed_in(cast.bob).get("/workers/").content.decode()
    assert "gone" in page and "denies calls" not in page


def test_the_table_alone_is_asked_for_again(cast: Cast, signed_in: SignedIn) -> None:
    asked = {"HX-Request": "true", "HX-Target": "workers"}
    shown = signed_in(cast.bob).get("/workers/", headers=asked).content.decode()
    assert "<html" not in shown and 'id="workers"' in shown


def test_the_frame_asks_again_until_every_gateway_is_in_step(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    worker = enrolled("gw-1")
    client = signed_in(cast.bob)
    asked = {"HX-Request": "true", "HX-Target": "nav-rollout"}

    def shown() -> str:
        return client.get("/workers/", headers=asked).content.decode()

    behind = shown()
    assert "<html" not in behind and 'id="nav-rollout"' in behind
    assert "0 of 1 in step" in behind and 'hx-get="/workers/" hx-trigger="load delay:1s"' in behind
    with as_worker():
        deliver(acme.server.organization_id, signing_key())
        WorkerStatus.objects.create(
            organization_id=cast.alice.organization_id, worker=worker, revision=1, state="applied"
        )
    in_step = shown()
    assert "1 of 1 in step" in in_step and "hx-get" not in in_step


def test_more_workers_are_not_more_questions(cast: Cast, signed_in: SignedIn) -> None:
    enrolled("gw-1")
    few = queries_of(signed_in(cast.bob), "/workers/")
    for number in range(2, 9):
        enrolled(f"gw-{number}")
    assert queries_of(signed_in(cast.bob), "/workers/") == few


def give_up(cast: Cast, error: str) -> None:
    with as_worker():
        PublishRequest.objects.update(done_at=timezone.now())
        PublishRequest.objects.create(
            organization_id=cast.alice.organization_id, deliveries=3, dead_at=timezone.now(), error=error
        )


def test_a_change_that_was_given_up_is_shown_to_its_own_organization(
    acme: Acme, cast: Cast, signed_in: SignedIn, api_key: Callable[..., str]
) -> None:
    give_up(cast, "BundleInvalid: <b>\u202eno")
    shown = signed_in(cast.bob).get("/workers/").content.decode()
    assert "could not reach the gateways" in shown and "&lt;b&gt;U+202Eno" in shown
    assert "Try again" not in shown, "a viewer publishes nothing"
    assert "Try again" in signed_in(cast.carol).get("/workers/").content.decode()
    assert "could not reach" not in signed_in(cast.mallory).get("/workers/").content.decode()
    headers = {"authorization": f"Bearer {api_key(cast.alice)}"}
    told = Client().get("/api/v1/workers/", headers=headers).json()["given_up"]
    assert told["error"].startswith("BundleInvalid") and told["since"]


def test_trying_again_takes_the_dead_letter_along(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    give_up(cast, "BundleInvalid")
    climb(Door("/workers/publish-again/", "post", good=302, barred=("bob",), stranger=302), cast, signed_in)
    assert "could not reach" not in signed_in(cast.carol).get("/workers/").content.decode()
    with as_worker():
        deliver(cast.alice.organization_id, signing_key())
        assert not PublishRequest.objects.filter(organization=cast.alice.organization, done_at=None).exists()
    with inside(cast.alice):
        assert AuditEvent.objects.filter(verb="configuration.tried_again").count() == 1
