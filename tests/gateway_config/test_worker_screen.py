"""The page of workers: every gateway by name, what it runs of this organization, and who is behind."""

from __future__ import annotations

from html import unescape

from django.utils import timezone

from gateway_config.models import Worker, WorkerStatus
from tests.cast import Acme, Cast
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


def test_the_table_alone_is_asked_for_again(cast: Cast, signed_in: SignedIn) -> None:
    asked = {"HX-Request": "true", "HX-Target": "workers"}
    shown = signed_in(cast.bob).get("/workers/", headers=asked).content.decode()
    assert "<html" not in shown and 'id="workers"' in shown


def test_more_workers_are_not_more_questions(cast: Cast, signed_in: SignedIn) -> None:
    enrolled("gw-1")
    few = queries_of(signed_in(cast.bob), "/workers/")
    for number in range(2, 9):
        enrolled(f"gw-{number}")
    assert queries_of(signed_in(cast.bob), "/workers/") == few
