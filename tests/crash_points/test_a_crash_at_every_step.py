"""Publishing survives a crash at every step: it converges, and exactly one revision is in force."""

from __future__ import annotations

import json
import time
import urllib.error
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.crash_points.points import PART_POINTS, POINTS
from tests.fixtures.servers.start import running_toy
from tests.journeys.api import Api, called, gateway_status, wait_until
from tests.journeys.product import running_product

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

GATEWAYS = 2
# The points tried in every run: one in each kind of process.
LEAN = ("commit, nothing enqueued", "store", "swap")


@dataclass
class Published:
    """One policy that is edited again and again; what an agent is told contains the number of the edit."""

    api: Api
    policy: str
    grant: dict[str, Any]
    folder: Path
    edits: int = 0
    took: dict[str, float] = field(default_factory=dict)

    def edit(self) -> None:
        self.edits += 1
        self.api.ask("PATCH", f"/policies/{self.policy}/", {"document": document(self.edits)})

    def crash_at(self, point: str) -> float:
        """Publish with the point armed; return when the process died."""
        (self.folder / "fired").unlink(missing_ok=True)
        (self.folder / "armed").write_text(point)
        # A request to a process that dies is not answered.
        with suppress(OSError, HTTPException, AssertionError):
            self.api.ask("POST", f"/policies/{self.policy}/publish/", {"note": point})
        wait_until((self.folder / "fired").exists, f"nothing came to: {point}")
        return (self.folder / "fired").stat().st_ctime

    def saved(self) -> int:
        """The edit that the control plane holds as published."""
        revisions = self.api.ask("GET", f"/policies/{self.policy}/revisions/?limit=1")["results"]
        return edit_of(self.api.ask("GET", f"/revisions/{revisions[0]['id']}/")["document"])

    def in_force(self) -> set[int]:
        """The edits that gateways judge by, over connections that reach any of them."""
        return {edit_of(said(self.grant)) for _ in range(6)}

    def workers_in_step(self) -> bool:
        rows = self.api.ask("GET", "/workers/")["results"]
        return len(rows) == GATEWAYS and all(row["applied"] and not row["gone"] for row in rows)


def document(edit: int) -> dict[str, Any]:
    rule = {"action": "deny", "reason": f"This is edit {edit}."}
    return {"version": "1", "default": "deny", "tools": {"create_access_key": rule}}


def edit_of(text: Any) -> int:
    told = text if isinstance(text, str) else json.dumps(text)
    return int(told.partition("This is edit ")[2].partition(".")[0])


def said(grant: dict[str, Any]) -> str:
    return str(called(grant, "create_access_key")["content"][0]["text"])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("crashes")
    with (
        running_toy() as toy,
        running_product(folder, gateways=GATEWAYS, surroundings=deadly_surroundings(folder)) as product,
    ):
        api = Api(product.web, product.bootstrap()["api_key"])
        server = api.register("Toy", toy.url)
        policy = api.publish(server, document(0))
        grant = api.grant(server, policy, "crashes")
        wait_until(lambda: all(gateway_status(grant) != 401 for _ in range(20)), "a gateway lacks the grant")
        made = Published(api, policy, grant, folder)
        yield made
        for point, seconds in made.took.items():
            print(f"{point:26} {seconds:5.1f} s")


def deadly_surroundings(folder: Path) -> dict[str, str]:
    points: dict[str, list[list[str]]] = {}
    for point, at in (POINTS | PART_POINTS).items():
        points.setdefault(at.module, []).append([point, at.name, at.when])
    return {
        "PYTHONPATH": str(Path(__file__).with_name("inside")),
        "CRASH_FOLDER": str(folder),
        "CRASH_POINTS": json.dumps(points),
    }


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=() if point in LEAN else pytest.mark.slow) for point in POINTS]
)
def test_after_a_crash_one_revision_is_in_force_everywhere(published: Published, point: str) -> None:
    wait_until(lambda: converged(published), "the product did not come to rest before", 60)
    before = published.saved()
    published.edit()
    died = published.crash_at(point)
    wait_until(lambda: converged(published), f"not converged after a crash at: {point}", 60)
    published.took[point] = time.time() - died
    assert published.saved() in (before, published.edits)
    if published.saved() == before:
        assert point in ("save", "saved, not committed"), "only what was not committed may be gone"
        published.api.publish_draft(published.policy)
        assert published.in_force() == {published.edits}


def converged(published: Published) -> bool:
    """True if all gateways judge by the saved edit. A process that is still starting does not answer yet."""
    try:
        return published.workers_in_step() and published.in_force() == {published.saved()}
    except (OSError, HTTPException, AssertionError, urllib.error.URLError):
        return False
